"""Where speech sounds: runs of 10 ms frames that stand above the local noise.

Diarization says who speaks within a few tenths of a second; the edges that a listener hears come from the level.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manifests.errors import StageFailed
from manifests.spans import ANALYSIS_RATE, RATE, Span, merged, samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME = RATE // 100
"""Samples at 48 kHz of one frame: 10 ms."""

_FRAME_16K = ANALYSIS_RATE // 100
_BLOCK = 6000  # frames read at once: a minute
_SILENCE_DB = -75.0  # below this nothing is speech, even in a digitally silent recording
_ABOVE_FLOOR_DB = 6.0
_BELOW_PEAK_DB = 35.0  # breaths and room lie deeper below a speaker's loud syllables than weak consonants do
_EMPHASIS = 0.97  # hum, rumble and most music lie low; speech is found again above them
_WINDOW = 2000  # frames around a point that tell its floor and peak: 20 s


def levels(speech: Path) -> NDArray[np.float32]:
    """Level of each 10 ms of a mono 16 kHz s16 WAV file in dBFS, one float a frame; read a minute at a time.

    Measured after pre-emphasis (a first difference), as recognizers hear: onsets stay found over a bed of music.
    Raises StageFailed where the file has another form.
    """
    parts: list[NDArray[np.float32]] = []
    with wave.open(str(speech), "rb") as sound:
        form = (sound.getnchannels(), sound.getframerate(), sound.getsampwidth())
        if form != (1, ANALYSIS_RATE, 2):
            raise StageFailed(f"{speech.name} is not mono 16 kHz 16-bit sound but {form}.")
        before = np.zeros(1, np.float32)
        while block := sound.readframes(_BLOCK * _FRAME_16K):
            pressure = np.frombuffer(block, "<i2").astype(np.float32) / 32768
            emphasized = pressure - _EMPHASIS * np.concatenate((before, pressure[:-1]))
            before = pressure[-1:]
            whole = np.pad(emphasized, (0, -len(pressure) % _FRAME_16K)).reshape(-1, _FRAME_16K)
            parts.append(10 * np.log10(np.mean(whole**2, axis=1) + 1e-10))
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


def threshold(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """The level above which a frame is speech, frame by frame, from the floor and the peak of the 20 s around it."""
    if not len(level):
        return level
    centres = np.arange(0, len(level), 100)
    floor, peak = np.empty(len(centres)), np.empty(len(centres))
    for index, centre in enumerate(centres):
        around = level[max(0, centre - _WINDOW // 2) : centre + _WINDOW // 2]
        floor[index], peak[index] = np.percentile(around, (5, 95))
    limit = np.maximum(floor + _ABOVE_FLOOR_DB, peak - _BELOW_PEAK_DB)
    return np.interp(np.arange(len(level)), centres, np.maximum(limit, _SILENCE_DB)).astype(np.float32)


def voice(level: NDArray[np.float32]) -> tuple[Span, ...]:
    """Where the level stands above the threshold, in order; gaps up to 50 ms are bridged, runs under 30 ms dropped."""
    active = np.concatenate(([False], level > threshold(level), [False]))
    edges = np.flatnonzero(active[1:] != active[:-1])
    runs = (Span(int(start) * FRAME, int(end) * FRAME) for start, end in zip(edges[::2], edges[1::2], strict=True))
    return tuple(run for run in merged(runs, gap=samples(0.05)) if run.length >= samples(0.03))
