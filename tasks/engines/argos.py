"""Translation by Argos: neural models in packages of one direction each, with other translations beside the best.

Packages, tokenizers and networks are argostranslate's and CTranslate2's own. Only sentences are told apart by rule
(`sentence_split`), since what argostranslate takes for that it would fetch; and all sentences of a lesson go in
batches, where argostranslate takes one text at a time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from threading import Lock
from typing import Any, Final

from manifests.errors import InputError
from tasks.engines import accelerator, argos_packages
from tasks.engines.argos_packages import OFFERED, Package
from tasks.engines.models import Model, digest, loading
from tasks.engines.protocols import Translated, Translating
from tasks.engines.resident import resident
from tasks.engines.sentence_split import sentences
from tasks.stage import Engine

HYPOTHESES: Final = 6
"""Translations of each text, where `options: {hypotheses: …}` says no other number."""

_MOST = 16
_BATCH: Final = 64  # sentences at once; CTranslate2 puts them together by length
_BEAM = 4  # argostranslate's own, as is the next
_LENGTH_PENALTY = 0.2

_importing = Lock()


@dataclass(frozen=True, slots=True)
class _Loaded:
    package: Any
    network: Any


class Argos:
    """The studio profile's translator."""

    name = "argos"
    placeholder = "XQ{}"
    offers = OFFERED
    accelerated = False

    def models(self, wanted: Translating) -> tuple[Model, ...]:
        return argos_packages.needed(wanted.source, wanted.target)

    def check(self, wanted: Translating) -> None:
        _hypotheses(wanted)
        argos_packages.route(wanted.source, wanted.target)

    def identity(self, wanted: Translating) -> Engine:
        digests = [digest(package.folder) for package in argos_packages.route(wanted.source, wanted.target)]
        weights = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        return Engine(self.name, version(), weights)

    def route(self, wanted: Translating) -> tuple[str, ...]:
        return tuple(package.name for package in argos_packages.route(wanted.source, wanted.target))

    def translate(
        self, texts: Sequence[str], wanted: Translating, *, cores: int, tell: Callable[[float], None]
    ) -> list[Translated]:
        """The best translation of each text, and others, from the likeliest on.

        On the way through a language between, only the best goes on. Raises EngineUnavailable where a package cannot
        be loaded.
        """
        steps = argos_packages.route(wanted.source, wanted.target)
        most = _hypotheses(wanted)
        found = [(text,) for text in texts]
        for number, package in enumerate(steps):
            told: Callable[[float], None] = lambda share, number=number: tell((number + share) / len(steps))  # noqa: E731
            count = most if package is steps[-1] else 1
            found = _through(package, [each[0] for each in found], count, cores=cores, tell=told)
        return [Translated(best, hypotheses=tuple(others)) for best, *others in found]


@lru_cache(maxsize=1)
def version() -> str:
    """argostranslate's version; nothing is imported for it."""
    from importlib.metadata import version as of

    return of("argostranslate")


def _hypotheses(wanted: Translating) -> int:
    if wanted.model or set(wanted.options) - {"hypotheses"}:
        raise InputError(
            "the engine argos has no choice of models, and one option: hypotheses.",
            remedy="Write `engines: {translate: {name: argos, options: {hypotheses: 6}}}`, or `{translate: argos}`.",
        )
    asked = wanted.options.get("hypotheses", HYPOTHESES)
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= _MOST:
        raise InputError(f"`hypotheses` of argos is {asked!r}.", remedy=f"Write a whole number from 1 to {_MOST}.")
    return asked


def _through(
    package: Package, texts: Sequence[str], most: int, *, cores: int, tell: Callable[[float], None]
) -> list[tuple[str, ...]]:
    """Up to `most` different translations of each text, from the likeliest on; what holds no letter stays as it is."""
    parts = [sentences(text) if any(map(str.isalpha, text)) else [] for text in texts]
    flat = [sentence for each in parts for sentence in each]
    device = accelerator.device()
    with resident(("argos", package.folder, device, cores), lambda: _load(package, device, cores)) as loaded:
        said = accelerator.in_batches(
            flat, _BATCH, lambda batch: _translated(loaded, batch, most, package), what="translate", tell=tell
        )
    ends = list(accumulate(map(len, parts), initial=0))
    return [
        _joined(said[start:end]) if end > start else (text,)
        for text, start, end in zip(texts, ends, ends[1:], strict=False)
    ]


def _joined(of_sentences: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Translations of a text from those of its sentences: the best of all, then the second of each, and so on."""
    deepest = max(map(len, of_sentences))
    ranks = (" ".join(each[min(rank, len(each) - 1)] for each in of_sentences) for rank in range(deepest))
    return tuple(dict.fromkeys(" ".join(text.split()) for text in ranks))


def _load(package: Package, device: str, cores: int) -> _Loaded:
    import ctranslate2

    made = _package_class()
    with loading(f"{argos_packages.FOLDER}/{package.name}"):
        found = made(package.folder)
        found.tokenizer.encode("a")
        network = ctranslate2.Translator(
            str(package.folder / "model"),
            device=device,
            compute_type=accelerator.precision(device),
            inter_threads=1,
            intra_threads=cores,
        )
        network.translate_batch([found.tokenizer.encode("a")], max_decoding_length=4)
    return _Loaded(found, network)


def _package_class() -> Any:
    """argostranslate's `Package`. On import argostranslate makes folders for itself in the user's home and obeys a file
    there; it gets an empty home instead, and packages are loaded by their paths."""
    with _importing, tempfile.TemporaryDirectory() as home:
        names = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "ARGOS_PACKAGES_DIR")
        before = {name: os.environ.get(name) for name in names}
        os.environ.update(dict.fromkeys(names, home))
        try:
            from argostranslate.package import Package as Made
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
    return Made


def _translated(loaded: _Loaded, batch: Sequence[str], most: int, package: Package) -> list[tuple[str, ...]]:
    """Up to `most` translations of each sentence."""
    prefix: str = loaded.package.target_prefix or ""
    tokens = [loaded.package.tokenizer.encode(sentence) for sentence in batch]
    with loading(f"{argos_packages.FOLDER}/{package.name}"):
        answers = loaded.network.translate_batch(
            tokens,
            target_prefix=[[prefix]] * len(tokens) if prefix else None,
            replace_unknowns=True,
            beam_size=max(most, _BEAM),
            num_hypotheses=most,
            length_penalty=_LENGTH_PENALTY,
            max_decoding_length=2 * max(map(len, tokens)) + 20,
        )
    return [
        tuple(loaded.package.tokenizer.decode(each).removeprefix(prefix).strip() for each in answer.hypotheses)
        for answer in answers
    ]
