"""Synthesize: one take for every line, each kept in the store on its own, so that a changed line is one new take."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import DubError
from manifests.script import Casting, Line, Lines, Script, Voice, dump, load
from manifests.timeline import Take, Takes
from tasks.engines import espeak
from tasks.stage import Engine, Made, Stage, Workbench, digest

TAKE_VERSION = 2
"""Changes when the same text, voice and rate would sound different."""


@dataclass(frozen=True, slots=True)
class Params:
    language: str
    wpm: int = espeak.NORMAL_WPM
    """Words a minute that count as the engine's normal rate."""


def synthesize(lines: Lines, script: Script, casting: Casting, params: Params, bench: Workbench) -> Takes:
    """Speak every line that holds a letter or a digit, in order.

    A line of signs alone, or without a sound in its voice, has no take: the record names it as missing. Raises
    EngineUnavailable or StageFailed, naming the line.
    """
    speakers = {utterance.id: utterance.speaker for utterance in script.utterances}
    spoken = [line for line in lines.lines if any(sign.isalnum() for sign in line.text)]
    takes: list[Take] = []
    with ThreadPoolExecutor(max_workers=max(1, bench.cores)) as pool:
        futures = [pool.submit(_take, line, casting.voices[speakers[line.id]], params, bench) for line in spoken]
        try:
            for done, future in enumerate(futures, 1):
                if (take := future.result()) is not None:
                    takes.append(take)
                bench.tell(done / len(spoken))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Takes(lines.language, tuple(takes))


def _take(line: Line, voice: Voice, params: Params, bench: Workbench) -> Take | None:
    import soundfile

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
    try:
        audio = bench.store.made(
            "take",
            key,
            lambda folder: espeak.speak(line.text, voice.name, voice.pitch, folder / "take.flac", wpm=params.wpm),
        )
    except espeak.Silent:
        return None
    except DubError as error:
        raise error.about(line=line.id) from error.__cause__
    length = soundfile.info(audio).frames
    return Take(line.id, audio.name, length=length, default_length=length, engine_rate=1.0, voice=voice)


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
    version=1,
    scope="target",
    needs=("translate/lines.json", "transcribe/script.json", "clone/casting.json"),
    makes=("takes.json",),
    params=lambda job: Params(job.language or ""),
    run=run,
    engine=lambda job: Engine("espeak-ng", espeak.version()),
)
