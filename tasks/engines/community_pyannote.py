"""pyannote's community pipeline in memory: loaded from its folder as it is, heard in batches that fit.

Import this module only after `manifests.quiet.settle()`: pyannote.audio reads the environment while it loads.
"""

# torch and pyannote are typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from pyannote.audio import Pipeline
from pyannote.audio.pipelines import SpeakerDiarization
from ruamel.yaml import YAML

from manifests.errors import EngineUnavailable
from tasks.engines import accelerator
from tasks.engines.models import Model, digest, loading
from tasks.engines.protocols import Floats, Heard
from tasks.engines.pyannote_listening import listen
from tasks.engines.resident import resident

_KINDS: Final = (
    "pyannote.audio.pipelines.SpeakerDiarization",
    "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
)


def hear(
    wave: Floats,
    model: Model,
    *,
    least: int | None = None,
    most: int | None = None,
    cores: int = 1,
    tell: Callable[[float], None] = lambda share: None,
) -> Heard:
    """Diarize (samples,) of mono 16 kHz audio in -1 to 1 with between `least` and `most` speakers.

    Where the GPU's memory runs out, the batch is halved and a warning says so. Raises EngineUnavailable where the model
    is not there, is none, or does not fit.
    """
    device, folder = accelerator.device(), model.folder()
    with resident((folder, digest(folder), device), lambda: load(model.name, folder, device)) as pipeline:
        size = pipeline.embedding_batch_size
        while True:
            pipeline.segmentation_batch_size = pipeline.embedding_batch_size = size
            heard = accelerator.halving(
                lambda: listen(pipeline, wave, least=least, most=most, cores=cores, tell=tell), size, what="diarize"
            )
            if not isinstance(heard, int):
                return heard
            size = heard


def load(name: str, folder: Path, device: str) -> SpeakerDiarization:
    """The pipeline of a folder on a device. Raises EngineUnavailable where the folder holds another, or half of one."""
    logging.getLogger("lightning.pytorch.utilities.migration.utils").setLevel(logging.WARNING)
    with loading(name), contextlib.redirect_stdout(sys.stderr):
        said: Any = YAML(typ="safe").load((folder / "config.yaml").read_text(encoding="utf-8"))
        kind = said["pipeline"]["name"]
        if kind not in _KINDS:  # it would be imported, whatever it is
            raise EngineUnavailable(
                f"the model {name} is no speaker diarization of pyannote.audio, but {kind}.",
                remedy=f"dub models pull {name}",
            )
        pipeline: Any = Pipeline.from_pretrained(str(folder))
        pipeline.to(torch.device(device))
    return pipeline
