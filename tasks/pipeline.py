"""The stages in the order of the work: the pipeline's table of contents."""

from __future__ import annotations

from manifests.model import Job
from manifests.script import load
from manifests.workspace import Workspace
from tasks import clone, diarize, mix, place, remux, split, synthesize, transcribe, translate, verify
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


def is_held(target: Walk) -> bool:
    """Whether a target is whole and a gate holds it."""
    return target.complete and target.products.outcomes["verify"].commit.notes["state"] == "review"


def waits_for_review(job: Job, lesson: Walk, workspace: Workspace) -> bool:
    """Whether a gate holds any language of a lesson."""
    languages = (job.model_copy(update={"language": language}) for language in job.course.targets)
    return any(is_held(walk(TARGET_STAGES, language, workspace, lesson)) for language in languages)


def multi_of(job: Job, lesson: Walk, workspace: Workspace) -> tuple[Stage, Products] | None:
    """The stage that makes the file with every language of a lesson, and what it works from.

    None where the course has one language, the container holds one audio track, or a language is not verified yet or is
    held for review; and where still frames may be held, since then each language's picture lasts as long as it needs.
    """
    languages = job.course.targets
    if len(languages) < 2 or not lesson.complete or job.course.timing.hold_still_frames:
        return None
    objects = dict(lesson.products.objects)
    people: dict[str, tuple[str, ...]] = {}
    media = load(Media, workspace.store.get(objects["split/media.json"]))
    if not remux.holds_many(media, job.course.delivery.container):
        return None
    for language in languages:
        made = walk(TARGET_STAGES, job.model_copy(update={"language": language}), workspace, lesson)
        if not made.complete or is_held(made):
            return None
        objects |= {f"{language}:{name}": ref for name, ref in made.products.objects.items()}
        people |= {f"{language}:{name}": carried for name, carried in made.products.people.items()}
    return remux.multi_stage(languages), Products(objects, lesson.products.outcomes, people)
