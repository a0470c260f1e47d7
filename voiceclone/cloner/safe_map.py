"""Anchors: what keeps a voice intelligible in a language that its person was not heard in.

A network that has only heard one language turns the sounds of another into that language's: similar, and not to be
understood. So it is also trained on the target language, as read by the source, towards a linear map of each frame that
is held close to the identity: it moves the voice, and cannot confuse phonemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from manifests.errors import EngineUnavailable
from voiceclone.cloner.alignment import Pair
from voiceclone.cloner.analysis import Array, Flags, Frames, active

_TOWARDS = 0.7
"""The identity is shrunk by this: the map is drawn towards it, as two speakers' spectra correlate by about as much."""
_RIDGE = 0.5
"""Pull towards the identity, per active frame."""

_PLACES = (
    *("US", "JP", "CH", "ZA", "DE", "FR", "GB", "ES", "IT", "PT", "BR", "MX", "AR", "CL", "PE", "CO", "CA", "AU"),
    *("NZ", "CN", "IN", "RU", "UA", "PL", "CZ", "HU", "RO", "BG", "GR", "TR", "EG", "MA", "NG", "KE", "ET", "SE"),
)
_LANGUAGES = (
    "en",
    "es",
    "fr",
    "de",
    "it",
    "pt",
    "ru",
    "zh",
    "ja",
    "ar",
    "hi",
    "sw",
    "nl",
    "sv",
    "pl",
    "tr",
    "ko",
    "he",
)
_NUMBERS = (3, 7, 12, 15, 28, 46, 59, 64, 91, 173, 1985, 6840)
SENTENCES = 12


@dataclass(frozen=True, slots=True, eq=False)
class SafeMap:
    """A linear map of active frames between the two voices, and a shift of the quiet ones."""

    matrix: Array
    source_mean: Array
    source_sd: Array
    person_mean: Array
    person_sd: Array
    quiet_shift: Array
    aperiodicity_shift: Array

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> SafeMap:
        """Learn the map along aligned utterances."""
        said = np.concatenate([pair.source.frames.cepstrum[pair.path] for pair in pairs])
        real = np.concatenate([pair.person.cepstrum for pair in pairs])
        loud: Flags = np.concatenate([active(pair.person.cepstrum) for pair in pairs])
        noise = np.concatenate([pair.source.frames.aperiodicity[pair.path] for pair in pairs])
        real_noise = np.concatenate([pair.person.aperiodicity for pair in pairs])
        source_mean, source_sd = said[loud].mean(0), said[loud].std(0)
        person_mean, person_sd = real[loud].mean(0), real[loud].std(0)
        a, b = (said[loud] - source_mean) / source_sd, (real[loud] - person_mean) / person_sd
        identity = np.eye(a.shape[1])
        gain = np.linalg.solve(a.T @ a + _RIDGE * len(a) * identity, a.T @ (b - _TOWARDS * a))
        quiet = ~loud
        return cls(
            _TOWARDS * identity + gain,
            source_mean,
            source_sd,
            person_mean,
            person_sd,
            real[quiet].mean(0) - said[quiet].mean(0) if quiet.any() else person_mean - source_mean,
            real_noise[loud].mean(0) - noise[loud].mean(0),
        )

    def __call__(self, said: Frames) -> tuple[Array, Array]:
        """The cepstra and aperiodicities that anchor these frames of the source."""
        cepstrum = said.cepstrum
        mapped = ((cepstrum - self.source_mean) / self.source_sd) @ self.matrix * self.person_sd + self.person_mean
        share = gaussian_filter1d(active(cepstrum).astype(float), 4)[:, None]
        quiet = 0.5 * mapped + 0.5 * (cepstrum + self.quiet_shift)
        return mapped * share + quiet * (1 - share), np.minimum(0, said.aperiodicity + self.aperiodicity_shift)


def anchors(language: str) -> tuple[str, ...]:
    """SENTENCES strings of words with which a language's sounds are heard.

    They are names of countries and languages from Unicode's CLDR, which has them for every language that is dubbed
    into, and numbers, which espeak-ng reads itself. Raises EngineUnavailable for a language that CLDR does not name
    anything in.
    """
    import langcodes

    names = [langcodes.Language.make(territory=place).territory_name(language) for place in _PLACES]
    names += [langcodes.Language.make(language=code).display_name(language) for code in _LANGUAGES]
    english = [langcodes.Language.make(territory=place).territory_name("en") for place in _PLACES]
    if language.split("-", maxsplit=1)[0] != "en" and names[: len(english)] == english:
        raise EngineUnavailable(
            f"no words of {language} are known to teach a voice its sounds.",
            remedy="Give some sentences of that language.",
        )
    return tuple(f"{' '.join(names[i::SENTENCES])} {_NUMBERS[i]}." for i in range(SENTENCES))
