"""Assemble: place, mix and remux takes that exist already, as a run does with its own.

The takes of a studio are people's: `recorded` voices, in which nothing is synthetic, so they get neither the watermark
nor the sentence that a dub of synthetic speech is disclosed by. Whoever has another system's takes says so
(`"synthetic": true` in the cue list, or `--synthetic`): those are marked, disclosed and signed like our own. Where
nobody says anything, the record and the command say what was assumed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from manifests import locks
from manifests.cue_list import UNNAMED, CueLine, CueList, overlaps
from manifests.errors import Finding, InputError, ManifestError, MediaError, StoreError
from manifests.record import Record
from manifests.script import Casting, Diarization, Line, Lines, Script, Utterance, Voice
from manifests.spans import RATE, Span
from manifests.store import file_sha256
from manifests.timeline import Take, Takes, Timeline
from tasks import disclosure
from tasks.appearing import explained, refuse_to_overwrite
from tasks.containers import CONTAINERS
from tasks.delivery import Delivery
from tasks.evidence import Evidence, Expected
from tasks.examining import examine, source_name
from tasks.given_takes import GivenTake, given_take
from tasks.headroom import headroom_of
from tasks.loudness import Name
from tasks.media import Media, probe, with_bit_rate
from tasks.mix import mix
from tasks.mixing_desk import Options, Parts
from tasks.place import Limits, place
from tasks.publishing import publish
from tasks.remux import FORMATS, remux
from tasks.scenes import Scenes
from tasks.split import choose_sound, decode_programme, explained_decoding, has_centre, programme_length, scenes_of
from tasks.subtitle_kinds import Kind, further_kinds
from tasks.subtitles import Cue
from tasks.subtitles import cues as subtitles_of
from tasks.tracks import Dub
from voiceclone.chain import signer
from voiceclone.credentials import Claim
from voiceclone.signing import sign
from voiceclone.threads import torch_threads

Subtitles = Literal["srt", "vtt", "embedded", "forced", "sdh"]
"""Where subtitles go, and of what kinds; as a manifest's `delivery.subtitles`."""

UNSAID = (
    "nobody says whether the takes are recordings or synthetic: they are taken for recordings of people, and carry "
    "neither watermark nor disclosure"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be assembled."""

    cues: CueList
    media: Path
    out: Path
    loudness: Name = "web"
    synthetic: bool = False
    """Whether a machine speaks in every take, whatever the cue list says."""
    subtitles: tuple[Subtitles, ...] = ("srt", "embedded")
    anchored: bool = True
    """Whether the picture is looked at for its changes, before which no line that follows one may begin."""
    limits: Limits = field(default_factory=Limits)
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    tell: Callable[[str, float], None] = lambda stage, share: None
    """Called with a stage's name and the share of it that is done, 0 to 1."""

    @property
    def container(self) -> str:
        """As a manifest's `delivery.container` names it."""
        return self.out.suffix.removeprefix(".")

    @property
    def stem(self) -> Path:
        return self.out.with_suffix("")

    @property
    def beside(self) -> tuple[Path, ...]:
        """The record, and the subtitle files that are asked for."""
        kinds = ("", *(f".{kind}" for kind in ("forced", "sdh") if kind in self.subtitles))
        texts = (f"{kind}.{form}" for form in FORMATS if form in self.subtitles for kind in kinds)
        return tuple(Path(f"{self.stem}{ending}") for ending in (".dub.json", *texts))


def assemble(asked: Request) -> Record:
    """Write the finished file, and beside it its record (`.dub.json`) and subtitles (`.srt`); returns the record.

    Raises ManifestError with a finding for every line that cannot be used, before anything is written; MediaError and
    InputError for a source or an output that cannot be; StoreError where the output's folder cannot be written.
    """
    _check_out(asked)
    media = _probed(asked.media)
    with _scratch(asked.out) as scratch, ThreadPoolExecutor(3) as beside:
        clock = _Clock(asked.tell)
        with clock.stage("split"):
            programme = scratch / "programme.wav"
            decoded = beside.submit(decode_programme, asked.media, media, programme)
            digest = beside.submit(file_sha256, asked.media)
            looked_at = beside.submit(scenes_of, asked.media, media) if asked.anchored else None
            given = _given(asked, media, scratch)
            decoded.result()
            scenes = looked_at.result() if looked_at else Scenes()
        with clock.stage("place"):
            plan = _planned(asked, media, given)
            timeline = place(plan.script, plan.takes, media.duration, asked.limits, scenes.anchors)
        with clock.stage("mix"):
            marked = _synthetic(plan.takes, timeline)
            with torch_threads(asked.cores) if marked else nullcontext():
                said = Diarization((), (), tuple(utterance.span for utterance in plan.script.utterances))
                headroom = headroom_of(media, asked.container)
                mixed = mix(
                    Parts(programme, said, plan.script, plan.takes, timeline, lambda take: given[take.line].audio),
                    Options(loudness=asked.loudness, centre=has_centre(media.dubbed), headroom=headroom),
                    scratch / "dub.w64",
                    scratch,
                    cores=asked.cores,
                    tell=lambda share: asked.tell("mix", share),
                )
        with clock.stage("remux"):
            delivery = _delivered(asked, media, plan, timeline, scratch, digest)
            if scenes.unseen:
                unseen = f"the picture's changes could not be found: {scenes.unseen}"
                delivery = replace(delivery, notes=(*delivery.notes, unseen))
        evidence = Evidence(
            media, plan.script, plan.lines, Casting(plan.lines.language, {}), plan.takes, timeline, mixed, delivery
        )
        asked.tell("verify", 0.0)
        record = _examined(asked, evidence, digest.result(), clock.history)
        publish(record.text(), Path(f"{asked.stem}.dub.json"))
        asked.tell("verify", 1.0)
    return record


@dataclass(frozen=True, slots=True)
class _Plan:
    """The cue list in the pipeline's own words."""

    script: Script
    lines: Lines
    takes: Takes


class _Clock:
    """Tells when stages begin and end, and keeps how long each took."""

    def __init__(self, tell: Callable[[str, float], None]) -> None:
        self._tell = tell
        self.history: dict[str, Mapping[str, Any]] = {}

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        began = time.monotonic()
        self._tell(name, 0.0)
        yield
        self.history[name] = {"state": "done", "seconds": round(time.monotonic() - began, 3), "cached": False}
        self._tell(name, 1.0)


def _check_out(asked: Request) -> None:
    out = asked.out
    suffix = out.suffix
    if suffix not in CONTAINERS:
        kinds = ", ".join(CONTAINERS)
        raise InputError(f"{out} is no kind of file that a dub can be.", remedy=f"Let its name end in one of {kinds}.")
    if out.is_dir():
        raise InputError(f"{out} is a folder.", remedy="Name the file to write with --out.")
    try:
        refuse_to_overwrite(
            (out, *asked.beside), (asked.media, asked.cues.path, *(line.audio for line in asked.cues.lines))
        )
    except StoreError as error:
        raise InputError(error.message, remedy="Give another name with --out.") from error


def _probed(path: Path) -> Media:
    if not path.exists():
        raise MediaError(f"{path} does not exist.", remedy="Correct --media.")
    media = probe(path)
    with explained_decoding(path):
        media = replace(media, sound=choose_sound(path, media, "und", None))
        return with_bit_rate(path, replace(media, duration=programme_length(path, media)))


@contextmanager
def _scratch(out: Path) -> Generator[Path]:
    """A hidden folder beside the output, whose disk has the room; what a killed run left there is swept out."""
    folder = out.with_name(f".{out.name}.parts")
    with explained(out.parent):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    try:
        if not locks.take(lock):
            raise InputError(f"{out} is being assembled already.", remedy="Wait for that, or give another --out.")
        for rest in folder.iterdir():
            rest.unlink()
        try:
            yield folder.absolute()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _given(asked: Request, media: Media, scratch: Path) -> dict[str, GivenTake]:
    """Every line's take. Raises ManifestError naming all those that cannot be used."""

    def looked_at(number: int, line: CueLine) -> GivenTake | Finding:
        if line.span.start >= media.duration:
            where = f"the end of {asked.media.name} at {media.duration / RATE:.2f} s"
            return asked.cues.finding(line, f"it starts at {line.span.start_s:g} s, after {where}.")
        try:
            return given_take(line.audio, scratch / f"take-{number}.wav")
        except InputError as error:
            return asked.cues.finding(line, str(error))

    with ThreadPoolExecutor(max(1, asked.cores)) as pool:
        found = list(pool.map(looked_at, range(len(asked.cues.lines)), asked.cues.lines))
    findings = [item for item in found if isinstance(item, Finding)]
    if findings:
        raise ManifestError(sorted(findings, key=lambda finding: finding.line))
    return {line.id: item for line, item in zip(asked.cues.lines, found, strict=True) if isinstance(item, GivenTake)}


def _planned(asked: Request, media: Media, given: Mapping[str, GivenTake]) -> _Plan:
    over = {later.id: earlier.id for later, earlier in overlaps(asked.cues.lines)}
    programme = Span(0, media.duration)
    utterances: list[Utterance] = []
    for line in asked.cues.lines:
        flags = [*given[line.id].flags]
        if line.id in over:
            flags.append(f"its cue begins before line {over[line.id]} of the same speaker ends")
        if line.span.end > media.duration:
            flags.append(f"its cue ends {(line.span.end - media.duration) / RATE:.2f} s after the programme")
        utterances.append(Utterance(line.id, line.speaker, line.span.clipped(programme), "", (), 1.0, tuple(flags)))
    language = asked.cues.language
    takes = tuple(
        Take(line.id, str(given[line.id].audio), given[line.id].length, given[line.id].length, 1.0, _voice(asked, line))
        for line in asked.cues.lines
    )
    lines = tuple(Line(line.id, line.text, "human") for line in asked.cues.lines)
    return _Plan(Script(_source_language(media), tuple(utterances)), Lines(language, lines), Takes(language, takes))


def _source_language(media: Media) -> str:
    return media.dubbed.language or "und"


def _voice(asked: Request, line: CueLine) -> Voice:
    if asked.synthetic or line.synthetic:
        return Voice("stock", "elsewhere", line.speaker, reason="synthetic speech that was made elsewhere")
    said = line.synthetic is False
    return Voice("recorded", "elsewhere", line.speaker, reason=None if said else "nobody says that it is synthetic")


def _synthetic(takes: Takes, timeline: Timeline) -> bool:
    """Whether a machine speaks anywhere in the dub."""
    machines = {take.line for take in takes.takes if take.voice.kind != "recorded"}
    return any(placement.line in machines for placement in timeline.placements)


def _delivered(
    asked: Request, media: Media, plan: _Plan, timeline: Timeline, scratch: Path, digest: Future[str]
) -> Delivery:
    language, speaks = plan.lines.language, _synthetic(plan.takes, timeline)
    said = disclosure.sentence(language) if speaks else ""

    def shown(lines: Lines) -> tuple[Cue, ...]:
        return subtitles_of(plan.script, lines, timeline, frame_rate=media.frame_rate, disclosure=said)

    names = {line.speaker: line.speaker for line in asked.cues.lines if line.speaker != UNNAMED}
    kinds = further_kinds(asked.subtitles, plan.script, plan.lines, timeline, names)
    variants: dict[Kind, tuple[Cue, ...]] = {kind: shown(part) for kind, part in kinds.items()}
    spoken = (language,) if speaks else ()

    def seal(path: Path, suffix: str) -> bytes | None:
        claim = Claim(
            _source_language(media),
            spoken,
            digest.result(),
            disclosure=said,
            recorded=() if speaks else (language,),
        )
        return sign(path, suffix, claim, asked.media, signer())

    notes = []
    if not speaks and not any(line.synthetic is False for line in asked.cues.lines):
        notes.append(UNSAID)
    if not asked.cues.in_order:
        notes.append("the cue list is not in order of time: its lines were put in order")
    delivery = remux(
        asked.media,
        media,
        [Dub(language, scratch / "dub.w64", shown(plan.lines), speaks, variants)],
        asked.stem,
        scratch,
        container=asked.container,
        subtitles=asked.subtitles,
        inputs=[asked.cues.path, *(line.audio for line in asked.cues.lines)],
        tags=disclosure.tags(spoken, media.tags),
        seal=seal,
        cores=asked.cores,
    )
    return replace(delivery, notes=(*delivery.notes, *notes))


def _examined(
    asked: Request, evidence: Evidence, source_sha256: str, history: Mapping[str, Mapping[str, Any]]
) -> Record:
    expected = Expected(
        course="",
        lesson=asked.media.stem,
        language=evidence.lines.language,
        source=source_name(asked.media, asked.out.absolute().parent),
        hard_max=asked.limits.hard_max,
    )
    return examine(expected, evidence, source_sha256, history, time.monotonic())
