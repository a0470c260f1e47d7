"""Weights that come inside installed packages: where they lie and what they are, without importing the packages."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from manifests.errors import EngineUnavailable
from manifests.store import file_sha256


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file of weights inside a package."""

    package: str
    file: str

    def path(self) -> Path:
        """Where it lies; raises EngineUnavailable where it does not."""
        spec = importlib.util.find_spec(self.package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (path := Path(folder) / self.file).is_file():
                return path
        raise EngineUnavailable(
            f"the file {self.file} of the package {self.package} is missing.",
            remedy="Run `make setup` to install the packages of this version again.",
        )


SEGMENTATION = Checkpoint("whisperx", "assets/pytorch_model.bin")
"""pyannote's segmentation of five seconds into up to three speakers (MIT)."""

VOICE_ENCODER = Checkpoint("resemblyzer", "pretrained.pt")
"""GE2E speaker embedding (Apache-2.0)."""

SPEECH_DETECTOR = Checkpoint("faster_whisper", "assets/silero_vad_v6.onnx")
"""silero-vad (MIT)."""


@lru_cache
def weights_sha256(*checkpoints: Checkpoint) -> str:
    """One digest for all of them, in the order given; raises EngineUnavailable where one is missing."""
    digests = [file_sha256(checkpoint.path()) for checkpoint in checkpoints]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
