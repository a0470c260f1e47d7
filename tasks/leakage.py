"""How much of the original's voice is left in the bed of the dub.

While somebody speaks in the original, its power goes up and down with the voice, and that of its background hardly
does. What the bed has in common with the original goes up and down likewise as far as it holds the voice: the slope of
the one over the other is the gain with which the voice is still there. Background that both share, kept or separated,
only moves the line up.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np

from manifests.spans import Span, merged
from tasks.room_tone import HOP, Sound

LEAST_DB = -60.0
"""Below this nothing can be told from chance."""

AUDIBLE_DB = -30.0
"""Decibels under its own level above which the original's voice is worth a remark."""

_FEWEST = 12
"""Pieces of 85 ms from which a slope can be drawn."""


class Leakage:
    """Hears original and bed side by side, block by block, where the original speaks."""

    def __init__(self, speech: Sequence[Span]) -> None:
        self._speech = list(merged(speech))
        self._common = array("d")
        self._own = array("d")

    def hear(self, start: int, original: Sound, bed: Sound) -> None:
        """The next block, which begins at `start`: both sounds, (samples, channels)."""
        here = Span(start, start + len(original))
        for span in self._speech:
            if span.start >= here.end:
                break
            part = span.clipped(here)
            for at in range(part.start - start, part.end - start - HOP + 1, HOP):
                voice, left = original[at : at + HOP], bed[at : at + HOP]
                self._own.append(float(np.vdot(voice, voice)))
                self._common.append(float(np.vdot(voice, left)))
        self._speech = [span for span in self._speech if span.end > here.end]

    @property
    def db(self) -> float | None:
        """Gain of the original's voice in the bed, in decibels; -60 at least; None where too little was heard."""
        if len(self._own) < _FEWEST:
            return None
        own, common = np.array(self._own), np.array(self._common)
        spread = own - own.mean()
        varies = float(spread @ spread)
        if varies <= 0:
            return None
        gain = abs(float(spread @ (common - common.mean())) / varies)
        return max(LEAST_DB, 20 * math.log10(gain)) if gain > 0 else LEAST_DB
