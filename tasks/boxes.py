"""Boxes of ISO base media files (ISO/IEC 14496-12, 4.2): mp4, mov, m4a and their fragments."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO


def boxes(file: IO[bytes], at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two places: kind, where their content begins, where they end."""
    while at + 8 <= end:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        content = at + 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            content += 8
        stop = end if length == 0 else at + length
        if stop < content or stop > end:
            return
        yield kind, content, stop
        at = stop


def within(file: IO[bytes], at: int, end: int, *path: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of every box lies to which a path of kinds leads, and where it ends."""
    for kind, start, stop in boxes(file, at, end):
        if kind != path[0]:
            continue
        if len(path) == 1:
            yield start, stop
        else:
            yield from within(file, start, stop, *path[1:])
