"""Digests of what the results of all lessons of a course have in common: one for what is done once a lesson, one for
each language, one for what carries them all.

The manifest but its lessons, every stage's version, parameters and engine, the consent registry, enrolments, and what
people wrote. An engine that is missing or a consent that is refused is an answer like any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from manifests import approvals, human_lines
from manifests.errors import DubError
from manifests.model import Job, Lesson
from manifests.seen import Identity, is_at_rest
from manifests.workspace import Workspace
from tasks import hls, multi
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES
from tasks.stage import Stage, digest
from tasks.voice_terms import unspoken
from voiceclone.enrolments import Enrolments
from voiceclone.registry import Registry

_NOT_OF_RESULTS: Final = frozenset({"lessons", "targets", "schedule", "timezone"})
"""Keys of a manifest on which no single result depends but through its job."""


@dataclass(frozen=True, slots=True)
class CommonFacts:
    """Digests, and what people wrote for single targets."""

    lesson: str
    languages: Mapping[str, str]
    """Without the languages in whose files people are writing at this moment: nothing can be said of them yet."""
    together: str
    written: Mapping[str, Identity]
    """The files in which people wrote lines or approved, by name."""

    def of_target(self, lesson: str, language: str) -> tuple[Identity | None, Identity | None]:
        """The lines and the approval of one target."""
        of = self.written.get
        return of(human_lines.name(lesson, language)), of(approvals.name(lesson, language))


NOBODY: Final = CommonFacts("", {}, "", {})
"""The common facts of a course without lessons."""


def common_facts(job: Job, space: Workspace) -> CommonFacts:
    """The common facts of a job's course, whichever of its lessons the job is for."""
    course = job.course
    nobody = {"lesson": Lesson(media="any"), "lesson_id": "", "media": job.manifest.with_name("any"), "language": None}
    job = job.model_copy(update=nobody)
    manifest = [str(job.manifest), course.model_dump_json(exclude=set(_NOT_OF_RESULTS))]
    people, written = _people(job, space), _written(job)
    languages: dict[str, str] = {}
    for language in course.targets:
        target = job.model_copy(update={"language": language})
        lines = {name: each for name, each in written.items() if name.endswith(f".{language}.lines.jsonl")}
        if all(map(is_at_rest, lines.values())):
            asked = [*map(_asked, TARGET_STAGES, [target] * len(TARGET_STAGES)), unspoken(target)]
            languages[language] = digest([manifest, people, asked, lines])
    joint = (multi.stage(course.targets), hls.stage(course.targets))
    return CommonFacts(
        digest([manifest, [_asked(stage, job) for stage in LESSON_STAGES]]),
        languages,
        digest([manifest, course.targets, people, [_asked(stage, job) for stage in joint]]),
        written,
    )


def _asked(stage: Stage, job: Job) -> list[Any]:
    """What a stage's key is made of beside its inputs, with its engine's version, and whether it is blocked."""

    def engine() -> dict[str, str] | None:
        made_by = stage.engine(job)
        return made_by.as_dict() if made_by else None

    answers = (lambda: stage.check(job), lambda: asdict(stage.params(job)), engine)
    return [stage.name, stage.version, *map(_answer, answers)]


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except DubError as error:
        return {type(error).__name__: str(error)}


def _people(job: Job, space: Workspace) -> list[Any]:
    """Who is enrolled, and what the registry says of everybody's consent, for lessons that name people of their own."""
    voices = Enrolments.of(space.root)
    enrolled = {name: _answer(lambda name=name: _enrolment(voices, name)) for name in voices.people()}
    consents = {each.consent for each in job.course.people.values() if each.consent}
    consents |= {str(each["consent"]) for each in enrolled.values() if "consent" in each}
    return [enrolled, Registry.default().state_digest(sorted(consents))]


def _enrolment(voices: Enrolments, person: str) -> dict[str, str]:
    enrolment = voices.get(person)
    return {"digest": enrolment.digest, "consent": enrolment.consent}


def _written(job: Job) -> dict[str, Identity]:
    try:
        entries: Iterable[os.DirEntry[str]] = os.scandir(approvals.folder(job.manifest))
        facts = [(entry.name, entry.stat()) for entry in entries]
    except OSError:  # most often there is no such folder
        return {}
    return {name: [each.st_ino, each.st_size, each.st_mtime_ns] for name, each in facts}
