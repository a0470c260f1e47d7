"""What of a selection is not up to date: the same walk through the store as `dub plan` takes, lesson by lesson."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from flows.standing import finished
from flows.wanted import Selection, Wanted
from manifests.workspace import Workspace
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
from tasks.plan import Step, Walk, walk
from tasks.staleness import Versions


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
) -> Iterator[Pending]:
    """The lessons that have something to do, in their order; loads no engine and no Prefect.

    What the ledger lacks of finished targets is written into it again on the way. With `refresh`, what is stale is to
    be done. With `unopened`, no media file is opened that nobody has read before: there is something to do then,
    whatever is in it.
    """
    course = selection.course.course
    known = space.ledger.targets(course)
    follow = partial(
        walk,
        workspace=space,
        force=force,
        last_keys=space.ledger.keys(course) if unopened else None,
        versions=Versions(),
        refresh=refresh,
    )
    for item in selection.lessons:
        lesson = follow(LESSON_STAGES, item.job)
        open_ = _open(lesson.steps)
        for target in item.targets:
            made = follow(TARGET_STAGES, target, before=lesson)
            open_ |= _open(made.steps)
            row = known.get((target.lesson_id, target.language or ""))
            if made.complete:
                state = made.products.outcomes["verify"].commit.notes["state"]
                if row is None or (row.state, row.stale) != (state, bool(lesson.stale or made.stale)):
                    space.ledger.record(finished(target, made.products))
        if not open_:
            for stage, products in joint_stages(item.job, lesson, space):
                open_ |= _open(follow((stage,), item.job, before=Walk((), products)).steps)
        if open_:
            yield Pending(item, open_)


def _open(steps: Sequence[Step]) -> frozenset[str]:
    return frozenset(step.stage for step in steps if step.state != "cached")
