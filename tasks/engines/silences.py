"""Pauses that pyannote's segmentation takes for speech, in noise and music most, found by silero-vad.

The segmentation was trained to go on through the short pauses of a talk; silero-vad hears them, but little else of what
diarization needs.
"""

# pyannote is typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyannote.core import SlidingWindowFeature

from manifests.spans import ANALYSIS_RATE
from tasks.engines.protocols import Floats
from voiceclone.speech import speaking

ONSET, OFFSET = 0.2, 0.1
"""How probable speech is where it begins, and goes on: lower than usual, so that faint recordings stay whole."""

PAUSE_S = 0.6
EDGE_S = 0.1
"""What is silent for so long is a pause, but for this much at either end: consonants are soft."""

LONGEST_S = 1.2
"""Where the segmentation is sure for longer in one such pause, it heard a far or an unusual voice, and is right."""

BELIEVED = 0.5
"""Where silero-vad hears less of what the segmentation is sure of, it does not know such voices, and is not asked."""

_BIN_S = 0.02  # longer than a frame of the segmentation: every bin has one


def silenced(scores: SlidingWindowFeature, wave: Floats, sure_from: float) -> SlidingWindowFeature:
    """Scores of (windows, frames, local speakers), zero in the pauses of (samples,) of mono 16 kHz sound.

    `sure_from` is the score from which the segmentation is sure. Raises EngineUnavailable where silero-vad is missing.
    """
    window = scores.sliding_window
    count, frames, _ = scores.data.shape
    starts = window.start + np.arange(count) * window.step
    times = starts[:, np.newaxis] + (np.arange(frames) + 0.5) * window.duration / frames
    at = (times / _BIN_S).astype(np.int64)
    highest = np.nan_to_num(scores.data).max(axis=2)
    mean = np.bincount(at.reshape(-1), highest.reshape(-1)) / np.maximum(np.bincount(at.reshape(-1)), 1)
    sure = mean >= sure_from
    runs = speaking(np.asarray(wave, np.float32), onset=ONSET, offset=OFFSET, pause_s=PAUSE_S, padding_s=EDGE_S)
    pauses = [slice(start, end) for start, end in _between(runs, len(wave))]
    if sum(int(sure[pause].sum()) for pause in pauses) > (1 - BELIEVED) * sure.sum():
        return scores
    silent = np.zeros(len(sure), bool)
    for pause in pauses:
        silent[pause] = sure[pause].sum() * _BIN_S <= LONGEST_S
    return SlidingWindowFeature(np.where(silent[at][:, :, np.newaxis], 0.0, scores.data), window)


def _between(runs: NDArray[np.int64], length: int) -> list[list[int]]:
    """First and last bin (exclusive) of what is before, between and after runs of speech, in samples."""
    edges = np.concatenate([[0], runs.reshape(-1), [length]]) / (_BIN_S * ANALYSIS_RATE)
    return np.round(edges).astype(np.int64).reshape(-1, 2).tolist()
