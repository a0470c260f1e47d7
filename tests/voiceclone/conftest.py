"""A registry of its own for each test, with clocks that the test sets, and one agreed consent in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from voiceclone.application import Application
from voiceclone.consent import Record
from voiceclone.grant import Clock
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
