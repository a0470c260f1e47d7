"""Synthesize: one take for every line, each kept in the store on its own, so that a changed line is one new take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests.errors import DubError
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


def synthesize(lines: Lines, script: Script, casting: Casting, params: Params, bench: Workbench) -> Takes:
    """Speak every line that holds a letter or a digit, in order.

    A line of signs alone, or without a sound in its voice, has no take: the record names it as missing. Raises
    EngineUnavailable or StageFailed, naming the line, and ConsentRefused as soon as a person's voice may no longer be
    used.
    """
    speakers = {utterance.id: utterance.speaker for utterance in script.utterances}
    spoken = [line for line in lines.lines if any(sign.isalnum() for sign in line.text)]
    by_voice: dict[Voice, list[Line]] = {}
    for line in spoken:
        by_voice.setdefault(casting.voices[speakers[line.id]], []).append(line)
    takes: dict[str, Take] = {}
    done = 0
    for voice, theirs in by_voice.items():
        speaking = _own_takes if voice.kind == "clone" else _stock_takes
        for line, audio in zip(theirs, speaking(theirs, voice, params, bench), strict=True):
            if audio is not None:
                takes[line.id] = _take(line, audio, voice)
            done += 1
            bench.tell(done / len(spoken))
    return Takes(lines.language, tuple(takes[line.id] for line in spoken if line.id in takes))


def _take(line: Line, audio: Path, voice: Voice) -> Take:
    import soundfile

    length = soundfile.info(audio).frames
    return Take(line.id, audio.name, length=length, default_length=length, engine_rate=1.0, voice=voice)


def _own_takes(lines: Sequence[Line], voice: Voice, params: Params, bench: Workbench) -> Iterator[Path | None]:
    """In a consented person's voice, batch by batch, each granted."""
    registry = Registry.default()
    person = voice.person or ""
    terms = params.terms or clone.Params(params.language, "", "", commercial=False)
    grant = terms.grant(person, registry)
    texts = [line.text for line in lines]
    yield from own_voice.spoken(texts, voice.name, grant, registry, params.refinements.get(person, {}), bench)


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
    key = digest(
        {
            "version": TAKE_VERSION,
            "text": line.text,
            "engine": voice.engine,
            "voice": voice.name,
            "pitch": voice.pitch,
            "wpm": params.wpm,
        }
    )
    make: Callable[[Path], Path] = lambda folder: espeak.speak(  # noqa: E731
        line.text, voice.name, voice.pitch, folder / "take.flac", wpm=params.wpm
    )
    try:
        return bench.store.made("take", key, make)
    except espeak.Silent:
        return None
    except DubError as error:
        raise error.about(line=line.id) from error.__cause__


def params(job: Job) -> Params:
    terms = clone.params(job)
    refined = {
        name: person.model_dump(exclude={"consent"}, exclude_none=True)
        for name, person in sorted(job.course.people.items())
        if name in terms.consents
    }
    return Params(job.language or "", terms=terms if terms.people else None, refinements=refined)


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
    version=2,
    scope="target",
    needs=("translate/lines.json", "transcribe/script.json", "clone/casting.json"),
    makes=("takes.json",),
    params=params,
    run=run,
    engine=lambda job: Engine("espeak-ng", espeak.version()),
)
