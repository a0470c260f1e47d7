"""Speaking: a text, in a trained voice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from manifests import emphasis
from manifests.errors import InputError
from voiceclone.cloner import refinement as refining
from voiceclone.cloner.analysis import PEAK, RATE, Array, Flags, Frames, envelope_of, levelled, sounded
from voiceclone.cloner.network import predicted
from voiceclone.cloner.reading import Reading, read
from voiceclone.cloner.refinement import Refinement
from voiceclone.cloner.selection import Wanted, select
from voiceclone.cloner.speech_source import SpeechSource
from voiceclone.cloner.statistics import unit
from voiceclone.cloner.training import same_language
from voiceclone.cloner.voice import TrainedVoice

_OWN_CONTOUR = 0.6
"""Share of the chosen frames' own pitch in the contour; the rest is the source's."""
_LAST_VARIANCE = 0.3
"""How far the mix of chosen and predicted frames is widened again."""


def speak(
    voice: TrainedVoice,
    text: str,
    language: str,
    *,
    refinement: Refinement | None = None,
    rate: float = 1.0,
    source: SpeechSource | None = None,
) -> tuple[NDArray[np.float32], int]:
    """A text in a person's voice: mono sound at LEVEL_DBFS, and its sample rate.

    `rate` is how much faster than normal, for a text that must fit a time; it multiplies the refinement's pace. Words
    within `<em>` are stressed. The same voice and text give the same sound. Raises InputError for a language that the
    voice was not trained for or a text without words, EngineUnavailable or StageFailed where espeak-ng fails.
    """
    if not same_language(language, voice.target_language):
        raise InputError(
            f"this voice was trained to speak {voice.target_language}, not {language}.",
            remedy="Train one for each language: else it is not understood.",
        )
    if not 0.5 <= rate <= 2.0:
        raise InputError(f"rate is {rate:g}.", remedy="Choose a number from 0.5 to 2.")
    how = refinement or Refinement()
    plain, places = emphasis.parsed(text)
    if not any(sign.isalnum() for sign in plain):
        raise InputError(f"there is nothing to say in {text[:60]!r}.")
    own = source or SpeechSource()
    try:
        reading = read(own, plain, own.voice_of(language), voice.wpm)
    finally:
        if source is None:
            own.close()
    said = converted(voice, reading, how.pitch_range)
    share = refining.stress(reading.words, places, len(said))
    heard = refining.timing(reading.pause, share, how.pace * rate, how.pauses)
    return _sound(said, voice.correction * how.tilt(), share, heard, how), RATE


def converted(voice: TrainedVoice, reading: Reading, pitch_range: float = 1.0) -> Frames:
    """A reading's frames as the person's."""
    statistics = voice.statistics
    made, voicing = predicted(voice.networks, reading, statistics)
    voiced: Flags = median_filter((voicing > 0.5).astype(np.uint8), 5) > 0
    widened = statistics.full_variance(made.cepstrum, 1.0)
    contour = statistics.source_contour(reading.frames.f0)
    wanted = Wanted(made.cepstrum, widened, reading.phones, voiced, contour)
    chosen = select(voice.inventory, wanted, statistics.weight)
    mix = voice.own_frames * chosen.cepstrum + (1 - voice.own_frames) * widened
    contour = unit(_OWN_CONTOUR * chosen.contour + (1 - _OWN_CONTOUR) * contour, voiced)
    mean, sd = statistics.person_pitch
    f0 = np.where(voiced, np.exp(mean + sd * pitch_range * np.clip(contour, -2.6, 3)), 0.0)
    return Frames(f0, statistics.full_variance(mix, _LAST_VARIANCE), chosen.aperiodicity)


def _sound(said: Frames, colour: Array, share: Array, heard: Array, how: Refinement) -> NDArray[np.float32]:
    """Frames as sound, `heard` in that order, their power spectra multiplied by `colour`."""
    nearest = np.round(heard).astype(np.int64)
    below = np.floor(heard).astype(np.int64)
    above = np.minimum(below + 1, len(said) - 1)
    part = (heard - below)[:, None]
    cepstrum = said.cepstrum[below] * (1 - part) + said.cepstrum[above] * part
    aperiodicity = said.aperiodicity[below] * (1 - part) + said.aperiodicity[above] * part
    share = share[nearest]
    f0 = said.f0[nearest] * 2 ** (how.pitch / 12) * refining.stressed_pitch(share)
    envelope = envelope_of(cepstrum) * colour * refining.stressed_power(share)[:, None]
    sound = levelled(sounded(f0, envelope, aperiodicity)) * 10 ** (how.energy / 20)
    peak = float(np.abs(sound).max())
    return (sound * min(1.0, PEAK / peak) if peak else sound).astype(np.float32)
