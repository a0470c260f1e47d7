"""IPA to articulation: what the mouth does in each frame, in numbers that mean the same in every language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceclone.cloner.analysis import FRAME_S

FEATURES = 17
"""silence, vowel, consonant, height, backness, rounding, place, six manners, voiced, long, rhotic, nasal."""

_SILENCE, _VOWEL, _CONSONANT, _HEIGHT, _BACKNESS, _ROUND, _PLACE, _MANNER = range(8)
_VOICED, _LONG, _RHOTIC, _NASAL = 13, 14, 15, 16

_VOWELS: dict[str, tuple[float, float, int]] = {
    # close (0) to open (1), front (0) to back (1), rounded
    "i": (0, 0, 0),
    "y": (0, 0, 1),
    "ɨ": (0, 0.5, 0),
    "ʉ": (0, 0.5, 1),
    "ɯ": (0, 1, 0),
    "u": (0, 1, 1),
    "ɪ": (0.17, 0.15, 0),
    "ʏ": (0.17, 0.15, 1),
    "ʊ": (0.17, 0.85, 1),
    "ᵻ": (0.2, 0.4, 0),
    "e": (0.33, 0, 0),
    "ø": (0.33, 0, 1),
    "ɘ": (0.33, 0.5, 0),
    "ɵ": (0.33, 0.5, 1),
    "ɤ": (0.33, 1, 0),
    "o": (0.33, 1, 1),
    "ə": (0.5, 0.5, 0),
    "ɚ": (0.5, 0.5, 0),
    "ɜ": (0.6, 0.5, 0),
    "ɝ": (0.6, 0.5, 0),
    "ɛ": (0.67, 0.05, 0),
    "œ": (0.67, 0.05, 1),
    "ɞ": (0.67, 0.5, 1),
    "ʌ": (0.67, 0.85, 0),
    "ɔ": (0.67, 1, 1),
    "ɐ": (0.8, 0.5, 0),
    "æ": (0.83, 0.1, 0),
    "a": (1, 0.35, 0),
    "ɶ": (1, 0.1, 1),
    "ɑ": (1, 1, 0),
    "ɒ": (1, 1, 1),
}

_STOP, _FRICATIVE, _NASAL_STOP, _APPROXIMANT, _LATERAL, _TAP = range(6)

_CONSONANTS: dict[str, tuple[float, int, int]] = {
    letter: (place, manner, voiced)
    # lips (0) to glottis (1), manner, voiced
    for letters, place, manner, voiced in (
        ("p", 0, _STOP, 0),
        ("b", 0, _STOP, 1),
        ("m", 0, _NASAL_STOP, 1),
        ("ɸ", 0, _FRICATIVE, 0),
        ("β", 0, _FRICATIVE, 1),
        ("f", 0.1, _FRICATIVE, 0),
        ("v", 0.1, _FRICATIVE, 1),
        ("ɱ", 0.1, _NASAL_STOP, 1),
        ("ʋ", 0.1, _APPROXIMANT, 1),
        ("θ", 0.2, _FRICATIVE, 0),
        ("ð", 0.2, _FRICATIVE, 1),
        ("t", 0.3, _STOP, 0),
        ("d", 0.3, _STOP, 1),
        ("n", 0.3, _NASAL_STOP, 1),
        ("l", 0.3, _LATERAL, 1),
        ("ɬ", 0.3, _FRICATIVE, 0),
        ("ɾr", 0.3, _TAP, 1),
        ("s", 0.35, _FRICATIVE, 0),
        ("z", 0.35, _FRICATIVE, 1),
        ("ɫ", 0.35, _LATERAL, 1),
        ("ɹ", 0.4, _APPROXIMANT, 1),
        ("ʃ", 0.45, _FRICATIVE, 0),
        ("ʒ", 0.45, _FRICATIVE, 1),
        ("ʂ", 0.5, _FRICATIVE, 0),
        ("ʐ", 0.5, _FRICATIVE, 1),
        ("ʈ", 0.5, _STOP, 0),
        ("ɖ", 0.5, _STOP, 1),
        ("ɳ", 0.5, _NASAL_STOP, 1),
        ("ɭ", 0.5, _LATERAL, 1),
        ("ɻ", 0.5, _APPROXIMANT, 1),
        ("ɕ", 0.52, _FRICATIVE, 0),
        ("ʑ", 0.52, _FRICATIVE, 1),
        ("ç", 0.6, _FRICATIVE, 0),
        ("ʝ", 0.6, _FRICATIVE, 1),
        ("c", 0.6, _STOP, 0),
        ("ɟ", 0.6, _STOP, 1),
        ("ɲ", 0.6, _NASAL_STOP, 1),
        ("ʎ", 0.6, _LATERAL, 1),
        ("jɥ", 0.6, _APPROXIMANT, 1),
        ("k", 0.75, _STOP, 0),
        ("ɡg", 0.75, _STOP, 1),
        ("ŋ", 0.75, _NASAL_STOP, 1),
        ("xʍ", 0.75, _FRICATIVE, 0),
        ("ɣ", 0.75, _FRICATIVE, 1),
        ("ɰw", 0.75, _APPROXIMANT, 1),
        ("q", 0.85, _STOP, 0),
        ("ɢ", 0.85, _STOP, 1),
        ("χ", 0.85, _FRICATIVE, 0),
        ("ʁ", 0.85, _FRICATIVE, 1),
        ("ʀ", 0.85, _TAP, 1),
        ("ħ", 0.92, _FRICATIVE, 0),
        ("ʕ", 0.92, _FRICATIVE, 1),
        ("h", 1, _FRICATIVE, 0),
        ("ɦ", 1, _FRICATIVE, 1),
        ("ʔ", 1, _STOP, 0),
    )
    for letter in letters
}
_RHOTIC_LETTERS = frozenset("ɚɝɹɻɾrʁʀ")
_LONG_SIGN, _NASAL_SIGN = "ː", "\u0303"

Vector = NDArray[np.float64]


def _letter(letter: str) -> Vector:
    vector = np.zeros(FEATURES)
    if letter in _VOWELS:
        height, backness, rounded = _VOWELS[letter]
        vector[_VOWEL] = vector[_VOICED] = 1
        vector[_HEIGHT], vector[_BACKNESS], vector[_ROUND] = height * 2 - 1, backness * 2 - 1, rounded
    else:
        place, manner, voiced = _CONSONANTS[letter]
        vector[_CONSONANT] = vector[_MANNER + manner] = 1
        vector[_PLACE], vector[_VOICED] = place * 2 - 1, voiced
    vector[_RHOTIC] = letter in _RHOTIC_LETTERS
    return vector


@lru_cache(maxsize=1024)
def articulation(ipa: str) -> tuple[Vector, Vector]:
    """How a phoneme begins and ends, which differ in diphthongs and affricates; signs unknown to us are passed over."""
    segments: list[Vector] = []
    for sign in ipa:
        if sign in _VOWELS or sign in _CONSONANTS:
            segments.append(_letter(sign))
        elif segments and sign == _LONG_SIGN:
            segments[-1][_LONG] = 1
        elif segments and sign == _NASAL_SIGN:
            segments[-1][_NASAL] = 1
    if not segments:
        return _silence(), _silence()
    return segments[0], segments[-1]


def _silence() -> Vector:
    vector = np.zeros(FEATURES)
    vector[_SILENCE] = 1
    return vector


def is_pause(ipa: str) -> bool:
    """Whether a phoneme event is a pause."""
    return bool(articulation(ipa)[0][_SILENCE])


def spans(phones: Sequence[tuple[int, str]], rate: int, frames: int) -> list[tuple[int, int, str]]:
    """First frame, frame after the last, and IPA of each phoneme, covering all `frames`; none without a frame.

    `phones` are (first sample, IPA) at `rate`.
    """
    events = [(0, ""), *phones] if not phones or phones[0][0] > 0 else list(phones)
    starts = [min(frames, round(sample / rate / FRAME_S)) for sample, _ in events] + [frames]
    return [(starts[i], starts[i + 1], events[i][1]) for i in range(len(events)) if starts[i + 1] > starts[i]]


def by_frame(phones: Sequence[tuple[int, str]], rate: int, frames: int) -> NDArray[np.float32]:
    """Articulation in each frame: (frames, 5 * FEATURES + 3).

    The phoneme's own (interpolated from its beginning to its end), the previous one's end, the next one's beginning,
    the same two further out; then where in it the frame is (0 to 1), log of its length in 80 ms, and frames to its
    nearer edge in tens.
    """
    found = spans(phones, rate, frames)
    shapes = [articulation(ipa) for _, _, ipa in found]
    out: Any = np.zeros((frames, FEATURES * 5 + 3))
    silence = _silence()

    def neighbour(index: int, end: int) -> Vector:
        return shapes[index][end] if 0 <= index < len(shapes) else silence

    for index, (first, after, _) in enumerate(found):
        length = after - first
        place = ((np.arange(length) + 0.5) / length)[:, None]
        begins, ends = shapes[index]
        out[first:after, :FEATURES] = (1 - place) * begins + place * ends
        around = [neighbour(index - 1, 1), neighbour(index + 1, 0), neighbour(index - 2, 1), neighbour(index + 2, 0)]
        out[first:after, FEATURES : 5 * FEATURES] = np.concatenate(around)
        out[first:after, -3] = place[:, 0]
        out[first:after, -2] = np.log(length / 16)
        out[first:after, -1] = np.minimum(np.arange(length), length - 1 - np.arange(length)) / 10
    return out.astype(np.float32)
