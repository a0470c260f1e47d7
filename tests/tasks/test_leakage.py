"""What is left of a voice is measured, whatever else the two sounds share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from manifests.spans import RATE, Span
from tasks.leakage import Leakage

Sound = NDArray[np.float32]
SECONDS = 8


def voice(seed: int = 1) -> Sound:
    """Noise that comes and goes four times a second, as syllables do."""
    at = np.arange(SECONDS * RATE) / RATE
    syllables = np.clip(np.sin(2 * np.pi * 3.7 * at), 0, 1) * 0.2
    return (np.random.default_rng(seed).standard_normal(len(at)) * syllables).astype(np.float32)[:, np.newaxis]


def music(level: float) -> Sound:
    return (level * np.sin(2 * np.pi * 220 * np.arange(SECONDS * RATE) / RATE)).astype(np.float32)[:, np.newaxis]


def measured(original: Sound, bed: Sound, block: int = 5 * RATE) -> float | None:
    leakage = Leakage((Span(0, 3 * RATE), Span(4 * RATE, SECONDS * RATE)))
    for start in range(0, len(original), block):
        leakage.hear(start, original[start : start + block], bed[start : start + block])
    return leakage.db


@pytest.mark.parametrize("db", [-6.0, -15.0, -30.0])
def test_the_voices_gain_is_found(db: float) -> None:
    """To a decibel, beside other sound of its own in the bed."""
    bed = voice() * np.float32(10 ** (db / 20)) + np.float32(0.01) * voice(seed=2)
    assert measured(voice(), bed) == pytest.approx(db, abs=1)


def test_a_background_that_stays_is_not_taken_for_the_voice() -> None:
    """Music 8 dB under the voice is in both, the voice in one only."""
    found = measured(voice() + music(0.06), music(0.06))
    assert found is not None
    assert found < -35


def test_what_is_kept_beside_a_lowered_voice_does_not_hide_it() -> None:
    """Music as it was, the voice 20 dB down."""
    assert measured(voice() + music(0.06), np.float32(0.1) * voice() + music(0.06)) == pytest.approx(-20, abs=1.5)


def test_another_voice_is_not_taken_for_it() -> None:
    """A bed that has nothing of it measures as nothing, or nearly."""
    found = measured(voice(), voice(seed=9))
    assert found is not None
    assert found < -30


def test_nothing_is_claimed_of_too_little() -> None:
    """Half a second of speech says nothing."""
    leakage = Leakage((Span(0, RATE // 2),))
    leakage.hear(0, voice(), voice())
    assert leakage.db is None
