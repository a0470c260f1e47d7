"""How the glossary wants its terms said: a line's text as a voice gets it, while subtitles keep the written form."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks import terms
from tasks.engines import espeak

_PHONEMES = re.compile(r"\[\[\s*(.+?)\s*\]\]")


def respelled(text: str, pronunciations: Sequence[tuple[str, str]], language: str, *, phonemes: bool = False) -> str:
    """A text with each term's pronunciation in place of the term, the longest terms first.

    Phonemes in `[[…]]` reach a voice that reads them (`phonemes`), and leave the written form to another. An ending
    that the term has in the text is not said.
    """
    taken: list[tuple[int, int, str]] = []
    for term, said in sorted(pronunciations, key=lambda each: -len(each[0])):
        meant = _PHONEMES.fullmatch(said)
        if meant and not phonemes:
            continue
        instead = espeak.phonemes(meant[1]) if meant else said
        for start, end in terms.places(term, text, language):
            if all(end <= other or start >= stop for other, stop, _ in taken):
                taken.append((start, end, instead))
    for start, end, instead in sorted(taken, reverse=True):
        text = text[:start] + instead + text[end:]
    return text
