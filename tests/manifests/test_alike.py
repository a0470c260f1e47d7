"""What is the same for all lessons that are alike is asked once a look, and what is not is asked of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manifests import alike
from manifests.alike import asked_of_alike
from manifests.looking import looking
from manifests.model import Course, Job, Lesson

COURSE = Course.model_validate({"course": "biology", "targets": ["es", "ca"], "lessons": [{"media": "one.mp4"}]})


def job(lesson_id: str, language: str = "es", **described: object) -> Job:
    lesson = Lesson.model_validate({"media": f"{lesson_id}.mp4", "captions": f"{lesson_id}.vtt", **described})
    return Job(
        manifest=Path("/courses/biology.yaml"),
        course=COURSE.model_copy(update={"lessons": (lesson,)}),
        lesson=lesson,
        lesson_id=lesson_id,
        media=Path(f"/courses/{lesson_id}.mp4"),
        out=Path("/out/biology"),
        language=language,
    )


LESSONS = (job("one"), job("two"), job("three"), job("two", "ca"), job("four", speakers={"single": "amara"}))

ALIKE: dict[str, Callable[[Job], object]] = {
    "a term of the course": lambda job: job.course.timing.hard_max,
    "the language and the folder": lambda job: (job.language, job.delivers_to),
    "who speaks": lambda job: job.lesson.speakers,
}
"""Asked of three kinds of jobs: two languages, and a lesson in which others speak."""

OWN: dict[str, Callable[[Job], object]] = {
    "its name": lambda job: job.name,
    "its file": lambda job: job.media.suffix + job.lesson_id,
    "how the manifest names it": lambda job: job.lesson.media,
    "its captions": lambda job: job.lesson.captions,
    "the lessons of its course": lambda job: job.course.lessons[0].media,
    "a copy of it": lambda job: job.model_copy(update={"language": "gl"}).lesson_id,
    "all that is described of it": lambda job: job.lesson.model_dump_json(),
    "its course as a whole": lambda job: job.course.model_copy(update={"targets": ("gl",)}).lessons[0].media,
}


@pytest.mark.parametrize("what", [*ALIKE, *OWN])
def test_each_lesson_gets_the_answer_that_is_its_own(what: str) -> None:
    """As if every one of them had been asked alone, in whatever order."""
    ask = (ALIKE | OWN)[what]
    asked: list[str] = []

    def counted(of: Job) -> object:
        asked.append(what)
        return ask(of)

    with looking():
        for of in (*LESSONS, *reversed(LESSONS)):
            assert asked_of_alike(counted, of, what) == ask(of)
    assert len(asked) == (3 if what in ALIKE else 10)


def test_it_is_asked_anew_in_another_look_and_where_nobody_looks() -> None:
    """What was true of a library an hour ago need not be true now."""
    answers = iter("abcd")
    told: list[str] = []
    for _ in range(2):
        with looking():
            told += [asked_of_alike(lambda job: next(answers), each, "letter") for each in LESSONS[:2]]
    told += [asked_of_alike(lambda job: next(answers), each, "letter") for each in LESSONS[:2]]
    assert told == ["a", "a", "b", "b", "c", "d"]


def test_of_lessons_that_are_all_different_no_more_is_kept_than_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library may name other people for each of ten thousand lessons: they are asked one by one then."""
    monkeypatch.setattr(alike, "_LIKENESSES", 2)
    lessons = [job(name, speakers={"single": name}) for name in ("amara", "ben", "carla", "amara")]
    asked: list[str] = []

    def who(of: Job) -> object:
        asked.append("who")
        return of.lesson.speakers

    with looking():
        assert [asked_of_alike(who, each, "who") for each in lessons] == [each.lesson.speakers for each in lessons]
    assert len(asked) == 3


def test_what_it_raises_is_raised_each_time() -> None:
    """And is no answer."""

    def refuse(of: Job) -> object:
        raise LookupError(of.language)

    with looking():
        for each in LESSONS:
            with pytest.raises(LookupError):
                asked_of_alike(refuse, each, "refused")
