"""From a solver's seconds to whole samples that keep every promise of placement.

Each line is held between its earliest and its latest possible start. A line that the solver plays at nearly its own
speed is then played at just that, where the pause behind it has room: no listener could tell the two speeds apart, and
a take to which nothing is done sounds best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from manifests.spans import Span

UNNOTICED = 0.045
"""A change of tempo that goes unnoticed: listeners tell speech apart from 5 % (Quené 2007, J. Phonetics 35, 353)."""


class Room(Protocol):
    """What is possible for a line; samples."""

    @property
    def shortest(self) -> int: ...

    @property
    def longest(self) -> int: ...

    @property
    def own(self) -> int:
        """Its length at its own speed."""
        ...

    @property
    def earliest(self) -> int: ...

    @property
    def latest(self) -> int:
        """Of its start."""
        ...


def exact(
    lines: Sequence[Room],
    after: Sequence[tuple[int, int, int]],
    length: int,
    starts: Sequence[float],
    lengths: Sequence[float],
) -> list[Span]:
    """Starts and lengths in whole samples that keep every promise, as near to the wanted ones as they can be.

    Of each (i, j, gap) in `after`, line j starts at least `gap` samples, which may be negative, after line i ends; none
    ends after `length`. Feasible where a schedule is at all with every line at its shortest.
    """
    spans = _held(lines, after, length, starts, lengths)
    return _at_their_own_speed(lines, after, length, spans)


def _held(
    lines: Sequence[Room],
    after: Sequence[tuple[int, int, int]],
    length: int,
    starts: Sequence[float],
    lengths: Sequence[float],
) -> list[Span]:
    """As near to the wanted ones as they can be.

    Backward, the latest start of each line with everything after it at its shortest; forward, each line at its wanted
    start held between its predecessors and that.
    """
    count = len(lines)
    following: list[list[tuple[int, int]]] = [[] for _ in lines]
    preceding: list[list[tuple[int, int]]] = [[] for _ in lines]
    for before, then, wait in after:
        following[before].append((then, wait))
        preceding[then].append((before, wait))
    latest = [line.latest for line in lines]
    end = [length] * count
    """Latest end of each line."""
    for index in reversed(range(count)):
        end[index] = min([length, *(latest[then] - wait for then, wait in following[index])])
        latest[index] = min([latest[index], end[index] - lines[index].shortest, *latest[index + 1 : index + 2]])
    spans: list[Span] = []
    for index, line in enumerate(lines):
        lowest = max([line.earliest, *(spans[before].end + wait for before, wait in preceding[index])])
        lowest = max([lowest, *(span.start for span in spans[-1:])])
        start = min(max(lowest, ceiling(starts[index] - 1e-3)), latest[index])
        longest = min(line.longest, end[index] - start)
        spans.append(Span(start, start + max(line.shortest, min(longest, int(lengths[index] + 1e-3)))))
    return spans


def _at_their_own_speed(
    lines: Sequence[Room], after: Sequence[tuple[int, int, int]], length: int, spans: Sequence[Span]
) -> list[Span]:
    """The same starts, with the lengths of takes that nearly have their own already."""
    until = [length] * len(lines)
    for before, then, wait in after:
        until[before] = min(until[before], spans[then].start - wait)
    out: list[Span] = []
    for line, span, end in zip(lines, spans, until, strict=True):
        near = abs(line.own - span.length) <= UNNOTICED * span.length
        possible = line.shortest <= line.own <= min(line.longest, end - span.start)
        out.append(Span(span.start, span.start + line.own) if near and possible else span)
    return out


def ceiling(value: float) -> int:
    return -int(-value // 1)
