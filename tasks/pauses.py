"""Pauses inside a take, made shorter or longer: the time that can be won without touching a word.

A pause over 250 ms is cut to no less than 150 ms, in its quietest part, so that a breath before the next word stays;
one that is made longer repeats that part. Every joint is a crossfade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE, Span

Mono = NDArray[np.float32]

LONG = RATE // 4
"""Only a pause longer than this is shortened: a stop consonant is silent for up to 200 ms."""

SHORT = RATE * 15 // 100
"""A pause is never cut below this."""

MOST_CUT = 0.065
"""Share of a take that its pauses may lose: a take that reaches the hard cap of 1.4x is then over in 1/1.5 of its
default length."""

MOST_ADDED = 0.5
"""Share of a pause by which it may grow: further, a listener waits."""

CROSSFADE = RATE // 100

_FRAME = RATE // 100
_QUIET = 10 ** (-30 / 20)
_EDGE = 2 * _FRAME
"""Left untouched on either side of a pause: endings and onsets are quiet too."""


@dataclass(frozen=True, slots=True)
class Elastic:
    """By how many samples the pauses of a take can be shortened or lengthened."""

    give: int
    take: int


def internal(sound: Mono) -> tuple[Span, ...]:
    """The pauses of a mono 48 kHz take between its first and last word, over 150 ms.

    A pause is 30 dB below the take's speech.
    """
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    if not len(frames):
        return ()
    level = np.sqrt((frames**2).mean(axis=1))
    speech = np.sqrt((level[level >= level.max() / 30] ** 2).mean()) if level.max() > 0 else 0.0
    loud = np.flatnonzero(level > speech * _QUIET)
    if not len(loud):
        return ()
    gaps = np.flatnonzero(np.diff(loud) * _FRAME > SHORT + _FRAME)
    return tuple(Span((int(loud[at]) + 1) * _FRAME, int(loud[at + 1]) * _FRAME) for at in gaps)


def elastic(sound: Mono) -> Elastic:
    """How much shorter or longer the pauses of a take can become."""
    pauses = internal(sound)
    give = sum(pause.length - SHORT for pause in pauses if pause.length > LONG)
    take = sum(int(pause.length * MOST_ADDED) for pause in pauses)
    return Elastic(min(give, int(len(sound) * MOST_CUT)), take)


def edited(sound: Mono, by: int) -> Mono:
    """A take whose pauses together are `by` samples longer, or shorter where that is negative, each in proportion to
    what it can give or take; at most what `elastic` says."""
    bounds = elastic(sound)
    by = min(max(by, -bounds.give), bounds.take)
    pauses = internal(sound)
    if by < 0:
        shares = np.array([max(0, pause.length - SHORT) if pause.length > LONG else 0 for pause in pauses])
    else:
        shares = np.array([pause.length for pause in pauses])
    if by == 0 or not shares.sum():
        return sound
    upto = np.round(np.cumsum(shares) / shares.sum() * by).astype(int)
    parts: list[Mono] = []
    at = 0
    for pause, change in zip(pauses, np.diff(upto, prepend=0).tolist(), strict=True):
        if change:
            until, again = _joint(sound, pause, change)
            parts.append(sound[at:until])
            at = again
    parts.append(sound[at:])
    return _joined(parts)


def _joint(sound: Mono, pause: Span, change: int) -> tuple[int, int]:
    """Where to leave a pause and where to go on, in its quietest part, so that it gets `change` samples longer."""
    jump = abs(change)
    room = Span(pause.start + _EDGE, pause.end - _EDGE)
    # Both sides are heard for a crossfade more than they last, so that much is left out less.
    reach = max(0, room.length - jump - CROSSFADE) if change < 0 else max(0, room.length - jump)
    energy = np.concatenate([[0.0], np.cumsum(sound[room.start : room.end].astype(np.float64) ** 2)])
    starts = np.arange(0, reach + 1, _FRAME // 10)
    width = min(jump, room.length)
    lost = energy[np.minimum(starts + width, room.length)] - energy[starts]
    first = room.start + int(starts[int(np.argmin(lost))])
    if change < 0:
        return first + CROSSFADE, first + jump
    return first + jump + CROSSFADE, first


def _joined(parts: Sequence[Mono]) -> Mono:
    """Stretches of sound, each faded into the next over CROSSFADE samples; the lengths add up less the crossfades."""
    ramp = ((np.arange(CROSSFADE) + 0.5) / CROSSFADE).astype(np.float32)
    out = np.zeros(sum(map(len, parts)) - CROSSFADE * (len(parts) - 1), np.float32)
    at = 0
    for number, part in enumerate(parts):
        heard = part.astype(np.float32, copy=True)
        if number:
            heard[:CROSSFADE] *= ramp
        if number + 1 < len(parts):
            heard[-CROSSFADE:] *= ramp[::-1]
        out[at : at + len(heard)] += heard
        at += len(heard) - CROSSFADE
    return out
