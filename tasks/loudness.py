"""Loudness as ITU-R BS.1770-4 measures it, block by block, and the levels that deliveries ask for.

A meter keeps one number for each tenth of a second (36 000 an hour), from which the loudness of the programme, of a
line, or of a sum of sounds can be told without hearing them again.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE
from tasks.weighting import Weighting

Steps = NDArray[np.float64]
"""K-weighted power of each tenth of a second, summed over the channels by their weights."""

STEP = RATE // 10

SILENT = -70.0
"""LUFS: the absolute gate. A sound that is quieter throughout has no loudness; functions here return -inf for it."""

SELDOM = 0.15
"""Share of speech under which a dialogue-gated profile is measured on the programme instead (Netflix)."""

Name = Literal["source", "web", "ebu", "atsc", "netflix"]


@dataclass(frozen=True, slots=True)
class Profile:
    """How loud a programme is to be."""

    name: str
    lufs: float | None
    """Integrated loudness of the programme, or of its speech; None: whatever the source's is."""
    peak_dbtp: float
    """No true peak above this, after the delivery's lossy encoding."""
    of_speech: bool = False
    """True where the target is the loudness of the speech alone, ungated (BS.1770-1), not of the whole programme."""
    seldom_lufs: float | None = None
    """Loudness of a whole programme in which speech is seldom; None where that makes no difference."""

    def suited(self, spoken: float) -> Profile:
        """This profile for a programme of which so large a share is speech."""
        if self.seldom_lufs is None or spoken >= SELDOM:
            return self
        return Profile(self.name, self.seldom_lufs, self.peak_dbtp)


PROFILES = {
    "source": Profile("source", None, -1.0),
    "web": Profile("web", -16.0, -1.0),
    "ebu": Profile("ebu", -23.0, -1.0),
    "atsc": Profile("atsc", -24.0, -2.0),
    "netflix": Profile("netflix", -27.0, -2.0, of_speech=True, seldom_lufs=-24.0),
}


def channel_weights(channels: int) -> NDArray[np.float64]:
    """Weights of BS.1770-4 for the usual order of channels (FL FR FC LFE, then surrounds): LFE 0, surrounds +1.5 dB."""
    weights = np.ones(channels)
    if channels == 5:
        weights[3:] = 1.41
    elif channels >= 6:
        weights[3], weights[4:] = 0.0, 1.41
    return weights


class Meter:
    """Hears a sound block by block; `steps` is what it heard so far."""

    def __init__(self, channels: int) -> None:
        self._weights = channel_weights(channels)
        self._weighting = Weighting(channels)
        self._rest = np.zeros((channels, 0), np.float32)
        self._steps: list[Steps] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Hear the next block, shaped (samples, channels)."""
        heard = np.concatenate([self._rest, block.T], axis=1)
        whole = heard.shape[1] // STEP * STEP
        if whole:
            self._steps.append(self._powers(self._weighting.weighted(heard[:, :whole])))
        self._rest = heard[:, whole:]

    def steps(self) -> Steps:
        """Power of every tenth of a second heard, a last broken one included as if silence followed."""
        count = self._rest.shape[1]
        if not count:
            return np.concatenate(self._steps) if self._steps else np.zeros(0)
        last = np.pad(self._rest, ((0, 0), (0, STEP - count)))
        weighted = deepcopy(self._weighting).weighted(last)
        weighted[:, count:] = 0  # what rings on after the end was not heard
        return np.concatenate([*self._steps, self._powers(weighted)])

    def _powers(self, weighted: NDArray[np.float32]) -> Steps:
        """Of each step of a weighted sound, (channels, samples)."""
        steps = weighted.reshape(len(weighted), -1, STEP)
        return self._weights @ np.einsum("cst,cst->cs", steps, steps, dtype=np.float64) / STEP


def lufs(power: float) -> float:
    """Power to loudness."""
    return -0.691 + 10 * float(np.log10(power)) if power > 0 else float("-inf")


def power_of(loudness: float) -> float:
    """Loudness to power."""
    return 10 ** ((loudness + 0.691) / 10)


def integrated(steps: Steps) -> float:
    """Gated loudness in LUFS (BS.1770-4: 400 ms blocks every 100 ms, gates at -70 LUFS and 10 LU below the rest).

    A sound shorter than a block is one block. -inf where nothing passes the gate.
    """
    if not len(steps):
        return float("-inf")
    if len(steps) < 4:
        blocks = np.array([steps.mean()])
    else:
        sums = np.concatenate([[0.0], np.cumsum(steps)])
        blocks = (sums[4:] - sums[:-4]) / 4
    heard = blocks[blocks > power_of(SILENT)]
    if not len(heard):
        return float("-inf")
    return lufs(float(heard[heard > heard.mean() / 10].mean()))
