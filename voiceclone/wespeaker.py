"""WeSpeaker's ResNet34 speaker encoder, where its checkpoint is among the models of this machine.

`DUB_MODELS` holds it as Hugging Face names it: `pyannote/wespeaker-voxceleb-resnet34-LM/pytorch_model.bin`, or,
inside the diarization pipeline, `pyannote/speaker-diarization-community-1/embedding/pytorch_model.bin` (CC-BY-4.0). The
file is untrusted: it is read with `weights_only`, and nothing in it names the code that is run.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests import settings
from manifests.errors import EngineUnavailable
from manifests.quiet import settle
from manifests.settings import EncoderLimits
from manifests.store import file_sha256
from voiceclone.voiceprint import Mono

FILES = (
    "pyannote/wespeaker-voxceleb-resnet34-LM/pytorch_model.bin",
    "pyannote/speaker-diarization-community-1/embedding/pytorch_model.bin",
)

_LEVEL = 10 ** (-25 / 20)
"""RMS to which every stretch is brought: two recordings differ in their level, voices do not."""

_lock = Lock()


class WeSpeaker:
    """ResNet34 with statistics pooling, trained on VoxCeleb (Wang et al. 2023, arXiv:2210.17016)."""

    name = "wespeaker-resnet34"
    limits = EncoderLimits(match=0.60, review=0.45)
    """Starting values, not measured here; a cohort of the operator's own (`voiceclone.cohort`) takes their place."""

    def __init__(self, path: Path) -> None:
        self.weights_sha256 = file_sha256(path)
        self._network = _network(path)

    def prints(self, stretches: Sequence[Mono]) -> NDArray[np.float32]:
        import torch

        rows: list[torch.Tensor] = []
        with _lock, torch.inference_mode():
            for stretch in stretches:
                level = float(np.sqrt(np.mean(np.square(stretch, dtype=np.float64)))) or 1.0
                wave = torch.from_numpy(stretch * np.float32(_LEVEL / level))
                rows.append(self._network(wave[None, None])[0])
        return torch.nn.functional.normalize(torch.stack(rows), dim=1).numpy()


def installed() -> WeSpeaker | None:
    """The encoder, or None where no checkpoint is there. Raises EngineUnavailable for one that cannot be used."""
    models = settings.of().models
    path = next((path for file in FILES if models and (path := models / file).is_file()), None)
    return _loaded(path, path.stat().st_mtime_ns) if path else None


@lru_cache(maxsize=1)
def _loaded(path: Path, changed: int) -> WeSpeaker:
    del changed  # a checkpoint that was replaced is loaded again
    return WeSpeaker(path)


def _network(path: Path) -> Any:
    settle()
    import torch
    from torch.torch_version import TorchVersion

    with warnings.catch_warnings():
        # audio is handed over as arrays, so whether torchcodec can decode files is of no interest
        warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
        from pyannote.audio.core.task import Problem, Resolution, Specifications
        from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34
    harmless: list[Any] = [Specifications, Problem, Resolution, TorchVersion]
    try:
        with torch.serialization.safe_globals(harmless):
            checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        network = WeSpeakerResNet34()
        network.load_state_dict(checkpoint["state_dict"])
    except Exception as error:
        raise EngineUnavailable(
            f"the speaker encoder {path} is damaged, or not WeSpeaker's ResNet34.",
            remedy="Fetch it again, or remove the file.",
        ) from error
    network.eval()
    return network
