"""Clips: what a person recorded, what of it can be learnt from, and whether its words are what is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manifests.errors import InputError
from voiceclone.cloner.alignment import Alignment, align, fits
from voiceclone.cloner.analysis import FRAME_S, Array, Frames, above, active, person_frames, pitch_range, prepared
from voiceclone.cloner.reading import read
from voiceclone.cloner.speech_source import SpeechSource
from voiceclone.cloner.statistics import Statistics

MINIMUM_S = 5.0
"""Seconds of clean speech below which there is no voice."""
MOST_S = 180.0
"""Seconds of clips that are used, the first ones: similarity is all there after one minute."""
LONGEST_CLIP_S = 40.0
LEAST_FIT = 0.3
"""How much better the words of all clips must fit forwards than backwards (`alignment.fits`) to be what is said.

Measured on nine voices, three of them by recognized words: 0.43 to 1.30 with their own words, -0.02 to 0.23 with other
clips'."""
SURE_FIT = 0.45
"""The same, from which on words teach the language's sounds; below, anchors do, as for another language.

Measured on 18 s of which three words in ten were exchanged (a fit of 0.30): words misheard 80 % without anchors, 44 %
with them, 72 % of espeak-ng itself; cosine 0.80 and 0.75. With their own words (0.57 to 0.62) anchors cost 0.02 of
cosine and bring 5 points of words: there the voice is worth more."""
LEAST_CLIP_FIT, LEAST_SHARE_OF_FIT = 0.2, 0.4
"""The same for a single clip: at least this, and at least this share of the median. Measured: 0.25 to 1.45 with its own
words, but for one clip of 58 (-0.03), and -0.24 to 0.30 with other words among clips with their own."""

_ORDERED_WORDS, _COMPARED_CLIPS = 4, 3
_NORMAL_WPM = 175
_WPM = (90, 260)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One utterance of the person."""

    audio: NDArray[np.float32]
    """Mono."""
    rate: int
    text: str
    """What is said in it, in the enrolment's language; recognized text is good enough."""


def clean_speech(frames: Frames) -> float:
    """Seconds of an utterance that are speech, by level."""
    return FRAME_S * float(above(frames.cepstrum, 0.75).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A clip, as it is learnt from."""

    sound: Array
    frames: Frames
    text: str


def heard_in(clips: Sequence[Clip]) -> list[Heard]:
    """The clips that hold a voice, as many as MOST_S hold. Raises InputError where they are too few."""
    used: list[Clip] = []
    total = 0.0
    for number, clip in enumerate(clips, 1):
        _check(clip, number)
        total += len(clip.audio) / clip.rate
        if total > MOST_S:
            break
        used.append(clip)
    prepared_clips = [prepared(clip.audio, clip.rate) for clip in used]
    pitch = pitch_range(prepared_clips)
    found: list[Heard] = []
    for clip, sound in zip(used, prepared_clips, strict=True):
        frames = person_frames(sound, pitch)
        if (frames.f0 > 0).sum() * FRAME_S < 0.1:
            continue  # no voice in it: a breath, a cough, a door
        found.append(Heard(sound, frames, clip.text))
    enough(found)
    return found


def enough(heard: Sequence[Heard], which: str = "") -> None:
    clean = sum(clean_speech(clip.frames) for clip in heard)
    if clean < MINIMUM_S:
        raise InputError(
            f"there are {clean:.1f} s of clean speech{which}, and a voice needs {MINIMUM_S:g} s.",
            remedy="Enrol more recordings; a minute is best.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Clips, with the source's reading of them at the speed at which it reads about as fast as the person."""

    heard: Sequence[Heard]
    wpm: int
    statistics: Statistics
    alignment: Alignment

    @classmethod
    def of(cls, source: SpeechSource, heard: Sequence[Heard], voice: str) -> Aligned:
        person = [clip.frames for clip in heard]
        readings = [read(source, clip.text, voice, _NORMAL_WPM) for clip in heard]
        usual = sum(int(active(reading.frames.cepstrum).sum()) for reading in readings)
        own = sum(int(active(frames.cepstrum).sum()) for frames in person)
        wpm = int(np.clip(_NORMAL_WPM * usual / own, *_WPM))
        readings = [read(source, clip.text, voice, wpm) for clip in heard]
        statistics = Statistics.of([reading.frames for reading in readings], person)
        return cls(heard, wpm, statistics, align(readings, person, statistics))


def fitting(source: SpeechSource, aligned: Aligned, voice: str) -> tuple[list[Heard], bool]:
    """The clips that say what their texts say, and whether they surely do. Raises InputError where they do not.

    A clip of a few words tells nothing by their order and is believed, and so are fewer than three clips, which have
    nothing to be compared with.
    """
    heard = aligned.heard
    judged = np.array([len(clip.text.split()) >= _ORDERED_WORDS for clip in heard])
    if len(heard) < _COMPARED_CLIPS or not judged.any():
        return list(heard), True
    backwards = [read(source, " ".join(clip.text.split()[::-1]), voice, aligned.wpm) for clip in heard]
    fit = fits(aligned.alignment, backwards, aligned.statistics)
    lengths = judged * np.array([len(clip.frames) for clip in heard])
    if fit @ lengths / lengths.sum() < LEAST_FIT:
        raise InputError(
            "the words of the clips are not what is said in them.",
            remedy="Check that each clip has its own words, in the language that is spoken.",
        )
    least = max(LEAST_CLIP_FIT, LEAST_SHARE_OF_FIT * float(np.median(fit[judged])))
    kept = (fit >= least) | ~judged
    lengths = lengths * kept
    sure = bool(fit @ lengths >= SURE_FIT * lengths.sum())
    return [clip for clip, told in zip(heard, kept, strict=True) if told], sure


def _check(clip: Clip, number: int) -> None:
    wrong = ""
    seconds = len(clip.audio) / clip.rate if clip.rate > 0 else 0.0
    if clip.audio.ndim != 1 or clip.rate < 8000:
        wrong = "is not mono sound of at least 8 kHz"
    elif not np.isfinite(clip.audio).all():
        wrong = "holds samples that are no numbers"
    elif not 0.3 <= seconds <= LONGEST_CLIP_S:
        wrong = f"lasts {seconds:.1f} s"
    elif not any(sign.isalnum() for sign in clip.text):
        wrong = "has no text"
    elif not clip.audio.any():
        wrong = "is silent"
    if wrong:
        raise InputError(
            f"clip {number} {wrong}.",
            remedy=f"Cut the speech into sentences of 0.3 to {LONGEST_CLIP_S:g} s, each with its words.",
        )
