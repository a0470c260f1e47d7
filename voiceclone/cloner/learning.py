"""Learning: the network, fitted to a person's frames, and to a safe map's where another language has to be learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voiceclone.cloner import network
from voiceclone.cloner.alignment import Pair
from voiceclone.cloner.reading import Reading
from voiceclone.cloner.safe_map import SafeMap
from voiceclone.cloner.statistics import Statistics

if TYPE_CHECKING:
    import torch

_BATCH, _ANCHOR_BATCH, _CHUNK = 8, 4, 200
_DROPOUT, _NOISE = 0.4, 0.3
_LEARNING_RATE = 2e-3
_ANCHOR_WEIGHT = 3.0
_SLOPE_WEIGHT, _VOICED_WEIGHT = 0.3, 0.2

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What the network is shown: inputs on the source's time axis, outputs on the person's, and the path."""

    pairs: tuple[tuple[Rows, Rows, NDArray[np.int64]], ...]
    anchors: tuple[tuple[Rows, Rows], ...] = ()

    @classmethod
    def of(cls, pairs: Sequence[Pair], statistics: Statistics) -> Examples:
        made = [
            (
                network.inputs(pair.source, statistics),
                network.outputs(pair.person.cepstrum, pair.person.aperiodicity, pair.person.f0 > 0, statistics),
                pair.path,
            )
            for pair in pairs
        ]
        return cls(tuple(made))

    def anchored(self, readings: Sequence[Reading], safe: SafeMap, statistics: Statistics) -> Examples:
        made = [
            (
                network.inputs(reading, statistics),
                network.outputs(*safe(reading.frames), reading.frames.f0 > 0, statistics),
            )
            for reading in readings
        ]
        return Examples(self.pairs, tuple(made))


def fitted(examples: Examples, steps: int, seed: int) -> network.Weights:
    """One network, trained."""
    import torch

    dice = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    weights = network.started(generator)
    optimizer = torch.optim.AdamW(list(weights.values()), lr=_LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        loss = _loss(examples, weights, dice, generator)
        if examples.anchors:
            loss = loss + _ANCHOR_WEIGHT * _anchor_loss(examples, weights, dice, generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        optimizer.step()
        schedule.step()
    return {name: weight.detach().numpy() for name, weight in weights.items()}


def _through(weights: network.Tensors, chunks: NDArray[np.float32], generator: torch.Generator) -> torch.Tensor:
    """The network's answer, (batch, OUTPUTS, _CHUNK), to inputs with noise on what is heard, not on what is said."""
    import torch

    x = torch.from_numpy(chunks)
    acoustic = network.ACOUSTIC
    x[:, :acoustic] += _NOISE * torch.randn(x[:, :acoustic].shape, generator=generator)
    return network.forward(weights, x, _DROPOUT, generator)


def _loss(
    examples: Examples, weights: network.Tensors, dice: np.random.Generator, generator: torch.Generator
) -> torch.Tensor:
    """How far the network is from the person, in a batch of chunks drawn at random."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    lengths = np.array([len(path) for _, _, path in examples.pairs])
    chunks = np.zeros((_BATCH, network.INPUTS, _CHUNK), np.float32)
    where: list[NDArray[np.int64]] = []
    wanted: list[torch.Tensor] = []
    for row in range(_BATCH):
        x, y, path = examples.pairs[dice.choice(len(lengths), p=lengths / lengths.sum())]
        start = int(dice.integers(0, max(1, len(path) - _CHUNK)))
        first = max(0, min(int(path[start]) - 20, len(x) - _CHUNK))
        part = x[first : first + _CHUNK]
        chunks[row, :, : len(part)] = part.T
        span = path[start : start + _CHUNK]
        inside = np.flatnonzero((span >= first) & (span < first + len(part)))
        where.append(span[inside] - first)
        wanted.append(torch.from_numpy(y[start + inside]))
    answers = _through(weights, chunks, generator)
    found = [answers[row][:, torch.from_numpy(frames)].T for row, frames in enumerate(where)]
    loss = _frame_loss(torch.cat(found), torch.cat(wanted))
    for got, want in zip(found, wanted, strict=True):
        if len(got) > 8:
            slopes = [3 * (rows[3:, :-1] - rows[:-3, :-1]) for rows in (got, want)]
            loss = loss + _SLOPE_WEIGHT / _BATCH * smooth_l1_loss(slopes[0], slopes[1], beta=0.5)
    return loss


def _anchor_loss(
    examples: Examples, weights: network.Tensors, dice: np.random.Generator, generator: torch.Generator
) -> torch.Tensor:
    """How far the network is from the safe map, in the target language."""
    import torch

    chunks = np.zeros((_ANCHOR_BATCH, network.INPUTS, _CHUNK), np.float32)
    wanted: list[torch.Tensor] = []
    for row in range(_ANCHOR_BATCH):
        x, y = examples.anchors[dice.integers(len(examples.anchors))]
        start = int(dice.integers(0, max(1, len(x) - _CHUNK)))
        part = x[start : start + _CHUNK]
        chunks[row, :, : len(part)] = part.T
        wanted.append(torch.from_numpy(y[start : start + _CHUNK]))
    answers = _through(weights, chunks, generator)
    found = [answers[row][:, : len(rows)].T for row, rows in enumerate(wanted)]
    return _frame_loss(torch.cat(found), torch.cat(wanted))


def _frame_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

    spectral = smooth_l1_loss(found[:, :-1], wanted[:, :-1], beta=0.5)
    return spectral + _VOICED_WEIGHT * binary_cross_entropy_with_logits(found[:, -1], wanted[:, -1])
