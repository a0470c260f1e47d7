"""Verify: hear the finished file as a player plays it, and write down everything that was decided, and by what.

Nothing is believed that can be measured: the dub is decoded from the delivered file, after its lossy encoding, and its
length, its loudness and every single line in it are looked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manifests import approvals
from manifests.approvals import Approval
from manifests.glossary import Term
from manifests.model import Job
from manifests.record import Approved, Record
from manifests.script import Casting, Lines, Script, load
from manifests.shelves import REVIEW, shelf, streams
from manifests.store import file_sha256
from manifests.timeline import Takes, Timeline
from tasks import terms
from tasks.appearing import explained
from tasks.delivery import Delivery, placed
from tasks.engines.protocols import Hearing
from tasks.evidence import Evidence, Expected
from tasks.examining import dub_track, examine, source_name
from tasks.gates import Gates, Measured, failed
from tasks.hls import MASTER
from tasks.media import Media, probe
from tasks.mix_measures import Mix
from tasks.publishing import publish
from tasks.read_back import ReadBack, read_back, read_by, told
from tasks.releasing import covers, find_delivered, settle
from tasks.stage import Made, Stage, Workbench, digest
from tasks.understanding import reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Params(Expected):
    out: str
    """Absolute folder of the finished files, or the address where they go."""
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


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    started = time.monotonic()
    out = bench.here(params.out)
    delivery = placed(load(Delivery, inputs["remux/delivery.json"]), out)
    files = {Path(path): sha256 for path, sha256 in delivery.files.items()}
    if bench.depot is not None:
        bench.depot.fetch(f"{params.lesson}.{params.language}", files)
    evidence = _evidence(inputs, delivery)
    record = examine(params, evidence, bench.digests["source"], bench.history, started)
    read = _read(params.reader, params.language, evidence, bench) if params.reader else None
    record = told(record, read) if read is not None else record
    below = failed(params.gates, _measured(params, record, evidence, read), speaks=bool(evidence.timeline.placements))
    content = digest({name: sha256 for name, sha256 in bench.digests.items() if name != "remux/delivery.json"})
    waits = bool(below) and not covers(params.approval, content, below)
    folder = shelf(out, REVIEW) if waits else out
    changed: dict[str, object] = {"content": content}
    if waits:
        changed["state"], changed["problems"] = "review", (*record.problems, *below)
        if bench.depot is None:
            there = source_name(inputs["source"], folder)
            changed["source"] = record.source.model_copy(update={"path": there})
    elif below:
        changed["approved"] = _approved(params.approval)
    record = record.model_copy(update=changed)
    draft = bench.scratch / "record.json"
    draft.write_text(record.text(), encoding="utf-8")
    beside = out / f"{params.lesson}.{params.language}.dub.json"
    with explained(out):
        settle(files, out, f"{params.lesson}.{params.language}", waits=waits)
    publish(record.text(), folder / beside.name)
    return Made(
        {"record.json": draft},
        delivered={beside: file_sha256(draft)},
        uploads=tuple(folder / path.name for path in (*files, beside)),
        notes={
            "state": record.state,
            "output": bench.place(folder / Path(delivery.path).name),
            "problems": [problem.model_dump(exclude_none=True) for problem in record.problems],
        },
    )


def _evidence(inputs: Mapping[str, Path], delivery: Delivery) -> Evidence:
    return Evidence(
        load(Media, inputs["split/media.json"]),
        load(Script, inputs["transcribe/script.json"]),
        load(Lines, inputs["synthesize/lines.json"]),
        load(Casting, inputs["clone/casting.json"]),
        load(Takes, inputs["synthesize/takes.json"]),
        load(Timeline, inputs["place/timeline.json"]),
        load(Mix, inputs["mix/mix.json"]),
        delivery,
    )


def _measured(params: Params, record: Record, evidence: Evidence, read: ReadBack | None) -> Measured:
    """What the gates look at."""
    return Measured(
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


def _read(reader: Hearing, language: str, evidence: Evidence, bench: Workbench) -> ReadBack:
    """The dub as a recognizer understands it."""
    finished = find_delivered(Path(evidence.delivery.path), evidence.delivery.sha256)
    track = dub_track(probe(finished), language)
    return read_back(finished, track, evidence.lines, evidence.timeline, reader, bench)


def _approved(approval: Approval | None) -> Approved | None:
    if approval is None:
        return None
    return Approved(gates=approval.gates, by=approval.by or None, at=approval.at, reason=approval.reason or None)


def _params(job: Job) -> Params:
    told, quality = job.course.delivery.disclosure, job.course.quality
    reader, unread = (None, "") if quality.read_back is None else reading(job)
    return Params(
        course=job.course.course,
        lesson=job.lesson_id,
        language=job.language or "",
        out=job.delivers_to,
        source=job.media.name if job.address else source_name(job.media, job.out),
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
