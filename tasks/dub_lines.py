"""The dub's lines as they will be heard: stretched to their places, marked as synthetic, measured, and summed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE, Span
from manifests.timeline import Placement
from tasks.loudness import STEP, Meter, Steps, channel_weights, integrated
from tasks.room_tone import Sound
from tasks.stretch import Mono
from voiceclone import watermark


@dataclass(slots=True)
class DubLine:
    """One line as it will be heard, in a file of them."""

    line: str
    span: Span
    offset: int
    steps: Steps
    lufs: float
    gains: NDArray[np.float32]
    """In each channel."""
    gain_db: float = 0.0


class DubLines:
    """All lines of a target, stretched, in a raw file of floats; in memory only as long as they sound."""

    def __init__(self, path: Path, channels: int, *, marked: bool = True) -> None:
        self._path = path
        self._channels = channels
        self._marked = marked
        self._size = 0
        self._sounding: dict[str, Mono] = {}
        self._in_order: list[DubLine] = []
        self._ends: list[int] = []
        """The latest end of each line in order of start and all before it."""
        self.lines: list[DubLine] = []
        path.write_bytes(b"")

    def add(self, placement: Placement, sound: Mono, gains: NDArray[np.float32], *, synthetic: bool = True) -> None:
        """Add a line as it is played in its place, with its gain in each channel; a synthetic one is marked."""
        if self._marked and synthetic:
            sound = watermark.mark(sound, RATE)
        meter = Meter(1)
        meter.add(np.concatenate([np.zeros(placement.span.start % STEP, np.float32), sound])[:, np.newaxis])
        steps = meter.steps() * float(channel_weights(self._channels) @ np.square(gains))
        with self._path.open("ab") as file:
            file.write(sound.tobytes())
        self.lines.append(DubLine(placement.line, placement.span, self._size, steps, integrated(steps), gains))
        self._size += sound.nbytes

    def level(self, levels: Sequence[float]) -> None:
        """Give each line, in order, its loudness in LUFS; a silent one is left as it is."""
        for line, wanted in zip(self.lines, levels, strict=True):
            line.gain_db = wanted - line.lufs if np.isfinite(line.lufs) else 0.0
        self._in_order = sorted(self.lines, key=lambda line: line.span)
        self._ends = list(accumulate((line.span.end for line in self._in_order), max))

    @property
    def median_lufs(self) -> float:
        """Loudness of the median line at its level; -inf where none sounds."""
        levels = [line.lufs + line.gain_db for line in self.lines if np.isfinite(line.lufs)]
        return float(np.median(levels)) if levels else float("-inf")

    def steps(self, count: int) -> Steps:
        """Power of all lines, at their levels, in each tenth of a second of the programme."""
        out = np.zeros(count)
        for line in self.lines:
            first = line.span.start // STEP
            part = line.steps[: max(0, count - first)]
            out[first : first + len(part)] += part * 10 ** (line.gain_db / 10)
        return out

    def read(self, start: int, count: int, gain_db: float) -> Sound:
        """All lines between two instants, at their levels and `gain_db` beyond; (samples, channels)."""
        here = Span(start, start + count)
        out = np.zeros((count, self._channels), np.float32)
        heard = self._between(here)
        self._sounding = {
            line.line: self._sounding[line.line]
            if line.line in self._sounding
            else np.fromfile(self._path, np.float32, count=line.span.length, offset=line.offset)
            for line in heard
        }
        for line in heard:
            part = line.span.clipped(here)
            sound = self._sounding[line.line][part.start - line.span.start : part.end - line.span.start]
            gains = line.gains * np.float32(10 ** ((line.gain_db + gain_db) / 20))
            for channel in np.flatnonzero(gains):
                out[part.start - start : part.end - start, channel] += sound * gains[channel]
        return out

    def _between(self, here: Span) -> list[DubLine]:
        """The lines that sound somewhere in a span, found without a look at all others: there may be thousands."""
        first = bisect_right(self._ends, here.start)
        last = bisect_left(self._in_order, here.end, key=lambda line: line.span.start)
        return [line for line in self._in_order[first:last] if line.span.end > here.start]


def spread(channels: int, centre: bool | None = None) -> NDArray[np.float32]:
    """Gain of a mono line in each channel: alone, in both of two, else in the centre (the third, as in 5.1 and 7.1)."""
    gains = np.zeros(channels, np.float32)
    if centre is None:
        centre = channels == 3 or channels >= 5
    gains[2 if centre else slice(2)] = 1.0
    return gains
