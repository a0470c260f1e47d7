"""pyannote's community pipeline with a speaker embedding that parts two voices."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.checkpoints import SEGMENTATION
from tiny.speech import RATE, voice_of

VOICES = ("slt", "rms", "en-us")
"""Of flite, flite and espeak-ng."""

TAUGHT = (
    "The quick brown fox jumps over the lazy dog near the river bank today.",
    "She sells many sea shells by the shore and counts them in the evening.",
    "Every morning the old train leaves the station at a quarter past seven.",
)


def make(folder: Path) -> None:
    """pyannote's folder: whisperx's segmentation, WeSpeaker's network with a last layer that parts three voices.

    They are flite's `slt` and `rms` and espeak-ng's `en-us`. The last layer is a linear discriminant, fitted on
    sentences that no test uses; PLDA takes voices as they are.
    """
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    for part in ("segmentation", "embedding", "plda"):
        (folder / part).mkdir(parents=True)
    shutil.copyfile(SEGMENTATION.path(), folder / "segmentation" / "pytorch_model.bin")
    torch.manual_seed(0)
    net = WeSpeakerResNet34().eval()
    net.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    stats: list[Any] = []
    taken = net.resnet.pool.register_forward_hook(lambda _module, _given, made: stats.append(made))
    whose: list[str] = []
    with torch.inference_mode():
        for text in TAUGHT:
            for name in VOICES:
                sound = voice_of(folder, name, text)
                for at in range(0, len(sound) - RATE, RATE):
                    net(torch.from_numpy(sound[at : at + RATE * 3 // 2])[None, None])
                    whose.append(name)
    taken.remove()
    (folder / "said.wav").unlink()
    heard = torch.cat(stats).numpy().astype(np.float64)
    theirs = np.array([[1.0 if name == one else -1.0 for one in VOICES] for name in whose])
    directions, middle = _discriminant(heard, theirs)
    with torch.no_grad():
        last = net.resnet.seg_1
        last.weight *= 1e-4
        last.bias.zero_()
        last.weight[: len(VOICES)] = torch.from_numpy(directions.astype(np.float32))
        last.bias[: len(VOICES)] = torch.from_numpy((theirs.mean(axis=0) - directions @ middle).astype(np.float32))
    save(net, folder)


def save(net: Any, folder: Path) -> None:
    """Write an embedding network and what stands beside it, as pyannote loads a pipeline from a folder."""
    import torch

    checkpoint: dict[str, Any] = {
        "state_dict": net.state_dict(),
        "hyper_parameters": dict(net.hparams),
        "pytorch-lightning_version": "2.0.0",
    }
    net.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "embedding" / "pytorch_model.bin")
    lda = np.eye(256)[:, :128]
    np.savez(folder / "plda" / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=lda)
    np.savez(folder / "plda" / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(20.0, 1.0, 128))
    (folder / "config.yaml").write_text(COMMUNITY_CONFIG, encoding="utf-8")


COMMUNITY_CONFIG = """\
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_step: 0.5
    segmentation_batch_size: 8
    embedding: $model/embedding
    embedding_batch_size: 8
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  segmentation: {threshold: 0.5, min_duration_off: 0.0}
  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}
"""


def _discriminant(heard: NDArray[np.float64], sides: NDArray[np.float64]) -> tuple[Any, Any]:
    """The directions on which a voice lies at about +1 and the others at -1, and the middle (ridge regression)."""
    middle = heard.mean(axis=0)
    centred = heard - middle
    gram = centred @ centred.T
    weights = np.linalg.solve(gram + 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram)), sides - sides.mean(axis=0))
    return (centred.T @ weights).T, middle
