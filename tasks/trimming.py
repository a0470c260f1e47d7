"""Shorter ways to say a sentence that lose next to nothing, by rule: for where there is no time for all of it.

The rules are data, one table a language in `tasks/trims/`, in groups from the mildest on: words said twice and sounds
of hesitation, pronouns that the verb's form repeats, long phrases for which there is a short one, openers that carry no
content, and adverbs that say how strongly, not what. Whatever a table says, a trim never touches a number or what
stands beside one, a name, an address, a quotation, or anything after a negation in its clause; and a result that does
not keep the same numbers, names, negations and addresses is thrown away (`keeps`).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from manifests.script import Rendering

COSTS = {"repeated": 0.05, "pronoun": 0.06, "phrase": 0.08, "opener": 0.12, "emphasis": 0.35}
"""What one trim of each group costs, in the unit of `tasks.pacing`: there, four seconds at 1.1x instead of at the
voice's own pace cost 0.1, and at 1.25x 0.5."""

MOST = 0.5
"""A trim never takes more than this share of a text's letters."""

_VERBATIM = re.compile(
    r"""(?:https?://|www\.)\S+ | \S+@\S+ | [#@]\w+ | \w+(?:_\w+)+ | \w+\.\w+(?:[./]\w+)*   # addresses, names in code
      | <em>.*?</em> | «[^»]{1,200}» | “[^”]{1,200}” | "[^"]{1,200}" | `[^`]{1,200}`   # emphasis, quotations
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"\w[\w'’·-]*")
_NUMBER = re.compile(r"\d[\d.,:/]*\d|\d")
_ENDS = ".?!…¿¡:;"
_CLAUSE = re.compile(r"[,;:.?!…()–—]")
_DOUBLED = re.compile(
    r"(?<![\w'’-])(?P<once>[^\W\d_][\w'’]*(?: [^\W\d_][\w'’]*){0,2}),?(?: (?P=once)(?![\w'’-]))+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Table:
    """The rules of one language."""

    cuts: dict[str, re.Pattern[str]]
    """Group to what is left out."""
    phrases: tuple[tuple[re.Pattern[str], str], ...]
    negation: re.Pattern[str]
    not_after: frozenset[str]
    not_before: frozenset[str]
    numbers: frozenset[str]
    keep_doubled: frozenset[str]


def shortened(text: str, language: str) -> tuple[Rendering, ...]:
    """Ever shorter renderings of a text, from the mildest trim on; none where nothing can be trimmed.

    Deterministic. A language without a table of its own has the general rule only.
    """
    table = table_of(language)
    out: list[Rendering] = []
    current, trimmed, total = text, (), 0.0
    for group, cost in COSTS.items():
        shorter, labels = _trimmed(current, group, table)
        if labels and _sound(text, shorter, table):
            current, trimmed = shorter, (*trimmed, *labels)
            total += cost * len(labels)
            out.append(Rendering(current, trimmed, round(total, 3)))
    return tuple(out)


def keeps(text: str, shorter: str, language: str) -> bool:
    """Whether both texts hold the same numbers, names, negations and addresses, each as often."""
    table = table_of(language)
    return all(Counter(part(text, table)) == Counter(part(shorter, table)) for part in _KEPT)


@lru_cache
def table_of(language: str) -> Table:
    """The table of a BCP-47 tag's language, else the general one."""
    folder = files("tasks") / "trims"
    path = folder / f"{language.split('-', maxsplit=1)[0].lower()}.toml"
    rows = tomllib.loads((path if path.is_file() else folder / "any.toml").read_text("utf-8"))
    openers = rf"(?:(?<=^)|(?<=[{_ENDS}] ))(?:{_any(rows.get('openers', []))}),"
    bounded = rf"(?:(?<=^)|(?<=[{_ENDS},] )|(?<=[¿¡]))(?:{_any(rows.get('fillers', []))})(?=[,.?!…]|$)"
    pronouns = [
        rf"(?:(?<=^)|(?<=[{_ENDS},] ))(?:{row['pronoun']})(?= (?:{row['verb']})(?![\w'’-]))"
        for row in rows.get("pronouns", [])
    ]
    said_twice = _pattern(f"{bounded}|{_any(rows.get('anywhere', []))}")
    return Table(
        cuts={
            "repeated": said_twice,
            "pronoun": _pattern("|".join(pronouns)),
            "opener": re.compile(openers, re.IGNORECASE),
            "emphasis": _pattern(_any(rows.get("emphasis", []))),
        },
        phrases=tuple(
            (re.compile(rf"(?<![\w'’-]){_spaced(long)}{'' if long.endswith(',') else _AFTER}", re.IGNORECASE), short)
            for long, short in sorted(rows.get("shorter", {}).items(), key=lambda row: -len(row[0]))
        ),
        negation=re.compile(rows["negation"], re.IGNORECASE),
        not_after=frozenset(rows.get("not_after", [])),
        not_before=frozenset(rows.get("not_before", [])),
        numbers=frozenset(rows.get("numbers", [])),
        keep_doubled=frozenset(rows.get("keep_doubled", [])),
    )


_AFTER = r"(?![\w'’-])"


def _any(phrases: Iterable[str]) -> str:
    """A pattern for any of these phrases, the longest first; for nothing at all where there are none."""
    return "|".join(_spaced(phrase) for phrase in sorted(phrases, key=lambda phrase: (-len(phrase), phrase))) or "(?!)"


def _spaced(phrase: str) -> str:
    return re.escape(phrase).replace(r"\ ", " ").replace("'", "['’]")


def _pattern(alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'’-])(?:{alternatives or '(?!)'}){_AFTER}", re.IGNORECASE)


def _trimmed(text: str, group: str, table: Table) -> tuple[str, tuple[str, ...]]:
    """A text with every trim of one group, and what each of them was."""
    labels: list[str] = []
    at = 0
    while True:
        found = next((edit for edit in _edits(text, group, table) if edit[0] >= at), None)
        if found is None:
            return text, tuple(labels)
        start, end, instead = found
        labels.append(f'"{text[start:end].rstrip(",")}"' + (f' to "{instead}"' if instead else ""))
        text = _replaced(text, start, end, instead, group)
        at = start


def _edits(text: str, group: str, table: Table) -> Iterator[tuple[int, int, str]]:
    """The trims of one group that a text allows: from, to, and what stands there instead."""
    protected = [match.span() for match in _VERBATIM.finditer(text)]
    candidates: list[tuple[int, int, str]] = []
    if group == "phrase":
        candidates = [(*match.span(), short) for pattern, short in table.phrases for match in pattern.finditer(text)]
    else:
        candidates = [(*match.span(), "") for match in table.cuts[group].finditer(text)]
    if group == "repeated":
        candidates += [
            (match.start("once"), match.end(), match["once"])
            for match in _DOUBLED.finditer(text)
            if match["once"].casefold() not in table.keep_doubled
        ]
    for start, end, instead in sorted(candidates):
        if any(start < stop and first < end for first, stop in protected):
            continue
        if _allowed(text, start, end, group, table):
            yield start, end, instead


def _allowed(text: str, start: int, end: int, group: str, table: Table) -> bool:
    before, after = text[:start].rstrip(), text[end:].lstrip()
    at_start = not before or before[-1] in _ENDS
    if any(word[0].isupper() for word in _WORD.findall(text[start:end])[1 if at_start else 0 :] if word != "I"):
        return False  # a name, or part of one
    if before.endswith(("'", "’")):
        return False  # what is elided depends on what follows
    last, following = _last_word(before), _first_word(after)
    beside = {last.casefold(), following.casefold()}
    if group != "opener" and (beside & table.numbers or any(_NUMBER.search(word) for word in beside)):
        return False
    if group == "emphasis":
        clause = _CLAUSE.split(before)[-1]
        alone = at_start and (not after or after[0] in _ENDS)
        return not (
            alone
            or table.negation.search(clause)
            or (before[-1:].isalnum() and last.casefold() in table.not_after)
            or (after[:1].isalnum() and following.casefold() in table.not_before)
        )
    return True


def _last_word(text: str) -> str:
    found = re.search(r"[\w'’·-]+\W*$", text)
    return found[0].strip(" ,;()\"'") if found else ""


def _first_word(text: str) -> str:
    found = re.match(r"\W*([\w'’·.,-]*\w)", text)
    return found[1] if found else ""


def _replaced(text: str, start: int, end: int, instead: str, group: str) -> str:
    """The text with a stretch replaced, its commas and capitals in order again."""
    before, gone, after = text[:start].rstrip(), text[start:end], text[end:].lstrip()
    at_start = not before or before[-1] in _ENDS
    if not instead:
        if after[:1] == "," and (at_start or before[-1:] == ","):
            after = after[1:].lstrip()
            before = before[:-1] if group == "emphasis" and before[-1:] == "," else before
        if before[-1:] == "," and (not after or after[0] in ".?!…;:)"):
            before = before[:-1]
        while before[-1:] in {"¿", "¡"} and after[:1] in {"?", "!"}:
            before, after = before[:-1].rstrip(), after[1:].lstrip()
    if at_start and gone[:1].isupper():
        if instead:
            instead = instead[0].upper() + instead[1:]
        else:
            after = after[:1].upper() + after[1:]
    space = "" if not before or before[-1] in "¿¡(" else " "
    middle = f"{space}{instead}" if instead else ""
    glue = "" if not after or after[0] in ",.?!…;:)" else " "
    if not instead and not before:
        glue = ""
    if not instead and before and before[-1] in "¿¡(":
        glue = ""
    return f"{before}{middle}{glue}{after}"


def _sound(text: str, shorter: str, table: Table) -> bool:
    letters = [sum(sign.isalpha() for sign in each) for each in (text, shorter)]
    enough = letters[1] >= (1 - MOST) * letters[0] and len(_WORD.findall(shorter)) >= 2
    return enough and all(Counter(part(text, table)) == Counter(part(shorter, table)) for part in _KEPT)


def _numbers(text: str, table: Table) -> list[str]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return [*_NUMBER.findall(text), *(word for word in words if word in table.numbers)]


def _names(text: str, table: Table) -> list[str]:
    """Words with a capital that does not come from a sentence's start."""
    out: list[str] = []
    for match in _WORD.finditer(text):
        before = text[: match.start()].rstrip(" \"'«“(-–—")
        if before and before[-1] not in _ENDS and match[0][0].isupper() and match[0] not in {"I", "I'm", "I'll"}:
            out.append(match[0])
    return out


def _negations(text: str, table: Table) -> list[str]:
    return [match.casefold() for match in table.negation.findall(text)]


def _verbatim(text: str, table: Table) -> list[str]:
    return _VERBATIM.findall(text)


_KEPT: tuple[Callable[[str, Table], list[str]], ...] = (_numbers, _names, _negations, _verbatim)
