"""Away: what the report of a course at an address needs of it here, records and finished files that are heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from manifests.depot import Depot, fetched
from manifests.model import Job
from manifests.record import Record
from tasks.report.facts import Away, TargetFacts


def records_here(depot: Depot, jobs: Iterable[Job], folder: Path) -> list[Job]:
    """Copy a course's records into a folder, as they lie at the address; the jobs, by the copies."""
    for path, data in depot.records():
        copy = folder / path.relative_to(depot.mirror.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
    return [job.model_copy(update={"out": folder / depot.mirror.name}) for job in jobs]


def with_files(depot: Depot, facts: TargetFacts, folder: Path, *, beside: bool) -> TargetFacts:
    """A target with its finished files, as links of a page that goes to the address too (`beside`), or without."""
    if facts.record is None:
        return facts
    output = Record.read(facts.record).output
    video = facts.record.parent / Path(output.path).name
    group = f"{facts.job.lesson_id}.{facts.language}"
    where = depot.where(group, depot.place(depot.mirror / video.name), output.sha256)
    if where is None:
        return replace(facts, notes=(*facts.notes, f"{video.name} is gone; the next run makes it again"))
    subtitles = video.with_suffix(".srt")
    there = beside and depot.lies(group, depot.mirror.parent / subtitles.relative_to(folder))
    return replace(
        facts,
        output=video if beside else None,
        subtitles=subtitles if there else None,
        away=Away(where, partial(fetched, where), beside),
    )
