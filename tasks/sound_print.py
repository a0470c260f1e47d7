"""What stretches of speech sound like, in a few numbers, and where the same sound is in another recording.

A print is the log-mel spectrum, 16 bands every hundredth of a second, each band without its mean: an encoding or
another gain leaves it as it is, other words do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.spans import ANALYSIS_RATE, RATE, Span
from tasks.speech_file import TICK, read

HOP = ANALYSIS_RATE // 100
"""Samples at 16 kHz from one frame to the next."""

FRAME = RATE // 100
"""The same at 48 kHz."""

BANDS = 16

SAME = 0.85
"""Correlation of two prints from which on they may be one sound: the same after AAC at 32 kbit/s, Opus at 24 or MP3 at
48 is above 0.92, other speech below 0.56 (`benchmarks/recut.py`)."""

OTHER_DB = 7.0
"""Difference of two prints, within a fifth of a second that sounds, from which on something else is said there. The
same sound differs by 5.8 at most, a third of a second that was replaced in it by 11 and more."""

SHORTEST = 60
"""Frames that a print needs to be told from others."""

_PART = 20  # frames in which a difference is looked for
_QUIETER_DB = 25.0  # below the loudest tenth of frames, where noise is all there is
_NEAR = 30  # frames around where a sound is expected, in which it is looked for first
_WINDOW = 400  # samples at 16 kHz that a frame hears
_APART = RATE // 20  # two sounds that begin nearer to one another are one
_BLOCK_S = 60.0
_FLOOR = 1e-3  # of a band's power: below it an encoder's noise would count as much as speech

Print = NDArray[np.float32]


def prints(speech: Path, span: Span) -> Print:
    """The print of a stretch of a mono 16 kHz file, shape (frames, bands), in decibels, means left in.

    Raises MediaError where the file is not that.
    """
    parts: list[Print] = []
    first, last = span.start // FRAME, span.end // FRAME
    step = round(_BLOCK_S * 100)
    for start in range(first, last, step):
        end = min(last, start + step)
        wave = read(speech, Span(start * FRAME, end * FRAME + _WINDOW * 3))
        parts.append(_frames(wave, end - start))
    return np.concatenate(parts) if parts else np.zeros((0, BANDS), np.float32)


def whole(speech: Path) -> Span:
    """All of a sound file."""
    import soundfile

    return Span(0, int(soundfile.info(str(speech)).frames) * TICK)


class Recording:
    """A whole recording in which sounds are looked for."""

    def __init__(self, whole: Print) -> None:
        self._whole = whole.astype(np.float64)
        count = len(whole)
        self._size = 1 << max(1, (2 * count - 1).bit_length())
        self._spectrum = np.fft.rfft(self._whole, self._size, axis=0)
        zero = np.zeros((1, whole.shape[1]))
        self._sums = np.concatenate([zero, np.cumsum(self._whole, axis=0)])
        self._squares = np.concatenate([zero, np.cumsum(np.square(self._whole), axis=0)])

    def find(self, sound: Print, expected: int) -> tuple[float, float] | None:
        """Where a sound begins, in frames, and how alike it is there; None where it is nowhere.

        It is looked for where it is expected first: of two places that sound the same, the expected one is meant.
        """
        length = len(sound)
        if length < SHORTEST or length > len(self._whole):
            return None
        mine = sound - sound.mean(axis=0)
        norm = float(np.linalg.norm(mine))
        if norm < 1e-6:
            return None
        low, high = max(0, expected - _NEAR), min(len(self._whole) - length, expected + _NEAR)
        if low <= high:
            near = np.array([float((mine * self._whole[at : at + length]).sum()) for at in range(low, high + 1)]) / (
                norm * self._norms(length, low, high + 1)
            )
            if near.max() >= SAME:
                return self._all_of(sound, _peak(near, int(near.argmax()), low))
        product = self._spectrum * np.conj(np.fft.rfft(mine, self._size, axis=0))
        places = len(self._whole) - length + 1
        alike = np.fft.irfft(product.sum(axis=1), self._size)[:places] / (norm * self._norms(length, 0, places))
        if alike.max() < SAME:
            return None
        good = np.flatnonzero(alike >= alike.max() - 0.02)
        best = int(good[np.abs(good - expected).argmin()])
        around = slice(max(0, best - 3), best + 4)
        best = around.start + int(alike[around].argmax())
        return self._all_of(sound, _peak(alike, best, 0))

    def _all_of(self, sound: Print, place: tuple[float, float]) -> tuple[float, float] | None:
        """The place, if nothing of the sound is another there: one word may differ in a long sentence."""
        at = min(max(0, round(place[0])), len(self._whole) - len(sound))
        there = self._whole[at : at + len(sound)]
        apart = np.square((sound - sound.mean(axis=0)) - (there - there.mean(axis=0))).mean(axis=1)
        loudness = np.maximum(sound.mean(axis=1), there.mean(axis=1))
        loud = loudness > np.percentile(loudness, 90) - _QUIETER_DB
        counts = np.convolve(loud, np.ones(_PART), "valid")
        sums = np.convolve(apart * loud, np.ones(_PART), "valid")
        worst = float(np.max(sums / np.maximum(counts, 1), where=counts >= _PART / 2, initial=0.0))
        return place if worst < OTHER_DB**2 else None

    def _norms(self, length: int, start: int, end: int) -> NDArray[np.float64]:
        """How much sounds, less each band's mean, in `length` frames from each of these on."""
        sums = self._sums[start + length : end + length] - self._sums[start:end]
        squares = self._squares[start + length : end + length] - self._squares[start:end]
        return np.sqrt(np.maximum((squares - np.square(sums) / length).sum(axis=1), 1e-6))


def _peak(alike: NDArray[np.float64], at: int, first: int) -> tuple[float, float]:
    """The place of a maximum between frames (a parabola through it and its neighbours), and its height."""
    if not 0 < at < len(alike) - 1:
        return float(first + at), float(alike[at])
    before, here, after = (float(value) for value in alike[at - 1 : at + 2])
    bend = before - 2 * here + after
    return first + at + (0.5 * (before - after) / bend if bend < 0 else 0.0), here


def _frames(wave: NDArray[np.float32], count: int) -> Print:
    needed = (count - 1) * HOP + _WINDOW
    padded = np.zeros(needed, np.float32)
    padded[: min(needed, len(wave))] = wave[:needed]
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    powers = np.square(np.abs(np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32), 512, axis=1)))
    decibels = 10 * np.log10(powers @ _mel() + _FLOOR)
    return decibels.astype(np.float32)


@lru_cache(maxsize=1)
def _mel() -> NDArray[np.float32]:
    """Triangles from 100 Hz to 4 kHz, which every codec keeps; shape (bins, bands)."""
    low, high = (float(2595 * np.log10(1 + hz / 700)) for hz in (100.0, 4000.0))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(512, 1 / ANALYSIS_RATE)[:, np.newaxis]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def found_in(sounds: Sequence[tuple[Span, Print]], recording: Recording) -> list[tuple[Span, float] | None]:
    """Where stretches of an earlier cut, in order of start, are in another, in the same order, and how alike."""
    places: list[tuple[Span, float] | None] = []
    shift, after = 0, 0
    for span, sound in sounds:
        found = recording.find(sound, (span.start + shift) // FRAME)
        if found is None:
            places.append(None)
            continue
        at = round(found[0] * FRAME) + span.start % FRAME
        place = Span(max(0, at), max(0, at) + span.length)
        if place.start < after:
            places.append(None)  # said twice, cut once: the one that is left was given away already
            continue
        places.append((place, found[1]))
        shift, after = place.start - span.start, place.start + _APART
    return places
