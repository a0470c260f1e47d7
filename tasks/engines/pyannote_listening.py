"""One hearing by a pipeline of pyannote.audio: its answer in our words, whatever it is made of.

Import this module only after `manifests.quiet.settle()`: pyannote.audio reads the environment while it loads.
"""

# torch and pyannote are typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

with warnings.catch_warnings():
    # audio is handed over as arrays, so whether torchcodec can decode files is of no interest
    warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
    from pyannote.audio import Inference
    from pyannote.audio.pipelines import SpeakerDiarization
    from pyannote.core import Annotation, SlidingWindowFeature

from manifests.spans import ANALYSIS_RATE
from tasks.engines.protocols import Floats, Heard
from voiceclone.threads import torch_threads


def listen(
    pipeline: SpeakerDiarization,
    wave: Floats,
    *,
    least: int | None,
    most: int | None,
    cores: int,
    tell: Callable[[float], None],
) -> Heard:
    """Diarize (samples,) of mono 16 kHz audio in -1 to 1 with between `least` and `most` speakers.

    One call at a time may run on a pipeline.
    """
    scores: list[SlidingWindowFeature] = []

    def hook(step: str, artefact: Any, total: int = 0, completed: int = 0, **_: Any) -> None:
        if step == "segmentation" and artefact is not None:
            scores.append(artefact)
        if total:
            tell((0.6 if step == "segmentation" else 0.4) * completed / total + (0.6 if step == "embeddings" else 0.0))

    with torch_threads(cores), torch.inference_mode(), warnings.catch_warnings():
        # fewer speakers than asked for is an answer too
        warnings.filterwarnings("ignore", message=r"\s*The detected number of speakers", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"std\(\): degrees of freedom", category=UserWarning)
        # only scraps of speech, none long enough to have a voice: pyannote.audio averages over nothing
        warnings.filterwarnings("ignore", message="Mean of empty slice", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message="invalid value encountered in", category=RuntimeWarning)
        found: Any = pipeline(
            {"waveform": torch.from_numpy(wave)[None], "sample_rate": ANALYSIS_RATE, "uri": "lesson"},
            min_speakers=least,
            max_speakers=most,
            hook=hook,
        )
        inference: Any = pipeline._segmentation  # there is no public way to its frames
        frames = inference.model.receptive_field
    anybody = SlidingWindowFeature(scores[0].data.max(axis=2, keepdims=True), scores[0].sliding_window)
    activity = Inference.aggregate(anybody, frames, hamming=True, missing=0.0).data[:, 0]
    labels: list[str] = found.speaker_diarization.labels()
    voices = np.nan_to_num(np.asarray(found.speaker_embeddings, dtype=np.float32))
    lengths = np.linalg.norm(voices, axis=1, keepdims=True)
    return Heard(
        turns=_turns(found.speaker_diarization, labels),
        voices=(voices / np.where(lengths > 0, lengths, 1.0)).astype(np.float32),
        activity=np.clip(activity, 0.0, 1.0).astype(np.float32),
        frame_s=float(frames.step),
        exclusive=_turns(found.exclusive_speaker_diarization, labels),
    )


def _turns(said: Annotation, labels: list[str]) -> tuple[tuple[int, float, float], ...]:
    turns: Any = said.itertracks(yield_label=True)
    return tuple((labels.index(label), float(span.start), float(span.end)) for span, _, label in turns)
