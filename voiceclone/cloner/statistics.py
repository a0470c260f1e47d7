"""How the source's frames and a person's are distributed: what each is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from voiceclone.cloner.analysis import Array, Frames, active, log_f0, pitch_statistics


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Means and standard deviations of each cepstral coefficient, (ORDER,), and of log F0."""

    source_mean: Array
    source_sd: Array
    person_mean: Array
    person_sd: Array
    active_sd: Array
    """The person's, over active frames only."""
    source_pitch: tuple[float, float]
    """Mean and standard deviation of log F0."""
    person_pitch: tuple[float, float]

    @classmethod
    def of(cls, source: Sequence[Frames], person: Sequence[Frames]) -> Statistics:
        """Measure all utterances of both."""
        said = np.concatenate([frames.cepstrum for frames in source])
        real = np.concatenate([frames.cepstrum for frames in person])
        loud = np.concatenate([active(frames.cepstrum) for frames in person])
        return cls(
            said.mean(0),
            said.std(0) + 1e-4,
            real.mean(0),
            real.std(0) + 1e-4,
            real[loud].std(0),
            pitch_statistics([frames.f0 for frames in source]),
            pitch_statistics([frames.f0 for frames in person]),
        )

    @property
    def scale(self) -> Array:
        """By what the network's cepstra are divided: coefficients that vary little count a little less."""
        return self.person_sd / np.sqrt(self.person_sd / self.person_sd.max())

    @property
    def weight(self) -> Array:
        """By what cepstra are multiplied before they are compared in selection."""
        weight = np.sqrt(self.active_sd / self.active_sd.max()) / np.maximum(self.active_sd, 1e-3)
        weight[0] *= 0.6
        return weight

    def person_contour(self, f0: Array) -> Array:
        """The person's own F0 in standard deviations, through unvoiced frames too."""
        mean, sd = self.person_pitch
        return np.clip((log_f0(f0) - mean) / sd, -3, 3)

    def source_contour(self, f0: Array) -> Array:
        """An utterance of the source's F0 in its own standard deviations."""
        mean, sd = self.source_pitch
        return unit(np.clip((log_f0(f0) - mean) / sd, -2.5, 2.8), f0 > 0)

    def full_variance(self, cepstrum: Array, strength: float) -> Array:
        """Give an utterance's cepstra back the variance that averaging took ("global variance", Toda 2007)."""
        loud = active(cepstrum)
        mean, sd = cepstrum[loud].mean(0), cepstrum[loud].std(0) + 1e-6
        gain = np.clip(self.active_sd / sd, 0.7, 2.5) ** strength
        gain[0] = 1
        share = gaussian_filter1d(loud.astype(float), 3)[:, None]
        return cepstrum * (1 - share) + ((cepstrum - mean) * gain + mean) * share


def unit(contour: Array, voiced: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Array:
    """A contour with mean 0 and standard deviation 1 over voiced frames; as it is where too few are voiced."""
    if voiced.sum() <= 10:
        return contour
    return (contour - contour[voiced].mean()) / max(float(contour[voiced].std()), 0.3)
