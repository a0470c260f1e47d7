"""A course: every lesson of a manifest, a bounded number at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prefect import flow

from flows.claiming import claims_of_this_process, lesson_held
from flows.gathering import gather_people
from flows.lesson import Incomplete, dub_lesson, explain
from flows.looking_back import LookingBack
from flows.order import Order
from flows.progress import watcher
from flows.remaining import expected
from flows.saying import say
from flows.side_by_side import side_by_side
from flows.stages import workspace
from flows.wanted import Wanted, wanted
from manifests.errors import LedgerError
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES


@flow(name="dub-course", flow_run_name="{course}", validate_parameters=False)
def dub_course(order: Order, course: str) -> None:
    """Bring the course up to date as ordered.

    Raises Incomplete when a target did not finish and the ledger says why, LedgerError where the ledger cannot say it.
    """
    selection = wanted(order)
    lessons = selection.lessons
    gather_people(order, lessons)
    at_once = max(1, min(order.cores, len(lessons)))
    space = workspace(order.workspace)
    ledger, looking_back = space.ledger, LookingBack(selection, space)
    watcher().expect(expected(_work(lessons), ledger.pace(), ledger.lengths(course)), order.cores)

    def work(item: Wanted) -> None:
        with lesson_held(mine, item, ledger, say):
            try:
                dub_lesson(order, item.job, item.languages, max(1, order.cores // at_once))
            finally:
                looking_back.done(item)

    with claims_of_this_process(space.claims) as mine:
        outcomes = side_by_side(work, lessons, at_once)
        looking_back.look()
    broken: list[str] = []
    for item, outcome in zip(lessons, outcomes, strict=True):
        if isinstance(outcome, Exception):
            broken.append(item.job.name)
            explain(order, item, outcome)
    for outcome in outcomes:
        if isinstance(outcome, LedgerError):
            raise outcome
    if broken:
        raise Incomplete(f"{course}: {len(broken)} of {len(lessons)} lessons did not finish: {', '.join(broken)}")


def _work(lessons: Iterable[Wanted]) -> Iterator[tuple[str, str]]:
    """Name and stage of everything that there is to do."""
    for item in lessons:
        yield from ((item.job.name, stage.name) for stage in LESSON_STAGES)
        yield from ((target.name, stage.name) for target in item.targets for stage in TARGET_STAGES)
