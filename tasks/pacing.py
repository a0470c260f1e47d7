"""How fast and when: the quadratic programme behind placement.

Every line i has two unknowns: its delay x_i against the source's onset, in seconds, and its pace
u_i = placed length / length at the voice's normal rate, which is one over the speed that a listener hears. In these two
everything that matters is linear, so one sparse convex programme settles a whole lecture at once:

    minimise   sum t_i [ w_start x_i^2 + w_end (x_i + d_i u_i - min(d_i, b_i - a_i))^2 ]      near the source's own time
             + sum w_rate d_i (u_i - 1)^2                                                     at a normal speed
             + sum w_smooth exp(-pause_ij / 1 s) (u_j - u_i)^2                                without audible jumps
             + sum w_fast d_i f_i + sum w_late z_i + w_past y                                 what has its price
    such that  a_j + x_j >= a_i + x_i + d_i u_i + gap_ij                                      for the pairs in `after`
               a_j + x_j >= a_i + x_i                                                         the order of starts stays
               u_i >= 1 / soft - f_i,   x_i <= late + z_i,   a_i + x_i + d_i u_i <= T + y
               earliest_i <= x_i,   shortest_i <= d_i u_i <= longest_i,   f, z, y >= 0

with a, b the source's start and end, d the take's length at normal rate, t the trust in the source's times and T the
programme's end. Pauses longer than a second or two free the pace to change. The slacks f, z and y make it feasible
always; what it cannot hold exactly is the caller's to hold (`tasks.place` does, in integers). Solved by Clarabel, an
interior point method whose cost grows linearly here, because the rows are banded.

Source: the relaxations and rate smoothing of Virkar et al. 2022 (arXiv 2204.02530), made convex by solving for the
pace instead of the rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manifests.errors import StageFailed

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Weights:
    """What each kind of discomfort costs; found with `benchmarks/placement.py`."""

    start: float = 1.0
    end: float = 0.3
    rate: float = 6.0
    smooth: float = 60.0
    fast: float = 250.0
    """A second won by speaking faster than the soft cap."""
    late: float = 40.0
    """A second by which one line is later than `late_s`, on top of `start`."""
    past: float = 1e4
    """A second beyond the programme's end."""
    late_s: float = 1.0


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
    """The least delay; at most zero."""
    trust: Floats
    """Weight of the source's times, 0 to 1."""
    after: Pairs
    """The second starts at least so many seconds (negative: they may overlap) after the first ends."""
    smooth: Pairs
    """Neighbours whose pace should be alike, and the pause between them."""
    soft_max: float


def solve(problem: Problem, weights: Weights) -> tuple[Floats, Floats]:
    """Delays against the source's onsets and placed lengths, n seconds each.

    Only differences of times enter, so a script that begins later is placed alike. Raises StageFailed where the solver
    does not converge.
    """
    count = len(problem.normal)
    if count == 0:
        return np.zeros(0), np.zeros(0)
    quadratic, linear, rows, bounds = _matrices(problem, weights)
    import clarabel

    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    solver = clarabel.DefaultSolver(quadratic, linear, rows, bounds, [clarabel.NonnegativeConeT(len(bounds))], settings)
    solution = solver.solve()
    if str(solution.status) not in {"Solved", "AlmostSolved"}:
        raise StageFailed(
            f"the placement of {count} lines did not converge ({solution.status}).",
            remedy="Please report it with the timeline's script and takes.",
        )
    unknowns = np.asarray(solution.x, dtype=np.float64)
    return unknowns[:count], unknowns[count : 2 * count] * problem.normal


def _matrices(problem: Problem, weights: Weights) -> tuple[csc_array, Floats, csc_array, Floats]:
    """The programme as Clarabel wants it: minimise x'Px/2 + q'x such that Ax <= b; P as its upper triangle."""
    from scipy import sparse

    n = len(problem.normal)
    size = 4 * n + 1
    every = np.arange(n)

    def pick(block: int, which: Indices, scale: Floats | float = 1.0) -> Any:
        """Rows that select, and scale, unknowns of one block: 0 delay, 1 pace, 2 too fast, 3 too late."""
        data = np.broadcast_to(np.asarray(scale, dtype=np.float64), which.shape)
        return sparse.csr_array((data, (np.arange(len(which)), block * n + which)), shape=(len(which), size))

    delay, pace, fast, late = (pick(block, every) for block in range(4))
    end = delay + pick(1, every, problem.normal)
    past = sparse.csr_array((np.ones(n), (every, np.full(n, 4 * n))), shape=(n, size))

    first, second = problem.smooth.first, problem.smooth.second
    jump = pick(1, second) - pick(1, first)
    likeness = weights.smooth * np.exp(-problem.smooth.seconds)
    wanted_end = np.minimum(problem.normal, problem.source)
    near_start, near_end = weights.start * problem.trust, weights.end * problem.trust
    steady = weights.rate * problem.normal

    def weighed(matrix: Any, weight: Floats) -> Any:
        return matrix.T @ sparse.diags_array(weight) @ matrix

    # A little curvature for the slacks too: the solver is steadier, and of equal slacks the even ones win.
    curvature = sparse.diags_array(np.concatenate([np.zeros(2 * n), np.full(2 * n + 1, 1e-3)]))
    quadratic = 2 * (
        weighed(delay, near_start) + weighed(end, near_end) + weighed(pace, steady) + weighed(jump, likeness)
    )
    linear = -2 * (end.T @ (near_end * wanted_end) + pace.T @ steady)
    linear = linear + np.concatenate(
        [np.zeros(2 * n), weights.fast * problem.normal, np.full(n, weights.late), [weights.past]]
    )

    onset = problem.onset
    before, then = problem.after.first, problem.after.second
    ordered = pick(0, every[:-1]) - pick(0, every[1:])
    rows = sparse.vstack(
        [
            pick(0, before) + pick(1, before, problem.normal[before]) - pick(0, then),
            ordered,
            -pace - fast,
            delay - late,
            end - past,
            -delay,
            pace,
            -pace,
            -fast,
            -late,
            -past[:1],
        ]
    )
    bounds = np.concatenate(
        [
            (onset[then] - onset[before]) - problem.after.seconds,
            np.diff(onset),
            np.full(n, -1 / problem.soft_max),
            np.full(n, weights.late_s),
            problem.to_end,
            -problem.earliest,
            problem.longest / problem.normal,
            -problem.shortest / problem.normal,
            np.zeros(2 * n + 1),
        ]
    )
    upper = sparse.triu(quadratic + curvature, format="csc")
    return sparse.csc_array(upper), np.asarray(linear), sparse.csc_array(rows.tocsc()), bounds
