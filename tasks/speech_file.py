"""The sound that diarization and recognition hear: a mono 16 kHz file, read stretch by stretch."""

# soundfile has no type stubs
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.errors import MediaError
from manifests.spans import ANALYSIS_RATE, RATE, Span

TICK = RATE // ANALYSIS_RATE
"""Samples at 48 kHz for one of the file's."""


def read(speech: Path, span: Span) -> NDArray[np.float32]:
    """Samples in -1 to 1 of a stretch of a mono 16 kHz file; raises MediaError where it is not one."""
    import soundfile

    try:
        with soundfile.SoundFile(str(speech)) as file:
            if (file.samplerate, file.channels) != (ANALYSIS_RATE, 1):
                raise MediaError(f"{speech.name} is not mono at {ANALYSIS_RATE} Hz.", remedy="Run from split again.")
            first = min(span.start // TICK, file.frames)
            file.seek(first)
            return np.asarray(file.read(span.end // TICK - first, dtype="float32"), dtype=np.float32)
    except soundfile.LibsndfileError as error:
        raise MediaError(f"{speech.name} cannot be read: {error}.", remedy="Run from split again.") from error
