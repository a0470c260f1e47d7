"""Sound to frames and back, with the WORLD vocoder (Morise and others 2016).

A frame, every 5 ms, is a fundamental frequency (0 where unvoiced), a mel-cepstrum and a coded aperiodicity. Everything
inside the cloner happens on frames.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

RATE = 22_050
"""Samples a second, espeak-ng's own rate."""
FRAME_S = 0.005
FFT = 1024
ORDER = 50
"""Coefficients of the mel-cepstrum, level included."""
BANDS = 2
"""Coded aperiodicities at this sample rate."""

LEVEL_DBFS = -23.0
FLOOR = 3e-4
"""RMS of the white noise under everything: without it, bands that a lossy codec emptied are read as infinitely deep."""
PEAK = 0.97

_LOWEST = 3.0 * RATE / (FFT - 3) + 0.5
"""Hz: below, CheapTrick's window does not fit FFT, and it takes F0 for 500 Hz, whose envelope shows the harmonics."""
_OUTLIER = 0.55
"""Distance from the median log F0 beyond which a frame is an octave error."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Speech as frames."""

    f0: Array
    """Hz, 0 where unvoiced: (frames,)."""
    cepstrum: Array
    """(frames, ORDER)."""
    aperiodicity: Array
    """dB, 0 is noise: (frames, BANDS)."""

    def __len__(self) -> int:
        return len(self.f0)


@lru_cache(maxsize=1)
def world() -> Any:
    """The module pyworld, which has no types."""
    with warnings.catch_warnings():
        # pyworld 0.3.5, its last release, asks pkg_resources for its own version.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
        return importlib.import_module("pyworld")


def prepared(audio: NDArray[Any], rate: int) -> Array:
    """Mono sound at RATE and LEVEL_DBFS, with the noise floor; the same noise each time."""
    import soxr

    sound = np.asarray(audio, np.float64)
    if rate != RATE:
        sound = np.asarray(soxr.resample(sound, rate, RATE, "HQ"), np.float64)
    noise = np.random.default_rng(1).standard_normal(len(sound))
    return np.ascontiguousarray(levelled(sound) + FLOOR * noise)


def levelled(sound: Array) -> Array:
    """The sound with its louder frames (46 ms, above a twentieth of the loudest) at LEVEL_DBFS."""
    size, hop = 1024, 256
    padded = np.pad(sound, size // 2)
    squares = np.concatenate([[0.0], np.cumsum(padded**2)])
    starts = np.arange(0, len(padded) - size + 1, hop)
    rms = np.sqrt(np.maximum(0, squares[starts + size] - squares[starts]) / size)
    loud = rms[rms > rms.max() * 0.05]
    if not len(loud):
        return sound
    return sound * (10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(loud**2)))


def person_frames(sound: Array, pitch: tuple[float, float] | None = None) -> Frames:
    """Frames of a recording of a person, as `prepared`: a careful F0 within the person's own range, and strict voicing.

    The range is `pitch_range`'s, of everything that is known of the person; of this sound alone where none is given.
    Harvest alone takes room sound after a phrase for voice: a frame counts as voiced where D4C's "love train" hears
    harmonics too and the level is in the upper three quarters.
    """
    low, high = pitch or pitch_range([sound])
    vocoder: Any = world()
    f0, times = vocoder.harvest(sound, RATE, f0_floor=low, f0_ceil=high, frame_period=1000 * FRAME_S)
    frames, harmonic = _analysed(sound, f0, times)
    voiced = (frames.f0 > 0) & harmonic & above(frames.cepstrum, 0.75)
    return Frames(np.where(voiced, frames.f0, 0.0), frames.cepstrum, frames.aperiodicity)


def source_frames(sound: Array) -> Frames:
    """Frames of synthetic speech, as `prepared`."""
    vocoder: Any = world()
    f0, times = vocoder.dio(sound, RATE, f0_floor=50, f0_ceil=500, frame_period=1000 * FRAME_S)
    return _analysed(sound, f0, times)[0]


def _analysed(sound: Array, f0: Array, times: Array) -> tuple[Frames, Flags]:
    """The frames, and which of them hold harmonics."""
    vocoder: Any = world()
    f0 = vocoder.stonemask(sound, f0, times, RATE)
    envelope = vocoder.cheaptrick(sound, np.where(f0 > 0, np.maximum(f0, _LOWEST), 0.0), times, RATE, fft_size=FFT)
    aperiodicity = vocoder.d4c(sound, f0, times, RATE, fft_size=FFT)
    harmonic = aperiodicity[:, 20:200].min(axis=1) < 0.99
    cepstrum = vocoder.code_spectral_envelope(envelope, RATE, ORDER)
    return Frames(f0, cepstrum, vocoder.code_aperiodicity(aperiodicity, RATE)), harmonic


def pitch_range(sounds: Sequence[Array]) -> tuple[float, float]:
    """Where a person's F0 lies in Hz, from a quick first pass over what they say (De Looze and Hirst 2008).

    Of many utterances together it is surer than of each: one that is all creak or all noise has no range of its own.
    """
    vocoder: Any = world()
    found: list[Array] = []
    for sound in sounds:
        f0, times = vocoder.dio(sound, RATE, f0_floor=50, f0_ceil=420, frame_period=1000 * FRAME_S)
        f0 = vocoder.stonemask(sound, f0, times, RATE)
        found.append(f0[f0 > 0])
    voiced = np.concatenate(found)
    if len(voiced) < 20:
        return 60.0, 420.0
    low, high = np.percentile(voiced, [25, 75])
    return max(50.0, 0.6 * float(low)), min(600.0, 1.65 * float(high))


def envelope_of(cepstrum: Array) -> Array:
    """Power spectrum of each frame: (frames, FFT // 2 + 1)."""
    vocoder: Any = world()
    return vocoder.decode_spectral_envelope(np.ascontiguousarray(cepstrum, np.float64), RATE, FFT)


def sounded(f0: Array, envelope: Array, aperiodicity: Array) -> Array:
    """Sound at RATE of frames whose spectra are decoded."""
    vocoder: Any = world()
    noise = vocoder.decode_aperiodicity(np.ascontiguousarray(aperiodicity, np.float64), RATE, FFT)
    return vocoder.synthesize(
        np.ascontiguousarray(f0, np.float64), np.ascontiguousarray(envelope), noise, RATE, 1000 * FRAME_S
    )


def above(cepstrum: Array, share: float) -> Flags:
    """Frames whose level lies less than `share` of the utterance's range below its top."""
    low, high = np.percentile(cepstrum[:, 0], [1, 98])
    return cepstrum[:, 0] > high - share * (high - low)


def active(cepstrum: Array) -> Flags:
    """Frames of the louder half of an utterance's range: speech, less its weakest sounds."""
    return above(cepstrum, 0.5)


def delta(rows: NDArray[Any], width: int = 3) -> Array:
    """Slope of each column over ±width frames, by least squares."""
    padded = np.pad(rows, ((width, width), (0, 0)), mode="edge")
    count = len(rows)
    steps = range(1, width + 1)
    total: Array = sum(  # pyright: ignore[reportAssignmentType]  never the empty sum
        step * (padded[width + step : width + step + count] - padded[width - step : width - step + count])
        for step in steps
    )
    return total / (2 * sum(step * step for step in steps))


def log_f0(f0: Array) -> Array:
    """Log F0 through unvoiced stretches too, by straight lines; 120 Hz where nothing is voiced."""
    voiced = np.flatnonzero(f0 > 0)
    if len(voiced) < 2:
        return np.full(len(f0), np.log(120.0))
    return np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced]))


def pitch_statistics(contours: list[Array]) -> tuple[float, float]:
    """Mean and standard deviation of log F0 over voiced frames without octave errors; at least one must be voiced."""
    values = np.log(np.concatenate([f0[f0 > 0] for f0 in contours]))
    values = values[np.abs(values - np.median(values)) < _OUTLIER]
    return float(values.mean()), max(0.02, float(values.std()))
