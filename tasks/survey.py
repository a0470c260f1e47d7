"""A programme, and what a first hearing of it tells: how loud it is, and how its power goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE
from tasks.ahead import ahead
from tasks.loudness import Meter, Steps
from tasks.room_tone import HOP, Sound

if TYPE_CHECKING:
    from soundfile import SoundFile

BLOCK = RATE
"""Samples that are in hand at a time: few enough that they stay in a core's own cache from step to step."""

OFFSET = 1e-3
"""A mean of samples beyond this (-60 dBFS) is a fault, not chance."""

_HEARD_AT_ONCE = 12 * HOP


class Original:
    """The programme, read anywhere; silence beyond its end."""

    def __init__(self, file: SoundFile, length: int) -> None:
        self._file = file
        self.channels = file.channels
        self.length = length
        self.own_length = file.frames
        self.offset = np.zeros(file.channels, np.float32)
        """A constant that is taken out of each channel."""

    def read(self, start: int, count: int) -> Sound:
        out = np.zeros((count, self.channels), np.float32)
        count = max(0, min(count, self.own_length - start))
        if count:
            if self._file.tell() != start:
                self._file.seek(start)
            out[:count] = self._file.read(count, dtype="float32", always_2d=True)
            if self.offset.any():
                out[:count] -= self.offset
        return out

    def blocks(self, size: int = BLOCK) -> Iterator[Sound]:
        """The whole programme, `length` samples."""
        for start in range(0, self.length, size):
            yield self.read(start, min(size, self.length - start))


@dataclass(frozen=True, slots=True)
class Heard:
    """What a first hearing of the programme tells."""

    steps: Steps
    by_channel: NDArray[np.float64]
    """Mean square of each `HOP` samples in each channel: (hops, channels)."""

    @property
    def powers(self) -> NDArray[np.float64]:
        """Mean square of each `HOP` samples, mean over the channels."""
        return self.by_channel.mean(axis=1)


def survey(original: Original, tell: Callable[[float], None]) -> Heard:
    """Hear it once, or twice where it has a constant offset, as a faulty interface leaves one: a background with that
    in it could not be rebuilt, so it is `original`'s offset from then on."""
    heard, means = _hear(original, tell)
    if np.abs(means).max(initial=0.0) > OFFSET:
        original.offset = means
        heard, _ = _hear(original, tell)
    return heard


def _hear(original: Original, tell: Callable[[float], None]) -> tuple[Heard, NDArray[np.float32]]:
    """What is heard, and the mean of each channel."""
    meter = Meter(original.channels)
    powers: list[NDArray[np.float32]] = []
    sums = np.zeros(original.channels)
    with ahead(original.blocks(_HEARD_AT_ONCE)) as blocks:
        for count, block in enumerate(blocks):
            meter.add(block)
            channels = np.ascontiguousarray(block.T)
            sums += channels.sum(axis=1, dtype=np.float64)
            hops = channels[:, : len(block) // HOP * HOP].reshape(len(channels), -1, HOP)
            powers.append(np.einsum("cht,cht->hc", hops, hops) / np.float32(HOP))
            tell(count * _HEARD_AT_ONCE / original.length)
    by_channel = np.concatenate(powers).astype(np.float64) if powers else np.zeros((0, original.channels))
    means = (sums / max(1, min(original.length, original.own_length))).astype(np.float32)
    return Heard(meter.steps(), by_channel), means
