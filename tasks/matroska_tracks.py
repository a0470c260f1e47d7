"""Languages of a Matroska file's tracks, written into the room that their names hold (`tasks.track_languages`)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from manifests.errors import StageFailed
from tasks.track_languages import taken_apart

SEGMENT, TRACKS, CLUSTER = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"
TRACK_ENTRY, NAME, LANGUAGE_BCP47, CRC_32 = b"\xae", b"\x53\x6e", b"\x22\xb5\x9d", b"\xbf"
"""Ids of elements (RFC 9559, 5)."""


def set_languages(path: Path) -> None:
    """Give every track whose name is marked its `LanguageBCP47`; the checksum of the list of tracks follows.

    Raises StageFailed where the file has no list of tracks before its content.
    """
    with path.open("r+b") as file:
        start, end = _tracks(file)
        file.seek(start)
        tracks = bytearray(file.read(end - start))
        before = bytes(tracks)
        for entry in _elements(tracks, 0, len(tracks)):
            for inner in _elements(tracks, entry.content, entry.end) if entry.kind == TRACK_ENTRY else ():
                if inner.kind == NAME:
                    _set_language(tracks, inner)
        if bytes(tracks) == before:
            return
        checksum = next(_elements(tracks, 0, len(tracks)))
        if checksum.kind == CRC_32:  # it comes first, and covers all that follows (RFC 8794, 11.3.1)
            tracks[checksum.content : checksum.end] = zlib.crc32(tracks[checksum.end :]).to_bytes(4, "little")
        file.seek(start)
        file.write(tracks)


@dataclass(frozen=True, slots=True)
class _Element:
    """An element (RFC 8794, 5 and 6): its id, and where its size, its content and what follows it begin."""

    kind: bytes
    size: int
    content: int
    end: int


def _set_language(tracks: bytearray, name: _Element) -> None:
    """Turn the end of a marked name into an element of its own."""
    found = taken_apart(bytes(tracks[name.content : name.end]))
    if found is None:
        return
    width = name.content - name.size
    shorter = (len(found.name) | 1 << 7 * width).to_bytes(width, "big") + found.name
    tracks[name.size : name.end] = shorter + LANGUAGE_BCP47 + bytes([0x80 | len(found.tag)]) + found.tag


def _tracks(file: IO[bytes]) -> tuple[int, int]:
    """Where the list of tracks begins and ends."""
    end = file.seek(0, 2)
    at = 0
    while at < end:
        file.seek(at)
        element = _element(file.read(16), at)
        if element.kind == TRACKS:
            return element.content, element.end
        if element.kind == CLUSTER:
            break
        at = element.content if element.kind == SEGMENT else element.end
    raise StageFailed(
        f"{file.name} has no list of tracks before its content.",
        remedy="Set `delivery: {container: mp4}`.",
        stage="remux",
    )


def _elements(data: bytearray, at: int, end: int) -> Iterator[_Element]:
    """The elements between two places."""
    while at < end:
        element = _element(bytes(data[at : at + 16]), at)
        yield element
        at = element.end


def _element(head: bytes, at: int) -> _Element:
    """The element that lies at `at`, from its first bytes."""
    id_width = 9 - head[0].bit_length()
    width = 9 - head[id_width].bit_length()
    size = int.from_bytes(head[id_width : id_width + width], "big") & (1 << 7 * width) - 1
    content = at + id_width + width
    return _Element(head[:id_width], at + id_width, content, content + size)
