"""Whether a recording says an expected sentence: English speech, recognized against competing words.

Aligning a sentence to a recording accepts any recording. So pocketsphinx, whose model is in its package, decodes with a
small language model made for the question: the expected words follow one another in it, and at every place one of a
thousand common words, or any other word that could have been drawn, may win instead. What wins is compared.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from manifests.errors import EngineUnavailable
from voiceclone.voiceprint import Mono

NAME = "pocketsphinx"

_COMPETITORS = 1000
"""Commonest words of the recognizer's own language model that compete with the expected ones."""
_FOLLOWS = 0.8
"""Probability that an expected word is followed by the next; the rest is for whatever else is said."""
_SETTINGS: dict[str, Any] = {"loglevel": "FATAL", "fwdflat": False, "beam": 1e-58, "pbeam": 1e-58, "wbeam": 1e-36}
_LEVEL_DB = -20.0
_FILLER = re.compile(r"^(<.*>|\[.*\]|\+\+.*\+\+)$")
_VARIANT = re.compile(r"\(\d+\)$")

_lock = Lock()


@dataclass(frozen=True, slots=True)
class Said:
    """How far a recording says what it should."""

    words: tuple[str, ...]
    """What was recognized, fillers left out."""
    word_error_rate: float
    """Of the sentence without its drawn words: words missing, exchanged and added, over its words."""
    nonce_words: tuple[bool, ...]
    """For each drawn word, whether it was said in its place."""


def recognizer() -> str:
    """Name and version of what listens."""
    return f"{NAME} {importlib.metadata.version(NAME)}"


def listen(speech: Mono, body: str, nonce: Sequence[str], drawn_from: Sequence[str]) -> Said:
    """Compare mono 16 kHz speech with a sentence that ends in drawn words.

    Raises EngineUnavailable where pocketsphinx is missing.
    """
    expected = tuple(words_of(body))
    with _lock:
        heard = _decoded(speech, expected, tuple(word.lower() for word in drawn_from))
    return compared(heard, expected, tuple(word.lower() for word in nonce))


def expecting(words: Sequence[str]) -> str:
    """A language model, in ARPA's format, in which words follow one another and, at every place, common ones may win.

    Raises EngineUnavailable where pocketsphinx is missing.
    """
    return _model(words, (), common_words())


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def compared(heard: Sequence[str], body: Sequence[str], nonce: Sequence[str]) -> Said:
    """Align what was heard with what was expected (Levenshtein), and count each part by itself."""
    expected = [*body, *nonce]
    cost = np.zeros((len(expected) + 1, len(heard) + 1), np.int64)
    cost[:, 0], cost[0] = np.arange(len(expected) + 1), np.arange(len(heard) + 1)
    for i, word in enumerate(expected, 1):
        for j, other in enumerate(heard, 1):
            cost[i, j] = min(cost[i - 1, j] + 1, cost[i, j - 1] + 1, cost[i - 1, j - 1] + (word != other))
    right, added, i, j = [False] * len(expected), 0, len(expected), len(heard)
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (expected[i - 1] != heard[j - 1]):
            right[i - 1] = expected[i - 1] == heard[j - 1]
            i, j = i - 1, j - 1
        elif j and cost[i, j] == cost[i, j - 1] + 1:
            added, j = added + 1, j - 1
        else:
            i -= 1
    wrong = len(body) - sum(right[: len(body)]) + added
    return Said(tuple(heard), round(wrong / max(1, len(body)), 4), tuple(right[len(body) :]))


def _decoded(speech: Mono, body: tuple[str, ...], drawn_from: tuple[str, ...]) -> tuple[str, ...]:
    if not speech.any():
        return ()
    decoder = _decoder(body, drawn_from)
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(_levelled(speech).tobytes(), full_utt=True)
    decoder.end_utt()
    return tuple(_VARIANT.sub("", part.word) for part in decoder.seg() or () if not _FILLER.match(part.word))


@lru_cache(maxsize=2)
def _decoder(body: tuple[str, ...], drawn_from: tuple[str, ...]) -> Any:
    package = _package()
    common = common_words()
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        path = Path(folder) / "expected.lm"
        path.write_text(_model(body, drawn_from, common))
        return package.Decoder(lm=str(path), **_SETTINGS)


def _package() -> Any:
    try:
        return importlib.import_module(NAME)  # by name: it has no type stubs
    except ImportError as error:
        raise EngineUnavailable("pocketsphinx is not installed.", remedy="Run `make setup`.") from error


@lru_cache(maxsize=1)
def common_words() -> dict[str, float]:
    """The commonest words of the recognizer's own language model, with their probabilities."""
    package = _package()
    folder = Path(package.get_model_path()) / "en-us"
    entries = (line.split(maxsplit=1)[0] for line in (folder / "cmudict-en-us.dict").read_text().splitlines())
    words = sorted({word for word in entries if word.isalpha()})
    config = package.Config(loglevel="FATAL")
    model = package.NGramModel(config, package.LogMath(config["logbase"]), str(folder / "en-us.lm.bin"))
    logs = package.LogMath(config["logbase"])
    chances = {word: logs.exp(model.prob([word])) for word in words}
    return dict(sorted(chances.items(), key=lambda each: -each[1])[:_COMPETITORS])


def _model(body: Sequence[str], drawn_from: Sequence[str], common: dict[str, float]) -> str:
    """A bigram model in ARPA's format; drawn words follow the body, its end does where none are drawn."""
    single = {word: 0.7 * chance / sum(common.values()) for word, chance in common.items()}
    for words, share in ((sorted(set(body)), 0.15), (drawn_from, 0.15)):
        for word in words:
            single[word] = single.get(word, 0.0) + share / len(words)
    pairs: dict[tuple[str, str], float] = {}

    def follow(first: str, then: Sequence[str], share: float) -> None:
        for word in then:
            pairs[first, word] = pairs.get((first, word), 0.0) + share / len(then)

    following: dict[str, list[str]] = {}
    for first, then in zip(("<s>", *body), body, strict=False):
        following.setdefault(first, []).append(then)
    for first, then in following.items():
        share = _FOLLOWS * len(then) / (len(then) + (first == body[-1]))
        follow(first, then, share)
    ending = following.get(body[-1], [])
    follow(body[-1], drawn_from or ("</s>",), _FOLLOWS / (len(ending) + 1))
    for first in drawn_from:
        follow(first, drawn_from, _FOLLOWS * 0.75)
        follow(first, ["</s>"], _FOLLOWS * 0.25)
    total = sum(single.values()) * 1.05
    backed = {first for first, _ in pairs}
    lines = ["\\data\\", f"ngram 1={len(single) + 2}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
    lines.append(f"{math.log10(0.05 / 1.05):.4f} </s>")
    lines.append(f"-99 <s> {math.log10(1 - _FOLLOWS):.4f}")
    for word, chance in sorted(single.items()):
        back = math.log10(1 - _FOLLOWS) if word in backed else 0.0
        lines.append(f"{math.log10(chance / total):.4f} {word} {back:.4f}")
    lines += ["", "\\2-grams:"]
    lines += [f"{math.log10(chance):.4f} {first} {then}" for (first, then), chance in sorted(pairs.items())]
    return "\n".join([*lines, "", "\\end\\", ""])


def _levelled(speech: Mono) -> Any:
    """The sound with its louder frames (within 30 dB of the loudest) at `_LEVEL_DB` dBFS, as 16-bit samples."""
    sound = speech.astype(np.float64)
    frames = sound[: max(1, len(sound) // 160) * 160]
    power = np.mean(frames.reshape(-1, 160) ** 2, axis=1) if len(frames) >= 160 else sound**2
    level = 10 * np.log10(np.mean(power[power >= np.max(power) / 1000]) + 1e-12)
    return np.clip(np.round(sound * 10 ** ((_LEVEL_DB - level) / 20) * 32768), -32768, 32767).astype(np.int16)
