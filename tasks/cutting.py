"""Cutting a text where a reader would pause: after sentences, else after clauses, else between words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from manifests import emphasis

SENTENCE, CLAUSE, WORD = 0.0, 0.3, 1.0
"""What it costs to cut after a word that ends a sentence, after one that ends a clause, and after any other."""

_TRAILING = "\"')]»”’"
_IN_WORDS = 4.0
"""A cut is moved by so many average words before it is made at a worse place."""


def price(word: str) -> float:
    """How bad a cut after this word is."""
    end = emphasis.plain(word).rstrip(_TRAILING)
    if end.endswith((".", "?", "!", "…", "。", "？", "！")):
        return SENTENCE
    return CLAUSE if end.endswith((",", ";", ":", "–", "—", "،", "、")) else WORD


def cut(text: str, shares: Sequence[float]) -> list[str]:
    """A text in as many parts as there are shares, each about as long as its share, none empty while words last.

    Every word is in one part, in order; words in one `<em>` stay together.
    """
    words = _words(text)
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(emphasis.plain(word)) + 1)
    whole = sum(shares) or 1.0
    average = max(1.0, ends[-1] / max(1, len(words)))
    places, wanted = [0], 0.0
    for number, share in enumerate(shares[:-1], 1):
        wanted += share / whole * ends[-1]
        after = len(shares) - number  # parts that still want a word
        low, high = min(places[-1] + 1, len(words)), max(len(words) - after, min(places[-1] + 1, len(words)))
        places.append(
            min(
                range(low, high + 1),
                key=lambda at: abs(ends[at] - wanted) / average + _IN_WORDS * (price(words[at - 1]) if at else 0),
            )
        )
    places.append(len(words))
    return [" ".join(words[low:high]) for low, high in pairwise(places)]


def _words(text: str) -> list[str]:
    return re.findall(r"(?:<em>.*?</em>|\S)+", text, re.IGNORECASE)
