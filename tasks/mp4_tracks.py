"""What ffmpeg cannot say about the tracks of an mp4 or mov file, corrected in place so that nothing moves. ffmpeg turns
the first subtitle track on, whatever it is told, and players that go by that flag show it over a dub that needs none:
the flag is one bit of a track's header (ISO/IEC 14496-12, 8.3.2). And it knows languages by three letters only: a
BCP-47 tag has a box of its own (8.4.6, and QuickTime's), for which a track's name holds the room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tasks.boxes import boxes, within
from tasks.track_languages import taken_apart

ENABLED = 1
SUBTITLES = frozenset({b"sbtl", b"subt", b"text", b"clcp"})
"""Handlers of tracks that are shown as text."""
NAME_AT = 24
"""Where a handler's name begins, behind version, flags, its types and what is reserved (8.4.3)."""


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


def set_languages(path: Path) -> None:
    """Give every track whose name is marked (`tasks.track_languages`) its `elng` box."""
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        for start, stop in within(file, 0, end, b"moov", b"trak", b"mdia", b"hdlr"):
            _set_language(file, start, stop)


def _set_language(file: IO[bytes], start: int, stop: int) -> None:
    """Turn the handler between two places into an `elng` box and a handler with what else its name says."""
    file.seek(start)
    content = file.read(stop - start)
    fixed, name = content[:NAME_AT], content[NAME_AT:]
    counted = fixed[4:8] == b"mhlr"  # QuickTime's names begin with their length, others end with a zero
    found = taken_apart(name[1:] if counted else name.removesuffix(b"\0"))
    if found is None:
        return
    fresh = fixed + (bytes([len(found.name)]) + found.name if counted else found.name + b"\0")
    file.seek(start - 8)
    file.write(_box(b"elng", bytes(4) + found.tag + b"\0") + _box(b"hdlr", fresh))


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


class _Track:
    """What of a track is looked at."""

    handler = b""
    flags_at = 0


def _tracks(file: IO[bytes]) -> Iterator[_Track]:
    file.seek(0, 2)
    end = file.tell()
    for kind, start, stop in boxes(file, 0, end):
        for inner, first, last in boxes(file, start, stop) if kind == b"moov" else ():
            if inner == b"trak":
                yield _track(file, first, last)


def _track(file: IO[bytes], first: int, last: int) -> _Track:
    track = _Track()
    for kind, start, stop in boxes(file, first, last):
        if kind == b"tkhd":
            track.flags_at = start + 1  # after the version
        for inner, at, _ in boxes(file, start, stop) if kind == b"mdia" else ():
            if inner == b"hdlr":
                file.seek(at + 8)  # after version, flags and QuickTime's component type
                track.handler = file.read(4)
    return track
