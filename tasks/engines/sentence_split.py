"""A text as its sentences, for translators that take one at a time; nothing to download, and nothing is lost.

Wrong cuts cost more than missing ones, so a full stop after an abbreviation, an initial or before a small letter ends
nothing. What is left too long for a model is cut at a comma, else between words.
"""

# ruff: noqa: SIM905 - word lists are read as words, not as string literals

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 60
"""Words that are translated at once: models have learned from sentences, and their output has a limit."""

_END = re.compile(
    r"""(?<=[.?!…])["'”’»)\]]*\s+(?=[\W_]*[A-ZÀ-ÖØ-ÞĀ-ɏΑ-Ωа-яА-Я0-9\u0590-\u06ff\u0900-\u0dff])  # and a new beginning
      | (?<=[。！？])""",
    re.VERBOSE,
)
_SHORT: Final = frozenset(
    """
    mr mrs ms dr prof st sr jr vs etc fig figs no nr vol pp cf eg ie e.g i.e approx dept est inc ltd co corp gen col
    sra dra srta ud uds pág págs núm ed art cap ing lic av avda bzw usw ca z.b d.h mme mlle dott sig
    """.split()
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order; joined by spaces they are the text, but for the width of its spaces.

    >>> sentences("Dr. Smith has 3.5 apples. Why? He ate one.")
    ['Dr. Smith has 3.5 apples.', 'Why?', 'He ate one.']
    """
    out: list[str] = []
    start = 0
    for found in _END.finditer(text):
        before = text[start : found.start()]
        if before.strip() and not _abbreviated(before):
            out.append(text[start : found.end()])
            start = found.end()
    out.append(text[start:])
    return [piece for sentence in out for piece in _pieces(" ".join(sentence.split())) if piece]


def _abbreviated(text: str) -> bool:
    """Whether the full stop at the end belongs to its word."""
    if not text.endswith("."):
        return False
    word = re.split(r"[\s(\[\"'“‘«-]", text.rstrip("."))[-1]
    return word.casefold() in _SHORT or (len(word) == 1 and word.isalpha() and word.isupper() and word != "I")


def _pieces(sentence: str) -> list[str]:
    """A sentence of at most `LONGEST` words; a longer one in parts, cut at the last comma in reach."""
    words = sentence.split(" ")
    out: list[str] = []
    while len(words) > LONGEST:
        commas = [at for at in range(LONGEST // 2, LONGEST) if words[at - 1].endswith((",", ";", ":", "—", "–"))]
        cut = commas[-1] if commas else LONGEST
        out.append(" ".join(words[:cut]))
        words = words[cut:]
    return [*out, " ".join(words)]
