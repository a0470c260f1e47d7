"""English numbers in digits: `five hundred and three` as `503`, `fourteen fifty-five` as `1455`.

A translator of words makes another number of them, or none: Apertium's Spanish of `five hundred` is no word, and of
`twenty five` it is `twenty` and `five`. Digits pass, and are read out in the target language (`tasks.speech_text`).
A number of one word stays: it is translated well, and may be a pronoun.
"""

from __future__ import annotations

import re
from functools import lru_cache

from tasks.numbers import folded, spelled

_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN = re.compile(r"[ -]")
_SCALES = ("hundred", "thousand")
_CLOCK = ("eleven", "twelve")
"""`eleven thirty` is a time of day sooner than a year."""


def in_digits(text: str) -> str:
    """An English text with its numbers of two words and more, up to 9999, in digits.

    What may be meant otherwise stays in words: part of a longer number or of a row of them (`twelve thousand five
    hundred`, `one two three`), an ordinal (`twenty first`), a time of day.
    """
    words = list(_WORD.finditer(text))
    written: list[str] = []
    done = at = 0
    while at < len(words):
        end, value = _longest(text, words, at)
        if value and not _meant_otherwise(text, words, at, end):
            written += [text[done : words[at].start()], value]
            done = words[end - 1].end()
        at = end
    return "".join((*written, text[done:]))


def _longest(text: str, words: list[re.Match[str]], at: int) -> tuple[int, str]:
    """The end of the longest number of several words that begins here, and its digits; the next word without one."""
    known, longest = spelled("en")
    for end in range(min(_row_end(text, words, at), at + longest), at + 1, -1):
        first, *others = (word[0].casefold() for word in words[at:end])
        if first == "and" or others[-1] == "and" or (first == "a" and len(others) == 1):
            continue
        value = known.get(folded(["one" if first == "a" else first, *others]))
        if value is not None:
            return end, value
    return at + 1, ""


def _row_end(text: str, words: list[re.Match[str]], at: int) -> int:
    """After the last word that follows this one with only a space or a hyphen between each two."""
    end = at + 1
    while end < len(words) and _BETWEEN.fullmatch(text, words[end - 1].end(), words[end].start()):
        end += 1
    return end


def _meant_otherwise(text: str, words: list[re.Match[str]], at: int, end: int) -> bool:
    """Whether a word of a number, or an ordinal, stands right before or behind; or it is a time of day."""
    first, second = (word[0].casefold() for word in words[at : at + 2])
    before = words[at - 1][0].casefold() if at and _row_end(text, words, at - 1) > at else ""
    behind = words[end][0].casefold() if _row_end(text, words, end - 1) > end else ""
    part = before in _number_words() or behind in _number_words() | _ordinals()
    return part or (first in _CLOCK and second not in _SCALES)


@lru_cache(maxsize=1)
def _number_words() -> frozenset[str]:
    large = ("million", "billion", "trillion", "dozen", "one", "zero", "oh", "point")
    return frozenset((*large, *(word for words in spelled("en")[0] for word in words)))


@lru_cache(maxsize=1)
def _ordinals() -> frozenset[str]:
    from num2words import num2words

    return frozenset(num2words(number, lang="en", to="ordinal") for number in (*range(1, 20), *range(20, 100, 10)))
