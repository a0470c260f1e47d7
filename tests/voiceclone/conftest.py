"""A registry of its own for each test, with clocks that the test sets, and one agreed consent in it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from voiceclone.application import Application
from voiceclone.consent import Record
from voiceclone.grant import Clock
from voiceclone.quality import Recording
from voiceclone.registry import Registry

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Hands:
    """The hands of both clocks."""

    wall: datetime = NOON
    monotonic: float = 1000.0

    def pass_seconds(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def registry(tmp_path: Path, hands: Hands) -> Registry:
    made = Registry(tmp_path / "consent", tmp_path / "keys", clock=hands.clock())
    made.init()
    return made


@pytest.fixture
def agreement(tmp_path: Path) -> Path:
    path = tmp_path / "Amara Example agreement.pdf"
    path.write_bytes(b"%PDF-1.4 I, Amara Example, agree. amara@example.org")
    return path


@pytest.fixture
def application(agreement: Path) -> Callable[..., Application]:
    """Makes an application; whatever is given replaces a field of the usual one."""

    def make(**fields: Any) -> Application:
        usual = {
            "id": "amara-2026",
            "person": "amara",
            "languages": ("es", "pt-BR"),
            "purposes": ("training_video",),
            "courses": ("intro-biology",),
            "document": agreement,
            "expires": date(2027, 5, 1),
        }
        return Application.model_validate(usual | fields)

    return make


@pytest.fixture
def amara(registry: Registry, application: Callable[..., Application]) -> Record:
    return registry.add(application())


@pytest.fixture
def use() -> dict[str, Any]:
    """A use that the usual consent covers."""
    return {
        "consent": "amara-2026",
        "person": "amara",
        "language": "es",
        "course": "intro-biology",
        "purpose": "training_video",
        "commercial": False,
    }


SAID = (
    "Welcome to the second lesson of this course. Plants turn the light of the sun into energy. "
    "Where in the plant does that happen? It happens in the green leaves, and nowhere else."
)


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Recording]:
    """Makes a recording of about 9 s in one of flite's voices: slt, rms and awb at 16 kHz, kal at 8 kHz."""
    import soundfile

    folder = tmp_path_factory.mktemp("flite")

    @lru_cache
    def said(voice: str, text: str = SAID) -> Recording:
        path = folder / f"{len(list(folder.iterdir()))}.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
        samples, rate = soundfile.read(str(path), dtype="float32")
        return Recording(f"{voice}.wav", samples, rate)

    return said
