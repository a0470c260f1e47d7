"""What of a selection is not up to date: the same walk through the store as `dub plan` takes, lesson by lesson."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flows.standing import finished
from flows.wanted import Selection, Wanted
from manifests.workspace import Workspace
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
from tasks.plan import Step, Walk, walk


@dataclass(frozen=True, slots=True)
class Pending:
    """A lesson with something to do, and the stages that are not done in it."""

    item: Wanted
    stages: frozenset[str]


def pending(
    selection: Selection, space: Workspace, *, force: frozenset[str] = frozenset(), unopened: bool = False
) -> Iterator[Pending]:
    """The lessons that have something to do, in their order; loads no engine and no Prefect.

    What the ledger lacks of finished targets is written into it again on the way. With `unopened`, no media file is
    opened that nobody has read before: there is something to do then, whatever is in it.
    """
    known = space.ledger.targets(selection.course.course)
    last_keys = space.ledger.keys(selection.course.course) if unopened else None
    for item in selection.lessons:
        lesson = walk(LESSON_STAGES, item.job, space, force=force, last_keys=last_keys)
        open_ = _open(lesson.steps)
        for target in item.targets:
            made = walk(TARGET_STAGES, target, space, lesson, force=force, last_keys=last_keys)
            open_ |= _open(made.steps)
            row = known.get((target.lesson_id, target.language or ""))
            if made.complete and (row is None or row.state != made.products.outcomes["verify"].commit.notes["state"]):
                space.ledger.record(finished(target, made.products))
        if not open_:
            for stage, products in joint_stages(item.job, lesson, space):
                open_ |= _open(walk((stage,), item.job, space, Walk((), products)).steps)
        if open_:
            yield Pending(item, open_)


def _open(steps: Sequence[Step]) -> frozenset[str]:
    return frozenset(step.stage for step in steps if step.state != "cached")
