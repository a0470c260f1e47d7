"""Where a recording speaks: silero-vad, whose weights lie in the package faster-whisper, which comes with whisperx."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable
from voiceclone.voiceprint import RATE, Mono

_LEVEL = 0.08
"""RMS of the loudest tenth of frames to which a sound is brought before it is listened to: quiet speech is speech."""
_FRAME = RATE // 50
_MOST_GAIN = 300.0


def speaking(sound: Mono) -> NDArray[np.int64]:
    """Start and end, in samples, of each run of speech in a mono 16 kHz sound: (runs, 2), in order.

    Pauses of 0.2 s part runs. Raises EngineUnavailable where silero-vad is missing.
    """
    try:
        from faster_whisper.vad import get_speech_timestamps
    except ImportError as error:
        raise EngineUnavailable(
            "the package faster-whisper, which holds silero-vad, is missing.", remedy="Run `make setup`."
        ) from error
    if len(sound) < _FRAME or not sound.any():
        return np.zeros((0, 2), np.int64)
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = float(np.quantile(np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1)), 0.9))
    gain = min(_MOST_GAIN, _LEVEL / loud) if loud > 0 else 1.0
    runs = get_speech_timestamps(
        np.clip(sound * np.float32(gain), -1, 1),
        min_silence_duration_ms=200,
        speech_pad_ms=30,
        min_speech_duration_ms=100,
    )
    return np.array([(run["start"], min(run["end"], len(sound))) for run in runs], np.int64).reshape(-1, 2)


def joined(sound: Mono, runs: NDArray[np.int64]) -> Mono:
    """The speech of a sound, its pauses cut out."""
    return np.concatenate([np.zeros(0, np.float32), *(sound[start:end] for start, end in runs.tolist())])
