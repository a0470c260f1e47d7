"""A text as the source reads it, in frames: what a clone is made from, when it learns and when it speaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceclone.cloner import phones
from voiceclone.cloner.analysis import FRAME_S, Flags, Frames, prepared, source_frames
from voiceclone.cloner.speech_source import SpeechSource, plain


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A text read by the source."""

    frames: Frames
    phones: NDArray[np.float32]
    """Articulation (`phones.by_frame`)."""
    pause: Flags
    """Frames in which no phoneme is said."""
    words: tuple[tuple[int, int, int], ...]
    """First frame, first character in the text and length in characters of each word."""


def read(source: SpeechSource, text: str, voice: str, wpm: int) -> Reading:
    """Have the source read a text. Raises EngineUnavailable or StageFailed."""
    spoken = source.say(plain(text), voice, wpm)
    frames = source_frames(prepared(spoken.audio, spoken.rate))
    pause = np.ones(len(frames), bool)
    for first, after, ipa in phones.spans(spoken.phones, spoken.rate, len(frames)):
        pause[first:after] = phones.is_pause(ipa)
    words = tuple((round(sample / spoken.rate / FRAME_S), first, length) for sample, first, length in spoken.words)
    return Reading(frames, phones.by_frame(spoken.phones, spoken.rate, len(frames)), pause, words)
