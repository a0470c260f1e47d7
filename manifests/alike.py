"""Questions about a job whose answer is the same for every lesson of a course that is described alike.

Within a look at a library (`manifests.looking`) such a question is asked once. Whether it is one shows while it is
asked: whoever answers it gets a job that notices whether anything is read that tells which lesson it is of.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, cast

from manifests.looking import answers
from manifests.model import Course, Job

T = TypeVar("T")

_OWN: Final = object()
"""In place of an answer: each lesson has its own."""

_KINDS: Final = object()
_LAST: Final = object()
"""Under these the kinds of jobs, and the job that was asked about last, lie among the answers."""

_SHARED: Final = ("audio_language", "refine", "speakers")
"""What is described of lessons that many have in common, unlike the names of files."""

_LIKENESSES: Final = 500
"""Of so many kinds of lessons answers are kept at most."""

_OF_LESSON: Final = frozenset(_SHARED)
_OF_COURSE: Final = frozenset(Course.model_fields) - {"lessons"} | {"model_fields_set"}
_OF_JOB: Final = frozenset(Job.model_fields) - {"lesson_id", "media"} | {"delivers_to"}


def asked_of_alike(ask: Callable[[Job], T], job: Job, what: Hashable) -> T:
    """What `ask` answers, asked once a look of all lessons that are alike where nothing of one of them is read for it.

    `what` names the question. What it raises is not kept.
    """
    known = answers()
    likeness = _likeness(job, known) if known is not None else None
    if known is None or likeness is None:
        return ask(job)
    question = (what, job.language, likeness)
    answer = known.get(question, known)
    if answer is known:
        watched = _Watched(job)
        answer = ask(cast("Job", watched))
        known[question] = _OWN if watched.was_told else answer
        return answer
    return ask(job) if answer is _OWN else cast("T", answer)


def _likeness(job: Job, known: dict[Hashable, Any]) -> int | None:
    """A number that stands for what jobs of one language must have in common to be alike; None where there are too
    many kinds of them."""
    # Stage after stage asks about one job: what stands for it is found once.
    last, likeness = known.get(_LAST, (None, None))
    if last is job:
        return likeness
    kinds = known.setdefault(_KINDS, {})
    described = repr([getattr(job.lesson, name) for name in _SHARED])
    kind = (job.manifest, job.course.course, job.workspace, job.out, job.address, described)
    likeness = kinds.setdefault(kind, len(kinds)) if kind in kinds or len(kinds) < _LIKENESSES else None
    known[_LAST] = job, likeness
    return likeness


class _Part:
    """A part of a job that tells its job when anything but `common` is read of it."""

    def __init__(self, of: Any, common: frozenset[str], job: _Watched) -> None:
        self._of, self._common, self._job = of, common, job

    def __getattr__(self, name: str) -> Any:
        if name not in self._common:
            self._job.was_told = True
        return getattr(self._of, name)


class _Watched:
    """A job that notices whether anything is read of it that other lessons may not have in common with it.

    Anything else than the fields that are, methods that make another job of it among them, counts as read.
    """

    def __init__(self, job: Job) -> None:
        self.was_told = False
        self._job = job
        self.lesson = _Part(job.lesson, _OF_LESSON, self)
        self.course = _Part(job.course, _OF_COURSE, self)

    def __getattr__(self, name: str) -> Any:
        if name not in _OF_JOB:
            self.was_told = True
        return getattr(self._job, name)
