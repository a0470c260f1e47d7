"""Changes of a picture, told from glimpses of it: a new slide, a line of text that appears, a cut.

What changes must stay changed: a cursor, a flash or a head that moves in its corner is no change. Places where
something moves most of the time are left out of the comparison. Where everything moves, as in a film, a change is a
cut: a step between two frames that is far above the steps beside it, as PySceneDetect's adaptive detector has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from manifests.spans import Span, samples
from tasks.glimpses import HEIGHT, WIDTH, Glimpse, Picture

VISIBLE = 14
"""Levels of 255, in brightness or colour, by which a pixel differs for the eye, whatever a codec does around it."""
FAINT = 4
"""Levels that are enough where a great part of the picture differs, such as a page of another colour."""
GREAT_PART = 0.2
MOVES = 8
"""Levels between neighbouring frames from which a pixel is in motion."""
NOTABLE = round(0.002 * WIDTH * HEIGHT)
"""Pixels that must differ: a short word on a slide is some forty, a mouse cursor at its old and new place ten."""
BLOCK = (9, 8)
"""Rows and columns of the blocks by which motion is remembered."""
MOTION = samples(0.2)
"""A step is motion for no longer: frames further apart show one picture after another."""
BUSY = 0.4
"""Share of the time in which a block moves, from which it says nothing about the slide."""
SETTLED = samples(0.5)
"""A new picture that stays for so long has arrived."""
LITTLE = 0.15
"""Where less of the picture than this is ever still, it is a film and no slide."""
CUT_ABOVE = 4.0
"""A cut's step in multiples of the steps within half a second of it."""
CUT_LEVELS = 10.0
"""Mean levels of brightness that a cut changes at least."""

Mask = NDArray[np.bool_]
"""HEIGHT rows of WIDTH pixels; true where something is still."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """The picture becomes another one; nothing before `span.start` shows it, everything from `span.end` on does.

    A cut has an empty span, at the first frame of the new picture; a fade or a scroll lasts.
    """

    span: Span


EVERYWHERE: Mask = np.ones((HEIGHT, WIDTH), np.bool_)


def still(moments: Iterable[Sequence[Glimpse]], share: float) -> Mask:
    """Where a picture moves for less than a share of the time in which it is seen."""
    moving = np.zeros((HEIGHT // BLOCK[0], WIDTH // BLOCK[1]))
    seen = 0
    for glimpses in moments:
        for one, other in pairwise(glimpses):
            moved = _difference(one.picture, other.picture) > MOVES
            blocks = moved.reshape(HEIGHT // BLOCK[0], BLOCK[0], WIDTH // BLOCK[1], BLOCK[1]).any(axis=(1, 3))
            moving += blocks * min(other.at - one.at, MOTION)
            seen += other.at - one.at
    quiet = moving <= share * seen
    # Beside a moving block stands the rest of what moves there.
    padded = np.pad(quiet, 1, constant_values=True)
    around = [
        padded[row : row + quiet.shape[0], column : column + quiet.shape[1]]
        for row in (0, 1, 2)
        for column in (0, 1, 2)
    ]
    return np.kron(np.logical_and.reduce(around), np.ones(BLOCK, np.bool_)).astype(np.bool_)


def is_film(mask: Mask) -> bool:
    """Whether too little of the picture is still to be a slide."""
    return bool(mask.mean() < LITTLE)


def unlike(one: Picture, other: Picture, mask: Mask) -> bool:
    """Whether two pictures visibly differ where they are still: clearly in a few places, or a little all over."""
    off = _difference(one, other)[mask]
    return bool(np.count_nonzero(off > VISIBLE) >= NOTABLE or np.count_nonzero(off > FAINT) > GREAT_PART * mask.size)


def step(one: Picture, other: Picture) -> float:
    """Mean difference of two pictures in levels of brightness."""
    return float(np.abs(one[0].astype(np.int16) - other[0]).mean())


def changes(glimpses: Sequence[Glimpse], mask: Mask) -> tuple[Change, ...]:
    """The changes among neighbouring frames, compared where `mask` is true and nothing moves most of the time."""
    if len(glimpses) < 2:
        return ()
    found = _cuts(glimpses)
    mask = mask & still([glimpses], BUSY)
    if not is_film(mask):
        found += _replaced(glimpses, mask)
    return merged(found, samples(0.1))


def merged(found: Iterable[Change], gap: int) -> tuple[Change, ...]:
    """Changes in order, those that overlap or lie at most `gap` samples apart made one."""
    out: list[Change] = []
    for change in sorted(found):
        if out and change.span.start <= out[-1].span.end + gap:
            before = out[-1].span
            out[-1] = Change(Span(before.start, max(before.end, change.span.end)))
        else:
            out.append(change)
    return tuple(out)


def _replaced(glimpses: Sequence[Glimpse], mask: Mask) -> list[Change]:
    """Where a still picture gives way to another that stays, or to motion that outlasts the glimpses."""
    found: list[Change] = []
    held, at = glimpses[0].picture, 1
    while at < len(glimpses):
        if not unlike(glimpses[at].picture, held, mask):
            at += 1
            continue
        settled = _settled(glimpses, at, mask)
        if settled is None:
            found.append(Change(Span(glimpses[at].at, glimpses[-1].at)))
            break
        if unlike(glimpses[settled].picture, held, mask):
            found.append(Change(Span(glimpses[at].at, glimpses[settled].at)))
            held = glimpses[settled].picture
        at = settled + 1
    return found


def _settled(glimpses: Sequence[Glimpse], start: int, mask: Mask) -> int | None:
    """The first glimpse from `start` on that is like those after it; None where there is none."""
    first, at = start, start + 1
    while at < len(glimpses):
        if glimpses[at].at - glimpses[first].at >= SETTLED:
            return first
        if unlike(glimpses[at].picture, glimpses[first].picture, mask):
            first = at
        at += 1
    return first if first < len(glimpses) - 1 or first == start else None


def _cuts(glimpses: Sequence[Glimpse]) -> list[Change]:
    """Steps that are far above those beside them, and lead to something else: a flash goes as it came."""
    steps = np.array([0.0, *(step(one.picture, other.picture) for one, other in pairwise(glimpses))])
    times = np.array([glimpse.at for glimpse in glimpses])
    found: list[Change] = []
    for at in np.flatnonzero(steps >= CUT_LEVELS).tolist():
        near = (np.abs(times - times[at]) <= samples(0.5)) & (np.arange(len(times)) > 0)
        near[at] = False
        beside = steps[near]
        earlier, later = np.searchsorted(times, [times[at] - SETTLED, times[at] + SETTLED + 1]).tolist()
        stays = step(glimpses[min(earlier, at - 1)].picture, glimpses[later - 1].picture) >= CUT_LEVELS / 2
        if stays and len(beside) and steps[at] >= CUT_ABOVE * max(float(beside.mean()), 1.0):
            found.append(Change(Span(int(times[at]), int(times[at]))))
    return found


def _difference(one: Picture, other: Picture) -> NDArray[np.int16]:
    """Per pixel the greatest difference among the planes."""
    return np.abs(one.astype(np.int16) - other).max(axis=0)
