"""Holds: where a still frame is shown longer than in the source, and what that does to every time after it.

A hold inserts time. Times of the source and of the finished file are both samples at 48 kHz from the programme's start;
`Holds` maps the first to the second. With no holds it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from manifests.spans import Span


@dataclass(frozen=True, slots=True, order=True)
class Hold:
    """The frame that is shown at `at`, a time of the source, is shown for `length` samples longer."""

    at: int
    length: int

    def __post_init__(self) -> None:
        if self.at < 0 or self.length <= 0:
            raise ValueError(f"no hold of {self.length} samples at {self.at}")


@dataclass(frozen=True, slots=True)
class Holds:
    """Holds in order of `at`, at most one at any time."""

    all: tuple[Hold, ...] = ()

    def __post_init__(self) -> None:
        if any(one.at >= other.at for one, other in pairwise(self.all)):
            raise ValueError("holds must be in order, and at different times")

    @property
    def length(self) -> int:
        """Samples that all holds add."""
        return sum(hold.length for hold in self.all)

    def start(self, time: int) -> int:
        """When what begins at `time` begins in the finished file: what begins where a frame is held comes after."""
        return time + sum(hold.length for hold in self.all if hold.at <= time)

    def end(self, time: int) -> int:
        """When what ends at `time` ends in the finished file: what ends where a frame is held ends before."""
        return time + sum(hold.length for hold in self.all if hold.at < time)

    def span(self, span: Span) -> Span:
        """A span of the source in the finished file; longer where a frame is held inside it."""
        start = self.start(span.start)
        return Span(start, max(start, self.end(span.end)))

    def source(self, time: int) -> int:
        """What the source shows at a time of the finished file: during a hold, the time at which it holds."""
        added = 0
        for hold in self.all:
            begins = hold.at + added
            if time < begins:
                break
            if time < begins + hold.length:
                return hold.at
            added += hold.length
        return time - added

    def gaps(self) -> tuple[Span, ...]:
        """The inserted stretches, as times of the finished file."""
        return tuple(Span(self.start(hold.at) - hold.length, self.start(hold.at)) for hold in self.all)

    def with_added(self, holds: Iterable[Hold]) -> Holds:
        """These and further holds; those at one time become one."""
        lengths = {hold.at: hold.length for hold in self.all}
        for hold in holds:
            lengths[hold.at] = lengths.get(hold.at, 0) + hold.length
        return Holds(tuple(Hold(at, length) for at, length in sorted(lengths.items())))
