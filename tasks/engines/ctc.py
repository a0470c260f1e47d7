"""Words to their times by a wav2vec 2.0 network with a CTC head, loaded by whisperx, aligned by torchaudio.

whisperx's own `align` is not called: it fetches a sentence splitter over the network, and cuts by sentences, which are
of no use here. Its way with characters that the network does not know is kept: they match whatever is likeliest.
Import this module only after `manifests.quiet.settle()`.
"""

# whisperx, transformers and torchaudio are typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from manifests.errors import EngineUnavailable
from manifests.spans import ANALYSIS_RATE, RATE, Span
from tasks.engines.models import loading
from tasks.engines.protocols import Floats
from voiceclone.threads import torch_threads

_FRAME: Final = 320
"""Samples at 16 kHz from one frame of the network to the next."""

_LEAST: Final = 400  # samples that the network's first layers need
_TAIL: Final = 5  # frames of its last sound that a word may last on after its last letter was recognized
_BETWEEN: Final = "|"


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a word was found, from the start of its stretch on."""

    span: Span
    score: float
    """Mean probability of its letters, 0 to 1."""


class Aligner:
    """A network of one language. One thread at a time."""

    def __init__(self, net: Any, letters: Mapping[str, int], device: str, levelled: bool) -> None:
        self._net = net
        self._letters = letters
        self._blank = letters.get("[pad]", letters.get("<pad>", 0))
        self._device = device
        self._levelled = levelled

    @classmethod
    def load(cls, name: str, folder: Path, device: str, language: str) -> Aligner:
        """From a folder in transformers' format. Raises EngineUnavailable where it holds no such network, or half."""
        with loading(name), warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
            _check(name, folder)
            logging.getLogger("whisperx").addHandler(logging.NullHandler())  # else it writes to stdout
            import whisperx

            net, facts = whisperx.load_align_model(language, device, model_name=str(folder), model_cache_only=True)
            said = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
            if net.config.inputs_to_logits_ratio != _FRAME:
                raise ValueError(f"{net.config.inputs_to_logits_ratio} samples a frame")
        return cls(net.eval(), cast("dict[str, int]", facts["dictionary"]), device, bool(said.get("do_normalize")))

    def place(self, wave: Floats, words: Sequence[str], *, cores: int = 1) -> tuple[Placed, ...] | None:
        """Where each word (as it is said, in lower case) is in mono 16 kHz sound; None where they cannot all be."""
        import torch
        from torchaudio import functional

        if not words:
            return ()
        with torch.inference_mode(), torch_threads(cores), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torchaudio.functional", category=UserWarning)
            emission = self._emission(wave)
            tokens, owners = self._tokens(words, emission.shape[1] - 1)
            repeats = sum(one == other for one, other in itertools.pairwise(tokens))
            if len(tokens) + repeats > len(emission):
                return None
            path, scores = functional.forced_align(emission[None], torch.tensor([tokens]), blank=self._blank)
            letters = functional.merge_tokens(path[0], scores[0].exp(), blank=self._blank)
        return tuple(self._word(letters, owners, number) for number in range(len(words)))

    def _emission(self, wave: Floats) -> Any:
        """Log-probabilities, (frames, letters + 1); the last column stands for any letter that the network lacks."""
        import torch

        if self._levelled:
            wave = ((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)).astype(np.float32)
        sound = torch.from_numpy(np.pad(wave, (0, max(0, _LEAST - len(wave)))))
        emission = torch.log_softmax(self._net(sound[None].to(self._device)).logits[0].float(), dim=-1).cpu()
        others = emission.clone()
        others[:, self._blank] = -torch.inf
        return torch.cat([emission, others.max(dim=1, keepdim=True).values], dim=1)

    def _tokens(self, words: Sequence[str], anything: int) -> tuple[list[int], list[int]]:
        """The letters of all words, with separators between them, and the word that each belongs to (-1 for none)."""
        tokens: list[int] = []
        owners: list[int] = []
        for number, word in enumerate(words):
            if number and _BETWEEN in self._letters:
                tokens.append(self._letters[_BETWEEN])
                owners.append(-1)
            found = [self._letters.get(letter, anything) for letter in word]
            tokens += found
            owners += [number] * len(found)
        return tokens, owners

    def _word(self, letters: Sequence[Any], owners: Sequence[int], number: int) -> Placed:
        """From its first letter to its last, and through the blanks after that, which are the last one's sound."""
        mine = [at for at, owner in enumerate(owners) if owner == number]
        first, last = letters[mine[0]], letters[mine[-1]]
        follower = letters[mine[-1] + 1].start if mine[-1] + 1 < len(letters) else last.end
        end = max(last.end, min(follower, last.end + _TAIL))
        step = _FRAME * RATE // ANALYSIS_RATE
        score = sum(letters[at].score for at in mine) / len(mine)
        return Placed(Span(first.start * step, end * step), round(min(1.0, float(score)), 4))


def _check(name: str, folder: Path) -> None:
    """Raises EngineUnavailable where the folder holds another network: transformers would make up what is missing."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kinds = config.get("architectures") or []
    if "Wav2Vec2ForCTC" not in kinds or not any(key.startswith("lm_head.") for key in _keys(folder)):
        raise EngineUnavailable(
            f"the model {name} is no wav2vec 2.0 network with a CTC head, but {', '.join(kinds) or 'something else'}.",
            remedy=f"dub models pull {name} fetches it, where it is one that dubflow knows; else name another aligner.",
        )


def _keys(folder: Path) -> Sequence[str]:
    if (path := folder / "model.safetensors").exists():
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    import torch

    return list(torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True, mmap=True))
