"""What a stage works with: a registry in which one person agreed to one use of her voice, and a bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.model import Course, Job, Lesson
from manifests.store import Store
from tasks.stage import Workbench
from voiceclone.application import Application
from voiceclone.grant import Grant
from voiceclone.registry import Registry


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """This machine's registry, in a folder of the test: Amara agreed to speak Spanish in one course."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "consent"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    made = Registry.default()
    made.init()
    agreement = tmp_path / "agreement.pdf"
    agreement.write_bytes(b"%PDF-1.4 I agree.")
    made.add(
        Application(
            id="amara-2026",
            person="amara",
            languages=("es",),
            purposes=("training_video",),
            courses=("biology",),
            document=agreement,
        )
    )
    return made


@pytest.fixture
def grant(registry: Registry) -> Grant:
    """The registry's yes to that one use."""
    return registry.grant(
        consent="amara-2026",
        person="amara",
        language="es",
        course="biology",
        purpose="training_video",
        commercial=False,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """The workspace of a job in the test's folder."""
    scratch = tmp_path / ".dub" / "scratch"
    scratch.mkdir(parents=True)
    return Workbench(Store(tmp_path / ".dub" / "store"), scratch, cores=1)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """One lesson, in Spanish; nothing of it is there yet."""
    lesson = Lesson(media="lesson.mp4")
    course = Course(course="c", source_language="en", targets=("es",), lessons=(lesson,))
    return Job(
        manifest=tmp_path / "c.yaml",
        course=course,
        lesson=lesson,
        lesson_id="lesson",
        media=tmp_path / "lesson.mp4",
        language="es",
        out=tmp_path,
    )
