"""Stretching: exact lengths, onsets where they belong, pitch untouched, no clicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.stretch import stretch

RATE = 48_000


def bursts(at: list[float], seconds: float) -> NDArray[np.float32]:
    """Silence with 20 ms of noise at these instants, in seconds."""
    random = np.random.default_rng(1)
    sound = np.zeros(round(seconds * RATE), np.float32)
    for instant in at:
        start = round(instant * RATE)
        sound[start : start + 960] = 0.3 * random.standard_normal(960)
    return sound


@settings(max_examples=25, deadline=None)
@given(rate=st.floats(0.85, 1.4), length=st.integers(4_800, 48_000))
def test_a_take_lasts_exactly_as_long_as_its_place(rate: float, length: int) -> None:
    """Whatever the rate, the length is right to the sample, and the sound is finite."""
    take = np.random.default_rng(2).standard_normal(round(length * rate)).astype(np.float32) * 0.1
    out = stretch(take, length)
    assert len(out) == length
    assert np.isfinite(out).all()


@pytest.mark.parametrize("rate", [0.85, 0.9, 0.997, 1.0, 1.004, 1.1, 1.25, 1.4])
def test_what_is_said_is_heard_when_it_should_be(rate: float) -> None:
    """Bursts at the start, in the middle and at the end lie within 5 ms of their instants divided by the rate."""
    instants = [0.0, 0.31, 1.0, 1.7, 2.45]
    take = bursts(instants, 2.5)
    out = stretch(take, round(len(take) / rate))
    for instant in instants:
        near = slice(max(0, round((instant / rate - 0.05) * RATE)), round((instant / rate + 0.07) * RATE))
        power = np.square(out[near].astype(np.float64))
        middle = near.start + float(np.average(np.arange(len(power)), weights=power))
        assert middle / RATE == pytest.approx((instant + 0.01) / rate, abs=0.005)


@pytest.mark.parametrize("rate", [0.85, 1.25])
def test_the_pitch_stays(rate: float) -> None:
    """A 440 Hz tone is still one of 440 Hz, and as loud."""
    take = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    out = stretch(take, round(len(take) / rate))
    middle = out[len(out) // 2 - 24_000 : len(out) // 2 + 24_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(48_000)))
    assert int(spectrum.argmax()) == 440
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_at_its_own_speed_a_take_is_untouched() -> None:
    """At rate 1 only the short fades at the ends differ from the take."""
    take = np.random.default_rng(3).standard_normal(RATE).astype(np.float32) * 0.1
    out = stretch(take, len(take))
    np.testing.assert_array_equal(out[192:-192], take[192:-192])


def test_nothing_clicks_at_the_ends() -> None:
    """A take that starts and ends at full swing starts and ends at silence, and no step exceeds the tone's own."""
    take = (0.5 * np.cos(2 * np.pi * 200 * np.arange(RATE) / RATE)).astype(np.float32)
    for length in (RATE, 40_000, 55_000):
        out = stretch(take, length)
        assert abs(out[0]) < 1e-6
        assert abs(out[-1]) < 1e-6
        assert np.abs(np.diff(out)).max() < 0.03


def test_the_same_take_gives_the_same_sound() -> None:
    """Two runs agree to the bit."""
    take = np.random.default_rng(4).standard_normal(RATE).astype(np.float32) * 0.1
    np.testing.assert_array_equal(stretch(take, 40_000), stretch(take, 40_000))


def test_an_empty_take_is_refused() -> None:
    """Nothing cannot be stretched."""
    with pytest.raises(ValueError, match="cannot stretch"):
        stretch(np.zeros(0, np.float32), 100)
