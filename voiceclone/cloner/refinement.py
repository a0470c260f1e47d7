"""How a line is to be said: pace, pitch, energy, pauses, tone, and words that are stressed with `<em>`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d

from manifests.errors import InputError
from voiceclone.cloner.analysis import FFT, RATE, Array, Flags

Tone = Literal["warm", "sharp", "subdued"]

_PLAIN = (0.0, 1.0)
_TONES = {
    "warm": (-2.0, 0.9),
    "sharp": (2.0, 1.25),
    "subdued": (-1.5, 0.6),
}
"""Tilt of the spectrum in dB an octave, and what the range of pitch is multiplied by."""

_LIMITS = {"pace": (0.5, 2.0), "pitch": (-12.0, 12.0), "energy": (-12.0, 12.0), "pauses": (0.25, 4.0)}

_STRESS_SEMITONES, _STRESS_DB, _STRESS_LENGTH = 2.5, 3.0, 1.2
_STRESS_EDGE_FRAMES = 6


@dataclass(frozen=True, slots=True)
class Refinement:
    """How a voice speaks. Raises InputError for a value out of bounds."""

    pace: float = 1.0
    """Times the voice's own speed, 0.5 to 2."""
    pitch: float = 0.0
    """Semitones, -12 to 12."""
    energy: float = 0.0
    """dB, -12 to 12; as much of it as the peak allows."""
    pauses: float = 1.0
    """Times the length of the pauses between words, 0.25 to 4."""
    tone: Tone | None = None
    """warm is darker and calmer, sharp brighter and livelier, subdued darker and nearly level."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "tone":
                if value is not None and value not in _TONES:
                    raise InputError(f"there is no tone {value!r}.", remedy=f"Choose one of {', '.join(_TONES)}.")
            else:
                low, high = _LIMITS[field.name]
                if not low <= value <= high:
                    raise InputError(f"{field.name} is {value:g}.", remedy=f"Choose a number from {low:g} to {high:g}.")

    @property
    def _colour(self) -> tuple[float, float]:
        return _TONES[self.tone] if self.tone else _PLAIN

    @property
    def pitch_range(self) -> float:
        """What the range of pitch is multiplied by."""
        return self._colour[1]

    def tilt(self) -> Array:
        """What each bin of a power spectrum is multiplied by, (FFT // 2 + 1,): a straight line in dB over octaves.

        It turns about 700 Hz, where speech is loudest, and is level below 100 Hz and above 8 kHz.
        """
        hertz = np.clip(np.arange(FFT // 2 + 1) * RATE / FFT, 100, 8000)
        return 10 ** (self._colour[0] * np.log2(hertz / 700) / 10)


def stress(words: tuple[tuple[int, int, int], ...], places: tuple[tuple[int, int], ...], frames: int) -> Array:
    """How far each frame is stressed, 0 to 1: those of the words that lie in a marked place.

    `words` are (first frame, first character, length in characters).
    """
    share = np.zeros(frames)
    for number, (first, character, length) in enumerate(words):
        if any(character < end and start < character + length for start, end in places):
            after = words[number + 1][0] if number + 1 < len(words) else frames
            share[first:after] = 1
    return gaussian_filter1d(share, _STRESS_EDGE_FRAMES / 2) if places else share


def stressed_pitch(share: Array) -> Array:
    """What F0 is multiplied by."""
    return 2 ** (_STRESS_SEMITONES * share / 12)


def stressed_power(share: Array) -> Array:
    """What a frame's power spectrum is multiplied by."""
    return 10 ** (_STRESS_DB * share / 10)


def timing(pause: Flags, share: Array, pace: float, pauses: float) -> Array:
    """Which frame, not rounded, is heard at each new frame, when lengths change as asked.

    `pauses` changes the pauses between words, not the quiet at the two ends.
    """
    lengths = np.full(len(pause), 1.0 / pace)
    said = np.flatnonzero(~pause)
    if len(said):
        between = pause.copy()
        between[: said[0]] = between[said[-1] :] = False
        lengths[between] *= pauses
    lengths *= 1 + (_STRESS_LENGTH - 1) * share
    ends = np.cumsum(lengths)
    count = max(2, round(float(ends[-1])))
    return np.clip(np.interp(np.arange(count) + 0.5, ends - lengths / 2, np.arange(len(pause))), 0, len(pause) - 1)
