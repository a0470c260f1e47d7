"""Which tracks of an mp4 or mov file are on when it is opened.

ffmpeg turns the first subtitle track on, whatever it is told, and players that go by that flag show it over a dub that
needs none. The flag is one bit of a track's header (ISO/IEC 14496-12, 8.3.2): it is set right in place, and nothing
moves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

ENABLED = 1
SUBTITLES = frozenset({b"sbtl", b"subt", b"text", b"clcp"})
"""Handlers of tracks that are shown as text."""


def set_subtitles(path: Path, on: Sequence[bool]) -> None:
    """Turn the subtitle tracks of a file on or off, in their order; tracks beyond those given stay as they are."""
    with path.open("r+b") as file:
        wanted = iter(on)
        for track in _tracks(file):
            if track.handler not in SUBTITLES:
                continue
            enabled = next(wanted, None)
            if enabled is None:
                return
            file.seek(track.flags_at)
            flags = int.from_bytes(file.read(3), "big")
            file.seek(track.flags_at)
            file.write((flags | ENABLED if enabled else flags & ~ENABLED).to_bytes(3, "big"))


class _Track:
    """What of a track is looked at."""

    handler = b""
    flags_at = 0


def _tracks(file: IO[bytes]) -> Iterator[_Track]:
    file.seek(0, 2)
    end = file.tell()
    for kind, start, stop in _boxes(file, 0, end):
        for inner, first, last in _boxes(file, start, stop) if kind == b"moov" else ():
            if inner == b"trak":
                yield _track(file, first, last)


def _track(file: IO[bytes], first: int, last: int) -> _Track:
    track = _Track()
    for kind, start, stop in _boxes(file, first, last):
        if kind == b"tkhd":
            track.flags_at = start + 1  # after the version
        for inner, at, _ in _boxes(file, start, stop) if kind == b"mdia" else ():
            if inner == b"hdlr":
                file.seek(at + 8)  # after version, flags and QuickTime's component type
                track.handler = file.read(4)
    return track


def _boxes(file: IO[bytes], at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
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
