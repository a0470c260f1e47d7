"""What of a selection is not up to date: the same walk through the store as `dub plan` takes, lesson by lesson."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from flows.lookout import NOTHING, Lookout, Target
from flows.standing import finished
from flows.wanted import Selection, Wanted
from manifests.model import Job
from manifests.target_row import Standing
from manifests.workspace import Workspace
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
from tasks.plan import Walk, walk
from tasks.staleness import Versions

Known = Mapping[tuple[str, str], Standing]
"""What the ledger says of targets, by lesson and language."""


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
    known = space.ledger.standings(selection.course.course)
    lookout = Lookout(selection, space)
    follow = partial(walk, workspace=space, force=force, versions=Versions(), refresh=refresh)
    with space.depots.surveyed(), _saved(lookout):
        for item in selection.lessons:
            seen = NOTHING if force else lookout.known(item, refresh=refresh)
            told = {name for name, each in seen.targets.items() if _is_told(item, each, known)}
            if seen.whole and told.issuperset(item.languages):
                continue
            space.digests.read()
            last_keys = lookout.last(item.job.lesson_id) if unopened else None
            lesson = follow(LESSON_STAGES, item.job, last_keys=last_keys)
            made: dict[str, Walk] = {}
            for target in item.targets:
                if (language := target.language or "") not in told:
                    made[language] = follow(TARGET_STAGES, target, before=lesson, last_keys=last_keys)
                    _tell(target, lesson, made[language], known, space)
            open_ = _open([lesson, *made.values()])
            joint = [
                follow((stage,), item.job, before=Walk((), products))
                for stage, products in (() if open_ else joint_stages(item.job, lesson, space, made))
            ]
            lookout.note(item, lesson, made, None if open_ else joint)
            if open_ := open_ | _open(joint):
                unfinished = [language for language, each in made.items() if not each.complete]
                lookout.forget(item, unfinished, lesson=not lesson.complete)
                yield Pending(item, open_)


@contextmanager
def _saved(lookout: Lookout) -> Generator[None]:
    """What was found is saved, however the look ends."""
    try:
        yield
    finally:
        lookout.save()


def _is_told(item: Wanted, target: Target, known: Known) -> bool:
    """Whether the ledger already says what is found of a target that has nothing to do."""
    return known.get((item.job.lesson_id, target.language)) == Standing(target.state, bool(target.stale))


def _tell(target: Job, lesson: Walk, made: Walk, known: Known, space: Workspace) -> None:
    """Write a finished target into the ledger where it knows nothing of it, or something else."""
    if made.complete:
        state = made.products.outcomes["verify"].commit.notes["state"]
        standing = Standing(state, bool(lesson.stale or made.stale))
        if known.get((target.lesson_id, target.language or "")) != standing:
            space.ledger.record(finished(target, made.products))


def _open(walks: Iterable[Walk]) -> frozenset[str]:
    return frozenset(step.stage for each in walks for step in each.steps if step.state != "cached")
