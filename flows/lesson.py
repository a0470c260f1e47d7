"""One lesson: split, diarize and transcribe once, then every language of it."""

from __future__ import annotations

from prefect import flow

from flows.order import Order
from flows.side_by_side import side_by_side
from flows.stages import run_stages, workspace
from flows.standing import unfinished
from flows.target import TARGET_STAGES, dub_target
from manifests.errors import DubError
from manifests.model import Job
from tasks.perform import Products
from tasks.pipeline import PIPELINE
from tasks.plan import Walk, walk
from tasks.remux import holds_several_dubs, multi_stage

LESSON_STAGES = tuple(stage for stage in PIPELINE if stage.scope == "lesson")


class Incomplete(Exception):
    """Some children of a flow did not finish; each is named in the ledger with its reason."""


@flow(name="dub-lesson", flow_run_name="{job.name}", validate_parameters=False)
def dub_lesson(order: Order, job: Job, languages: tuple[str, ...], cores: int) -> None:
    """Bring a lesson up to date in these languages. Raises Incomplete when one of them did not finish."""
    ledger = workspace(order.workspace).ledger
    try:
        products = run_stages(LESSON_STAGES, order, job, Products(), cores)
    except DubError as error:
        for language in languages:
            ledger.record(unfinished(job.model_copy(update={"language": language}), error))
        raise
    at_once = min(cores, len(languages))
    outcomes = side_by_side(
        lambda language: dub_target(
            order, job.model_copy(update={"language": language}), products, max(1, cores // at_once)
        ),
        languages,
        at_once,
    )
    broken = [language for language, outcome in zip(languages, outcomes, strict=True) if isinstance(outcome, Exception)]
    try:
        _all_languages(order, job, products, cores)
    except DubError as error:
        ledger.record(unfinished(job.model_copy(update={"language": "multi"}), error))
        raise
    if broken:
        raise Incomplete(f"{job.name}: {', '.join(broken)} did not finish")


def _all_languages(order: Order, job: Job, products: Products, cores: int) -> None:
    """The file that carries every language of the lesson, where there are two or more and all are there."""
    course = job.course
    if len(course.targets) < 2 or not holds_several_dubs(job):
        return
    space = workspace(order.workspace)
    objects = dict(products.objects)
    for language in course.targets:
        target = job.model_copy(update={"language": language})
        made = walk(TARGET_STAGES[:-2], target, space, Walk((), products))
        if not made.complete:
            return
        objects |= {f"{language}:{name}": ref for name, ref in made.products.objects.items()}
    run_stages((multi_stage(course.targets),), order, job, Products(objects, products.outcomes), cores)
    space.ledger.drop(course.course, job.lesson_id, "multi")
