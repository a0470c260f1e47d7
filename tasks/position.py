"""Where the original's voice comes from: the dub speaks from there, and channels without the voice stay as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manifests.spans import Span
from tasks.dub_lines import spread
from tasks.room_tone import HOP

Powers = NDArray[np.float64]
"""Mean square of each hop of `HOP` samples in each channel: (hops, channels)."""

FREE = 10 ** (-35 / 10)
"""A channel in which the voice is surely more than 35 dB under itself is without it."""

MIDDLE_DB = 3.0
"""A voice that is no more than this louder on one side comes from the middle."""

ASIDE_DB = 12.0
"""A voice that is more than this louder on one side comes from that side alone."""

_FEWEST = 24
"""Hops of speech, two seconds, from which a channel can be judged."""


def voiceless(powers: Powers, speech: Sequence[Span]) -> NDArray[np.bool_]:
    """Which channels are without the voice, (channels,): their power does not go along with that of the loudest one.

    The slope of the one power over the other while somebody speaks is the share of the voice that is in the channel;
    its uncertainty counts against the channel, so that loud music, beside which nothing can be told, is never taken for
    free of it.
    """
    here = powers[_hops(speech, len(powers))]
    none = np.zeros(powers.shape[1], np.bool_)
    if len(here) < _FEWEST or powers.shape[1] < 2:
        return none
    loudest = int(np.argmax(here.std(axis=0)))
    voice = here[:, loudest] - here[:, loudest].mean()
    varies = float(voice @ voice)
    if varies <= 0:
        return none
    slopes = voice @ here / varies
    rests = here - here.mean(axis=0) - voice[:, np.newaxis] * slopes
    doubts = np.sqrt((rests**2).sum(axis=0) / (len(here) - 2) / varies)
    free = np.abs(slopes) + 2 * doubts < FREE
    free[loudest] = False
    return free


def position(powers: Powers, spans: Sequence[Span], quiet: NDArray[np.int64], centre: bool) -> NDArray[np.float32]:
    """Gain in each channel of a voice that is to sound from where that in `spans` does.

    `quiet` are hops without a voice: what sounds there is no part of it. Where there is a centre (the third channel),
    the voice is in it alone.
    """
    channels = powers.shape[1]
    gains = spread(channels, centre)
    here = powers[_hops(spans, len(powers))]
    if centre or channels < 2 or not len(here):
        return gains
    beside = powers[quiet[quiet < len(powers)], :2]
    voice = here[:, :2].mean(axis=0) - (beside.mean(axis=0) if len(beside) else 0.0)
    if voice.max() <= 0:
        return gains
    side = int(np.argmin(voice))
    apart = 10 * float(np.log10(voice.max() / voice[side])) if voice[side] > 0 else float("inf")
    if apart > MIDDLE_DB:
        gains[side] = 10 ** (-apart / 20) if apart <= ASIDE_DB else 0.0
    return gains


def _hops(spans: Sequence[Span], count: int) -> NDArray[np.int64]:
    """Numbers of the hops that lie wholly inside a span."""
    found = [np.arange(-(-span.start // HOP), min(count, span.end // HOP), dtype=np.int64) for span in spans]
    return np.concatenate(found) if found else np.zeros(0, np.int64)
