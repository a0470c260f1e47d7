"""The stages in the order of the work: the pipeline's table of contents."""

from __future__ import annotations

from collections.abc import Mapping

from manifests.model import Job
from manifests.script import load
from manifests.workspace import Workspace
from tasks import clone, diarize, hls, mix, multi, place, remux, split, synthesize, transcribe, translate, verify
from tasks.media import Media
from tasks.perform import Products
from tasks.plan import Walk, walk
from tasks.stage import Stage

LESSON_STAGES: tuple[Stage, ...] = (split.STAGE, diarize.STAGE, transcribe.STAGE)
"""Done once for a lesson, whatever its languages."""

TARGET_STAGES: tuple[Stage, ...] = (
    translate.STAGE,
    clone.STAGE,
    synthesize.STAGE,
    place.STAGE,
    mix.STAGE,
    remux.STAGE,
    verify.STAGE,
)
"""Done for each language of a lesson."""

PIPELINE: tuple[Stage, ...] = (*LESSON_STAGES, *TARGET_STAGES)

JOINT = ("multi", "hls")
"""Names of the stages that deliver all languages of a lesson at once; the ledger knows them where they failed."""


def is_held(target: Walk) -> bool:
    """Whether a target is made and a gate holds it."""
    return target.complete and target.products.outcomes["verify"].commit.notes["state"] == "review"


def waits_for_review(job: Job, lesson: Walk, workspace: Workspace) -> bool:
    """Whether a gate holds any language of a lesson."""
    languages = (job.model_copy(update={"language": language}) for language in job.course.targets)
    return any(is_held(walk(TARGET_STAGES, language, workspace, lesson)) for language in languages)


def joint_stages(
    job: Job, lesson: Walk, workspace: Workspace, known: Mapping[str, Walk] | None = None
) -> tuple[tuple[Stage, Products], ...]:
    """The stages that deliver a lesson in all its languages at once, and what each works from: the file of all
    languages, and HLS where that is asked for.

    None where a language is not verified yet or is held for review, or where still frames may be held, since then each
    language's picture lasts as long as it needs. The file is for two languages or more, in a container with room.
    `known` are the languages that have been walked already.
    """
    languages, delivery = job.course.targets, job.course.delivery
    if not lesson.complete or job.course.timing.hold_still_frames or (len(languages) < 2 and not delivery.hls):
        return ()
    objects = dict(lesson.products.objects)
    people: dict[str, tuple[str, ...]] = {}
    for language in languages:
        made = (known or {}).get(language)
        made = made or walk(TARGET_STAGES, job.model_copy(update={"language": language}), workspace, lesson)
        if not made.complete or is_held(made):
            return ()
        objects |= {f"{language}:{name}": ref for name, ref in made.products.objects.items()}
        people |= {f"{language}:{name}": carried for name, carried in made.products.people.items()}
    media = load(Media, workspace.store.get(objects["split/media.json"]))
    stages: list[Stage] = []
    if len(languages) > 1 and multi.holds_many(media, delivery.container):
        stages.append(multi.stage(languages))
    if delivery.hls:
        stages.append(hls.stage(languages))
    products = Products(objects, lesson.products.outcomes, people)
    return tuple((stage, products) for stage in stages)
