"""Separation by Hybrid Demucs (torchaudio's, MIT): everything that is not a voice.

Its weights are not ours to give: `dub models pull hdemucs` fetches them from where torchaudio does. They were trained
on music (MUSDB and 150 songs more), where a voice sings: of speech over effects some is left. The network's sizes are
read off the weights, so a smaller one under the same name works too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable
from tasks.engines import accelerator
from tasks.engines.models import Model, sha256_of
from tasks.engines.resident import resident

if TYPE_CHECKING:
    import torch

RATE = 44_100
"""Samples a second that the network hears."""

FILES = ("hdemucs_high_trained.pt", "hdemucs_high_musdbhq_only.pt")
"""Names of the weights, the better first."""

MODEL = Model(
    "hdemucs",
    ("|".join(FILES),),
    licence="MIT",  # of the authors' repository and torchaudio's; the songs that they were trained on stay others'
    commercial=True,
    source=f"https://download.pytorch.org/torchaudio/models/{FILES[0]}",
    size=335_000_000,
)


def weights() -> Path | None:
    """The file of weights, where one is there."""
    folder = MODEL.there
    paths = (folder / name for name in FILES) if folder else ()
    return next((path for path in paths if path.is_file()), None)


def check() -> None:
    """Raise EngineUnavailable where there are no weights."""
    if weights() is None:
        raise EngineUnavailable(
            "the background cannot be separated: Hybrid Demucs' weights are not here.",
            remedy=f"dub models pull {MODEL.name}; or set `delivery: {{background: auto}}`.",
        )


@dataclass(frozen=True)
class Separator:
    """The network of a file of weights, on the GPU where there is one."""

    path: Path
    sha256: str

    @classmethod
    def load(cls, path: Path) -> Separator:
        """From a file of weights. Raises EngineUnavailable where it holds none of this network."""
        separator = cls(path, sha256_of(path))
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
            remedy=f"dub models pull {MODEL.name} fetches it; or delete {path}.",
        ) from error
    return net.eval().to(device)
