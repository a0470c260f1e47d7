"""The background's gain through time: down before the voice, up after it, smooth, the same however it is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from manifests.spans import RATE, Span, samples
from tasks.ducking import Ducking, Envelope


def decibels(envelope: Envelope, length_s: float, block: int = RATE) -> NDArray[np.float64]:
    """The whole envelope, read in blocks."""
    blocks = list[NDArray[np.float32]]()
    for start in range(0, samples(length_s), block):
        count = min(block, samples(length_s) - start)
        gains = envelope.gains(start, count)
        blocks.append(np.ones((count, 1), np.float32) if gains is None else gains)
    return 20 * np.log10(np.concatenate(blocks)[:, 0].astype(np.float64))


def lowered(*spans: tuple[float, float, float], ducking: Ducking | None = None) -> Envelope:
    envelope = Envelope(ducking or Ducking())
    for start, end, by in spans:
        envelope.lower(Span.of_seconds(start, end), by)
    return envelope


def test_it_is_down_within_the_attack_and_up_within_the_release() -> None:
    """20 ms and 400 ms unless told otherwise; before and after, nothing changes."""
    gain = decibels(lowered((2, 4, 15.0)), 6)
    assert not gain[: samples(2)].any()
    assert gain[samples(2.02) : samples(4)] == pytest.approx(-15)
    assert gain[samples(4.2)] == pytest.approx(-7.5, abs=0.01)
    assert not gain[samples(4.4) :].any()


def test_attack_and_release_are_settings() -> None:
    """A tenth of a second down, a second up."""
    gain = decibels(lowered((2, 4, 12.0), ducking=Ducking(attack_s=0.1, release_s=1)), 6)
    assert gain[samples(2.05)] == pytest.approx(-6, abs=0.01)
    assert gain[samples(4.5)] == pytest.approx(-6, abs=0.01)


def test_a_short_pause_is_bridged_and_a_long_one_is_not() -> None:
    """Music does not come up for a second between two lines; for three it does."""
    gain = decibels(lowered((1, 2, 15.0), (3, 4, 15.0), (7, 8, 15.0)), 9)
    assert gain[samples(1.5) : samples(4)] == pytest.approx(-15)
    assert not gain[samples(4.5) : samples(7)].any()


def test_between_two_depths_it_moves_evenly() -> None:
    """From 15 dB to 5 dB through the pause."""
    assert decibels(lowered((1, 2, 15.0), (3, 4, 5.0)), 5)[samples(2.5)] == pytest.approx(-10, abs=0.2)


@settings(max_examples=30, deadline=None)
@given(
    edges=st.lists(st.integers(0, 12 * RATE), min_size=2, max_size=12, unique=True).map(sorted),
    depths=st.lists(st.floats(0, 20), min_size=6, max_size=6),
    block=st.integers(RATE // 7, 5 * RATE),
)
def test_it_is_smooth_and_the_same_in_blocks_of_any_size(edges: list[int], depths: list[float], block: int) -> None:
    """Never above the source's own level, never a step that clicks."""
    spans = list(zip(edges[::2], edges[1::2], depths, strict=False))

    def made() -> Envelope:
        envelope = Envelope(Ducking())
        for start, end, by in spans:
            envelope.lower(Span(start, end), by)
        return envelope

    whole, pieces = decibels(made(), 14, 14 * RATE), decibels(made(), 14, block)
    np.testing.assert_allclose(pieces, whole, atol=1e-4)
    assert whole.max() <= 1e-6
    if all(end - start > samples(0.02) for start, end, _ in spans):
        assert np.abs(np.diff(whole)).max() <= 20 / samples(0.02) + 1e-3
