"""How fast and when: the quadratic programme behind placement.

Every line i has two unknowns: its delay x_i against the source's onset, in seconds, and its pace
u_i = placed length / length at the voice's normal rate, which is one over the speed that a listener hears. In these two
everything that matters is linear, so one sparse convex programme settles a whole lecture at once:

    minimise   sum t_i [ w_start x_i^2 + w_end (x_i + d_i u_i - min(d_i, b_i - a_i))^2 ]      near the source's own time
             + sum w_rate d_i (u_i - 1)^2                                                     at a normal speed
             + sum w_smooth exp(-pause_ij / 1 s) (u_j - u_i)^2                                without audible jumps
             + sum w_fast d_i f_i + w_past y                                                  what has its price
    such that  a_j + x_j >= a_i + x_i + d_i u_i + gap_ij                                      for the pairs in `after`
               a_j + x_j >= a_i + x_i                                                         the order of starts stays
               u_i >= 1 / soft - f_i,   a_i + x_i + d_i u_i <= T + y
               earliest_i <= x_i,   shortest_i <= d_i u_i <= longest_i,   f, y >= 0

with a, b the source's start and end, d the take's length at normal rate, t the trust in the source's times and T the
programme's end. Pauses longer than a second or two free the pace to change. The slacks f and y make it feasible
always; what it cannot hold exactly is the caller's to hold (`tasks.place` does, in integers). Solved by Clarabel, an
interior point method whose cost grows linearly here, because the rows are banded.

Source: the relaxations and rate smoothing of Virkar et al. 2022 (arXiv 2204.02530), made convex by solving for the
pace instead of the rate.
"""

# Clarabel and scipy have no types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportAttributeAccessIssue=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.errors import StageFailed

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Weights:
    """What each kind of discomfort costs; found with `benchmarks/placement.py`."""

    start: float = 1.5
    end: float = 0.3
    rate: float = 3.0
    smooth: float = 50.0
    fast: float = 100.0
    """A second won by speaking faster than the soft cap."""
    past: float = 1e4
    """A second beyond the programme's end."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of lines (`first[k]`, `second[k]`) with a number of seconds each."""

    first: Indices
    second: Indices
    seconds: Floats


@dataclass(frozen=True, slots=True)
class Problem:
    """Lines in order of start; arrays of n seconds unless they say otherwise."""

    onset: Floats
    """The source's onsets, counted from the first: a_i - a_1."""
    to_end: Floats
    """From each onset to the programme's end: T - a_i."""
    source: Floats
    """The utterance's own length: b_i - a_i."""
    normal: Floats
    """The take's length at the voice's normal rate, above zero: d_i."""
    shortest: Floats
    longest: Floats
    earliest: Floats
    """The least delay; above zero where a line waits for the picture to change."""
    trust: Floats
    """Weight of the source's times, 0 to 1."""
    after: Pairs
    """The second starts at least so many seconds (negative: they may overlap) after the first ends."""
    smooth: Pairs
    """Neighbours whose pace should be alike, and the pause between them."""
    soft_max: float


@dataclass(frozen=True, slots=True)
class Solution:
    """Delays against the source's onsets and placed lengths, n seconds each."""

    delays: Floats
    lengths: Floats
    pressure: Floats
    """For each pair in `after`, the cost that one second more between the two would save: the multiplier of its row."""


def solve(problem: Problem, weights: Weights) -> Solution:
    """The best delays and lengths.

    Only differences of times enter, so a script that begins later is placed alike. Raises StageFailed where the solver
    does not converge.
    """
    count = len(problem.normal)
    if count == 0:
        return Solution(np.zeros(0), np.zeros(0), np.zeros(0))
    import clarabel

    quadratic, linear = _costs(problem, weights)
    rows, bounds = _constraints(problem)
    settings: Any = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    solver: Any = clarabel.DefaultSolver(
        quadratic, linear, rows, bounds, [clarabel.NonnegativeConeT(len(bounds))], settings
    )
    solution = solver.solve()
    if str(solution.status) not in {"Solved", "AlmostSolved"}:
        raise StageFailed(
            f"the placement of {count} lines did not converge ({solution.status}).",
            remedy="Please report it with the script and the takes of this lesson.",
        )
    unknowns = np.asarray(solution.x, dtype=np.float64)
    pressure = np.asarray(solution.z, dtype=np.float64)[: len(problem.after.first)]
    return Solution(unknowns[:count], unknowns[count : 2 * count] * problem.normal, pressure)


# The unknowns in one vector: n delays, n paces, n seconds too fast, and one beyond the end.


def _costs(problem: Problem, weights: Weights) -> tuple[Any, Floats]:
    """P, as its upper triangle, and q of x'Px/2 + q'x: the squares above multiplied out."""
    n = len(problem.normal)
    line = np.arange(n)
    start, end = weights.start * problem.trust, weights.end * problem.trust
    steady = weights.rate * problem.normal
    first, second = problem.smooth.first, problem.smooth.second
    likeness = weights.smooth * np.exp(-problem.smooth.seconds)
    entries = [
        (line, line, start + end),
        (line, n + line, end * problem.normal),
        (n + line, n + line, end * problem.normal**2 + steady),
        (n + first, n + first, likeness),
        (n + second, n + second, likeness),
        (n + first, n + second, -likeness),
        # A little curvature for the slacks: the solver is steadier, and of equal slacks the even ones win.
        (np.arange(2 * n, 3 * n + 1), np.arange(2 * n, 3 * n + 1), np.full(n + 1, 1e-3)),
    ]
    wanted = end * np.minimum(problem.normal, problem.source)
    linear = np.concatenate(
        [
            -2 * wanted,
            -2 * (wanted * problem.normal + steady),
            weights.fast * problem.normal,
            [weights.past],
        ]
    )
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    return _sparse(2 * value, row, column, (3 * n + 1, 3 * n + 1)), linear


def _constraints(problem: Problem) -> tuple[Any, Floats]:
    """A and b of Ax <= b, one block of rows after another."""
    n = len(problem.normal)
    line = np.arange(n)
    delay, pace, fast, past = line, n + line, 2 * n + line, np.full(n, 3 * n)
    one = np.ones(n)
    before, then = problem.after.first, problem.after.second
    blocks: list[tuple[Floats, list[tuple[Indices, Floats]]]] = [
        (
            problem.onset[then] - problem.onset[before] - problem.after.seconds,
            [(before, one[before]), (n + before, problem.normal[before]), (then, -one[then])],
        ),
        (np.diff(problem.onset), [(delay[:-1], one[1:]), (delay[1:], -one[1:])]),
        (-one / problem.soft_max, [(pace, -one), (fast, -one)]),
        (problem.to_end, [(delay, one), (pace, problem.normal), (past, -one)]),
        (-problem.earliest, [(delay, -one)]),
        (problem.longest / problem.normal, [(pace, one)]),
        (-problem.shortest / problem.normal, [(pace, -one)]),
        (0 * one, [(fast, -one)]),
        (np.zeros(1), [(past[:1], -one[:1])]),
    ]
    bounds = np.concatenate([bound for bound, _ in blocks])
    above = np.cumsum([0, *(len(bound) for bound, _ in blocks)])
    entries = [
        (top + np.arange(len(column)), column, value)
        for top, (_, terms) in zip(above[:-1].tolist(), blocks, strict=True)
        for column, value in terms
    ]
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    return _sparse(value, row, column, (len(bounds), 3 * n + 1)), bounds


def _sparse(value: Floats, row: Indices, column: Indices, shape: tuple[int, int]) -> Any:
    """A matrix in compressed columns; entries at one place add up."""
    from scipy.sparse import csc_array

    matrix: Any = csc_array((value, (row, column)), shape=shape)
    matrix.sum_duplicates()
    return matrix
