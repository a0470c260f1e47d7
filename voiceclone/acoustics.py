"""What a recording of speech measures: pure functions of mono sound and of where it speaks.

`runs` are start and end of each run of speech in seconds, (runs, 2), as `voiceclone.speech.speaking` finds them.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceclone.voiceprint import RATE, Mono

Runs = NDArray[np.float64]

_SILENT_DB = -120.0
_FRAME_S = 0.02
_CUT_DB = 60.0
"""Decibels below the strongest band at which a band counts as empty."""
_FLAT = 3
"""Equal samples in a row, at the very top of a waveform, from which on they count as clipped."""


def bandwidth_hz(sound: Mono, rate: int, runs: Runs) -> float:
    """Highest frequency at which loud speech is less than 60 dB below its strongest band (bands of 250 Hz)."""
    size = 2 ** int(np.ceil(np.log2(rate * 0.03)))
    frames = _frames(_within(sound, rate, runs), size)
    if not len(frames):
        return 0.0
    powers = np.square(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)))
    loud = np.quantile(powers, 0.95, axis=0)
    width = max(1, round(250 / (rate / size)))
    bands = loud[: len(loud) // width * width].reshape(-1, width).mean(axis=1)
    heard = np.flatnonzero(bands > bands.max() * 10 ** (-_CUT_DB / 10))
    return round(min(rate / 2, float(heard[-1] + 1) * width * rate / size), 1) if len(heard) else 0.0


def signal_to_noise_db(sound: Mono, rate: int, runs: Runs) -> float | None:
    """Mean power of speech over the median power of its pauses, in dB; None for silence.

    Where there are no pauses to hear the room in (or digital silence stands in for them), the quietest twentieth of
    speech stands for the noise: that can only make the ratio smaller.
    """
    size = max(1, round(rate * _FRAME_S))
    powers = np.square(_frames(sound, size), dtype=np.float64).mean(axis=1)
    at = (np.arange(len(powers)) + 0.5) * _FRAME_S
    spoken, near = np.zeros(len(at), bool), np.zeros(len(at), bool)
    for start, end in runs.tolist():
        spoken |= (at >= start) & (at < end)
        near |= (at >= start - 0.1) & (at < end + 0.1)
    speech = powers[spoken & (powers > 0)]
    if not len(speech):
        return None
    pauses = powers[~near & (powers > 10 ** (_SILENT_DB / 10))]
    noise = float(np.median(pauses)) if len(pauses) * _FRAME_S >= 0.3 else float(np.quantile(speech, 0.05))
    return round(10 * float(np.log10(max(float(speech.mean()) - noise, 1e-14) / max(noise, 1e-14))), 1)


def clipped_share(sound: Mono) -> float:
    """Share of samples in flat tops: three or more in a row within a ten-thousandth of the highest, or lowest, one."""
    total = 0
    for side in (sound, -sound):
        top = float(side.max()) if len(side) else 0.0
        if top <= 0.05:
            continue
        flat = np.concatenate([[0], (side >= top * (1 - 1e-4)).astype(np.int8), [0]])
        edges = np.flatnonzero(np.diff(flat))
        lengths = edges[1::2] - edges[::2]
        total += int(lengths[lengths >= _FLAT].sum())
    return total / len(sound) if len(sound) else 0.0


def loudness_lufs(sound: Mono, rate: int) -> float | None:
    """Integrated loudness (ITU-R BS.1770-4); None below 0.4 s or for silence."""
    if len(sound) < 0.4 * rate or not sound.any():
        return None
    value = float(_meter(rate).integrated_loudness(sound.astype(np.float64)))
    return round(value, 1) if np.isfinite(value) else None


def true_peak_dbtp(sound: Mono, rate: int) -> float:
    """Highest peak of the sound at four times its rate, in dBTP; -120 for silence."""
    import soxr

    peak = float(np.abs(soxr.resample(sound, rate, 4 * rate)).max()) if len(sound) else 0.0
    return round(max(_SILENT_DB, 20 * float(np.log10(max(peak, 1e-9)))), 1)


def loudness_range_lu(speech: Mono, rate: int) -> float | None:
    """Loudness range of speech without its pauses (EBU Tech 3342); None below 6 s."""
    if len(speech) < 6 * rate or not speech.any():
        return None
    value = float(_meter(rate).loudness_range(speech.astype(np.float64)))
    return round(value, 1) if np.isfinite(value) else None


def decay_s(sound: Mono, rate: int, runs: Runs) -> float | None:
    """A hint at reverberation: seconds in which the fastest decays of speech would fall by 60 dB; None if unsure.

    A room lets no sound die away faster than itself does, so the steepest twentieth of 100 ms slopes of the level tells
    about how long it rings (Ratnam et al. 2003 look for the same). Dry speech falls faster than any room.
    """
    size = max(1, round(rate * 0.01))
    power = np.square(_frames(sound, size), dtype=np.float64).mean(axis=1)
    if len(power) < 100 or not len(runs):
        return None
    level = 10 * np.log10(np.convolve(power, np.ones(3) / 3, mode="same") + 1e-12)
    floor = float(np.quantile(level, 0.05))
    length = 10
    windows = np.lib.stride_tricks.sliding_window_view(level, length)
    clear = windows[:, -1] > max(floor + 6.0, float(np.quantile(level, 0.95)) - 45.0)
    ramp = (np.arange(length) - (length - 1) / 2) * 0.01
    slopes = (windows @ ramp)[clear] / float((ramp**2).sum())
    falling = slopes[slopes < -20.0]
    return round(-60.0 / float(np.quantile(falling, 0.05)), 2) if len(falling) >= 40 else None


def pitch_spread_semitones(speech: Mono) -> float | None:
    """Standard deviation of the fundamental frequency of 16 kHz speech, in semitones; None below a second of voicing.

    WORLD's DIO, refined by StoneMask (Morise et al. 2009, 2016); octave slips (beyond an octave off the median) are
    left out.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
        import pyworld

    wave = speech.astype(np.float64)
    world: Any = pyworld
    if len(wave) < RATE:
        return None
    rough, times = world.dio(wave, RATE, f0_floor=60.0, f0_ceil=500.0, frame_period=10.0)
    track = world.stonemask(wave, rough, times, RATE)
    voiced = track[track > 0]
    if len(voiced) < 100:
        return None
    semitones = 12 * np.log2(voiced / np.median(voiced))
    return round(float(np.std(semitones[np.abs(semitones) < 12])), 2)


def pace_variation(speech: Mono) -> float | None:
    """Coefficient of variation of syllables a second over 4 s windows of 16 kHz speech; None below 12 s.

    Syllables are peaks of the level that stand out by 3 dB, 80 ms apart or more (after de Jong and Wempe 2009).
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    if len(speech) < 12 * RATE:
        return None
    powers = np.square(_frames(speech, RATE // 100), dtype=np.float64).mean(axis=1)
    level = gaussian_filter1d(10 * np.log10(powers + 1e-10), 2.0)
    peaks = find_peaks(level, prominence=3.0, distance=8, height=float(np.quantile(level, 0.95)) - 25.0)[0]
    count = len(level) // 400
    rates = np.histogram(peaks, bins=count, range=(0, count * 400))[0]
    return round(float(np.std(rates) / np.mean(rates)), 3) if rates.sum() else None


def _frames(sound: Mono, size: int) -> NDArray[np.float32]:
    return sound[: len(sound) // size * size].reshape(-1, size)


def _within(sound: Mono, rate: int, runs: Runs) -> Mono:
    parts = [sound[round(start * rate) : round(end * rate)] for start, end in runs.tolist()]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _meter(rate: int) -> Any:
    import pyloudnorm

    return pyloudnorm.Meter(rate)
