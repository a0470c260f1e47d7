"""Fragmented mp4 files: when their track begins, set on another clock in place, and how its picture is shown.

ffmpeg begins every fragmented track at zero, by the time of decoding. Tracks that are played together need one clock:
`set_start` moves a track's so that its first picture or sound is presented at a given instant. There is no edit list
then, which many players do not read, and no sample that is presented before it is decoded, which some get wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

from tasks.boxes import boxes, within

DATA_OFFSET, FIRST_FLAGS, DURATION, SIZE, FLAGS, OFFSET = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800
"""Which fields a run of samples has (ISO/IEC 14496-12, 8.8.8)."""
DEFAULT_BASE, DEFAULT_INDEX, DEFAULT_DURATION = 0x1, 0x2, 0x8


@dataclass(frozen=True, slots=True)
class Shown:
    """How large a picture is meant to be shown, its pixels square."""

    width: int
    height: int


def first_presented(path: Path) -> Fraction:
    """When the first sample of a file is presented, in seconds of the track's own clock."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        for start, stop in within(file, 0, end, b"moof", b"traf"):
            return Fraction(min(_presented(file, start, stop)), _timescale(file, end))
    return Fraction(0)


def set_start(path: Path, presented: Fraction) -> None:
    """Move a track's clock so that its first sample is presented at `presented` seconds, which is no earlier than the
    first sample can be decoded."""
    moved = presented - first_presented(path)
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        ticks = round(moved * _timescale(file, end))
        if not ticks:
            return
        for start, _ in within(file, 0, end, b"moof", b"traf", b"tfdt"):
            _add(file, start, start + 4, ticks)
        for start, _ in within(file, 0, end, b"sidx"):
            _add(file, start, start + 12, ticks)


def shown_size(path: Path) -> Shown:
    """The picture's size, as the track's header has it: 16.16 numbers at its end."""
    with path.open("rb") as file:
        for _, stop in within(file, 0, file.seek(0, 2), b"moov", b"trak", b"tkhd"):
            file.seek(stop - 8)
            width, height = struct.unpack(">II", file.read(8))
            return Shown(round(width / 65536), round(height / 65536))
    return Shown(0, 0)


def _timescale(file: IO[bytes], end: int) -> int:
    for start, _ in within(file, 0, end, b"moov", b"trak", b"mdia", b"mdhd"):
        file.seek(start)
        version = file.read(1)[0]
        file.seek(start + (20 if version else 12))
        return int.from_bytes(file.read(4), "big")
    return 1


def _add(file: IO[bytes], full_box: int, at: int, ticks: int) -> None:
    """Add to a time of a box that has 64 bits for it in version 1, and 32 in version 0."""
    file.seek(full_box)
    width = 8 if file.read(1)[0] else 4
    file.seek(at)
    value = int.from_bytes(file.read(width), "big") + ticks
    file.seek(at)
    file.write(value.to_bytes(width, "big"))


def _presented(file: IO[bytes], start: int, stop: int) -> Iterator[int]:
    """When each sample of a track fragment is presented, in ticks."""
    parts: dict[bytes, bytes] = {}
    for kind, at, end in boxes(file, start, stop):
        file.seek(at)
        parts.setdefault(kind, file.read(end - at))
    usual = _usual_duration(parts[b"tfhd"])
    at = int.from_bytes(parts[b"tfdt"][4:], "big")
    run = parts[b"trun"]
    flags, count = int.from_bytes(run[1:4], "big"), int.from_bytes(run[4:8], "big")
    place = 8 + 4 * bool(flags & DATA_OFFSET) + 4 * bool(flags & FIRST_FLAGS)
    for _ in range(count):
        values: dict[int, int] = {}
        for field in (DURATION, SIZE, FLAGS, OFFSET):
            if flags & field:
                (values[field],) = struct.unpack(">i", run[place : place + 4])
                place += 4
        yield at + values.get(OFFSET, 0)
        at += values.get(DURATION, usual)


def _usual_duration(header: bytes) -> int:
    """The duration of samples that do not say theirs, from their fragment's header (8.8.7)."""
    flags = int.from_bytes(header[1:4], "big")
    if not flags & DEFAULT_DURATION:
        return 0
    at = 8 + 8 * bool(flags & DEFAULT_BASE) + 4 * bool(flags & DEFAULT_INDEX)
    return int.from_bytes(header[at : at + 4], "big")
