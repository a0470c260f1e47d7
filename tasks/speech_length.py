"""How long a voice will take to say a text, before it has said it.

Linear in what espeak-ng reads in the text: phones, words and breaks between clauses. Until a voice has spoken, with
what was measured of espeak-ng's stock voices (six Romance languages, 120 lines: 3.4 % of the length off on average);
then refitted to its own takes, drawn to the first guess as by a dozen lines (1.5 to 2.5 % off).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.engines.espeak import Reading

Floats = NDArray[np.float64]

USUAL = (0.25, 0.056, 0.035, 0.32)
"""Seconds a take, a phone, a word, and a break between clauses, at espeak-ng's normal rate."""

_SPREAD = np.array([0.15, 0.015, 0.03, 0.15])
"""How far voices differ from that."""
_ERROR_S = 0.15
"""How far takes differ from what their voice's coefficients say."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A voice's seconds a take, a phone, a word and a break."""

    seconds: tuple[float, float, float, float] = USUAL

    def of(self, reading: Reading) -> float:
        """Seconds for a text; 0 for one without a sound."""
        return float(np.dot(self.seconds, _features(reading))) if reading.phones else 0.0

    def refitted(self, readings: Sequence[Reading], seconds: Sequence[float]) -> Pace:
        """The same, corrected by takes of this voice: ridge regression towards `self`.

        How fast the voice speaks altogether is found first, for voices differ in that by more than in anything else.
        """
        if not readings:
            return self
        rows, spoken = np.array([_features(reading) for reading in readings]), np.asarray(seconds, np.float64)
        expected = rows @ np.array(self.seconds)
        factor = float(np.clip((spoken @ expected) / (expected @ expected), 0.4, 2.5)) if expected.any() else 1.0
        usual = np.array(self.seconds) * factor
        rigid = np.diag((_ERROR_S / (_SPREAD * factor)) ** 2)
        change = np.linalg.solve(rows.T @ rows + rigid, rows.T @ (spoken - rows @ usual))
        first, phone, word, pause = np.maximum(usual + change, 0.0).tolist()
        return Pace((first, phone, word, pause))


def _features(reading: Reading) -> tuple[float, float, float, float]:
    return 1.0, float(reading.phones), float(reading.words), float(reading.breaks)


def estimated(text: str) -> Reading:
    """A reading of a text in a language that espeak-ng has no voice for: a phone a letter."""
    words = text.split()
    return Reading(
        sum(sign.isalnum() for sign in text),
        len(words),
        sum(word[-1] in ",;:.?!…。，、？！" for word in words[:-1]),
    )
