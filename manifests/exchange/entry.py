"""One line as it is exchanged, and what all kinds of files have in common."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_BREAKS = re.compile(r"[ \t\r\n\f\v\x1c-\x1f\x85\u2028\u2029]+")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
_EMPHASIS = re.compile(r"<(/?)em>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line on its way out."""

    id: str
    start: float
    """Seconds, as `end`, of its utterance in the source."""
    end: float
    speaker: str
    source: str
    text: str
    origin: str
    notes: tuple[tuple[str, str], ...] = ()
    """What a linguist should know, each under a word for what it is about, such as `length`."""

    @property
    def noted(self) -> str:
        """All notes on one row."""
        return "; ".join(f"{about}: {note}" for about, note in self.notes)


@dataclass(frozen=True, slots=True)
class Heading:
    """What the lines are of."""

    course: str
    lesson: str
    source_language: str
    language: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A line that came back."""

    at: int
    """The line of the file, from 1."""
    id: str
    """As it stands there; empty where there is none."""
    text: str
    source: str | None = None
    """What the file says the source is, where it does."""
    start: float | None = None
    """Seconds, where the file says."""
    language: str | None = None
    """The target language, where the file says."""


def tidy(text: str) -> str:
    """A text as lines have it: on one row, without control codes, `<em>` in lower case; other spaces stay."""
    return _EMPHASIS.sub(r"<\1em>", _BREAKS.sub(" ", _CONTROL.sub("", text)).strip(" "))


def decoded(raw: bytes) -> str:
    """The text of a file as Excel, editors and CAT tools save it: UTF-8, UTF-16 with or without its mark, or, where it
    is neither, Windows-1252."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace")
    if b"\0" in raw[:200]:
        return raw.decode("utf-16-le" if raw[1:2] == b"\0" else "utf-16-be", errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """A text in stretches, and of each whether it is emphasized; unpaired tags stay text."""
    at = 0
    for found in re.finditer(r"<em>(.*?)</em>", text):
        if found.start() > at:
            yield text[at : found.start()], False
        yield found[1], True
        at = found.end()
    if at < len(text):
        yield text[at:], False
