"""How far the background is lowered for the dub, and how it gets there and back.

Noise like a room's is never lowered: it would be heard to breathe. Music is, as long as the dub speaks and through its
short pauses, so that every word is understood: a synthetic voice is harder to follow than the one it replaces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE, Span, samples

UNDER = 20.0
"""LU by which music lies under the voice that it is lowered for (WCAG 2.2, success criterion 1.4.7)."""

HOLD = 2 * RATE
"""A pause shorter than this is bridged: music that comes up for a second between two lines disturbs more than it
gives."""


@dataclass(frozen=True, slots=True)
class Ducking:
    """The settings."""

    depth_db: float = 15.0
    """Decibels at most; 12 to 18 are usual."""
    attack_s: float = 0.02
    release_s: float = 0.4


class Envelope:
    """The gain of the background through time, told its stretches in order of start."""

    def __init__(self, ducking: Ducking) -> None:
        self._attack = max(1, samples(ducking.attack_s))
        self._release = max(1, samples(ducking.release_s))
        self._hold = max(HOLD, self._release)
        self._lowered: list[tuple[Span, float]] = []
        self.deepest_db = 0.0

    @property
    def reach(self) -> int:
        """What starts within so many samples after a stretch that is asked for must be told before."""
        return self._hold

    def lower(self, span: Span, by_db: float) -> None:
        """Lower the background throughout a stretch."""
        if by_db > 0 and span.length:
            self._lowered.append((span, by_db))
            self.deepest_db = max(self.deepest_db, by_db)

    def gains(self, start: int, count: int) -> NDArray[np.float32] | None:
        """Linear gains from a sample on, (samples, 1); None where nothing changes. Goes forward only."""
        while self._lowered and self._over(0) <= start:
            self._lowered.pop(0)
        if not self._lowered or self._lowered[0][0].start >= start + count:
            return None
        times, levels = list[float](), list[float]()
        before: Span | None = None
        for span, by in self._lowered:
            if before is None or span.start - before.end > self._hold:
                if before is not None:
                    times.append(before.end + self._release)
                    levels.append(0.0)
                times.append(span.start)
                levels.append(0.0)
            times += [min(span.start + self._attack, span.end), span.end]
            levels += [-by, -by]
            before = span
        assert before is not None  # noqa: S101 - for the type checker: there is a stretch
        times.append(before.end + self._release)
        levels.append(0.0)
        decibels = np.interp(np.arange(start, start + count), times, levels)
        return (10 ** (decibels / 20)).astype(np.float32)[:, np.newaxis]

    def _over(self, number: int) -> int:
        """When nothing of a stretch is left, neither its release nor the bridge to the next."""
        end = self._lowered[number][0].end
        if number + 1 < len(self._lowered):
            following = self._lowered[number + 1][0]
            if following.start - end <= self._hold:
                return following.start + self._attack
        return end + self._release
