"""Numbers in a text, however they are written: `1,500` and `1.500` and `mil quinientos` are one number.

Numbers in words are found by num2words' own spelling of every number up to 9999, as count and as year; where it does
not know a language, only digits are found. `one` is also a pronoun, and its kin are articles: words below two are left
out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

MOST = 9999
YEARS = range(1100, 2100)

_DIGITS = re.compile(r"\d+(?:[.,'\u00a0\u202f]\d+)*")
_TOKENS = re.compile(r"\d[\d.,'\u00a0\u202f]*\d|\d|[^\W\d_]+")
_FEMININE = re.compile(r"(ient|zent|hent)as$")
_GENDERS = {"duas": "dois", "dues": "dos", "uma": "um", "una": "uno"}
_LINKS = frozenset({"and", "y", "e", "i", "und", "et"})
"""Words within a number that speakers also leave out."""


def numbers(text: str, language: str) -> Counter[str]:
    """The numbers of a text by their digits, without what groups or divides them, and how often each is there."""
    words = _TOKENS.findall(text.casefold())
    known, longest = spelled(language.split("-", maxsplit=1)[0].lower())
    found: Counter[str] = Counter()
    at = 0
    while at < len(words):
        if _DIGITS.fullmatch(words[at]):
            found[re.sub(r"\D", "", words[at])] += 1
            at += 1
            continue
        for end in range(min(len(words), at + longest), at, -1):
            value = known.get(folded(words[at:end])) if words[end - 1] not in _LINKS else None
            if value is not None:
                found[value] += 1
                at = end
                break
        else:
            at += 1
    return found


def lost(source: str, source_language: str, said: str, language: str) -> tuple[int, list[str]]:
    """How many numbers a text has, and which of them its translation does not have as often."""
    meant = numbers(source, source_language)
    return meant.total(), sorted((meant - numbers(said, language)).elements())


@lru_cache(maxsize=16)
def spelled(language: str) -> tuple[Mapping[tuple[str, ...], str], int]:
    """Every number from two to `MOST` by its words, `folded`, and the most words that one has, links included."""
    from num2words import CONVERTER_CLASSES, num2words

    if language not in CONVERTER_CLASSES:
        return {}, 0
    known: dict[tuple[str, ...], str] = {}
    for speech in (language, *(name for name in CONVERTER_CLASSES if name.startswith(f"{language}_"))):
        for value in range(2, MOST + 1):
            known.setdefault(folded(_TOKENS.findall(num2words(value, lang=speech).casefold())), str(value))
        for year in YEARS:
            known.setdefault(folded(_TOKENS.findall(num2words(year, lang=speech, to="year").casefold())), str(year))
    if language == "en":
        hundred = {value: words for words, value in known.items() if len(value) < 3}
        for value in YEARS:
            rest = hundred.get(str(value % 100), ())
            known.setdefault((*hundred[str(value // 100)], "hundred", *rest), str(value))
    return known, max(map(len, known)) + 2


def folded(words: list[str]) -> tuple[str, ...]:
    """Words in one gender, and without links."""
    return tuple(_GENDERS.get(word, _FEMININE.sub(r"\1os", word)) for word in words if word not in _LINKS)
