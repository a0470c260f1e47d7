"""Separation by Hybrid Demucs (torchaudio's, MIT): everything that is not a voice.

Its weights are not ours to give: they are read from the folder that `DUB_MODELS` names, under the names that torchaudio
publishes them by. They were trained on music (MUSDB and 150 songs more), where a voice sings: of speech over effects
some is left. The network's sizes are read off the weights, so a smaller one under the same name works too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manifests import settings
from manifests.errors import EngineUnavailable
from manifests.store import file_sha256
from tasks.engines import accelerator
from tasks.engines.resident import resident

if TYPE_CHECKING:
    import torch

RATE = 44_100
"""Samples a second that the network hears."""

FILES = ("hdemucs_high_trained.pt", "hdemucs_high_musdbhq_only.pt")
"""Names of the weights, the better first."""


def weights() -> Path | None:
    """The weights, where they are there."""
    folder = settings.of().models
    if folder is None:
        return None
    paths = (folder / name for name in FILES)
    return next((path for path in paths if path.is_file()), None)


def digest(path: Path) -> str:
    """SHA-256 of weights; read once a process as long as the file stays as it is."""
    standing = path.stat()
    return _digest(path, standing.st_size, standing.st_mtime_ns)


@lru_cache(maxsize=4)
def _digest(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)


def check() -> None:
    """Raise EngineUnavailable where there are no weights."""
    if weights() is None:
        raise EngineUnavailable(
            "the background cannot be separated: Hybrid Demucs' weights are not here.",
            remedy=f"Put {FILES[0]} (torchaudio's HDEMUCS_HIGH_MUSDB_PLUS) into a folder, and set DUB_MODELS to it;"
            " or set `delivery: {background: auto}`.",
        )


@dataclass(frozen=True)
class Separator:
    """The network of a file of weights, on the GPU where there is one."""

    path: Path
    sha256: str

    @classmethod
    def load(cls, path: Path) -> Separator:
        """From a file of weights. Raises EngineUnavailable where it holds none of this network."""
        separator = cls(path, digest(path))
        with separator._net():
            return separator

    def background(self, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Everything but the voice: (sounds, 2, samples) at `RATE` to the same shape. Silence stays silence.

        Raises EngineUnavailable where the GPU's memory does not hold even one of the sounds.
        """
        with self._net() as net:
            heard = accelerator.in_batches(
                list(sounds),
                len(sounds),
                lambda part: list(others(net, np.stack(part))),
                what="separate the background",
            )
        out = np.stack(heard)
        out[~np.any(sounds, axis=(1, 2))] = 0.0
        return out

    def _net(self) -> AbstractContextManager[Any]:
        device = accelerator.device()
        return resident(("hdemucs", self.path, self.sha256, device), lambda: _loaded(self.path, device))


def others(net: Any, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
    """All sources but the voice, which is the last one (drums, bass, other, vocals)."""
    import torch

    with torch.inference_mode():
        sources: torch.Tensor = net(torch.from_numpy(sounds).to(next(net.parameters()).device))
        return (sources.sum(dim=1) - sources[:, -1]).cpu().numpy().astype(np.float32)


def _loaded(path: Path, device: str) -> Any:
    import torch
    from torchaudio.models import HDemucs

    try:
        state: Mapping[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        channels = state["time_encoder.0.conv.weight"].shape[0]
        depth = len({name.split(".")[1] for name in state if name.startswith("freq_encoder.")})
        sources = state[f"freq_decoder.{depth - 1}.conv_tr.weight"].shape[1] // 4  # of two complex channels each
        bins = state["freq_emb.embedding.weight"].shape[0]  # what the first stride of four leaves
        net = HDemucs([str(number) for number in range(sources)], channels=channels, nfft=8 * bins, depth=depth)
        net.load_state_dict(dict(state))
    except Exception as error:  # whatever is wrong with the file, nothing can be separated with it
        raise EngineUnavailable(
            f"{path.name} holds no weights of Hybrid Demucs: {type(error).__name__}: {str(error)[:200]}.",
            remedy=f"Fetch {path.name} anew, or take it out of the folder that DUB_MODELS names.",
        ) from error
    return net.eval().to(device)
