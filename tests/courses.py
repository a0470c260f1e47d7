"""Jobs for stages: one target of a small course, as a manifest would say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manifests.model import Course, Job


def job(folder: Path, language: str = "es", **course: Any) -> Job:
    """One target of a manifest in a folder, with these keys; `lesson` holds further keys of its one lesson."""
    entry = {"media": "one.mp4"} | course.pop("lesson", {})
    made = Course.model_validate(
        {"course": "biology", "source_language": "en", "targets": [language], "lessons": [entry]} | course
    )
    return Job(
        manifest=folder / "course.yaml",
        course=made,
        lesson=made.lessons[0],
        lesson_id="one",
        media=folder / made.lessons[0].media,
        out=folder / "out",
        workspace=folder / ".dub",
        language=language,
    )
