"""The bytes of a store of content credentials (JUMBF, ISO 19566-5), and those that C2PA's own check lets pass.

C2PA binds a file's content and its statement to a signature, but not the framing around them: sizes and labels of outer
boxes, padding beside the signature, the first box of an MP4. In a file that we signed all of that is known to the byte,
so that any flipped bit is found. What another program signed is left to C2PA's check alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TAIL = bytes.fromhex("00110010800000aa00389b71")
"""The last twelve bytes of the types that C2PA gives its boxes; the first four are letters."""

_STORE = b"\0\0\0\x1ejumdc2pa" + _TAIL + b"\x03c2pa\0"
"""The description of a whole store, as every store has it."""

_DESCRIBED = tuple(b"jumd" + kind + _TAIL for kind in (b"c2pa", b"c2ma", b"c2cl", b"c2cs"))
"""Descriptions of a store, its manifest, its claim and its signature."""

_BEFORE_IN_MP4 = b"\0\0\0\0manifest\0" + bytes(8)
"""What stands between the type of C2PA's box in an MP4 and the store (C2PA 2.2, A.5.1)."""

_PADDED = re.compile(rb"cpad(?:X(?P<short>.)|Y(?P<long>..))", re.DOTALL)
"""The key and the length of a signature's padding, in CBOR (RFC 8949)."""

_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Box:
    kind: bytes
    start: int
    """Of its content."""
    end: int


class Malformed(ValueError):
    """Boxes that do not fill the box around them."""


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes that lie one behind the other. Raises Malformed where they do not end where they should."""
    while start < end:
        size = int.from_bytes(data[start : start + 4], "big")
        if size < 8 or start + size > end:
            raise Malformed
        yield Box(data[start + 4 : start + 8], start + 8, start + size)
        start += size


def as_we_write_it(store: bytes) -> bool:
    """Whether everything in a store that no signature covers is as our signing leaves it."""
    try:
        (outer,) = boxes(store, 0, len(store))
        described, *manifests = boxes(store, outer.start, outer.end)
        if outer.kind != b"jumb" or store[described.start - 8 : described.end] != _STORE:
            return False
        parts = list(boxes(store, manifests[-1].start, manifests[-1].end))
        labels = [_label(store, part) for part in parts[1:]]
    except (ValueError, IndexError):
        return False
    kinds = {part.kind for part in (*manifests, *parts[1:])}
    expected = [b"c2pa.assertions", b"c2pa.claim.v2", b"c2pa.signature"]
    return kinds == {b"jumb"} and labels == expected and _padding_is_empty(store[parts[-1].start : parts[-1].end])


def _label(store: bytes, box: Box) -> bytes:
    """The label of a box of boxes. Raises Malformed where those in it do not fill it."""
    description, *_ = boxes(store, box.start, box.end)
    return store[description.start + 17 : description.end].rstrip(b"\0")


def _padding_is_empty(signature: bytes) -> bool:
    found = _PADDED.search(signature)
    if found is None:
        return False
    length = int.from_bytes(found["short"] or found["long"], "big")
    padding = signature[found.end() : found.end() + length]
    return padding == bytes(length) and signature[found.end() + length : found.end() + length + 1] == b"\xf6"


def store_in(path: Path) -> bytes | None:
    """The store in a file, where it is framed as its container asks; None where it is not, or there is none."""
    at = _find(path, _STORE)
    if at is None or at < 8:
        return None
    with path.open("rb") as stream:
        first = stream.read(12)
        stream.seek(max(0, at - 8 - len(_BEFORE_IN_MP4)))
        before = stream.read(min(at - 8, len(_BEFORE_IN_MP4)))
        head = stream.read(8)
        size = int.from_bytes(head[:4], "big")
        if head[4:] != b"jumb" or size > _BLOCK:
            return None
        data = head + stream.read(size - 8)
    if first[4:8] == b"ftyp" and before != _BEFORE_IN_MP4:
        return None
    return data


def remains(path: Path) -> bool:
    """Whether a file holds credentials, or what is left of them, wherever they are and whether they can be read."""
    return sum(_find(path, described) is not None for described in _DESCRIBED) > 1


def first_box(path: Path) -> bytes:
    """The first box of an MP4 (`ftyp`, which says what it is), at most 4 KB of it; empty for any other file."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    return head[: int.from_bytes(head[:4], "big")] if head[4:8] == b"ftyp" else b""


def media_boxes(path: Path) -> int:
    """How many boxes of media data an MP4 has."""
    found, at, length = 0, 0, path.stat().st_size
    with path.open("rb") as stream:
        while at + 8 <= length:
            stream.seek(at)
            head = stream.read(16)
            size = int.from_bytes(head[:4], "big")
            if size == 1:
                size = int.from_bytes(head[8:], "big")
            found += head[4:8] == b"mdat"
            at += max(size, 8) if size else length  # 0: to the end of the file
    return found


def _find(path: Path, wanted: bytes) -> int | None:
    """Where some bytes first stand in a file, read in blocks."""
    with path.open("rb") as stream:
        tail, at = b"", 0
        while block := stream.read(_BLOCK):
            window = tail + block
            found = window.find(wanted)
            if found >= 0:
                return at + found
            tail = window[-len(wanted) + 1 :]
            at += len(window) - len(tail)
    return None
