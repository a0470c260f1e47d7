"""The original without its voice, as a separator hears it, where the dub needs that.

Only the stretches that the dub takes the place of are separated, in windows that overlap and lead over to each other;
what was separated once lies in a file for the next pass. Memory holds one window.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE, Span
from tasks.room_tone import Kind, Read, Sound

WINDOW = 8 * RATE
"""Samples that are separated at a time; the network was trained on 7.8 s."""

JOIN = RATE
"""Two windows share a second, in which one leads over to the other; the first has as much before the span."""

AWAY = 6.0
"""Decibels by which a separated background is lowered at least: it hides what is left of the voice."""

Separate = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes the voice out of sounds (sounds, 2, samples) at `rate`."""


class Separation:
    """Separates spans of a programme of `length` samples, and keeps what it made in `scratch`."""

    def __init__(self, separate: Separate, rate: int, read: Read, channels: int, length: int, scratch: Path) -> None:
        self._separate = separate
        self._rate = rate
        self._read = read
        self._channels = channels
        self._length = length
        self._scratch = scratch

    def under(self, span: Span) -> Separated:
        """The background of a span."""
        made = self._scratch / f"separated-{span.start}-{span.end}.f32"
        if not made.exists():
            draft = made.with_suffix(".part")
            self._make(span, draft)
            draft.replace(made)
        return Separated(made, self._channels)

    def _make(self, span: Span, to: Path) -> None:
        """Write a span's background, window by window."""
        at = max(0, span.start - JOIN)
        end = min(self._length, span.end + JOIN)
        tail = np.zeros((0, self._channels), np.float32)
        rise = ((np.arange(JOIN, dtype=np.float32) + 0.5) / JOIN)[:, np.newaxis]
        with to.open("wb") as file:
            while True:
                window = min(WINDOW, end - at)
                sound = self._window(at, window)
                join = min(len(tail), window)
                sound[:join] = tail[:join] * (1 - rise[:join]) + sound[:join] * rise[:join]
                last = at + window >= end
                ready = window if last else window - JOIN
                part = span.clipped(Span(at, at + ready))
                file.write(sound[part.start - at : part.end - at].tobytes())
                if last:
                    return
                tail = sound[ready:]
                at += ready

    def _window(self, start: int, count: int) -> Sound:
        """One window without its voice; channels are heard in pairs, one alone as both of a pair."""
        import soxr

        sound = self._read(start, count)
        pairs = _pairs(self._channels)
        heard = np.asarray(soxr.resample(sound, RATE, self._rate), np.float32)
        both = np.stack([heard[:, pair].T for pair in pairs])
        left = self._separate(both)
        out = np.empty((count, self._channels), np.float32)
        for pair, background in zip(pairs, left, strict=True):
            back = np.asarray(soxr.resample(background.T, self._rate, RATE), np.float32)
            fitted = np.zeros((count, 2), np.float32)
            fitted[: len(back)] = back[:count]
            out[:, pair] = fitted
        return out


class Separated:
    """A span's background, read from its start."""

    kind: Kind = "separated"

    def __init__(self, path: Path, channels: int) -> None:
        self._path = path
        self._channels = channels
        self._at = 0

    def read(self, count: int) -> Sound:
        """The next `count` samples, (samples, channels)."""
        size = self._channels * 4
        out = np.zeros((count, self._channels), np.float32)
        read = np.fromfile(self._path, np.float32, count=count * self._channels, offset=self._at * size)
        out.reshape(-1)[: len(read)] = read
        self._at += count
        return out


def _pairs(channels: int) -> list[list[int]]:
    """Channels as a separator of stereo hears them: left and right together, the centre and the LFE alone."""
    if channels < 5:
        pairs = [[first, min(first + 1, channels - 1)] for first in range(0, channels, 2)]
        return [[0, 1], [2, 2]] if channels == 3 else pairs
    behind = 4 if channels > 5 else 3
    rest = [[first, min(first + 1, channels - 1)] for first in range(behind, channels, 2)]
    return [[0, 1], [2, 2], *([[3, 3]] if behind == 4 else []), *rest]
