"""Work in a person's voice that outlasts a grant: the registry is asked again, and only its no stops the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manifests.errors import ConsentRefused
from manifests.store import Store
from tasks import own_voice
from tasks.kept_takes import Wish
from tasks.stage import Engine, Workbench
from voiceclone.application import Application
from voiceclone.cloner import training
from voiceclone.cloner.clips import Clip
from voiceclone.cloner.engine import AdaptiveCloner
from voiceclone.cloner.voice import TrainedVoice
from voiceclone.grant import LIFE_S, Clock, Grant
from voiceclone.registry import Registry
from voiceclone.saying import Saying

TEXTS = ("uno", "dos")


@dataclass
class Time:
    passed: float = 0.0
    begun: datetime = field(default_factory=lambda: datetime(2026, 6, 1, tzinfo=UTC))

    def clock(self) -> Clock:
        return Clock(lambda: self.begun + timedelta(seconds=self.passed), lambda: self.passed)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def registry(tmp_path: Path, time: Time) -> Registry:
    registry = Registry(tmp_path / "consent", tmp_path / "keys", clock=time.clock())
    registry.init()
    (tmp_path / "agreement.pdf").write_bytes(b"agreed")
    registry.add(
        Application(
            id="amara-2026",
            person="amara",
            languages=("es",),
            purposes=("training_video",),
            courses=("biology",),
            document=tmp_path / "agreement.pdf",
            expires=date(2027, 1, 1),
        )
    )
    return registry


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """With a take of each text in the store, so that nothing has to be trained."""
    store = Store(tmp_path / "store")

    def written(text: str) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            (folder / "take.flac").write_text(text)
            return folder / "take.flac"

        return write

    for text in TEXTS:
        store.made("take", text, written(text), people=("amara",))
    return Workbench(store, tmp_path, cores=1)


def wishes(bench: Workbench) -> list[Wish]:
    return [Wish(Saying(text), text, bench.store.committed("take", text), Engine("clone", "1")) for text in TEXTS]


def engine(registry: Registry) -> AdaptiveCloner:
    """One that has no voice: everything is in the store."""

    def voice(person: str, language: str) -> TrainedVoice:
        raise AssertionError

    return AdaptiveCloner(registry, voice)


def test_a_grant_that_lapsed_is_asked_for_again(registry: Registry, grant: Grant, bench: Workbench, time: Time) -> None:
    """A stage that began long ago goes on while the person agrees."""
    time.passed = LIFE_S * 3
    with pytest.raises(ConsentRefused, match="too old"):
        registry.check(grant, person="amara", language="es")
    takes = own_voice.spoken(wishes(bench), engine(registry), grant, registry, bench)
    assert [path.read_text() for path in takes if path] == list(TEXTS)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda registry, time: registry.revoke("amara-2026", "asked"), "was revoked"),
        (lambda registry, time: registry.suspend("amara-2026"), "is suspended"),
        (lambda registry, time: setattr(time, "passed", 86_400 * 300), "expired on 2027-01-01"),
    ],
)
def test_asking_again_asks_everything_again(
    registry: Registry, grant: Grant, bench: Workbench, time: Time, change: Any, why: str
) -> None:
    """A lapsed grant is no way around a revocation, a suspension or the term's end."""
    time.passed = LIFE_S * 3
    change(registry, time)
    with pytest.raises(ConsentRefused, match=why):
        next(own_voice.spoken(wishes(bench), engine(registry), grant, registry, bench))


def test_a_voice_is_not_kept_that_was_learned_over_a_revocation(
    registry: Registry, grant: Grant, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revocation's erasure is over by then: nothing would ever delete it."""

    def train(*_: object, **__: object) -> object:
        registry.revoke("amara-2026", "asked")
        return object()

    monkeypatch.setattr(training, "train", train)
    heard = [Clip(np.zeros(16, np.float32), 16_000, "text")]
    with pytest.raises(ConsentRefused, match="was revoked"):
        own_voice.learned("amara", heard, "en", "es", bench, still=lambda: registry.renew(grant))
    assert [commit.stage for commit in bench.store.commits()] == ["take", "take"]
