"""Verify: hear the finished file as a player plays it, and write down everything that was decided, and by what.

Nothing is believed that can be measured: the dub is decoded from the delivered file, after its lossy encoding, and its
length, its loudness and every single line in it are looked for.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

from manifests import approvals
from manifests.approvals import Approval
from manifests.errors import StageFailed, StoreError
from manifests.glossary import Term
from manifests.languages import iso_639_2
from manifests.model import Job
from manifests.model import Stage as StageName
from manifests.record import (
    SCHEMA_VERSION,
    Approved,
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
from manifests.script import Casting, Lines, Script, load
from manifests.shelves import REVIEW, shelf, streams
from manifests.spans import RATE, samples, seconds
from manifests.store import file_sha256
from manifests.timeline import Takes, Timeline
from tasks import terms
from tasks.appearing import explained
from tasks.disclosure import TAG, says_so
from tasks.engines.protocols import Hearing
from tasks.gates import Gates, Measured, failed
from tasks.hearing import AUDIBLE_DBFS, Heard, hear
from tasks.hls import MASTER
from tasks.holding import held_script
from tasks.media import Media, MediaStream, probe
from tasks.mix import Mix
from tasks.mix_record import announced, mix_notes, mixing
from tasks.read_back import ReadBack, read_back, read_by, told
from tasks.record_lines import in_order, record_lines
from tasks.releasing import covers, find_delivered, settle
from tasks.remux import Delivery
from tasks.stage import Made, Stage, Workbench, digest
from tasks.timing import timing
from tasks.understanding import reading
from voiceclone import chain, credentials
from voiceclone.inspection import tags_of
from voiceclone.listening import score_file
from voiceclone.watermark import MARKED

SHORT = samples(0.08)
"""How much shorter or longer than its source a finished file may be."""


@dataclass(frozen=True, slots=True)
class Params:
    course: str
    lesson: str
    language: str
    out: str
    """Absolute folder of the finished files."""
    source: str
    """The source's path as the record names it."""
    hard_max: float
    watermark: bool = True
    """Whether the dub is expected to carry one."""
    switched_off: tuple[str, ...] = ()
    """Ways of disclosure that the manifest asks to leave out."""
    reason: str | None = None
    hls: str | None = None
    """Where the lesson's streams are, relative to `out`, if they are asked for."""
    gates: Gates = field(default_factory=Gates)
    terms: tuple[Term, ...] = ()
    """The glossary's, where its gate is closed."""
    reader: Hearing | None = None
    """Who reads the dub back, where that gate is closed and somebody can."""
    read_by: tuple[str, str | None] | None = None
    """Name and weights of that."""
    unread: str = ""
    """Why nobody can."""
    approval: Approval | None = None
    """What somebody released of this target."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the stages of a target decided."""

    media: Media
    script: Script
    lines: Lines
    casting: Casting
    takes: Takes
    timeline: Timeline
    mix: Mix
    delivery: Delivery


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    started = time.monotonic()
    evidence = Evidence(
        load(Media, inputs["split/media.json"]),
        load(Script, inputs["transcribe/script.json"]),
        load(Lines, inputs["synthesize/lines.json"]),
        load(Casting, inputs["clone/casting.json"]),
        load(Takes, inputs["synthesize/takes.json"]),
        load(Timeline, inputs["place/timeline.json"]),
        load(Mix, inputs["mix/mix.json"]),
        load(Delivery, inputs["remux/delivery.json"]),
    )
    record = examine(params, evidence, bench.digests["source"], bench.history, started)
    read = _read(params.reader, params.language, evidence, bench) if params.reader else None
    record = told(record, read) if read is not None else record
    found = Measured(
        record.timing,
        record.loudness,
        record.disclosure,
        evidence.mix,
        params.hard_max,
        titled=bool(evidence.delivery.subtitles),
        lines=record.lines,
        source_language=evidence.script.language,
        language=params.language,
        terms=params.terms,
        read_back=read,
        unread=params.unread,
    )
    below = failed(params.gates, found, speaks=bool(evidence.timeline.placements))
    content = digest({name: sha256 for name, sha256 in bench.digests.items() if name != "remux/delivery.json"})
    waits = bool(below) and not covers(params.approval, content, below)
    out = Path(params.out)
    folder = shelf(out, REVIEW) if waits else out
    changed: dict[str, object] = {"content": content}
    if waits:
        changed["state"], changed["problems"] = "review", (*record.problems, *below)
        there = source_name(inputs["source"], folder)
        changed["source"] = record.source.model_copy(update={"path": there})
    elif below:
        changed["approved"] = _approved(params.approval)
    record = record.model_copy(update=changed)
    draft = bench.scratch / "record.json"
    draft.write_text(record.text(), encoding="utf-8")
    beside = out / f"{params.lesson}.{params.language}.dub.json"
    with explained(out):
        settle(_files(evidence.delivery), out, f"{params.lesson}.{params.language}", waits=waits)
    publish(record.text(), folder / beside.name)
    return Made(
        {"record.json": draft},
        delivered={beside: file_sha256(draft)},
        notes={
            "state": record.state,
            "output": str(folder / Path(evidence.delivery.path).name),
            "problems": [problem.model_dump(exclude_none=True) for problem in record.problems],
        },
    )


def examine(
    params: Params,
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
    track = dub_track(made, params.language)
    heard = hear(finished, track, _audio(made)[track].channels, timeout_s=600 + made.duration / RATE)
    check_length(replace(evidence.media, duration=evidence.timeline.length), made, heard)
    disclosed = disclosure(params, evidence, finished, made, track, heard)
    lines = tuple(record_lines(evidence.script, evidence.lines, evidence.casting, evidence.takes, evidence.timeline))
    problems = tuple(find_problems(evidence, heard, params.hard_max))
    return Record(
        schema=SCHEMA_VERSION,
        course=params.course,
        lesson=params.lesson,
        language=params.language,
        state="partial" if problems else "done",
        source=Source(path=params.source, sha256=source_sha256, duration=seconds(evidence.media.duration)),
        output=Output(
            path=finished.name,
            sha256=evidence.delivery.sha256,
            duration=seconds(made.duration),
            streams=tuple(_streams(made, track)),
            hls=params.hls,
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


def _read(reader: Hearing, language: str, evidence: Evidence, bench: Workbench) -> ReadBack:
    """The dub as a recognizer understands it."""
    finished = find_delivered(Path(evidence.delivery.path), evidence.delivery.sha256)
    track = dub_track(probe(finished), language)
    return read_back(finished, track, evidence.lines, evidence.timeline, reader, bench)


def _files(delivery: Delivery) -> dict[Path, str]:
    """What was delivered, the finished file last."""
    files = {**delivery.subtitles, **delivery.credentials, delivery.path: delivery.sha256}
    return {Path(path): sha256 for path, sha256 in files.items()}


def _approved(approval: Approval | None) -> Approved | None:
    if approval is None:
        return None
    return Approved(gates=approval.gates, by=approval.by or None, at=approval.at, reason=approval.reason or None)


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


def disclosure(params: Params, evidence: Evidence, finished: Path, made: Media, track: int, heard: Heard) -> Disclosure:
    """What the finished file itself says of its speech, as it is heard, read and verified there."""
    synthetic = {take.line for take in evidence.takes.takes if take.voice.kind != "recorded"}
    marked = params.watermark and any(placement.line in synthetic for placement in evidence.timeline.placements)
    return Disclosure(
        watermark_score=_watermark_score(evidence, finished, made, track) if marked else None,
        content_credentials=credentials.read(finished, chain.anchors()).state,
        container_tag=says_so(tags_of(finished).get(TAG, ""), params.language),
        spoken=announced(evidence.mix, heard) or False,
        shown=any(
            _shown(find_delivered(Path(path), sha256), params.language)
            for path, sha256 in evidence.delivery.subtitles.items()
        ),
        switched_off=params.switched_off,
        reason=params.reason,
    )


def _watermark_score(evidence: Evidence, finished: Path, made: Media, track: int) -> float:
    """As `dub verify` scores it; where that hears too little speech, as in a lesson of one short line, of its lines."""
    length = made.duration / RATE
    found = score_file(finished, track, duration_s=length)
    if found >= MARKED:
        return found
    placed = [(placement.span.start_s, placement.span.end_s) for placement in evidence.timeline.placements]
    return max(found, score_file(finished, track, duration_s=length, spoken=placed))


def _shown(subtitles: Path, language: str) -> bool:
    """Whether the first cues say so, alone or in one row of each of the cues that they share with the first line."""
    texts = (cue.partition("-->")[2].splitlines()[1:] for cue in subtitles.read_text(encoding="utf-8").split("\n\n"))
    first_cues = [rows for rows in texts if rows][:4]
    alone = "".join(row for cue in first_cues for row in cue)
    shared = product(*(cue or [""] for cue in first_cues))
    return says_so(alone, language) or any(says_so("".join(rows), language) for rows in shared)


def _faint(disclosed: Disclosure) -> Iterator[str]:
    if disclosed.watermark_score is not None and disclosed.watermark_score < MARKED:
        yield f"the watermark is too faint in the finished file: it scores {disclosed.watermark_score:.2f}"


def publish(text: str, path: Path) -> None:
    """Write a file that appears whole or not at all. Raises StoreError where its folder takes none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}.",
            remedy="Make the folder writable, free some space, or choose another one with --out.",
        ) from error


def _notes(evidence: Evidence, heard: Heard) -> Iterator[str]:
    yield from evidence.timeline.remarks
    yield from evidence.delivery.notes
    yield from mix_notes(evidence.mix, heard)
    if as_before := sum(bool(utterance.earlier) for utterance in evidence.script.utterances):
        yield f"{as_before} of {len(evidence.script.utterances)} lines are as in the earlier cut"
    for span in evidence.script.unrecognized:
        yield f"no word was recognized from {span.start_s:.1f} to {span.end_s:.1f} s: it is left as it was"


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


def source_name(media: Path, out: Path) -> str:
    """The source's path relative to the record's folder; its bare name where that would lead through the root.

    A record is given away with its video: it names no folder of a machine that the two do not share.
    """
    shared = Path(os.path.commonpath([media.absolute(), out.absolute()]))
    if len(shared.parts) < 2 or shared in (Path("/home"), Path("/Users")):
        return media.name
    return os.path.relpath(media.absolute(), out.absolute())


def _params(job: Job) -> Params:
    told, quality = job.course.delivery.disclosure, job.course.quality
    reader, unread = (None, "") if quality.read_back is None else reading(job)
    return Params(
        course=job.course.course,
        lesson=job.lesson_id,
        language=job.language or "",
        out=str(job.out),
        source=source_name(job.media, job.out),
        hard_max=job.course.timing.hard_max,
        watermark=told.watermark,
        switched_off=told.switched_off,
        reason=told.reason if told.switched_off else None,
        hls=f"{streams(job.out, job.lesson_id).name}/{MASTER}" if job.course.delivery.hls else None,
        gates=Gates(
            quality.timing,
            quality.loudness,
            quality.disclosure,
            quality.similarity,
            quality.numbers,
            quality.leakage,
            quality.glossary,
            quality.read_back,
        ),
        reader=reader,
        read_by=read_by(reader) if reader else None,
        unread=unread,
        terms=terms.of(job) if quality.glossary is not None else (),
        approval=approvals.read(job.manifest, job.lesson_id, job.language) if job.language else None,
    )


STAGE = Stage(
    name="verify",
    version=9,
    scope="target",
    needs=(
        "source",
        "split/media.json",
        "transcribe/script.json",
        "synthesize/lines.json",
        "clone/casting.json",
        "synthesize/takes.json",
        "place/timeline.json",
        "mix/mix.json",
        "remux/delivery.json",
    ),
    makes=("record.json",),
    params=_params,
    run=run,
)
