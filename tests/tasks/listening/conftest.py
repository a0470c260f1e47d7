"""The tiny models that listen, where the engines look for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tiny import speech


@pytest.fixture(autouse=True)
def their_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests in this folder find them; and nothing may be fetched."""
    monkeypatch.setenv("DUB_MODELS", str(models))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def models(listening_models: Path) -> Iterator[Path]:
    """The folder that DUB_MODELS names, with everything in it that the engines that listen take for English."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUB_MODELS", str(listening_models))
        yield listening_models


@pytest.fixture(scope="session")
def flite() -> Callable[[Path, str, str], speech.Sound]:
    """Say a sentence with a flite voice: a folder for the file, the voice, the text."""
    return speech.voice_of


@pytest.fixture(scope="session")
def lecture() -> Callable[..., tuple[tuple[float, float], ...]]:
    """Write clips one after the other into a file: where it is, the clips, and the seconds of quiet between them."""
    return speech.lecture
