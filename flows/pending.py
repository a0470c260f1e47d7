"""What of a selection is not up to date: the same walk through the store as `dub plan` takes, lesson by lesson."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from flows.lookout import Lookout, UpToDate
from flows.standing import finished
from flows.wanted import Selection, Wanted
from manifests.ledger import TargetRow
from manifests.model import Job
from manifests.workspace import Workspace
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
from tasks.plan import Walk, walk
from tasks.staleness import Versions

Known = Mapping[tuple[str, str], TargetRow]
"""The ledger's rows, by lesson and language."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A lesson with something to do, and the stages that are not done in it."""

    item: Wanted
    stages: frozenset[str]


def pending(
    selection: Selection,
    space: Workspace,
    *,
    force: frozenset[str] = frozenset(),
    refresh: bool = False,
    unopened: bool = False,
) -> Generator[Pending]:
    """The lessons that have something to do, in their order; loads no engine and no Prefect.

    What the ledger lacks of finished targets is written into it again on the way. With `refresh`, what is stale is to
    be done. With `unopened`, no media file is opened that nobody has read before: there is something to do then,
    whatever is in it.
    """
    course = selection.course.course
    known = space.ledger.targets(course)
    lookout = Lookout(selection, space)
    follow = partial(
        walk,
        workspace=space,
        force=force,
        last_keys=space.ledger.keys(course) if unopened else None,
        versions=Versions(),
        refresh=refresh,
    )
    with space.depots.surveyed(), _saved(lookout):
        for item in selection.lessons:
            seen = None if force else lookout.known(item, refresh=refresh)
            if seen is not None and _is_told(item, seen, known):
                continue
            space.digests.read()
            lesson = follow(LESSON_STAGES, item.job)
            made = [follow(TARGET_STAGES, target, before=lesson) for target in item.targets]
            for target, each in zip(item.targets, made, strict=True):
                _tell(target, lesson, each, known, space)
            open_, by_language = _open([lesson, *made]), dict(zip(item.languages, made, strict=True))
            joint = [
                follow((stage,), item.job, before=Walk((), products))
                for stage, products in (() if open_ else joint_stages(item.job, lesson, space, by_language))
            ]
            if open_ := open_ | _open(joint):
                lookout.forget(item)
                yield Pending(item, open_)
            else:
                lookout.note(item, lesson, made, joint)


@contextmanager
def _saved(lookout: Lookout) -> Generator[None]:
    """What was found is written down however the looking ends."""
    try:
        yield
    finally:
        lookout.save()


def _is_told(item: Wanted, seen: UpToDate, known: Known) -> bool:
    """Whether the ledger knows the targets of a lesson of which nothing is to be done."""
    rows = [known.get((item.job.lesson_id, each.language)) for each in seen.targets]
    return all(
        row is not None and (row.state, row.stale) == (each.state, bool(each.stale))
        for row, each in zip(rows, seen.targets, strict=True)
    )


def _tell(target: Job, lesson: Walk, made: Walk, known: Known, space: Workspace) -> None:
    """Write a finished target into the ledger where it knows nothing of it, or something else."""
    if made.complete:
        row = known.get((target.lesson_id, target.language or ""))
        state = made.products.outcomes["verify"].commit.notes["state"]
        if row is None or (row.state, row.stale) != (state, bool(lesson.stale or made.stale)):
            space.ledger.record(finished(target, made.products))


def _open(walks: Iterable[Walk]) -> frozenset[str]:
    return frozenset(step.stage for each in walks for step in each.steps if step.state != "cached")
