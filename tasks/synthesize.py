"""Synthesize: one take for every line, each kept in the store on its own, so that a changed line is one new take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from manifests import emphasis
from manifests.errors import DubError, InputError
from manifests.model import Job
from manifests.script import Casting, Line, Lines, Script, Voice, dump, load
from manifests.timeline import Take, Takes
from tasks import clone, own_voice
from tasks.engines import espeak
from tasks.stage import Engine, Made, Stage, Workbench, digest
from voiceclone.registry import Registry

TAKE_VERSION = 2
"""Changes when the same text, voice and rate would sound different."""


@dataclass(frozen=True, slots=True)
class Params:
    language: str
    wpm: int = espeak.NORMAL_WPM
    """Words a minute that count as the stock voices' normal rate."""
    terms: clone.Params | None = None
    """What a grant is asked for; None where the manifest names nobody."""
    refinements: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Person to how their voice is refined."""
    lines: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Line id to how it is refined, in place of what its person's refinement says of the same."""

    def refinement(self, line: Line, voice: Voice) -> dict[str, Any]:
        """Everything that is asked of the way in which a line is spoken."""
        return self.refinements.get(voice.person or "", {}) | self.lines.get(line.id, {})


def synthesize(lines: Lines, script: Script, casting: Casting, params: Params, bench: Workbench) -> Takes:
    """Speak every line that holds a letter or a digit, in order.

    A line of signs alone, or without a sound in its voice, has no take: the record names it as missing. Raises
    InputError where a line is refined that the lesson does not have, or an `<em>` does not pair up, EngineUnavailable
    or StageFailed, naming the line, and ConsentRefused as soon as a person's voice may no longer be used.
    """
    speakers = {utterance.id: utterance.speaker for utterance in script.utterances}
    if unknown := params.lines.keys() - speakers.keys():
        raise InputError(
            f"the manifest refines line {min(unknown, key=int)}, and this lesson has {len(speakers)} lines.",
            remedy="Look up the ids of lines in the record (.dub.json) or in `dub script export`.",
        )
    spoken = [line for line in lines.lines if any(sign.isalnum() for sign in emphasis.plain(line.text))]
    by_voice: dict[Voice, list[Line]] = {}
    for line in spoken:
        by_voice.setdefault(casting.voices[speakers[line.id]], []).append(line)
    takes: dict[str, Take] = {}
    done = 0
    for voice, theirs in by_voice.items():
        speaking = _own_takes if voice.kind == "clone" else _stock_takes
        for line, audio in zip(theirs, speaking(theirs, voice, params, bench), strict=True):
            if audio is not None:
                heard = own_voice.similarity(audio, voice.name, bench) if voice.kind == "clone" else None
                takes[line.id] = _take(line, audio, replace(voice, similarity=heard), params)
            done += 1
            bench.tell(done / len(spoken))
    return Takes(lines.language, tuple(takes[line.id] for line in spoken if line.id in takes))


def _take(line: Line, audio: Path, voice: Voice, params: Params) -> Take:
    import soundfile

    length = soundfile.info(audio).frames
    how = params.refinement(line, voice)
    beyond = () if voice.kind == "clone" else tuple(name for name in ("pauses", "tone") if name in how)
    energy = float(how.get("energy", 0.0))
    return Take(line.id, audio.name, length, length, engine_rate=1.0, voice=voice, energy=energy, beyond=beyond)


def _own_takes(lines: Sequence[Line], voice: Voice, params: Params, bench: Workbench) -> Iterator[Path | None]:
    """In a consented person's voice, batch by batch, each granted."""
    registry = Registry.default()
    person = voice.person or ""
    terms = params.terms or clone.Params(params.language, "", "", commercial=False)
    grant = terms.grant(person, registry)
    texts = [line.text for line in lines]
    refinements = [params.refinement(line, voice) | {"energy": 0.0} for line in lines]  # the mix obeys it
    yield from own_voice.spoken(texts, voice.name, grant, registry, refinements, bench)


def _stock_takes(lines: Sequence[Line], voice: Voice, params: Params, bench: Workbench) -> Iterator[Path | None]:
    """By espeak-ng, as many at once as there are cores."""
    with ThreadPoolExecutor(max_workers=max(1, bench.cores)) as pool:
        futures = [pool.submit(_stock_take, line, voice, params, bench) for line in lines]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _stock_take(line: Line, voice: Voice, params: Params, bench: Workbench) -> Path | None:
    how = params.refinement(line, voice)
    pitch = espeak.raised(voice.pitch, how["pitch"]) if "pitch" in how else voice.pitch
    wpm = round(params.wpm * how.get("pace", 1.0))
    key = digest(
        {
            "version": TAKE_VERSION,
            "text": line.text,
            "engine": voice.engine,
            "voice": voice.name,
            "pitch": pitch,
            "wpm": wpm,
        }
    )
    make: Callable[[Path], Path] = lambda folder: espeak.speak(  # noqa: E731
        line.text, voice.name, pitch, folder / "take.flac", wpm=wpm
    )
    try:
        return bench.store.made("take", key, make)
    except espeak.Silent:
        return None
    except DubError as error:
        raise error.about(line=line.id) from error.__cause__


def params(job: Job) -> Params:
    terms = clone.terms(job)
    refined = {
        name: person.model_dump(exclude={"consent"}, exclude_none=True)
        for name, person in sorted(job.course.people.items())
        if terms is not None and name in terms.consents
    }
    lines = {name: how.model_dump(exclude_none=True) for name, how in sorted(job.lesson.refine.items())}
    return Params(job.language or "", terms=terms, refinements=refined, lines=lines)


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    takes = synthesize(
        load(Lines, inputs["translate/lines.json"]),
        load(Script, inputs["transcribe/script.json"]),
        load(Casting, inputs["clone/casting.json"]),
        params,
        bench,
    )
    return Made(
        {"takes.json": dump(takes, bench.scratch / "takes.json")},
        objects=tuple(sorted({take.audio for take in takes.takes})),
        notes={"takes": len(takes.takes)},
    )


STAGE = Stage(
    name="synthesize",
    version=3,
    scope="target",
    needs=("translate/lines.json", "transcribe/script.json", "clone/casting.json"),
    makes=("takes.json",),
    params=params,
    run=run,
    engine=lambda job: Engine("espeak-ng", espeak.version()),
)
