"""The network that turns the source's frames into a person's: a few dilated convolutions, learnt from a minute.

It runs on the source's time axis. Two are trained from different seeds and their outputs averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voiceclone.cloner import phones
from voiceclone.cloner.analysis import BANDS, ORDER, Array, Flags, Frames, delta
from voiceclone.cloner.reading import Reading
from voiceclone.cloner.statistics import Statistics

if TYPE_CHECKING:
    import torch

Weights = Mapping[str, NDArray[np.float32]]
Tensors = Mapping[str, "torch.Tensor"]

ACOUSTIC = 2 * ORDER
INPUTS = ACOUSTIC + phones.FEATURES
OUTPUTS = ORDER + BANDS + 1
"""Cepstrum, aperiodicity and the logit of being voiced."""
WIDTH = 160
DILATIONS = (1, 3, 9)

_PHONE_WEIGHT = 0.4
_APERIODICITY_DB = 10.0

SHAPES: Mapping[str, tuple[int, ...]] = {
    "first.weight": (WIDTH, INPUTS, 5),
    "first.bias": (WIDTH,),
    **{f"block{i}.weight": (WIDTH, WIDTH, 3) for i in range(len(DILATIONS))},
    **{f"block{i}.bias": (WIDTH,) for i in range(len(DILATIONS))},
    "last.weight": (OUTPUTS, WIDTH, 1),
    "last.bias": (OUTPUTS,),
    "skip.weight": (OUTPUTS, INPUTS, 1),
    "skip.bias": (OUTPUTS,),
}


def inputs(reading: Reading, statistics: Statistics) -> NDArray[np.float32]:
    """What the network sees: standardized cepstrum, its slope, and the phoneme of the frame: (frames, INPUTS).

    Not the neighbouring phonemes: on a minute of speech they are learnt by heart.
    """
    rows = (reading.frames.cepstrum - statistics.source_mean) / statistics.source_sd
    shape = _PHONE_WEIGHT * reading.phones[:, : phones.FEATURES]
    return np.concatenate([rows, 3 * delta(rows), shape], axis=1).astype(np.float32)


def outputs(cepstrum: Array, aperiodicity: Array, voiced: Flags, statistics: Statistics) -> NDArray[np.float32]:
    """What the network should say: (frames, OUTPUTS), voicing as 0 or 1."""
    rows = (cepstrum - statistics.person_mean) / statistics.scale
    return np.concatenate([rows, aperiodicity / _APERIODICITY_DB, voiced[:, None]], axis=1).astype(np.float32)


def started(generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Weights to begin from; the direct way from input to output begins at nothing."""
    import torch

    weights: dict[str, torch.Tensor] = {}
    for name, shape in SHAPES.items():
        layer = name.partition(".")[0]
        _, channels, taps = SHAPES[f"{layer}.weight"]
        bound = (channels * taps) ** -0.5
        weights[name] = (torch.rand(shape, generator=generator) * 2 - 1) * bound
    weights["last.weight"] *= 0.1
    weights["skip.weight"] *= 0
    for weight in weights.values():
        weight.requires_grad_()
    return weights


def forward(
    weights: Tensors, x: torch.Tensor, dropout: float = 0.0, generator: torch.Generator | None = None
) -> torch.Tensor:
    """(batch, INPUTS, frames) to (batch, OUTPUTS, frames)."""
    import torch
    from torch.nn.functional import conv1d, gelu

    hidden = gelu(conv1d(x, weights["first.weight"], weights["first.bias"], padding=2))
    for i, dilation in enumerate(DILATIONS):
        weight, bias = weights[f"block{i}.weight"], weights[f"block{i}.bias"]
        made = gelu(conv1d(hidden, weight, bias, padding=dilation, dilation=dilation))
        if dropout:
            # Not torch's own dropout: its random numbers are the process's, which other threads draw from too.
            kept = torch.rand(made.shape, generator=generator) >= dropout
            made = made * kept / (1 - dropout)
        hidden = hidden + made
    return conv1d(hidden, weights["last.weight"], weights["last.bias"]) + conv1d(
        x, weights["skip.weight"], weights["skip.bias"]
    )


def predicted(networks: Sequence[Weights], reading: Reading, statistics: Statistics) -> tuple[Frames, Array]:
    """The mean of what the networks make of a reading, with F0 as read, and how likely each frame is voiced."""
    import torch

    x = torch.from_numpy(np.ascontiguousarray(inputs(reading, statistics).T[None]))
    made: list[Array] = []
    with torch.inference_mode():
        for weights in networks:
            tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
            rows = forward(tensors, x)[0].T.numpy().astype(np.float64)
            rows[:, -1] = 1 / (1 + np.exp(-np.clip(rows[:, -1], -30, 30)))
            made.append(rows)
    rows = np.mean(made, axis=0)
    cepstrum = rows[:, :ORDER] * statistics.scale + statistics.person_mean
    aperiodicity = np.minimum(0, rows[:, ORDER : ORDER + BANDS] * _APERIODICITY_DB)
    return Frames(reading.frames.f0, cepstrum, aperiodicity), rows[:, -1]
