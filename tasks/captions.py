"""Captions that people made, as words: what was said, in its written form, without what was not said.

Sounds in brackets, lyrics, dashes and the names of speakers are not speech. What stands in round brackets, or looks
like a name before a colon, may be either: it is kept and marked, and the sound decides. Captions that roll, where each
cue repeats the rows of the one before, are unrolled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from manifests.cues import Cue
from tasks.spoken_form import spoken

ELSEWHERE = "not in the captions"
"""The flag of an utterance of which the captions have no word."""

_SOUND = re.compile(r"\[[^\]]*\]|♪[^♪]*♪?|[♩♫♬]+")
_LABEL = re.compile(r"^(?:>>+\s*)?([^\W\d_][\w .'’&-]{1,40}):(?=\s|$)")  # AMARA: or >> DR. MARTÍNEZ 2:
_MARKER = re.compile(r"^\s*(?:>>+|[-\u2013\u2014](?=\s|\w)|#+\s)\s*")
_NAMED = re.compile(r"^(?:[A-Z][a-z]+ ?){1,2}:(?=\s|$)")
_ROLLS_FROM = 0.3
"""Share of cues that repeat a row of the one before, from which the captions are taken to roll."""


_ROLLS_AT_LEAST = 2
"""And at least so many: somebody may say the same twice."""


@dataclass(frozen=True, slots=True)
class Written:
    """One word as it is written, and how it is said."""

    text: str
    spoken: tuple[str, ...]
    certain: bool = True
    """Whether it was surely meant to be said: not in round brackets, not like a name before a colon."""


def words(cues: Sequence[Cue], language: str = "en") -> tuple[Written, ...]:
    """Every word that was said, in order; a sign alone (a dash) joins the word before it."""
    return tuple(word for _, said in said_in(cues, language) for word in said)


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends with this word, as it is written."""
    return text.rstrip("\"')\u201d\u2019").endswith((".", "?", "!", "\u2026"))


def said_in(cues: Sequence[Cue], language: str = "en") -> Iterator[tuple[Cue, tuple[Written, ...]]]:
    """What is said in each cue, in order; cues in which nothing (new) is said are left out."""
    for cue, rows in rows_in(cues):
        out: list[Written] = []
        for text, certain in _tokens(" ".join(rows)):
            said = spoken(text, language)
            if said:
                out.append(Written(text, said, certain))
            elif out and text not in "()":
                out[-1] = replace(out[-1], text=f"{out[-1].text} {text}")
        if out:
            yield cue, tuple(out)


def rows_in(cues: Sequence[Cue]) -> Iterator[tuple[Cue, tuple[str, ...]]]:
    """The rows of each cue that are new in it, without sounds, dashes and names; cues without any are left out."""
    cleaned = [tuple(row for row in map(_clean, cue.lines) if row) for cue in cues]
    shared = [_repeated(before, after) for before, after in zip([(), *cleaned], cleaned, strict=False)]
    repeated = sum(count > 0 for count in shared)
    rolls = repeated > _ROLLS_FROM * len(cleaned) and repeated >= _ROLLS_AT_LEAST
    before: tuple[str, ...] = ()
    for cue, rows, count in zip(cues, cleaned, shared, strict=True):
        fresh = rows[count:] if rolls else rows
        if rolls and count == 0 and before and rows and rows[0].startswith(before[-1] + " "):
            fresh = (rows[0][len(before[-1]) + 1 :], *rows[1:])  # captions that are painted on, word by word
        before = rows or before
        if fresh:
            yield cue, fresh


def _repeated(before: Sequence[str], after: Sequence[str]) -> int:
    """How many rows at the start of a cue are the last rows of the one before."""
    most = min(len(before), len(after))
    return next((count for count in range(most, 0, -1) if tuple(before[-count:]) == tuple(after[:count])), 0)


def _clean(row: str) -> str:
    text = _SOUND.sub(" ", row).strip()
    text = _MARKER.sub("", text)
    label = _LABEL.match(text)
    if label is not None and label[1].isupper():
        text = text[label.end() :]
    return " ".join(text.split())


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """The words of a cue; those in round brackets, and a name before a colon at its start, are not certain."""
    named = _NAMED.match(text)
    until = named.end() if named else 0
    depth = 0
    for found in re.finditer(r"\S+", text):
        token = found[0]
        depth += token.count("(")
        yield token, depth == 0 and found.start() >= until
        depth = max(0, depth - token.count(")"))
