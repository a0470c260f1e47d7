"""A track's language as BCP-47, where the container's own three letters say less: `pt-BR` and `pt-PT` are both `por`.

ffmpeg has no way to write it. So a track is named with its tag and as many bytes behind it as the container's element
for it takes; when the file is written, that part of the name becomes the element. Nothing moves, so a finished file of
any size is mended in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manifests.languages import iso_639_2, parse
from tasks.containers import Family

MARK = "\x1f"
"""ASCII's unit separator, which no title holds: between a track's name and its tag."""
FILLER = "\x1e"

OVERHEAD: Mapping[Family, int] = {"mp4": 13, "matroska": 4}
"""Bytes of the element besides the tag. An `elng` box: length, kind, version and flags, and a zero behind the tag;
Matroska's `LanguageBCP47`: its id and its size. WebM has none in its subset of Matroska, nor have single streams."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A marked name, taken apart."""

    name: bytes
    tag: bytes


def says_more(tag: str) -> bool:
    """Whether a tag says more of a language than its ISO 639-2 code."""
    return parse(iso_639_2(tag)) != tag


def named(title: str, tag: str, family: Family) -> str:
    """What ffmpeg is to call a track that `taken_apart` gives back; the title itself where no tag is to be set."""
    if family not in OVERHEAD or not says_more(tag):
        return title
    return f"{title}{MARK}{tag}{FILLER * (OVERHEAD[family] - len(MARK))}"


def taken_apart(name: bytes) -> Tagged | None:
    """A name as it stands in a file, where it is a marked one."""
    title, mark, rest = name.partition(MARK.encode())
    return Tagged(title, rest.rstrip(FILLER.encode())) if mark else None
