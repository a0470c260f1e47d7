"""How a voice sounds, as one vector: the GE2E speaker encoder (Wan et al. 2018, arXiv:1710.10467), offline.

The weights lie in the package resemblyzer. The encoder hears the level and the channel too, so every sound is brought
to one level first, and two prints are compared by thresholds that were measured (`voiceclone.matching`), not by taste.
A print is personal data wherever it is kept.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable

if TYPE_CHECKING:
    import torch

Mono = NDArray[np.float32]
Print = NDArray[np.float32]
"""(256,), of length 1, no element negative."""

RATE = 16_000
"""Samples a second that the encoder hears."""

DIMENSION = 256
SHORTEST_S = 0.5
"""Seconds of speech below which a voice is not looked at."""

_LEVEL = 10 ** (-30 / 20)
"""RMS to which every sound is brought, as in training (resemblyzer's `audio_norm_target_dBFS`)."""
_WINDOW, _HOP = 160, 80
"""Frames of 10 ms that the network was trained to see at once, and the step between two looks."""
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

    with _lock, _one_thread(), torch.inference_mode():
        encoder = _encoder()
        looks = [encoder.looks(stretch) for stretch in stretches]
        if not looks:
            return np.zeros((0, DIMENSION), np.float32)
        seen = [encoder.voices(part) for part in torch.cat(looks).split(_BATCH)]
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


@contextmanager
def _one_thread() -> Generator[None]:
    """The network is small: on busy cores, threads that wait for each other cost more than they bring."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache
def weights_sha256() -> str:
    """Which weights made a print. Raises EngineUnavailable where they are missing."""
    return hashlib.sha256(_weights().read_bytes()).hexdigest()


@dataclass(frozen=True)
class _Encoder:
    lstm: Any
    linear: Any
    mel: Any

    def looks(self, sound: Mono) -> torch.Tensor:
        """Mel windows (looks, 160, 40) of a sound."""
        import torch

        level = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0
        if len(sound) < SHORTEST_S * RATE or level == 0.0:
            raise ValueError(f"{len(sound) / RATE:.2f} s of sound at level {level:.3g} hold no voice to look at")
        mel = self.mel(torch.from_numpy(sound * np.float32(_LEVEL / level)))
        mel = torch.nn.functional.pad(mel, (0, max(0, _WINDOW - mel.shape[1])))
        return mel.unfold(1, _WINDOW, _HOP).permute(1, 2, 0)

    def voices(self, looks: torch.Tensor) -> torch.Tensor:
        import torch

        _, (hidden, _) = self.lstm(looks)
        return torch.nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)


def _weights() -> Path:
    spec = importlib.util.find_spec("resemblyzer")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / "pretrained.pt").is_file():
            return path
    raise EngineUnavailable(
        "the speaker encoder's weights (pretrained.pt of the package resemblyzer) are missing.",
        remedy="Run `make setup` to install the packages of this version again.",
    )


@lru_cache(maxsize=1)
def _encoder() -> _Encoder:
    import torch
    import torchaudio

    state: dict[str, torch.Tensor] = torch.load(_weights(), map_location="cpu", weights_only=True)["model_state"]
    lstm = torch.nn.LSTM(40, DIMENSION, 3, batch_first=True)
    linear = torch.nn.Linear(DIMENSION, DIMENSION)
    for name, module in (("lstm", lstm), ("linear", linear)):
        module.load_state_dict({key.partition(".")[2]: value for key, value in state.items() if key.startswith(name)})
        module.eval()
    mel = torchaudio.transforms.MelSpectrogram(
        RATE, n_fft=400, hop_length=160, n_mels=40, norm="slaney", mel_scale="slaney"
    )
    return _Encoder(lstm, linear, mel)
