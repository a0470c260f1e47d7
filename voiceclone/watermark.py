"""The watermark: an inaudible mark in every synthetic sound, and how surely a sound carries it.

Perth's network (resemble-perth) marks below 2 kHz, one bit: it says that speech is synthetic, not whose. Its mark
survives lossy codecs, stretching and loudness changes, and does not survive a change of pitch or a resampled speed: so
it is put in after all of those. Its weights lie in its package; where they cannot be loaded, nothing is made.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable

if TYPE_CHECKING:
    import torch

Mono = NDArray[np.float32]

MARKED = 0.5
"""Score from which a sound counts as marked. Unmarked speech stays below 0.3, under music too; a marked line of half a
second or more scores above 0.95."""

RATE = 32_000
"""Samples a second that the network hears."""

_SHORTEST = 4096
"""Samples that the network is given at least: its window holds 2048, mirrored at both ends."""

_RAMP_S = 0.004

_BATCH = 8

_lock = Lock()


def mark(samples: Mono, rate: int) -> Mono:
    """A mono sound with the watermark in it: as long, silent where it was silent, about 16 dB above its mark.

    A sound that scores already is returned as it is: two marks are audible and say no more than one. Only what is
    below 2 kHz changes. Deterministic. Raises EngineUnavailable where the watermark cannot be loaded.
    """
    if not np.any(samples):
        return samples
    with _lock:
        model = _model()
        low = _resampled(samples, rate, RATE)
        if model.scores(low[np.newaxis])[0] >= MARKED:
            return samples
        added = _resampled(model.mark_of(low), RATE, rate)
    fitted = np.zeros(len(samples), np.float32)
    fitted[: len(added)] = added[: len(samples)]
    return (samples + fitted * _sounding(samples, rate)).astype(np.float32)


def score(samples: Mono, rate: int) -> float:
    """How surely a mono sound is marked, 0 to 1; 0 for silence. Raises EngineUnavailable as `mark` does."""
    return float(scores(np.asarray(samples, np.float32)[np.newaxis], rate)[0])


def scores(sounds: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """The scores of several mono sounds of one length, (sounds, samples), a few at a time."""
    out = np.zeros(len(sounds))
    loud = np.flatnonzero(np.any(sounds, axis=1))
    with _lock:
        model = _model()
        for at in range(0, len(loud), _BATCH):
            here = loud[at : at + _BATCH]
            out[here] = model.scores(np.stack([_resampled(sounds[number], rate, RATE) for number in here]))
    return out


def load() -> None:
    """Load the network, once per process. Raises EngineUnavailable where that cannot be done."""
    with _lock:
        _model()


@dataclass(frozen=True)
class _Model:
    """Perth's network, in inference."""

    net: Any

    def mark_of(self, low: Mono) -> Mono:
        """What marking adds to a sound at `RATE`, as long as it or a little longer."""
        import torch

        with torch.inference_mode():
            magnitude, phase = self._spectrum(torch.from_numpy(_padded(low)))
            marked, _ = self.net.encoder(magnitude[np.newaxis])
            difference = self._complex(marked[0], phase) - self._complex(magnitude, phase)
            sound: Mono = self.net.ap.inv_spectrogram(difference).numpy()
        return sound[: len(low)]

    def scores(self, low: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of sounds at `RATE`, none of which is silent, (sounds, samples)."""
        import torch

        with torch.inference_mode():
            magnitude, _ = self._spectrum(torch.from_numpy(np.stack([_padded(sound) for sound in low])))
            found = self.net.decoder(magnitude).clip(0, 1).numpy().astype(np.float64)
        # a sound that is quieter than what the network counts as sound at all has no score
        return np.nan_to_num(found, nan=0.0)

    def _spectrum(self, sound: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        magnitude, phase = self.net.ap.signal_to_magphase(sound)
        return magnitude, phase

    def _complex(self, magnitude: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
        from perth.perth_net.perth_net_implicit.utils import magphase_to_cx

        return magphase_to_cx(self.net.hp, magnitude, phase)


@lru_cache(maxsize=1)
def _model() -> _Model:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
            warnings.filterwarnings("ignore", message="Deprecated call to `pkg_resources", category=DeprecationWarning)
            from perth.perth_net import PREPACKAGED_MODELS_DIR
            from perth.perth_net.perth_net_implicit.checkpoint_manager import CheckpointManager
            from perth.perth_net.perth_net_implicit.model.perth_net import PerthNet
        # as PerthNet.load does, which prints
        checkpoints = CheckpointManager(PREPACKAGED_MODELS_DIR, "implicit")
        net = PerthNet(checkpoints.hp)
        weights: Any = checkpoints.load_latest()
        net.load_state_dict(weights["model"])
    except Exception as error:  # whatever keeps it from loading, nothing is made without a mark
        raise EngineUnavailable(
            f"the watermark (resemble-perth) cannot be loaded: {type(error).__name__}: {error}.",
            remedy="Run `make setup`, which installs it and the setuptools that it needs (below 81).",
        ) from error
    return _Model(net.eval())


def _resampled(samples: Mono, rate: int, to: int) -> Mono:
    import soxr

    if rate == to:
        return np.asarray(samples, np.float32)
    return np.asarray(soxr.resample(samples, rate, to), np.float32)


def _padded(sound: Mono) -> Mono:
    """With a window of silence after its end, so that the last hop is not lost."""
    length = max(_SHORTEST, len(sound) + _SHORTEST // 2)
    return np.concatenate([sound, np.zeros(length - len(sound), np.float32)])


def _sounding(samples: Mono, rate: int) -> Mono:
    """1 within sound, 0 in digital silence and at both ends, with ramps between: a mark never clicks."""
    from scipy.ndimage import uniform_filter1d

    width = max(3, round(2 * _RAMP_S * rate))
    share = uniform_filter1d((samples != 0).astype(np.float32), width, mode="constant")
    return np.clip(2 * share - 1, 0, 1).astype(np.float32)
