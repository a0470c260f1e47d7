"""Choosing, for every frame that is to be said, one of the frames that the person has said.

A target cost asks how well a frame fits, a join cost how well it follows the one before, and the Viterbi algorithm
finds the cheapest sequence (Hunt and Black 1996; here units are frames). Memory does not grow with the length of the
text times that of the voice: candidates are looked for in blocks of frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from voiceclone.cloner import phones
from voiceclone.cloner.analysis import Array, Flags, delta
from voiceclone.cloner.voice import Inventory

CANDIDATES = 60
_BLOCK = 256

_OWN, _PHONE, _AROUND, _SLOPE, _VOICING, _PITCH = 0.6, 2.0, 0.6, 25.0, 3.0, 0.3
"""Weights in the target cost of: the person's frame itself, the phoneme, its neighbours, the slope, voicing, pitch."""
_MOST_PITCH = 4.0
_JUMP, _STEP = 1.5, 0.3
"""Join cost of any jump, and of staying on a frame or leaving one out."""

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What is to be said, in frames."""

    predicted: Array
    """Cepstrum as the networks make it."""
    widened: Array
    """The same with the person's variance."""
    phones: NDArray[np.float32]
    voiced: Flags
    contour: Array
    """F0 in standard deviations."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The person's frames for each frame that is to be said, smoothed where they were joined."""

    cepstrum: Array
    aperiodicity: Array
    contour: Array


def select(inventory: Inventory, wanted: Wanted, weight: Array) -> Chosen:
    """Choose frames; `weight` multiplies cepstra before they are compared (`Statistics.weight`)."""
    path = _cheapest(inventory, wanted, weight)
    steps = np.diff(path)
    jumps = np.concatenate([[0.0], ~np.isin(steps, (0, 1, 2))])
    return Chosen(
        _smoothed(inventory.cepstrum[path], jumps),
        np.minimum(0, _smoothed(inventory.aperiodicity[path], jumps)),
        gaussian_filter1d(inventory.contour[path].astype(np.float64), 6),
    )


def _smoothed(rows: Rows, jumps: Array) -> Array:
    """Rows smoothed a little, and more around the joins."""
    near = np.clip(gaussian_filter1d(jumps, 2.0) * 5, 0, 1)[:, None]
    rows64 = rows.astype(np.float64)
    return gaussian_filter1d(rows64, 0.7, axis=0) * (1 - near) + gaussian_filter1d(rows64, 2.25, axis=0) * near


def _terms(predicted: Any, slope: Any, own: Any, shape: Any, voiced: Any, weight: Array) -> Rows:
    """One row a frame, whose squared Euclidean distances are the target cost without pitch."""
    near = shape[:, : phones.FEATURES], shape[:, phones.FEATURES : 3 * phones.FEATURES]
    columns = [
        predicted * weight,
        np.sqrt(_OWN) * own * weight,
        np.sqrt(_SLOPE) * slope * weight,
        np.sqrt(_PHONE) * near[0],
        np.sqrt(_AROUND) * near[1],
        np.sqrt(_VOICING) * np.asarray(voiced, np.float32)[:, None],
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _candidates(inventory: Inventory, wanted: Wanted, weight: Array, count: int) -> tuple[NDArray[np.int32], Rows]:
    """The best frames for each wanted one and their target costs, both (frames, count)."""
    there = _terms(
        inventory.predicted,
        inventory.predicted_slope,
        inventory.cepstrum,
        inventory.phones,
        inventory.voiced,
        weight,
    )
    here = _terms(wanted.predicted, delta(wanted.predicted), wanted.widened, wanted.phones, wanted.voiced, weight)
    squares = (there**2).sum(1)
    there_voiced = inventory.voiced > 0
    found: list[NDArray[np.int32]] = []
    costs: list[Rows] = []
    for first in range(0, len(here), _BLOCK):
        rows = here[first : first + _BLOCK]
        cost = np.maximum(0, (rows**2).sum(1)[:, None] + squares - 2 * rows @ there.T)
        contour = wanted.contour[first : first + _BLOCK].astype(np.float32)
        voiced = np.flatnonzero(wanted.voiced[first : first + _BLOCK])
        apart = np.minimum(_MOST_PITCH, (contour[voiced, None] - inventory.contour) ** 2)
        cost[voiced] += _PITCH * apart * there_voiced
        best = np.argpartition(cost, count - 1, axis=1)[:, :count]
        found.append(best.astype(np.int32))
        costs.append(np.take_along_axis(cost, best, 1))
    return np.concatenate(found), np.concatenate(costs)


def _cheapest(inventory: Inventory, wanted: Wanted, weight: Array) -> NDArray[np.int64]:
    """The frame of the inventory for each wanted one."""
    count = min(CANDIDATES, len(inventory))
    found, costs = _candidates(inventory, wanted, weight, count)
    rows = (inventory.cepstrum * weight).astype(np.float32)
    squares = (rows**2).sum(1)
    follows = np.minimum(np.arange(len(rows)) + 1, len(rows) - 1)
    ends = inventory.last > 0
    total = costs[0].astype(np.float64)
    came_from = np.zeros(found.shape, np.int16)
    for number in range(1, len(found)):
        before, now = found[number - 1], found[number]
        after = follows[before]
        apart = squares[after][:, None] + squares[now] - 2 * rows[after] @ rows[now].T
        join = _JUMP + np.maximum(0, apart)
        if wanted.voiced[number]:
            join += np.minimum(_MOST_PITCH, (inventory.contour[after][:, None] - inventory.contour[now]) ** 2)
        step = now - before[:, None]
        join[(step == 0) | (step == 2)] = np.minimum(join[(step == 0) | (step == 2)], _STEP)
        join[(step == 1) & ~ends[before][:, None]] = 0
        sums = total[:, None] + join
        came_from[number] = sums.argmin(0)
        total = sums.min(0) + costs[number]
    path = np.zeros(len(found), np.int64)
    best = int(total.argmin())
    for number in range(len(found) - 1, -1, -1):
        path[number] = found[number, best]
        best = int(came_from[number, best])
    return path
