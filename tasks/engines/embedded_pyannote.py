"""Who speaks when, with nothing to download: pyannote.audio's own pipeline on checkpoints inside installed packages.

Segmentation (who speaks within five seconds) comes from the checkpoint that `whisperx` carries, its pauses from
silero-vad's inside `faster-whisper` (`silences`), the voice embedding (GE2E, `voiceclone.ge2e`) from the one that
`resemblyzer` carries; pyannote.audio's `SpeakerDiarization` runs them and clusters. Import this module only after
`manifests.quiet.settle()`: pyannote.audio reads the environment while it loads.
"""

# torch, torchaudio and pyannote are typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

with warnings.catch_warnings():
    # audio is handed over as arrays, so whether torchcodec can decode files is of no interest
    warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.pipelines import SpeakerDiarization
    from pyannote.core import SlidingWindowFeature

from manifests.checkpoints import SEGMENTATION
from manifests.spans import ANALYSIS_RATE
from tasks.engines.protocols import Floats, Heard
from tasks.engines.pyannote_listening import listen
from tasks.engines.silences import silenced
from voiceclone.ge2e import DIMENSION, LEVEL, Network


@dataclass(frozen=True, slots=True)
class Tuning:
    """Numbers of the pipeline; `benchmarks/diarization.py` measures what they give."""

    step: float = 0.2
    """Step of the five-second window, as a share of it. 0.1 takes twice as long for about half a point of DER."""
    onset: float = 0.5
    min_duration_off: float = 0.1
    """Pauses of one speaker up to this many seconds are filled."""
    min_cluster_size: int = 3
    """Windows that a voice needs to be a speaker."""
    threshold: float = 0.3
    """Cosine distance up to which windows are one voice."""
    least_s: float = 0.4
    """Seconds of clean speech that a window needs before its voice is looked at."""


class VoiceEncoder(Model):
    """The GE2E encoder as pyannote.audio wants one: masked waveforms in, voices of length 1 out."""

    def __init__(self) -> None:
        super().__init__(sample_rate=ANALYSIS_RATE, num_channels=1)
        self.network = Network.trained()
        self.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
        self.eval()

    @property
    def dimension(self) -> int:
        return DIMENSION

    def forward(self, waveforms: torch.Tensor, weights: torch.Tensor | None = None, **_: Any) -> torch.Tensor:
        """(batch, 1, samples) and their masks (batch, frames) to (batch, 256); NaN where no sound is left."""
        heard = [self._looks(wave[0], None if weights is None else weights[i]) for i, wave in enumerate(waveforms)]
        out = torch.full((len(heard), DIMENSION), torch.nan)
        if not any(len(looks) for looks in heard):
            return out
        voices: torch.Tensor = self.network(torch.cat(heard))
        for row, part in enumerate(voices.split([len(looks) for looks in heard])):
            if len(part):
                out[row] = torch.nn.functional.normalize(part.mean(0), dim=0)
        return out

    def _looks(self, wave: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """What the network sees of a sound that the mask lets through; quiet speech is raised, loud is left."""
        if mask is not None:
            wave = wave[torch.nn.functional.interpolate(mask[None, None], size=len(wave), mode="nearest")[0, 0] > 0.5]
        if not wave.any():
            return self.network.looks(wave[:0])
        level = wave.square().mean().sqrt()
        return self.network.looks(wave * (LEVEL / level).clamp_min(1.0))


class Diarizer(SpeakerDiarization):
    """pyannote.audio's pipeline, which embeds only windows in which a local speaker is heard alone for a while.

    Nobody speaks in pauses that the segmentation passed over.
    """

    least_s = 0.4

    def get_segmentations(self, file: Any, hook: Callable[..., None] | None = None) -> SlidingWindowFeature:
        """(windows, frames, local speakers); the hook is told what the network itself said."""
        scores: SlidingWindowFeature = super().get_segmentations(file, hook)
        if hook is not None:
            hook("segmentation", scores)
        return silenced(scores, file["waveform"][0].numpy(), self.segmentation.threshold)

    def get_embeddings(
        self,
        file: Any,
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,
    ) -> Floats:
        """(windows, local speakers, 256), NaN where a speaker is heard too little."""
        active = np.nan_to_num(np.asarray(binary_segmentations.data, dtype=np.float32))
        windows, frames, speakers = active.shape
        window = binary_segmentations.sliding_window
        wave: torch.Tensor = file["waveform"]
        length = round(window.duration * ANALYSIS_RATE)
        alone = active * (active.sum(axis=2, keepdims=True) < 2)
        least = self.least_s / window.duration * frames
        masks = np.where((alone.sum(axis=1) >= least)[:, None, :], alone, active)
        pairs = np.argwhere(masks.sum(axis=1) >= least)
        out = np.full((windows, speakers, DIMENSION), np.nan, dtype=np.float32)
        for first in range(0, len(pairs), self.embedding_batch_size):
            batch = pairs[first : first + self.embedding_batch_size]
            waves: list[torch.Tensor] = []
            for index in batch[:, 0]:
                start = round(float(window[int(index)].start) * ANALYSIS_RATE)
                part = wave[:, start : start + length]
                waves.append(torch.nn.functional.pad(part, (0, length - part.shape[1])))
            heard = self._embedding(torch.stack(waves), masks=torch.from_numpy(masks[batch[:, 0], :, batch[:, 1]]))
            out[batch[:, 0], batch[:, 1]] = heard
            if hook is not None:
                hook("embeddings", None, total=len(pairs), completed=min(len(pairs), first + len(batch)))
        return out


_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _pipeline(tuning: Tuning) -> Diarizer:
    logging.getLogger("lightning.pytorch.utilities.migration.utils").setLevel(logging.WARNING)
    segmentation: Any = Model.from_pretrained(str(SEGMENTATION.path()))
    pipeline = Diarizer(
        segmentation=segmentation,
        segmentation_step=tuning.step,
        embedding=VoiceEncoder(),
        plda=PLDA.__new__(PLDA),  # only VBx clustering looks at it
        clustering="AgglomerativeClustering",
        segmentation_batch_size=32,
        embedding_batch_size=32,
    )
    pipeline.instantiate(
        {
            "segmentation": {"threshold": tuning.onset, "min_duration_off": tuning.min_duration_off},
            "clustering": {
                "method": "average",
                "min_cluster_size": tuning.min_cluster_size,
                "threshold": tuning.threshold,
            },
        }
    )
    pipeline.least_s = tuning.least_s
    return pipeline


def hear(
    wave: Floats,
    *,
    least: int | None = None,
    most: int | None = None,
    cores: int = 1,
    tell: Callable[[float], None] = lambda share: None,
    tuning: Tuning = Tuning(),
) -> Heard:
    """Diarize (samples,) of mono 16 kHz audio in -1 to 1 with between `least` and `most` speakers.

    One call at a time runs in a process; others wait. Raises EngineUnavailable where a checkpoint is missing.
    """
    with _LOCK:
        heard = listen(_pipeline(tuning), wave, least=least, most=most, cores=cores, tell=tell)
    return replace(heard, exclusive=())  # of two at once this pipeline does not know well who is heard best
