"""What every engine's speech becomes before it is a take: trimmed, at one level, mono at 48 kHz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE

LEVEL_DBFS = -26.0
"""Level of the speech in every take, whatever the voice: RMS over its frames within 30 dB of the loudest."""

MARGIN_MS = 15
"""Silence that is left at both ends."""

_PEAK = 10 ** (-1 / 20)


def write(samples: NDArray[np.float32], rate: int, to: Path) -> Path:
    """Write speech (mono, within ±1, not silent) as a 48 kHz FLAC, trimmed, around nought, at LEVEL_DBFS or lower where
    its peak would pass -1 dBFS."""
    import soundfile
    import soxr
    from pydub import AudioSegment
    from pydub.silence import detect_leading_silence

    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)  # an offset would click at both ends
    pressure = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    sound: Any = AudioSegment(data=pressure.tobytes(), sample_width=2, frame_rate=rate, channels=1)
    threshold = sound.max_dBFS - 45
    ends = [detect_leading_silence(side, threshold, chunk_size=5) for side in (sound, sound.reverse())]
    first, last = (max(0, end - MARGIN_MS) * rate // 1000 for end in ends)
    kept = samples[first : len(samples) - last].astype(np.float32)
    soundfile.write(to, levelled(soxr.resample(kept, rate, RATE, "VHQ")), RATE, "PCM_16", format="FLAC")
    return to


def read(path: Path) -> NDArray[np.float32]:
    """The samples of a take, mono at 48 kHz."""
    import soundfile

    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(samples, np.float32).mean(axis=1)


def levelled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """48 kHz samples at LEVEL_DBFS, their peak at most -1 dBFS."""
    frame = RATE // 50
    padded = np.pad(samples, (0, -len(samples) % frame))
    power = (padded.reshape(-1, frame).astype(np.float64) ** 2).mean(axis=1)
    level = float(np.sqrt(power[power >= power.max() / 1000].mean()))
    gain = min(10 ** (LEVEL_DBFS / 20) / level, _PEAK / float(np.abs(samples).max()))
    return samples * np.float32(gain)
