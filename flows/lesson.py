"""One lesson: split, diarize and transcribe once, then every language of it."""

from __future__ import annotations

from typing import Final

from prefect import flow, get_run_logger

from flows.order import Order
from flows.side_by_side import side_by_side
from flows.stages import run_stages, workspace
from flows.standing import unfinished
from flows.target import dub_target, target_task
from flows.wanted import Wanted
from flows.withdrawal import put_away_joint
from manifests.errors import ClaimLost, DubError, LedgerError, ObjectLost, StageFailed
from manifests.model import Job
from tasks.perform import Products
from tasks.pipeline import JOINT, LESSON_STAGES, joint_stages, waits_for_review
from tasks.plan import Walk

MOST_REPAIRS: Final = 3
"""How often a lesson is begun again because an object of the store that it needs was found damaged."""


class Incomplete(Exception):
    """Some children of a flow did not finish; each is named in the ledger with its reason."""


@flow(name="dub-lesson", flow_run_name="{job.name}", validate_parameters=False)
def dub_lesson(order: Order, job: Job, languages: tuple[str, ...], cores: int) -> None:
    """Bring a lesson up to date in these languages. Raises DubError or Incomplete when one of them did not finish.

    An object of the store may turn out to be damaged only when a stage reads it. The lesson then begins again, so that
    the object's own stage makes it anew; everything else is found as it was left.
    """
    for _ in range(MOST_REPAIRS):
        try:
            return _brought_up_to_date(order, job, languages, cores)
        except ObjectLost as error:
            get_run_logger().warning("%s: %s It is made again now.", job.name, error)
    return _brought_up_to_date(order, job, languages, cores)


def _brought_up_to_date(order: Order, job: Job, languages: tuple[str, ...], cores: int) -> None:
    ledger = workspace(order.workspace).ledger
    try:
        products = run_stages(LESSON_STAGES, order, job, Products(), cores)
    except ClaimLost:
        raise
    except DubError as error:
        for language in languages:
            ledger.record(unfinished(job.model_copy(update={"language": language}), error))
        raise
    at_once = max(1, min(cores, len(languages)))
    dub = dub_target if order.grain == "stage" else target_task
    outcomes = side_by_side(
        lambda language: dub(order, job.model_copy(update={"language": language}), products, max(1, cores // at_once)),
        languages,
        at_once,
    )
    broken = [language for language, outcome in zip(languages, outcomes, strict=True) if isinstance(outcome, Exception)]
    for outcome in outcomes:
        if isinstance(outcome, ObjectLost):
            raise outcome
        told = isinstance(outcome, DubError) and not isinstance(outcome, LedgerError | ClaimLost)
        if isinstance(outcome, Exception) and not told:
            raise outcome  # the ledger does not tell of it
    _join_languages(order, job, products, cores)
    if broken:
        raise Incomplete(f"{job.name}: {', '.join(broken)} did not finish")


def explain(order: Order, item: Wanted, error: Exception) -> None:
    """Record a lesson that broke outside of its stages, which no stage could do."""
    if isinstance(error, DubError | Incomplete):
        return
    for language in item.languages:
        broken = StageFailed(
            f"{type(error).__name__}: {error}", lesson=item.job.name, remedy="This is a defect of dubflow."
        )
        workspace(order.workspace).ledger.record(unfinished(item.job.model_copy(update={"language": language}), broken))


def _join_languages(order: Order, job: Job, products: Products, cores: int) -> None:
    """Make the file and the streams that carry every language of the lesson, once all languages are there."""
    space = workspace(order.workspace)
    for name in JOINT:
        space.ledger.drop(job.course.course, job.lesson_id, name)
    lesson = Walk((), products)
    joint = joint_stages(job, lesson, space)
    if not joint and waits_for_review(job, lesson, space):
        put_away_joint(job, space)  # it carries what the language that waits was before
    broken: list[DubError] = []
    for stage, everything in joint:
        try:
            run_stages((stage,), order, job, everything, cores)
        except ClaimLost:
            raise
        except DubError as error:
            space.ledger.record(unfinished(job.model_copy(update={"language": stage.name}), error))
            broken.append(error)
    if broken:
        raise broken[0]
