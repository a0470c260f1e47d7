"""What an order asks for: the lessons and languages of its manifest that it selects."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flows.order import Order
from manifests import settings
from manifests.engines import PROFILES
from manifests.errors import InputError
from manifests.lessons import jobs, select
from manifests.load import load
from manifests.model import Course, Job


@dataclass(frozen=True, slots=True)
class Wanted:
    """One lesson and the languages that are wanted of it."""

    job: Job
    languages: tuple[str, ...]

    @property
    def targets(self) -> tuple[Job, ...]:
        return tuple(self.job.model_copy(update={"language": language}) for language in self.languages)


@dataclass(frozen=True, slots=True)
class Selection:
    course: Course
    lessons: tuple[Wanted, ...]

    @property
    def targets(self) -> tuple[Job, ...]:
        return tuple(target for wanted in self.lessons for target in wanted.targets)


_as_read: dict[Path, tuple[int | str, Course]] = {}
"""Manifests that stay as they were when they were read, each with the moment by which that reading is known."""


@contextmanager
def as_it_is_now(manifest: Path) -> Generator[None]:
    """For the block, `wanted` takes a manifest as it is now: whoever edits it meanwhile edits it for the next run."""
    changed = _changed(manifest)
    _as_read[manifest] = changed, _course(manifest, changed)
    try:
        yield
    finally:
        del _as_read[manifest]


@contextmanager
def as_it_was_read(manifest: Path, text: str) -> Generator[None]:
    """For the block, `wanted` takes a manifest as another process has read it: a `Course`, as JSON."""
    _as_read[manifest] = text, Course.model_validate_json(text)
    try:
        yield
    finally:
        del _as_read[manifest]


def wanted(order: Order) -> Selection:
    """Read the manifest and select. Raises ManifestError, or InputError for a selection that names nothing."""
    changed, _ = _as_read.get(order.manifest, (None, None))
    if changed is None:
        changed = _changed(order.manifest)
    usual = settings.of(order.manifest.parent).profile
    asked = order.profile or settings.asked_profile()
    return _wanted(order.manifest, order.workspace, order.out, order.only, asked, usual, changed)


@lru_cache(maxsize=4)
def _wanted(
    manifest: Path,
    workspace: Path,
    out: str | None,
    only: tuple[str, ...],
    asked: str | None,
    usual: str | None,
    changed: int | str,
) -> Selection:
    """Cached by the manifest's time of change: a big manifest is read once a run, not once a flow."""
    _, course = _as_read.get(manifest, (None, None))
    if course is None:
        course = _course(manifest, changed)
    course = _with_profile(course, asked or (None if "profile" in course.model_fields_set else usual))
    lessons = {job.lesson_id: job for job in jobs(manifest, course, out, workspace)}
    languages = _chosen(list(lessons.values()), only) if only else dict.fromkeys(lessons, course.targets)
    return Selection(course, tuple(Wanted(_alone(lessons[name], workspace), tags) for name, tags in languages.items()))


def _chosen(jobs: Sequence[Job], only: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The languages that are wanted of each lesson of which any is."""
    languages: dict[str, tuple[str, ...]] = {}
    for target in select(jobs, only):
        languages[target.lesson_id] = (*languages.get(target.lesson_id, ()), target.language or "")
    return languages


@lru_cache(maxsize=2)
def _course(manifest: Path, changed: int | str) -> Course:
    del changed  # an edited manifest is read again
    return load(manifest)


def _changed(manifest: Path) -> int:
    return manifest.stat().st_mtime_ns if manifest.exists() else 0


def _alone(job: Job, workspace: Path) -> Job:
    """The job with a course of its lesson only: flows carry it, and have no use for a library's other lessons."""
    course = job.course.model_copy(update={"lessons": (job.lesson,)})
    return job.model_copy(update={"course": course, "workspace": workspace})


def _with_profile(course: Course, profile: str | None) -> Course:
    """The course under another profile. Raises InputError for one that does not exist."""
    if profile is None:
        return course
    if profile not in PROFILES:
        raise InputError(f"there is no profile {profile!r}.", remedy=f"There are: {', '.join(PROFILES)}.")
    return course.model_copy(update={"profile": profile})


def manifest_path(manifest: Path) -> Path:
    """The absolute path of a manifest as it was given; links in it are kept."""
    return manifest.expanduser().absolute()
