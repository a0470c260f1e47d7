"""Translation by Apertium: rules and dictionaries, nothing to download beyond Debian's data packages.

Apertium is GPL and runs as a process of its own, one for a whole script and language pair. Where there is no direct
pair, pairs are chained (`en` to `pt` by way of `es`).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from manifests.errors import EngineUnavailable, InputError, StageFailed
from tasks.digits import in_digits
from tasks.engines.protocols import Translated, Translating
from tasks.stage import Engine

TIMEOUT_S = 600

_MODE = re.compile(r"^(?P<source>[a-z]{2,3})-(?P<target>[a-z]{2,3})(?:_(?P<variant>\w+))?$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MARKS = "*#@~"
"""Apertium's marks: `*` a word that no dictionary holds, `@` one that has no translation (some pairs write `\\@`), `#`
one that it could not put into its form. `~` is lost on the way."""
_RESERVED = re.compile(r"[\\^$/\[\]<>{}+*#@~]")
_ANSWER = re.compile(r"(?P<text>[^\0]*?)\.?\[:(?P<number>\d+):\]")
_VERBATIM = re.compile(
    r"""(?:https?://|www\.)[^\s\[\]<>{}\\^$"|]*[\w/]   # addresses of pages
      | (?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+      # and of people
      | (?<![\w#@])[#@][\w-]*\w                        # #topics and @names
      | (?<!\w)[^\W_]++(?:_++[^\W_]++)+                # and names_in_programs
    """,
    re.VERBOSE,
)
"""What no language owns: it is neither translated nor torn apart. Possessive, so that no text takes long to search."""
_STREAM = re.compile(
    r"\[(?P<blank>[^\]]*)\]|\\?(?P<mark>[*#@])(?P<word>(?:[\w'’·-]+(?:\.\w+)*)?)|\\(?P<escaped>.)", re.DOTALL
)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"'})
_SMALL_I = re.compile(r"(?<![\w.'-])i(?=$|[\s,;:!?]|'(?:m|ll|ve|d)\b)")
_WORD = re.compile(r"[^\W\d_][\w'’·]*")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.?!…:]))[\W\d_]*(?=[^\W\d_])")
_NOUNS_WITH_CAPITALS = ("de", "lb")


@dataclass(frozen=True, slots=True)
class Pair:
    """One direction that an installed Apertium mode translates."""

    source: str
    target: str
    """BCP-47, with the region or variant that the mode writes: `es`, `pt-BR`, `ca-valencia`."""
    mode: str
    """Apertium's name of it: `eng-spa`, `es-pt_BR`."""


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
        if _base(source) != _base(target) and _shortest(source, target, installed()) is not None
    ]


@lru_cache(maxsize=1)
def version() -> str:
    """Apertium's version, for the record."""
    found = re.search(r"\d+(\.\d+)+", _run(["apertium", "-V"], ""))
    return found.group() if found else "unknown"


def route(source: str, target: str) -> tuple[Pair, ...]:
    """The shortest chain of pairs between two languages; the same one every time.

    Raises EngineUnavailable, naming the targets there are from this source, where no chain connects them, and
    InputError where both are one language.
    """
    if _base(source) == _base(target):
        raise InputError(f"{target} is the language of the source.", remedy="Take it out of the manifest's targets.")
    found = _shortest(source, target, installed())
    if found is not None:
        return found
    reachable = sorted({to for of, to in available_pairs() if of == _base(source)})
    raise EngineUnavailable(
        f"Apertium has no way from {source} to {target}; from {source} there are: {', '.join(reachable) or 'none'}.",
        remedy="More pairs come with Debian's packages: apt-cache search ^apertium-",
    )


def translate(texts: Sequence[str], pairs: Sequence[Pair]) -> list[Translated]:
    """Translate texts along a chain; one process a pair, one result a text, in order.

    Whatever has no word (numbers, signs, addresses, nothing) comes back as it is. Raises StageFailed where Apertium
    breaks or does not give back every text.
    """
    current = [" ".join(_CONTROL.sub(" ", text).split()) for text in texts]
    unknown: list[dict[str, None]] = [{} for _ in texts]
    uninflected: list[dict[str, None]] = [{} for _ in texts]
    for pair in pairs:
        spoken = [index for index, text in enumerate(current) if _has_words(text)]
        if not spoken:
            break
        answers = _answers(pair, [_plain_signs(current[index], pair.source) for index in spoken])
        for index, answer in zip(spoken, answers, strict=True):
            text, marked = _unmarked(answer)
            for mark, word in marked:
                if mark != "#":
                    unknown[index].setdefault(_as_written(word, current[index]))
                else:
                    uninflected[index].setdefault(word)
            current[index] = _capitals(text, current[index], pair.target)
    return [
        Translated(text, tuple(words), tuple(forms))
        for text, words, forms in zip(current, unknown, uninflected, strict=True)
    ]


def _answers(pair: Pair, texts: Sequence[str]) -> list[str]:
    """What Apertium says to each text, in its stream format, marks and escapes included.

    Each text ends with a period of its own, so that the sentence is complete and no word of the next one is looked at,
    then with a blank that holds its number (blanks pass through untouched), then with a null, at which every program
    of the pipe gives out what it holds.
    """
    stream = "".join(f"{_escaped(text)}.[:{number}:]\0" for number, text in enumerate(texts))
    said = _run(["apertium", "-z", "-f", "none", pair.mode], stream)
    found = [(match["text"], int(match["number"])) for match in _ANSWER.finditer(said)]
    if [number for _, number in found] != list(range(len(texts))):
        raise StageFailed(f"Apertium {pair.mode} gave {len(found)} texts, or not in order, for {len(texts)}.")
    return [text for text, _ in found]


def _has_words(text: str) -> bool:
    return any(letter.isalpha() for letter in _VERBATIM.sub("", text))


def _escaped(text: str) -> str:
    """A text in Apertium's stream format. What stays as it is goes into blanks; so does what it also marks words with,
    for no escape would bring it back as distinct from a mark."""
    parts: list[str] = []
    at = 0
    for found in _VERBATIM.finditer(text):
        parts += [_signs_escaped(text[at : found.start()]), f"[{found[0]}]"]
        at = found.end()
    return "".join((*parts, _signs_escaped(text[at:])))


def _signs_escaped(text: str) -> str:
    return _RESERVED.sub(lambda sign: f"[{sign[0]}]" if sign[0] in _MARKS else f"\\{sign[0]}", text)


def _unmarked(answer: str) -> tuple[str, list[tuple[str, str]]]:
    """An answer as plain text, and each mark in it with the word that it stood at."""
    marked: list[tuple[str, str]] = []

    def plain(found: re.Match[str]) -> str:
        if found["escaped"] or found["blank"]:
            return found["escaped"] or found["blank"]
        if found["word"]:
            marked.append((found["mark"], found["word"]))
        return found["word"]

    return " ".join(_STREAM.sub(plain, answer).split()), marked


def _as_written(marked: str, source: str) -> str:
    """The unknown word of the source at the head of a marked one: what follows a hyphen or an apostrophe in it may be
    translated (`zorgblat-driven` to `*zorgblat-la`), and its case may be another."""
    for end in range(len(marked), 1, -1):
        found = re.search(rf"(?<![^\W_]){re.escape(marked[:end])}(?![^\W_])", source, re.IGNORECASE)
        if found:
            return found[0].strip("-'’·._") or marked
    return marked


def _plain_signs(text: str, source: str) -> str:
    """Typographic quotes as the dictionaries know them; of English `I` as recognizers write it not, and digits."""
    text = text.translate(_QUOTES)
    return in_digits(_SMALL_I.sub("I", text)) if source == "en" else text


def _capitals(text: str, source: str, target: str) -> str:
    """Capitals where the source has them: Apertium loses a sentence's first where it puts another word there, writes
    `EL agua`, and begins a sentence where it sees none."""
    initials = {word for word in _WORD.findall(source) if _shouted(word)}
    if initials <= set(_WORD.findall(text)):
        starts = _starts(text)
        text = _WORD.sub(
            lambda word: (
                word[0].capitalize()
                if _shouted(word[0]) and word[0] not in initials and word.start() in starts
                else word[0]
            ),
            text,
        )
    inner = [word for word in _inner(source) if word != "I" and not word.startswith(("I'", "I’"))]
    if target not in _NOUNS_WITH_CAPITALS and not any(word[0].isupper() for word in inner):
        starts = _starts(text)
        text = _WORD.sub(
            lambda word: word[0] if word.start() in starts else word[0].lower(),
            text,
        )
    first, before = _WORD.search(text), _WORD.search(source)
    verbatim = _VERBATIM.search(text)
    if first and before and not (verbatim and verbatim.start() <= first.start() < verbatim.end()):
        at = first.start()
        letter = text[at].upper() if before[0][0].isupper() else text[at]
        if before[0][0].islower() and not _shouted(first[0]):
            letter = text[at].lower()
        text = text[:at] + letter + text[at + 1 :]
    return text


def _shouted(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _starts(text: str) -> set[int]:
    """Where sentences begin: the places of their first letters."""
    return {match.end() for match in _SENTENCE_START.finditer(text)}


def _inner(text: str) -> list[str]:
    """The words that begin no sentence."""
    starts = _starts(text)
    return [match[0] for match in _WORD.finditer(text) if match.start() not in starts]


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


@lru_cache(maxsize=256)
def _shortest(source: str, target: str, pairs: tuple[Pair, ...]) -> tuple[Pair, ...] | None:
    """Breadth first over languages, so the first chain found is among the shortest; in order of the modes' names.

    The last pair writes what was asked for where there is such a mode (`pt-BR`), else the language without its region.
    """
    written = {target} if any(pair.target == target for pair in pairs) else {_base(target)}
    chains: list[tuple[Pair, ...]] = [()]
    seen = {_base(source)}
    while chains:
        longer: list[tuple[Pair, ...]] = []
        for chain in chains:
            here = _base(chain[-1].target) if chain else _base(source)
            steps = [pair for pair in pairs if pair.source == here]
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
    """Run Apertium with a text as its input. It is a shell script that starts a dozen programs, so it gets a process
    group of its own, which ends whole."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError as error:
        raise EngineUnavailable(
            "Apertium is not installed.", remedy="Run: sudo apt-get install apertium apertium-eng-spa"
        ) from error
    with process:
        try:
            said, complaint = process.communicate(text.encode(), timeout=TIMEOUT_S)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise StageFailed(f"{' '.join(command)} did not answer within {TIMEOUT_S} s.") from error
            raise
    if process.returncode != 0:
        raise StageFailed(f"{' '.join(command)} failed: {complaint.decode(errors='replace').strip()[-300:]}")
    return said.decode(errors="replace")


class Apertium:
    """The embedded translator: rules and dictionaries, with nothing to download."""

    name = "apertium"
    placeholder = "term_{}_x"

    def check(self, wanted: Translating) -> None:
        if wanted.model or wanted.options:
            raise InputError(
                "the engine apertium has no choice of models and no options.",
                remedy="Write `engines: {translate: apertium}`.",
            )
        route(wanted.source, wanted.target)

    def identity(self, wanted: Translating) -> Engine:
        return Engine(self.name, version())

    def route(self, wanted: Translating) -> tuple[str, ...]:
        return tuple(pair.mode for pair in route(wanted.source, wanted.target))

    def translate(
        self, texts: Sequence[str], wanted: Translating, *, cores: int, tell: Callable[[float], None]
    ) -> list[Translated]:
        return translate(texts, route(wanted.source, wanted.target))
