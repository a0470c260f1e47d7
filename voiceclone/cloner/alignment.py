"""Which frame of the source's reading is which frame of the person's: dynamic time warping, made better three times.

The first path compares the two voices as they are. A linear map from source to person, learnt along the path, then
makes them comparable, and the path is drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceclone.cloner.analysis import ORDER, Array, Frames, delta
from voiceclone.cloner.reading import Reading
from voiceclone.cloner.statistics import Statistics

Path = NDArray[np.int64]

_ROUNDS = 3
_RIDGE = 30.0
_COMPARED = 25
"""Coefficients that are compared; the finer ones are the voice's, not the phoneme's."""
_STEP = 2
"""Frames that are compared: every second."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One sentence by the source and by the person."""

    source: Reading
    person: Frames
    path: Path
    """The source's frame for each of the person's."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    pairs: tuple[Pair, ...]
    cost: float
    """Mean distance along the paths, in standard deviations: high where the words are not what was said."""


def align(readings: Sequence[Reading], person: Sequence[Frames], statistics: Statistics) -> Alignment:
    """Align each utterance of the person with the source's reading of the same words."""
    found = [
        warp(_own_terms(said.frames.cepstrum), _own_terms(real.cepstrum))
        for said, real in zip(readings, person, strict=True)
    ]
    inputs = [_inputs(said, statistics) for said in readings]
    targets = np.concatenate([real.cepstrum for real in person])
    for _ in range(_ROUNDS):
        rows = np.concatenate([rows[_nearest(path)] for rows, (path, _) in zip(inputs, found, strict=True)])
        mapping = np.linalg.solve(rows.T @ rows + _RIDGE * np.eye(rows.shape[1]), rows.T @ targets)
        found = [
            warp(_person_terms(rows @ mapping, statistics), _person_terms(real.cepstrum, statistics))
            for rows, real in zip(inputs, person, strict=True)
        ]
    pairs = [Pair(said, real, _nearest(path)) for said, real, (path, _) in zip(readings, person, found, strict=True)]
    return Alignment(tuple(pairs), float(np.mean([cost for _, cost in found])))


def fits(alignment: Alignment, backwards: Sequence[Reading], statistics: Statistics) -> Array:
    """How much better each clip's words fit than the same words from the last to the first, in units of `cost`.

    Words that were said fit better by half a unit and more, other words no better than backwards, whoever speaks and
    however clearly, which the cost itself does not tell. The map for a clip is learnt from the other clips: one that
    was learnt from it would fit whatever it was told to.
    """
    rows = [_inputs(pair.source, statistics)[pair.path] for pair in alignment.pairs]
    grams = [row.T @ row for row in rows]
    answers = [row.T @ pair.person.cepstrum for row, pair in zip(rows, alignment.pairs, strict=True)]
    all_grams, all_answers = np.sum(grams, axis=0), np.sum(answers, axis=0)
    found: list[float] = []
    for pair, other, gram, answer in zip(alignment.pairs, backwards, grams, answers, strict=True):
        mapping = np.linalg.solve(all_grams - gram + _RIDGE * np.eye(len(gram)), all_answers - answer)
        person = _person_terms(pair.person.cepstrum, statistics)
        forth, back = (
            warp(_person_terms(_inputs(said, statistics) @ mapping, statistics), person)[1]
            for said in (pair.source, other)
        )
        found.append(back - forth)
    return np.array(found)


def warp(source: Array, person: Array) -> tuple[Array, float]:
    """The source's frame, not rounded, for each of the person's, and the mean distance on the way.

    Euclidean distance, steps to the right, down and both, none dearer than another; the path is smoothed over 25 ms.
    The distances are held for one pair of utterances at a time, at 100 frames a second.
    """
    a, b = source[::_STEP].astype(np.float32), person[::_STEP].astype(np.float32)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    rows, columns, total = _cheapest(np.sqrt(np.maximum(0, squares)))
    sums, counts = np.zeros(len(b)), np.zeros(len(b))
    np.add.at(sums, columns, rows)
    np.add.at(counts, columns, 1)
    path = np.interp(np.arange(len(person)), np.arange(len(b)) * _STEP, sums / counts * _STEP)
    path = np.convolve(np.pad(path, 2, mode="edge"), np.full(5, 0.2), "valid")
    return np.clip(path, 0, len(source) - 1), total / len(rows)


def _cheapest(distance: NDArray[np.float32]) -> tuple[Path, Path, float]:
    """Rows and columns of the cheapest path from corner to corner, and its cost; whole antidiagonals at a time."""
    height, width = distance.shape
    flat = np.ascontiguousarray(distance).ravel()
    came_from = np.zeros(height * width, np.int8)
    infinite = np.inf
    before = np.full(height + 1, infinite)  # the last antidiagonal, by row + 1
    earlier = np.full(height + 1, infinite)  # the one before it
    earlier[0] = 0.0
    stride = max(1, width - 1)
    for number in range(height + width - 1):
        first, last = max(0, number - width + 1), min(number, height - 1)
        where = slice(first * (width - 1) + number, last * (width - 1) + number + 1, stride)
        diagonal, above, left = earlier[first : last + 1], before[first : last + 1], before[first + 1 : last + 2]
        cost = np.minimum(np.minimum(diagonal, above), left)
        came_from[where] = np.where(diagonal <= cost, 0, np.where(above <= cost, 1, 2))
        now = np.full(height + 1, infinite)
        now[first + 1 : last + 2] = cost + flat[where]
        earlier, before = before, now
    row, column = height - 1, width - 1
    rows, columns = [row], [column]
    while row or column:
        step = came_from[row * width + column]
        row -= int(step != 2)
        column -= int(step != 1)
        rows.append(row)
        columns.append(column)
    return np.array(rows[::-1]), np.array(columns[::-1]), float(before[height])


def _nearest(path: Array) -> Path:
    return np.round(path).astype(np.int64)


def _own_terms(cepstrum: Array) -> Array:
    """An utterance in units of its own louder frames."""
    rows = cepstrum[:, :_COMPARED]
    low, high = np.percentile(rows[:, 0], [2, 95])
    loud = rows[rows[:, 0] > high - 0.45 * (high - low)]
    return _with_slopes((rows - loud.mean(0)) / (loud.std(0) + 1e-3))


def _person_terms(cepstrum: Array, statistics: Statistics) -> Array:
    return _with_slopes(((cepstrum - statistics.person_mean) / statistics.person_sd)[:, :_COMPARED])


def _with_slopes(rows: Array) -> Array:
    rows = rows.copy()
    rows[:, 0] *= 1.5
    return np.concatenate([rows, 2 * delta(rows)], axis=1)


def _inputs(said: Reading, statistics: Statistics) -> Array:
    """What the linear map sees: the frame, those 30 ms before and after, the phonemes, and 1."""
    rows = (said.frames.cepstrum - statistics.source_mean) / statistics.source_sd
    count = np.arange(len(rows))
    around = [rows[np.clip(count + shift, 0, len(rows) - 1), : ORDER // 2] for shift in (-6, 6)]
    return np.concatenate([rows, *around, said.phones.astype(np.float64), np.ones((len(rows), 1))], axis=1)
