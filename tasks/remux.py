"""Remux: the finished file. The picture and every original track are copied bit for bit; the dub joins them.

A file appears under its name only when it is whole: it is written beside it under a hidden name, checked, signed,
flushed to the disk and renamed. What the container cannot hold is named in the delivery's notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from manifests.errors import MediaError, StageFailed, StoreError
from manifests.holds import Holds
from manifests.model import Job
from manifests.script import Casting, Lines, Script, dump, load
from manifests.shelves import REVIEW, shelf
from manifests.spans import RATE, samples
from manifests.store import file_sha256
from manifests.timeline import Timeline
from tasks import disclosure, voice_terms
from tasks.appearing import appearing, explained, refuse_to_overwrite
from tasks.containers import chosen
from tasks.delivery import Delivery, placed, streams_of
from tasks.held_source import held_source
from tasks.holding import held_script
from tasks.media import Media, probe
from tasks.mix_measures import Mix
from tasks.muxing import mux
from tasks.split import programme_length
from tasks.stage import Made, Stage, Workbench
from tasks.subtitle_kinds import Kind, further_kinds
from tasks.subtitles import Cue, cues, to_srt, to_vtt, too_fast
from tasks.tracks import Dub
from tasks.voice_terms import VoiceTerms
from voiceclone.chain import fingerprint, signer
from voiceclone.credentials import SIDECAR, Claim, sidecar
from voiceclone.registry import Registry
from voiceclone.signing import sign

TOLERANCE = samples(0.1)
"""How far a finished file's length may lie from the source's before we call it broken; containers round to frames and
packets, and add what an encoder puts before the first sample."""

TECHNICAL_TAGS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "creation_time"}
)


@dataclass(frozen=True, slots=True)
class Params:
    out: str
    """Absolute folder of the finished files, or the address where they go."""
    lesson: str
    language: str | None
    """None for a file with several languages."""
    container: str
    subtitles: tuple[str, ...]
    inputs: tuple[str, ...]
    """Absolute paths of files that people gave, none of which may ever be written."""
    source_language: str = "en"
    credentials: bool = True
    tags: bool = True
    disclosed: bool = True
    """Whether the subtitles say that the speech is synthetic."""
    signer: str = ""
    """SHA-256 of the certificate that signs: another one signs anew."""
    terms: VoiceTerms | None = None
    """What a grant is asked for once more before a person's voice leaves the house; None where nobody is named."""


Seal = Callable[[Path, str], bytes | None]
"""Signs a file of a kind (its suffix), in place; returns what is to lie beside one that cannot hold it."""


def remux(
    source: Path,
    media: Media,
    dubs: Sequence[Dub],
    stem: Path,
    scratch: Path,
    *,
    container: str = "source",
    subtitles: Sequence[str] = ("srt", "embedded"),
    inputs: Sequence[Path] = (),
    tags: Mapping[str, str] = MappingProxyType({}),
    seal: Seal | None = None,
    cores: int = 1,
) -> Delivery:
    """Write a finished file, and its subtitles beside it.

    `stem` is the file's path without its suffix; `<stem>.srt` and `<stem>.vtt`, where they are asked for, get the first
    dub's subtitles, `<stem>.forced.srt` and so on their further kinds. The first dub is the default track. `tags` join
    the source's own; `seal` signs the file when nothing else is to be written, and its digest is taken after that.
    Raises StoreError where the folder cannot be written or a name is that of one of the `inputs` or the source,
    MediaError where the container cannot hold the picture or that many languages.
    """
    kind, note = chosen(media, container)
    if len(dubs) > 1 and not kind.holds_many:
        raise MediaError(
            f"{kind.suffix[1:]} holds one audio track, not {len(dubs)} languages.",
            remedy="Set `delivery: {container: mkv}` for a file with several.",
        )
    out = Path(f"{stem}{kind.suffix}")
    beside = {Path(f"{stem}{ending}"): text for ending, text in _texts(dubs[0], subtitles)}
    statement = sidecar(out)
    refuse_to_overwrite((out, *beside, statement), (source, *inputs))
    notes = [note] if note else []
    beside_sha256: dict[str, str] = {}
    with appearing(out) as draft:
        mux(source, media, dubs, draft, scratch, kind, "embedded" in subtitles, notes, tags, cores)
        made = _checked(draft, out, media)
        notes += _lost(media, made)
        notes += [
            f"{count} subtitles in {dub.language} stand too briefly to be read at ease: the voice is as fast"
            for dub in dubs
            if (count := too_fast(dub.subtitles, dub.language))
        ]
        for path, content in beside.items():
            with appearing(path) as text, explained(path.parent):
                text.write_text(content, encoding="utf-8")
            beside_sha256[str(path)] = file_sha256(path)
        with explained(out.parent):
            sealed = seal(draft, kind.suffix) if seal else None
            statement.unlink(missing_ok=True)  # an earlier file's would call this one altered
        sha256 = file_sha256(draft)
    credentials: dict[str, str] = {}
    if sealed is not None:
        with appearing(statement) as text, explained(statement.parent):
            text.write_bytes(sealed)
        credentials[str(statement)] = file_sha256(statement)
    return Delivery(str(out), sha256, made.duration, streams_of(made), beside_sha256, credentials, tuple(notes))


FORMATS = {"srt": to_srt, "vtt": to_vtt}


def _texts(dub: Dub, subtitles: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Endings and contents of the subtitle files beside a finished file."""
    for ending, write in FORMATS.items():
        for kind, shown in dub.shown.items() if ending in subtitles else ():
            yield f".{ending}" if kind == "full" else f".{kind}.{ending}", write(shown)


def _checked(draft: Path, out: Path, media: Media) -> Media:
    """What was written, probed; raises where it is not whole or not as long as the source."""
    try:
        made = probe(draft)
    except MediaError as error:
        raise StoreError(
            f"{out} could not be written whole.", remedy="Free some space on its disk, then run again."
        ) from error
    made = replace(made, sound=made.of_kind("audio")[-1].index)
    made = replace(made, duration=programme_length(draft, made))
    if abs(made.duration - media.duration) > TOLERANCE:
        raise StageFailed(
            f"the finished file lasts {made.duration / RATE:.3f} s, its source {media.duration / RATE:.3f} s.",
            remedy="Set `delivery: {container: mkv}`; if it stays so, the source's time stamps are damaged.",
            stage="remux",
        )
    return replace(made, suffix=out.suffix)


def _lost(media: Media, made: Media) -> list[str]:
    """Notes on what the container did not take, of what it was asked to."""
    kept = {key.lower() for key in made.tags}
    tags = sorted(key for key in media.tags if key.lower() not in kept | TECHNICAL_TAGS)
    notes = [f"tags that {made.suffix[1:]} does not hold: {', '.join(tags)}"] if tags else []
    if made.chapters < media.chapters and made.suffix != ".wav":
        notes.append(f"{media.chapters - made.chapters} of {media.chapters} chapters could not be kept")
    return notes


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    language = params.language or ""
    dub = dub_of(params, language, inputs)
    consents = granted(params, language, inputs["clone/casting.json"])
    holds = load(Timeline, inputs["place/timeline.json"]).holds
    return deliver(params, inputs, bench, [dub], consents, holds)


def granted(params: Params, language: str, casting: Path) -> tuple[str, ...]:
    """Digests of the consents by which a dub's own voices speak, each granted anew. Raises ConsentRefused."""
    voices = load(Casting, casting).voices.values()
    people = sorted({voice.person for voice in voices if voice.kind == "clone" and voice.person})
    if not people or params.terms is None:
        return ()
    terms, registry = replace(params.terms, language=language), Registry.default()
    return tuple(terms.grant(person, registry).record_sha256 for person in people)


def dub_of(params: Params, language: str, inputs: Mapping[str, Path], of: str = "") -> Dub:
    """One language's part; the names of its inputs begin with `of`."""
    spoken = load(Timeline, inputs[f"{of}place/timeline.json"])
    told = load(Mix, inputs[f"{of}mix/mix.json"]).announcement
    speaks = bool(spoken.placements)
    script = held_script(load(Script, inputs["transcribe/script.json"]), spoken.holds)
    lines = load(Lines, inputs[f"{of}synthesize/lines.json"])
    frame_rate = load(Media, inputs["split/media.json"]).frame_rate
    said = disclosure.sentence(language) if speaks and params.disclosed else ""

    def shown(lines: Lines) -> tuple[Cue, ...]:
        span = told.span if told else None
        return cues(script, lines, spoken, frame_rate=frame_rate, disclosure=said, announced=span)

    voices = load(Casting, inputs[f"{of}clone/casting.json"]).voices
    names = {label: voice.person or "" for label, voice in voices.items()}
    kinds = further_kinds(params.subtitles, script, lines, spoken, names)
    variants: dict[Kind, tuple[Cue, ...]] = {kind: shown(part) for kind, part in kinds.items()}
    return Dub(language, inputs[f"{of}mix/dub.flac"], shown(lines), speaks, variants)


def deliver(
    params: Params,
    inputs: Mapping[str, Path],
    bench: Workbench,
    dubs: Sequence[Dub],
    consents: tuple[str, ...],
    holds: Holds | None = None,
) -> Made:
    """Write, sign and hand over the file of one language, or of several where `params` names none."""
    source, media = inputs["source"], load(Media, inputs["split/media.json"])
    shown = held_source(source, media, holds, bench.scratch) if holds and holds.all else (source, media)
    spoken = tuple(dub.language for dub in dubs if dub.speaks)

    def seal(path: Path, suffix: str) -> bytes | None:
        said = " ".join(disclosure.sentence(language) for language in spoken)
        claim = Claim(params.source_language, spoken, bench.digests["source"], consents, disclosure=said)
        return sign(path, suffix, claim, source, signer())

    out, name = bench.here(params.out), f"{params.lesson}.{params.language or 'multi'}"
    kind, _ = chosen(media, params.container)
    texts = (ending for dub in dubs[:1] for ending, _ in _texts(dub, params.subtitles))
    beneath = (out / f"{name}{suffix}" for suffix in (kind.suffix, *texts, f"{kind.suffix}{SIDECAR}"))
    refuse_to_overwrite(tuple(beneath), (source, *map(Path, params.inputs)))
    delivery = remux(
        *shown,
        dubs,
        # a target waits there for its verification; a file of several languages is made from verified ones
        (shelf(out, REVIEW) if params.language else out) / name,
        bench.scratch,
        container=params.container,
        subtitles=params.subtitles,
        inputs=[Path(given) for given in params.inputs],
        tags=disclosure.tags(spoken, media.tags) if params.tags else {},
        seal=seal if params.credentials else None,
        cores=bench.cores,
    )
    made = placed(delivery, out)
    files = {Path(path): sha256 for path, sha256 in made.files.items()}
    delivery = placed(delivery, params.out)
    return Made(
        {"delivery.json": dump(delivery, bench.scratch / "delivery.json")},
        delivered=files,
        uploads=() if params.language else tuple(files),  # a target's go when they were verified
        notes={"output": delivery.path, "notes": list(delivery.notes)},
    )


def params_of(job: Job) -> Params:
    """What the result depends on, of a target or of a whole lesson."""
    beside = job.manifest.parent
    named = [job.lesson.captions, *job.lesson.translations.values()]
    return Params(
        out=job.delivers_to,
        lesson=job.lesson_id,
        language=job.language,
        container=job.course.delivery.container,
        subtitles=job.course.delivery.subtitles,
        inputs=(str(job.media), *(str(beside / name) for name in named if name)),
        source_language=job.lesson.audio_language or job.course.source_language,
        credentials=job.course.delivery.disclosure.credentials,
        tags=job.course.delivery.disclosure.tags,
        disclosed=job.course.delivery.disclosure.subtitle,
        signer=fingerprint() if job.course.delivery.disclosure.credentials else "",
        terms=voice_terms.terms(job),
    )


STAGE = Stage(
    name="remux",
    version=9,
    scope="target",
    needs=(
        "clone/casting.json",
        "source",
        "split/media.json",
        "mix/dub.flac",
        "mix/mix.json",
        "transcribe/script.json",
        "synthesize/lines.json",
        "place/timeline.json",
    ),
    makes=("delivery.json",),
    params=params_of,
    run=run,
)
