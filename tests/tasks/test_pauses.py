"""Pauses made shorter and longer: by what was asked, at words' expense never, and without a click."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.spans import RATE
from tasks.pauses import edited, elastic, internal

LEVEL = 0.05


def tone(seconds: float) -> np.ndarray:
    """A voiced sound of 150 Hz with overtones, faded at both ends as words are."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * 150 * number * time) / number for number in (1, 2, 3))
    fade = np.minimum(1, np.minimum(np.arange(len(time)), np.arange(len(time))[::-1]) / (0.01 * RATE))
    return (LEVEL * sound * fade).astype(np.float32)


def take(*pauses: float, breath: float = 0.0) -> np.ndarray:
    """Words of 0.6 s with pauses between them that hold a faint noise, and a breath before each word."""
    noise = np.random.default_rng(1)
    parts = [tone(0.6)]
    for pause in pauses:
        silence = noise.normal(0, 2e-4, round(pause * RATE))
        if breath:
            silence[-round(0.12 * RATE) :] += noise.normal(0, breath, round(0.12 * RATE))
        parts += [silence.astype(np.float32), tone(0.6)]
    return np.concatenate(parts)


def pauses_of(sound: np.ndarray) -> list[float]:
    return [round(pause.length / RATE, 2) for pause in internal(sound)]


def test_pauses_are_found_to_the_hundredth_of_a_second() -> None:
    """Between words, not at the ends; what a stop consonant may be is none."""
    assert pauses_of(take(0.4, 0.1, 0.3)) == pytest.approx([0.4, 0.3], abs=0.03)
    assert pauses_of(tone(1.0)) == []
    assert pauses_of(np.zeros(RATE, np.float32)) == []


def test_only_pauses_over_a_quarter_of_a_second_give_and_none_goes_below_150_ms() -> None:
    """As much as can be given, taken from the long ones alone."""
    sound = take(0.2, 0.3, 0.2, 0.3)
    shorter = edited(sound, -elastic(sound).give)
    assert min(pauses_of(shorter)) >= 0.14
    assert pauses_of(shorter)[0] == pytest.approx(0.2, abs=0.02)
    assert pauses_of(shorter)[1] < 0.27


def test_a_take_never_loses_more_than_a_fifteenth() -> None:
    """However long its pauses are: phrasing is theirs."""
    sound = take(2.0, 2.0)
    assert elastic(sound).give == int(len(sound) * 0.065)
    assert len(edited(sound, -len(sound))) == len(sound) - elastic(sound).give


def test_a_breath_before_a_word_stays() -> None:
    """The cut is made in the quiet part."""
    sound = take(0.6, breath=0.0012)
    shorter = edited(sound, -elastic(sound).give)
    last = lambda of: of[-round(0.7 * RATE) :]  # noqa: E731
    assert np.allclose(last(shorter), last(sound), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.05, 1.2), max_size=4),
    st.floats(-0.5, 0.8),
)
def test_the_length_is_what_was_asked_the_words_stay_and_nothing_clicks(lengths: list[float], by_s: float) -> None:
    """To the sample, within what the pauses can; no step between samples is larger than the words' own."""
    sound = take(*lengths)
    bounds = elastic(sound)
    by = min(max(round(by_s * RATE), -bounds.give), bounds.take)
    out = edited(sound, round(by_s * RATE))
    assert out.dtype == np.float32
    assert len(out) == len(sound) + by
    assert np.abs(np.diff(out)).max() <= np.abs(np.diff(sound)).max() + 1e-6
    assert np.sum(out.astype(float) ** 2) == pytest.approx(np.sum(sound.astype(float) ** 2), rel=1e-3)
    assert np.array_equal(out, sound) == (by == 0)
