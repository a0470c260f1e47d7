"""Translation by Apertium: rules and dictionaries, nothing to download beyond Debian's data packages.

Apertium is GPL and runs as a process of its own, one for a whole script and language pair. Where there is no direct
pair, pairs are chained (`en` to `pt` by way of `es`).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from manifests.errors import EngineUnavailable, StageFailed

TIMEOUT_S = 600

_MODE = re.compile(r"^(?P<source>[a-z]{2,3})-(?P<target>[a-z]{2,3})(?:_(?P<variant>\w+))?$")
_MARK = re.compile(r"(?<!\w)[*#@](?=[^\W\d_])([\w'’·-]*)")
"""Apertium's marks: `*` a word that no dictionary holds, `#` and `@` one that could not be put into its form."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One direction that an installed Apertium mode translates."""

    source: str
    target: str
    """BCP-47, with the region or variant that the mode writes: `es`, `pt-BR`, `ca-valencia`."""
    mode: str
    """Apertium's name of it: `eng-spa`, `es-pt_BR`."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A text in the target language, without Apertium's marks, and the words it did not know."""

    text: str
    unknown: tuple[str, ...]


@lru_cache(maxsize=1)
def installed() -> tuple[Pair, ...]:
    """Every direction there is. Raises EngineUnavailable where Apertium itself is missing."""
    said = _run(["apertium", "-l"], "")
    return tuple(pair for name in sorted(said.split()) if (pair := _pair(name)) is not None)


def available_pairs() -> list[tuple[str, str]]:
    """Every source and target that a chain of installed pairs connects."""
    sources = sorted({pair.source for pair in installed()})
    targets = sorted({pair.target for pair in installed()})
    return [
        (source, target)
        for source in sources
        for target in targets
        if _base(source) != _base(target) and _shortest(source, target) is not None
    ]


@lru_cache(maxsize=1)
def version() -> str:
    """Apertium's version, for the record."""
    found = re.search(r"\d+(\.\d+)+", _run(["apertium", "-V"], ""))
    return found.group() if found else "unknown"


def route(source: str, target: str) -> tuple[Pair, ...]:
    """The shortest chain of pairs between two languages; the same one every time.

    Raises EngineUnavailable, naming the targets there are from this source, where no chain connects them.
    """
    found = _shortest(source, target)
    if found is not None:
        return found
    reachable = sorted({to for of, to in available_pairs() if of == _base(source)})
    raise EngineUnavailable(
        f"Apertium has no way from {source} to {target}; from {source} there are: {', '.join(reachable) or 'none'}.",
        remedy="More pairs come with Debian's packages: apt-cache search ^apertium-",
    )


def translate(texts: Sequence[str], pairs: Sequence[Pair]) -> list[Translated]:
    """Translate texts along a chain; one process a pair, one result a text, in order.

    Raises StageFailed where Apertium breaks or answers with another number of texts.
    """
    current = [" ".join(text.replace("*", " ").split()) for text in texts]
    unknown: list[dict[str, None]] = [{} for _ in texts]
    for pair in pairs:
        spoken = [index for index, text in enumerate(current) if any(letter.isalpha() for letter in text)]
        if not spoken:
            break
        # An empty line ends a sentence for Apertium and stays where it is: no word crosses from one text to the next.
        answer = _run(["apertium", pair.mode], "\n\n".join(current[index] for index in spoken) + "\n")
        answers = answer.removesuffix("\n").split("\n\n")
        if len(answers) != len(spoken):
            raise StageFailed(f"Apertium {pair.mode} gave {len(answers)} texts for {len(spoken)}.")
        for index, text in zip(spoken, answers, strict=True):
            unknown[index] |= dict.fromkeys(word for word in re.findall(r"(?<!\w)\*([^\W\d_][\w'’·-]*)", text))
            current[index] = _capital(_MARK.sub(r"\1", text).strip(), current[index])
    return [Translated(text, tuple(words)) for text, words in zip(current, unknown, strict=True)]


def _capital(text: str, before: str) -> str:
    """A sentence keeps its capital: Apertium loses it where it puts another word first."""
    return text[:1].upper() + text[1:] if before[:1].isupper() else text


def _pair(mode: str) -> Pair | None:
    """What a mode's name says; None for modes that are no plain translation (`eco-es-fr`, analysers)."""
    from manifests.languages import parse

    found = _MODE.match(mode)
    if found is None:
        return None
    variant = (found["variant"] or "").replace("_", "-")
    try:
        source, target = parse(found["source"]), parse(found["target"])
        return Pair(source, parse(f"{target}-{variant}") if variant else target, mode)
    except ValueError:
        return None  # a variant that the language registry does not hold


def _base(tag: str) -> str:
    return tag.split("-", maxsplit=1)[0]


def _shortest(source: str, target: str) -> tuple[Pair, ...] | None:
    """Breadth first over languages, so the first chain found is among the shortest; in order of the modes' names.

    The last pair writes what was asked for where there is such a mode (`pt-BR`), else the language without its region.
    """
    written = {target} if any(pair.target == target for pair in installed()) else {_base(target)}
    chains: list[tuple[Pair, ...]] = [()]
    seen = {_base(source)}
    while chains:
        longer: list[tuple[Pair, ...]] = []
        for chain in chains:
            here = _base(chain[-1].target) if chain else _base(source)
            steps = [pair for pair in installed() if pair.source == here]
            for pair in steps:
                if pair.target in written:
                    return (*chain, pair)
            for pair in steps:
                if pair.target == _base(pair.target) and pair.target not in seen:
                    seen.add(pair.target)
                    longer.append((*chain, pair))
        chains = longer
    return None


def _run(command: list[str], text: str) -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    except FileNotFoundError as error:
        raise EngineUnavailable(
            "Apertium is not installed.", remedy="Run: sudo apt-get install apertium apertium-eng-spa"
        ) from error
    except subprocess.CalledProcessError as error:
        raise StageFailed(f"{' '.join(command)} failed: {error.stderr.strip()[-300:]}") from error
    except subprocess.TimeoutExpired as error:
        raise StageFailed(f"{' '.join(command)} did not answer within {TIMEOUT_S} s.") from error
    return done.stdout
