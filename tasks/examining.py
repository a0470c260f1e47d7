"""Examining: the finished file is heard and read, and its record written from that and from what each stage decided."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from manifests.errors import StageFailed
from manifests.languages import iso_639_2
from manifests.model import Stage as StageName
from manifests.record import (
    SCHEMA_VERSION,
    Disclosure,
    EngineUsed,
    Held,
    Loudness,
    Output,
    Problem,
    Record,
    Source,
    StageRun,
    Stream,
)
from manifests.spans import RATE, samples, seconds
from tasks.captions import ELSEWHERE
from tasks.disclosed import disclosure
from tasks.evidence import Evidence, Expected
from tasks.hearing import AUDIBLE_DBFS, Heard, hear
from tasks.holding import held_script
from tasks.media import Media, MediaStream, probe
from tasks.mix_record import mix_notes, mixing
from tasks.record_lines import in_order, record_lines
from tasks.releasing import find_delivered
from tasks.timing import timing
from tasks.translated_lines import OF_ANOTHER
from voiceclone.watermark import MARKED

SHORT = samples(0.08)
"""How much shorter or longer than its source a finished file may be."""


def examine(
    expected: Expected,
    evidence: Evidence,
    source_sha256: str,
    history: Mapping[str, Mapping[str, Any]],
    started: float,
) -> Record:
    """The record of a finished file, which is heard and read for it; `started` is the monotonic clock's.

    Raises StageFailed where the file, or the dub in it, is not as long as the source, and what `hear` raises.
    """
    holds = evidence.timeline.holds
    finished = find_delivered(Path(evidence.delivery.path), evidence.delivery.sha256)
    made = probe(finished)
    track = dub_track(made, expected.language)
    heard = hear(finished, track, _audio(made)[track].channels, timeout_s=600 + made.duration / RATE)
    check_length(replace(evidence.media, duration=evidence.timeline.length), made, heard)
    disclosed = disclosure(expected, evidence, finished, made, track, heard)
    lines = tuple(record_lines(evidence.script, evidence.lines, evidence.casting, evidence.takes, evidence.timeline))
    problems = tuple(find_problems(evidence, heard, expected.hard_max))
    return Record(
        schema=SCHEMA_VERSION,
        course=expected.course,
        lesson=expected.lesson,
        language=expected.language,
        state="partial" if problems else "done",
        source=Source(path=expected.source, sha256=source_sha256, duration=seconds(evidence.media.duration)),
        output=Output(
            path=finished.name,
            sha256=evidence.delivery.sha256,
            duration=seconds(made.duration),
            streams=tuple(_streams(made, track)),
            hls=expected.hls,
        ),
        lines=lines,
        timing=timing(held_script(evidence.script, holds), evidence.takes, evidence.timeline, evidence.lines),
        holds=tuple(
            Held(at=seconds(hold.at), start=gap.start_s, end=gap.end_s)
            for hold, gap in zip(holds.all, holds.gaps(), strict=True)
        ),
        loudness=Loudness(integrated_lufs=heard.integrated_lufs, true_peak_dbtp=heard.true_peak_dbtp),
        mix=mixing(evidence.mix),
        disclosure=disclosed,
        engines=dict(_engines(history)),
        stages={
            **dict(_stages(history)),
            "verify": StageRun(state="done", seconds=round(time.monotonic() - started, 3), cached=False),
        },
        problems=problems,
        notes=(*_notes(evidence, heard), *_spent(history), *_faint(disclosed)),
    )


def dub_track(made: Media, language: str) -> int:
    """Which of a finished file's audio tracks is the dub: the only one, or the default one in its language.

    Raises StageFailed where there is none, or more than one.
    """
    tracks = _audio(made)
    if len(tracks) == 1:
        return 0
    wanted = {language, language.split("-", maxsplit=1)[0], iso_639_2(language)}
    found = [
        number for number, stream in enumerate(tracks) if "default" in stream.dispositions and stream.language in wanted
    ]
    if len(found) != 1:
        raise StageFailed(
            f"the finished file has {len(found) or 'no'} default audio tracks in {language}, not one.",
            remedy="Run again with --force remux.",
        )
    return found[0]


def check_length(media: Media, made: Media, heard: Heard) -> None:
    """Raise StageFailed where the finished file, or the dub in it, is not as long as the source."""
    if abs(made.duration - media.duration) > SHORT:
        raise StageFailed(
            f"the finished file lasts {seconds(made.duration):.3f} s, its source {seconds(media.duration):.3f} s.",
            remedy="Run again with --force remux.",
        )
    if heard.length < media.duration - SHORT:
        raise StageFailed(
            f"the dub ends after {seconds(heard.length):.3f} s of {seconds(media.duration):.3f} s.",
            remedy="Run again with --force mix.",
        )


def find_problems(evidence: Evidence, heard: Heard, hard_max: float) -> Iterator[Problem]:
    """Lines that are missing from the dub, each with the stage that lost it and why."""
    texts = {line.id: line for line in evidence.lines.lines}
    takes = {take.line for take in evidence.takes.takes}
    lacks = {lost.line: lost.lacks_s for lost in evidence.timeline.unplaced}
    placed = {placement.line: placement.span for placement in evidence.timeline.placements}
    for utterance in in_order(evidence.script):
        name = utterance.id
        if name not in takes and (name not in texts or not texts[name].text.strip()):
            yield Problem(line=name, stage="translate", message="has no text in the target language.")
        elif name not in takes:
            yield Problem(line=name, stage="synthesize", message="was not spoken by any voice.")
        elif lacks.get(name, 0) > 0:
            room = f"it lacks {lacks[name]:.2f} s at {hard_max:.2f}x"
            yield Problem(line=name, stage="place", message=f"does not fit: {room}. A shorter text would.")
        elif name in lacks:
            yield Problem(line=name, stage="synthesize", message="was spoken without a sound.")
        elif name not in placed:
            yield Problem(line=name, stage="place", message="was not placed.")
        elif (level := heard.level(placed[name])) < AUDIBLE_DBFS:
            yield Problem(line=name, stage="mix", message=f"cannot be heard in the finished file ({level:.0f} dBFS).")


def _notes(evidence: Evidence, heard: Heard) -> Iterator[str]:
    yield from evidence.timeline.remarks
    yield from evidence.delivery.notes
    yield from mix_notes(evidence.mix, heard)
    if as_before := sum(bool(utterance.earlier) for utterance in evidence.script.utterances):
        yield f"{as_before} of {len(evidence.script.utterances)} lines are as in the earlier cut"
    yield from _of_another(evidence)
    for span in evidence.script.unrecognized:
        yield f"no word was recognized from {span.start_s:.1f} to {span.end_s:.1f} s: it is left as it was"


def _of_another(evidence: Evidence) -> Iterator[str]:
    """Notes where captions or a translation seem to belong to another lesson."""
    said = evidence.script.utterances
    elsewhere = sum(ELSEWHERE in utterance.flags for utterance in said)
    if elsewhere > len(said) / 2:
        yield f"{elsewhere} of {len(said)} lines are {ELSEWHERE}, which may be of something else"
    if any(OF_ANOTHER in line.flags for line in evidence.lines.lines):
        yield f"{OF_ANOTHER}: it was not used"


def _spent(history: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What an engine that counts it took."""
    notes: Mapping[str, Any] = history.get("translate", {}).get("notes") or {}
    if "tokens_in" in notes or "tokens_out" in notes:
        cost = f", at a cost of {notes['cost']:g}" if "cost" in notes else ""
        yield f"the translation took {notes.get('tokens_in', 0)} tokens in and {notes.get('tokens_out', 0)} out{cost}"


def _streams(made: Media, track: int) -> Iterator[Stream]:
    dub = _audio(made)[track].index
    for stream in made.streams:
        role = {"audio": "dub" if stream.index == dub else "original", "subtitle": "subtitles"}.get(stream.kind)
        yield Stream.model_validate(
            {
                "kind": "cover" if stream.is_cover else stream.kind,
                "codec": stream.codec,
                "language": stream.language,
                "title": stream.title,
                "dispositions": stream.dispositions,
                "role": role,
            }
        )


def _audio(made: Media) -> tuple[MediaStream, ...]:
    return made.of_kind("audio")


def _engines(history: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[StageName, EngineUsed]]:
    for name in get_args(StageName):
        if engine := history.get(name, {}).get("engine"):
            yield name, EngineUsed.model_validate(engine)


def _stages(history: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[StageName, StageRun]]:
    for name in get_args(StageName):
        if name in history:
            facts = history[name]
            yield name, StageRun(state=facts["state"], seconds=facts["seconds"], cached=facts["cached"])


def _faint(disclosed: Disclosure) -> Iterator[str]:
    if disclosed.watermark_score is not None and disclosed.watermark_score < MARKED:
        yield f"the watermark is too faint in the finished file: it scores {disclosed.watermark_score:.2f}"


def source_name(media: Path, out: Path) -> str:
    """The source's path relative to the record's folder; its bare name where that would lead through the root.

    A record is given away with its video: it names no folder of a machine that the two do not share.
    """
    between = _way(media.absolute().parent, out.absolute())
    return media.name if between is None else os.path.normpath(f"{between}/{media.name}")


@lru_cache(maxsize=64)
def _way(folder: Path, out: Path) -> str | None:
    """From one folder to another; None where that leads through the root."""
    shared = Path(os.path.commonpath([folder, out]))
    if len(shared.parts) < 2 or shared in (Path("/home"), Path("/Users")):
        return None
    return os.path.relpath(folder, out)
