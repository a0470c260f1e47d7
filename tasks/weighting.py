"""The ear's weighting of ITU-R BS.1770-4 (K), a block at a time instead of a sample at a time.

A recursive filter is a product with a small matrix once its state at the start of every piece of 32 samples is known;
and the states, which only lead from one piece to the next, add up in as many rounds as their number has binary digits.
So nearly everything is matrix products: four times as fast as a filter that goes from sample to sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

PIECE = 32
"""Samples."""

_PRODUCT = 240
"""Pieces that go into one product at most: larger ones make BLAS wake its other threads, which is not worth their
while, and keeps cores busy that others want."""

_FORGOTTEN = 1e-9
"""What is left of a state once it counts for nothing (-180 dB)."""

# BS.1770-4 tables 1 and 2, for 48 kHz: a shelf for the head, a high-pass for the ear (b0 b1 b2 a1 a2 each).
_SECTIONS = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585),
    (1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621),
)
_STATES = 2 * len(_SECTIONS)


@dataclass(frozen=True, slots=True)
class _Filter:
    """What takes a piece of sound and the state before it to what is heard of it and the state after it."""

    sound_to_heard: NDArray[np.float32]
    state_to_heard: NDArray[np.float32]
    sound_to_state: NDArray[np.float32]
    state_to_later: tuple[NDArray[np.float64], ...]
    """What is left of a state one, two, four, ... pieces later, for as long as anything is."""


@lru_cache
def _filter() -> _Filter:
    """The filter's answers to a single sample, and to each of its states alone."""
    heard, states = zip(*(_run(np.eye(1, PIECE, at)[0], np.zeros(_STATES)) for at in range(PIECE)), strict=True)
    rung, left = zip(*(_run(np.zeros(PIECE), state) for state in np.eye(_STATES)), strict=True)
    later = [np.array(left)]
    while np.abs(following := later[-1] @ later[-1]).max() > _FORGOTTEN:
        later.append(following)
    single = np.float32
    return _Filter(np.array(heard, single), np.array(rung, single), np.array(states, single), tuple(later))


def _run(sound: NDArray[np.float64], state: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A piece through the filter, sample by sample: what is heard, and the state after it."""
    heard, kept = np.empty(len(sound)), list(state)
    for at, sample in enumerate(sound):
        value = float(sample)
        for section, (b0, b1, b2, a1, a2) in enumerate(_SECTIONS):
            first, second = kept[2 * section : 2 * section + 2]
            out = b0 * value + first
            kept[2 * section : 2 * section + 2] = b1 * value - a1 * out + second, b2 * value - a2 * out
            value = out
        heard[at] = value
    return heard, np.array(kept)


class Weighting:
    """Weights each channel of a sound at 48 kHz that comes in blocks of whole pieces."""

    def __init__(self, channels: int) -> None:
        self._state = np.zeros((channels, _STATES))

    def weighted(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next block, (channels, samples), as the ear weighs it."""
        by = _filter()
        pieces = np.ascontiguousarray(block, np.float32).reshape(len(block), -1, PIECE)
        count = pieces.shape[1]
        parts = [slice(first, first + _PRODUCT) for first in range(0, count, _PRODUCT)]
        added = np.empty((len(block), count, _STATES), np.float32)
        for part in parts:
            np.matmul(pieces[:, part], by.sound_to_state, out=added[:, part])
        before = self._states_before(added).astype(np.float32)
        heard = np.empty_like(pieces)
        for part in parts:
            np.matmul(pieces[:, part], by.sound_to_heard, out=heard[:, part])
            heard[:, part] += before[:, part] @ by.state_to_heard
        return heard.reshape(len(block), -1)

    def _states_before(self, added: NDArray[np.float32]) -> NDArray[np.float64]:
        """The state before each piece, from what each piece adds: (channels, pieces, states). Keeps the last one."""
        states = np.concatenate([self._state[:, np.newaxis], added], axis=1, dtype=np.float64)
        for power, leading in enumerate(_filter().state_to_later):
            reach = 2**power
            if reach >= states.shape[1]:
                break
            states[:, reach:] += states[:, :-reach] @ leading  # the product is made before anything is added
        self._state = states[:, -1]
        return states[:, :-1]
