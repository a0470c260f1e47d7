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


def speaking(
    sound: Mono, *, onset: float = 0.5, offset: float = 0.35, pause_s: float = 0.2, padding_s: float = 0.03
) -> NDArray[np.int64]:
    """Start and end, in samples, of each run of speech in a mono 16 kHz sound: (runs, 2), in order.

    A run begins where speech is as probable as `onset` and ends where it is less than `offset` for `pause_s` seconds;
    it is then made longer by `padding_s` at both ends. Raises EngineUnavailable where silero-vad is missing.
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
        threshold=onset,
        neg_threshold=offset,
        min_silence_duration_ms=round(1000 * pause_s),
        speech_pad_ms=round(1000 * padding_s),
        min_speech_duration_ms=100,
    )
    return np.array([(run["start"], min(run["end"], len(sound))) for run in runs], np.int64).reshape(-1, 2)


def joined(sound: Mono, runs: NDArray[np.int64]) -> Mono:
    """The speech of a sound, its pauses cut out."""
    return np.concatenate([np.zeros(0, np.float32), *(sound[start:end] for start, end in runs.tolist())])
