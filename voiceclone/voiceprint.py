"""How a voice sounds, as one vector: by the GE2E speaker encoder (`voiceclone.ge2e`), offline.

The encoder hears the level and the channel too, so every sound is brought to one level first, and two prints are
compared by thresholds that were measured (`voiceclone.matching`), not by taste. A print is personal data wherever it
is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manifests.checkpoints import VOICE_ENCODER
from manifests.store import file_sha256
from voiceclone.threads import torch_threads

if TYPE_CHECKING:
    import torch

    from voiceclone.ge2e import Network

Mono = NDArray[np.float32]
Print = NDArray[np.float32]
"""(256,), of length 1, no element negative."""

RATE = 16_000
"""Samples a second that the encoder hears."""

DIMENSION = 256
SHORTEST_S = 0.5
"""Seconds of speech below which a voice is not looked at."""

_BATCH = 64

_lock = Lock()


def resampled(samples: Mono, rate: int) -> Mono:
    """A mono sound as the encoder hears it: 16 kHz."""
    import soxr

    return np.asarray(samples if rate == RATE else soxr.resample(samples, rate, RATE), np.float32)


def print_of(speech: Mono) -> Print:
    """The print of a stretch of speech, (samples,) mono at 16 kHz; pauses in it are better cut out before.

    Raises ValueError for less than SHORTEST_S or for silence, EngineUnavailable where the encoder cannot be loaded.
    """
    return prints_of([speech])[0]


def prints_of(stretches: Sequence[Mono]) -> NDArray[np.float32]:
    """The prints of several stretches, (stretches, 256); raises as `print_of` does."""
    import torch

    # The network is small: on busy cores, threads that wait for each other cost more than they bring.
    with _lock, torch_threads(1), torch.inference_mode():
        network = _network()
        looks = [_looks(network, stretch) for stretch in stretches]
        if not looks:
            return np.zeros((0, DIMENSION), np.float32)
        seen: list[torch.Tensor] = [network(part) for part in torch.cat(looks).split(_BATCH)]
        parts = torch.cat(seen).split([len(look) for look in looks])
        means = torch.stack([part.mean(0) for part in parts])
        return torch.nn.functional.normalize(means, dim=1).numpy()


def centroid(prints: NDArray[np.float32]) -> Print:
    """The mean of prints (count, 256), of length 1."""
    mean = prints.astype(np.float64).mean(axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def likeness(one: Print, other: Print) -> float:
    """Cosine of two prints: 1 for the same, about 0.5 to 0.7 for two people."""
    return float(np.dot(one.astype(np.float64), other.astype(np.float64)))


@lru_cache
def weights_sha256() -> str:
    """Which weights made a print. Raises EngineUnavailable where they are missing."""
    return file_sha256(VOICE_ENCODER.path())


def _looks(network: Network, sound: Mono) -> torch.Tensor:
    import torch

    from voiceclone.ge2e import LEVEL

    level = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0
    if len(sound) < SHORTEST_S * RATE or level == 0.0:
        raise ValueError(f"{len(sound) / RATE:.2f} s of sound at level {level:.3g} hold no voice to look at")
    return network.looks(torch.from_numpy(sound * np.float32(LEVEL / level)))


@lru_cache(maxsize=1)
def _network() -> Network:
    from voiceclone.ge2e import Network

    return Network.trained()
