"""Recognized words, which have no case and no punctuation, as a sentence that a translator understands.

Capitals matter more than they seem: Apertium knows `United States` and `Monday`, not `united states` and `monday`.
Commas at pauses help lists and clauses, but one before a verb (`the invention, may be`) parts it from its subject.
"""

# ruff: noqa: SIM905 - word lists are read as words, not as string literals

from __future__ import annotations

import re
from collections.abc import Sequence

from manifests.script import Word
from manifests.spans import samples

COMMA_S = 0.25
"""A pause of this length between two words is written as a comma."""

_VERBS = frozenset(
    "am is are was were be been being do does did has have had may might can could will would shall should must".split()
)
_BOUND = _VERBS | frozenset("of than".split())
_NAMES = frozenset(
    """
    monday tuesday wednesday thursday friday saturday sunday
    january february april june july september october november december christmas easter
    africa african america american americans asia asian australia australian europe european europeans
    argentina austria austrian belgium belgian brazil brazilian britain british bulgaria canada canadian chile china
    chinese colombia croatia cuba czech denmark danish egypt egyptian england english finland finnish france french
    german germans germany greece greek greeks hungary hungarian iceland india indian indians indonesia iran iraq
    ireland irish israel italian italians italy japan japanese kenya korea korean latin mexican mexico morocco
    netherlands nigeria norway norwegian pakistan peru poland portugal portuguese roman romans rome romania russia
    russian russians scotland scottish spain spanish sweden swedish switzerland swiss syria thailand turkish ukraine
    ukrainian venezuela vietnam wales welsh
    amsterdam athens barcelona beijing berlin boston brussels chicago dublin london madrid moscow paris tokyo vienna
    washington
    arabic christian christianity islam jewish muslim
    """.split()
)
_PAIRS = re.compile(r"\b(united (?:states|kingdom|nations)|new (?:york|zealand)|south africa|middle ages)\b")


def sentence(words: Sequence[Word]) -> str:
    """Capitals at the start and of names, `I`, a comma at pauses, a full stop at the end; empty without words."""
    shown: list[str] = []
    for index, word in enumerate(words):
        follower = words[index + 1] if index + 1 < len(words) else None
        paused = follower is not None and follower.span.start - word.span.end >= samples(COMMA_S)
        bound = follower is not None and follower.text in _BOUND
        shown.append(_cased(word.text) + "," * (paused and not bound))
    text = _PAIRS.sub(lambda pair: pair[0].title(), " ".join(shown))
    return text[:1].upper() + text[1:] + "." * bool(text)


def _cased(text: str) -> str:
    owner, apostrophe, rest = text.partition("'")
    if owner in _NAMES or owner == "i":
        return owner.capitalize() + apostrophe + rest
    return text
