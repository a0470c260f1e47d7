"""True peaks, and a limiter that keeps them under a ceiling.

A true peak is the height of the curve between the samples, seen by four-fold oversampling (BS.1770-4 annex 2). The
limiter looks 5 ms ahead, so that its gain is down before the peak comes and moves smoothly: nothing is clipped, and
what never comes near the ceiling is not touched at all.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE

Block = NDArray[np.float32]
"""(samples, channels)"""

_PHASES = 4
_REACH = 16
"""Samples on each side from which the curve between two samples is drawn. BS.1770-4 asks for 6; with 16, other meters
agree within 0.1 dB even where treble is strong."""

_CELL = 16
"""The gain is computed for cells of this many samples (a third of a millisecond) and drawn straight in between."""

_PRODUCT = 80
"""Cells that go into one product at most: larger ones make BLAS wake its other threads, which is not worth it."""

_LOOK = 15
"""Cells that the limiter looks ahead: 5 ms."""

_RELEASE_DB = 60.0 * _CELL / RATE
"""Decibels a cell by which the gain comes back: 60 dB/s, slow enough not to distort a voice's lowest note."""


@lru_cache
def _oversampler() -> tuple[NDArray[np.float32], float]:
    """A matrix from a cell with its reach to the cell's four-fold curve; and by how much that can exceed the samples.

    The filter is a sinc under a Kaiser window: it leaves the samples themselves as they are.
    """
    at = np.arange(-_REACH * _PHASES, _REACH * _PHASES + 1)
    taps = np.sinc(at / _PHASES) * np.kaiser(len(at), 5.0)
    matrix = np.zeros((_CELL + 2 * _REACH, _CELL * _PHASES))
    for sample in range(len(matrix)):
        for point in range(_CELL * _PHASES):
            tap = point - (sample - _REACH) * _PHASES + _REACH * _PHASES
            if 0 <= tap < len(taps):
                matrix[sample, point] = taps[tap]
    return matrix.astype(np.float32), float(np.abs(matrix).sum(axis=0).max())


def true_peaks(block: Block, above: float = 0.0) -> NDArray[np.float32]:
    """The true peak in each cell of 16 samples, over all channels; (cells,), linear.

    Where the samples show that no true peak can exceed `above`, the samples' own peak stands in: that is most of any
    speech, and saves the oversampling. Silence is taken to lie before and after `block`.
    """
    matrix, bound = _oversampler()
    cells = -(-len(block) // _CELL)
    padded = np.zeros((_REACH + cells * _CELL + _CELL, block.shape[1]), np.float32)
    padded[_REACH : _REACH + len(block)] = block
    whole = np.ascontiguousarray(np.abs(padded[_REACH : _REACH + cells * _CELL]).reshape(cells, -1).T)
    peaks = whole.max(axis=0)
    around = np.concatenate([[0], peaks, [0]])
    around = np.maximum(np.maximum(around[:-2], around[1:-1]), around[2:])
    near = np.flatnonzero(around * bound > above)
    if len(near):
        for channel in padded.T:
            windows = np.lib.stride_tricks.sliding_window_view(channel, len(matrix))[::_CELL]
            for first in range(0, len(near), _PRODUCT):
                some = near[first : first + _PRODUCT]
                peaks[some] = np.maximum(peaks[some], np.abs(windows[some] @ matrix).max(axis=1))
    return peaks


class PeakMeter:
    """The highest true peak of a sound heard block by block."""

    def __init__(self) -> None:
        self._highest = 0.0
        self._tail: Block | None = None
        self._known = 0
        """Cells at the tail's beginning that were judged, and are kept for the reach of the next."""

    def add(self, block: Block) -> None:
        """Hear the next block."""
        heard = block if self._tail is None else np.concatenate([self._tail, block])
        judged = len(heard) // _CELL - 1  # the last one's curve depends on what follows
        if judged > self._known:
            self._highest = self._up_to(heard, slice(self._known, judged))
            heard, self._known = heard[(judged - 1) * _CELL :], 1
        self._tail = heard

    @property
    def dbtp(self) -> float:
        """dBTP; -inf for silence."""
        highest = self._highest if self._tail is None else self._up_to(self._tail, slice(self._known, None))
        return 20 * float(np.log10(highest)) if highest > 0 else float("-inf")

    def _up_to(self, heard: Block, cells: slice) -> float:
        return max(self._highest, float(true_peaks(heard, above=self._highest)[cells].max(initial=0.0)))


class Limiter:
    """Keeps true peaks of a sound, heard block by block, under a ceiling; all channels move together.

    `feed` returns what is finished, later than what it was fed by a few milliseconds; `rest` returns the end. Together
    they return exactly as many samples as were fed.
    """

    _CONTEXT = 4 * _LOOK * _CELL

    def __init__(self, channels: int, ceiling_dbtp: float) -> None:
        self._ceiling_db = ceiling_dbtp
        self._ceiling = 10 ** (ceiling_dbtp / 20)
        self._before = np.zeros((self._CONTEXT, channels), np.float32)
        self._waiting = np.zeros((0, channels), np.float32)
        self._released = 0.0
        self.deepest_db = 0.0
        """The strongest gain reduction so far."""

    def feed(self, block: Block) -> Block:
        """The next block in; what is finished out."""
        self._waiting = np.concatenate([self._waiting, block])
        ready = (len(self._waiting) - self._CONTEXT) // _CELL * _CELL
        return self._finish(ready) if ready > 0 else self._waiting[:0]

    def rest(self) -> Block:
        """What is still inside."""
        ready = len(self._waiting)
        whole = -(-ready // _CELL) * _CELL
        silence = np.zeros((whole - ready + self._CONTEXT, self._waiting.shape[1]), np.float32)
        self._waiting = np.concatenate([self._waiting, silence])
        return self._finish(whole)[:ready]

    def _finish(self, ready: int) -> Block:
        """Limit the first `ready` waiting samples (whole cells); `_CONTEXT` samples lie before and after them."""
        heard = np.concatenate([self._before, self._waiting[: ready + self._CONTEXT]])
        peaks = true_peaks(heard, above=self._ceiling).astype(np.float64)
        now = self._waiting[:ready]
        self._before = heard[ready : ready + self._CONTEXT]
        self._waiting = self._waiting[ready:]
        if self._released < 1e-6 and float(peaks.max(initial=0.0)) <= self._ceiling:
            self._released = 0.0
            return now
        wanted = np.maximum(0.0, 20 * np.log10(np.maximum(peaks, 1e-9)) - self._ceiling_db)
        # A cell's reduction reaches one look ahead, falls back at the release's slope, and is smoothed over one look.
        edge = self._CONTEXT // _CELL
        ahead = _running_max(wanted, _LOOK + 1)
        slope = _RELEASE_DB * np.arange(len(ahead))
        # The recursion restarts `edge` cells early with what the last call left there.
        ahead[0] = max(ahead[0], self._released)
        falling = np.maximum.accumulate(ahead + slope) - slope
        self._released = float(falling[ready // _CELL])
        window = np.hanning(_LOOK + 2)[1:-1]
        smooth = np.convolve(falling, window / window.sum())[: len(falling)]
        cells = smooth[edge - 1 : edge + ready // _CELL + 1]
        self.deepest_db = max(self.deepest_db, float(cells.max()))
        # Cell values stand at cell starts; between two, the gain is drawn straight.
        gains = (10 ** (-np.maximum(cells[1:], cells[:-1]) / 20)).astype(np.float32)
        along = np.arange(_CELL, dtype=np.float32) / _CELL
        gain = (gains[:-1, None] + np.diff(gains)[:, None] * along).reshape(-1)
        out = np.empty_like(now)
        for channel in range(now.shape[1]):  # much faster than to spread the gain over a few channels
            np.multiply(now[:, channel], gain, out=out[:, channel])
        return out


def _running_max(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Maximum of each value and the `count - 1` that follow it (zeros after the end)."""
    return np.lib.stride_tricks.sliding_window_view(np.concatenate([values, np.zeros(count - 1)]), count).max(axis=1)
