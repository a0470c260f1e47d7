"""Which rendering of each line is said: one choice for the whole talk.

Dynamic programming over the lines in order of start. A state is the time at which a line ends, on a grid of 50 ms; from
each state every rendering of the next line is tried at every start within its window and at several rates, and the
cheapest way to each end is kept. The costs are those of `tasks.pacing`, so that what is chosen here is what the
quadratic programme then places well, with two differences: a collision has its price instead of being forbidden, and
the smoothness of rates is left to the quadratic programme.

A line that could be said in full without hurry is said in full; where time is short, the trims that lose least are
taken first, wherever in the neighbourhood they help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.pacing import Weights

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

GRID_S = 0.05
RATES = np.array([0.95, 1.0, 1.06, 1.12, 1.18, 1.25, 1.32, 1.40])
LATEST_S = 4.0
"""A start later than this is not tried, unless nothing else is left."""

COLLISION = 50.0
"""What a second costs in which two lines would be spoken at once."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """One line: where its source lies, and how long each of its renderings takes and what it loses. Seconds."""

    start: float
    end: float
    earliest: float
    """No start before this."""
    gap: float
    """Least time after the line before; negative where they may overlap."""
    lengths: tuple[float, ...]
    costs: tuple[float, ...]
    trust: float = 1.0


@dataclass(frozen=True, slots=True)
class _Step:
    """The cheapest way to each end of a line, from `first` on: its cost, its rendering and the end before it."""

    first: int
    cost: Floats
    rendering: Indices
    before: Indices


def choose(lines: Sequence[Candidates], length: float, soft_max: float, hard_max: float) -> list[int]:
    """The rendering of each line, by its place in `lengths`; the lines in order of start, in `length` seconds."""
    steps = _steps(lines, length, soft_max, hard_max)
    chosen: list[int] = []
    at = int(np.argmin(steps[-1].cost)) if steps else 0
    for step in reversed(steps):
        chosen.append(int(step.rendering[at]))
        at = int(step.before[at])
    return chosen[::-1]


def least_cost(lines: Sequence[Candidates], length: float, soft_max: float, hard_max: float) -> float:
    """What the choice costs."""
    steps = _steps(lines, length, soft_max, hard_max)
    return float(steps[-1].cost.min()) if steps else 0.0


def _steps(lines: Sequence[Candidates], length: float, soft_max: float, hard_max: float) -> list[_Step]:
    rates = RATES[hard_max + 1e-9 >= RATES]
    steps: list[_Step] = []
    for line in lines:
        steps.append(_step(line, steps[-1] if steps else None, rates, length, soft_max, Weights()))
    return steps


def _step(
    line: Candidates, before: _Step | None, rates: Floats, length: float, soft_max: float, weights: Weights
) -> _Step:
    first = _up(line.earliest)
    soonest = before.first + _up(line.gap) if before else first
    count = max(_up(line.start + LATEST_S) - first, soonest - first, 0) + 1
    starts = first + np.arange(count)
    at = starts * GRID_S
    reached, origin = _reached(starts, before, _up(line.gap))

    natural = np.repeat(np.array(line.lengths), len(rates))
    lost = np.repeat(np.array(line.costs), len(rates))
    pace = np.tile(1 / rates, len(line.lengths))
    placed = np.maximum(natural * pace, GRID_S)
    wanted = np.minimum(natural, line.end - line.start)
    per_way = (
        lost + weights.rate * natural * (pace - 1) ** 2 + weights.fast * natural * np.maximum(0.0, 1 / soft_max - pace)
    )
    ends = at[np.newaxis] + placed[:, np.newaxis]
    cost = (
        per_way[:, np.newaxis]
        + line.trust * weights.start * ((at - line.start) ** 2)[np.newaxis]
        + line.trust * weights.end * (ends - line.start - wanted[:, np.newaxis]) ** 2
        + COLLISION * np.maximum(0.0, ends - length)
        + reached[np.newaxis]
    )
    last = np.ceil(ends / GRID_S - 1e-6).astype(np.intp)
    lowest = int(last.min())
    flat = np.argsort(-cost, axis=None, kind="stable")
    way, start = np.unravel_index(flat, cost.shape)
    size = int(last.max()) - lowest + 1
    best, rendering, origins = np.full(size, np.inf), np.zeros(size, np.intp), np.zeros(size, np.intp)
    # In order of falling cost: the cheapest is written last, and stays.
    place = last[way, start] - lowest
    best[place] = cost[way, start]
    rendering[place] = way // len(rates)
    origins[place] = origin[start]
    return _Step(lowest, best, rendering, origins)


def _reached(starts: Indices, before: _Step | None, gap: int) -> tuple[Floats, Indices]:
    """The least cost of everything before a line, for each of its starts, and the end of the line before it."""
    if before is None:
        return np.zeros(len(starts)), np.zeros(len(starts), np.intp)
    count = len(before.cost)
    position = starts - gap - before.first
    """Of the last end that leaves the gap."""
    ends = np.arange(count)
    in_time = _first_best(before.cost)
    late_cost = before.cost + COLLISION * GRID_S * ends
    too_late = count - 1 - _first_best(late_cost[::-1])[::-1]
    low = np.clip(position, 0, count - 1)
    high = np.clip(position + 1, 0, count - 1)
    fitting = np.where(position >= 0, before.cost[in_time[low]], np.inf)
    colliding = late_cost[too_late[high]] - COLLISION * GRID_S * position
    colliding = np.where(position + 1 < count, colliding, np.inf)
    return np.minimum(fitting, colliding), np.where(fitting <= colliding, in_time[low], too_late[high])


def _first_best(cost: Floats) -> Indices:
    """For each place, where the least value up to it stands."""
    least = np.minimum.accumulate(cost)
    fresh = np.concatenate([[True], cost[1:] < least[:-1]])
    return np.maximum.accumulate(np.where(fresh, np.arange(len(cost)), 0))


def _up(seconds: float) -> int:
    return int(np.ceil(seconds / GRID_S - 1e-6))
