"""Glimpses of a picture: small, and with the time at which each is shown.

Decoding every frame of a 1080p lesson takes longer than everything else that is done to its sound. Keyframes alone
cost a hundredth of that, and what lies between two of them is decoded only where something is suspected there. The
sizes of the packets, which cost no decoding at all, say where.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE, Span, seconds
from tasks.media import Media, MediaStream
from tasks.process import ProgramFailed, file_argument, run_program

WIDTH, HEIGHT = 160, 90
"""Pixels of a glimpse, whatever the picture's shape: a line of text on a slide is then about three pixels high."""

Picture = NDArray[np.uint8]
"""Three planes, brightness and two of colour, of HEIGHT rows of WIDTH pixels."""
_BYTES = 3 * WIDTH * HEIGHT

_SHOWN = re.compile(rb"\bn: *\d+ pts: *(-?\d+) ")
_STALLED_S = 120.0


@dataclass(frozen=True, slots=True)
class Glimpse:
    at: int
    """When the frame is shown: samples at 48 kHz from the programme's start."""
    picture: Picture


@dataclass(frozen=True, slots=True)
class Packet:
    """One coded frame."""

    at: int
    """When it is shown: samples at 48 kHz from the programme's start."""
    size: int
    """Bytes."""
    key: bool


def packets(source: Path, media: Media, stream: MediaStream, timeout_s: float) -> tuple[Packet, ...]:
    """A picture's packets in the order in which they are shown; those without a time are left out.

    Raises ProgramFailed where ffprobe cannot read the file.
    """
    answer = run_program(
        [
            *("ffprobe", "-v", "error", "-select_streams", str(stream.index)),
            *("-show_entries", "packet=pts,size,flags:stream=time_base", "-of", "compact=p=0"),
            *("-i", file_argument(source)),
        ],
        timeout_s,
    )
    rows: list[dict[str, str]] = []
    for row in answer.splitlines():
        pairs = (part.partition("=") for part in row.split("|"))
        rows.append({name: value for name, _, value in pairs})
    base = next((Fraction(row["time_base"]) for row in rows if "time_base" in row), Fraction(1, RATE))
    origin = Fraction(media.start_s).limit_denominator(1_000_000)
    found = [
        Packet(round((int(row["pts"]) * base - origin) * RATE), int(row["size"]), "K" in row["flags"])
        for row in rows
        if row.get("pts", "N/A") != "N/A"
    ]
    return tuple(sorted(found, key=lambda packet: packet.at))


def keyframes(source: Path, stream: MediaStream) -> Iterator[Glimpse]:
    """Every keyframe, in order."""
    # ffmpeg's threads share out frames, also those that are skipped: several cost more than they win here
    return _decoded(source, stream, {"skip_frame": "nokey", "threads": 1})


def frames(source: Path, stream: MediaStream, span: Span) -> Iterator[Glimpse]:
    """Every frame that begins within a span, in order; decoding starts at the keyframe before it."""
    for glimpse in _decoded(source, stream, {"ss": seconds(span.start), "t": seconds(span.length)}):
        if span.start <= glimpse.at < span.end:
            yield glimpse


def _decoded(source: Path, stream: MediaStream, how: dict[str, Any]) -> Iterator[Glimpse]:
    """Decode one stream. Raises ProgramFailed where ffmpeg ends with an error or stalls."""
    import ffmpeg

    shown = (
        ffmpeg.input(file_argument(source), **how)[str(stream.index)]
        .filter("scale", WIDTH, HEIGHT, flags="area")
        .filter("format", "yuv444p")
        .filter("settb", f"1/{RATE}")
        .filter("showinfo", checksum=0)
    )
    graph = ffmpeg.output(shown, "pipe:1", format="rawvideo", vsync="passthrough")
    *arguments, name = ffmpeg.get_args(graph)
    command = ["ffmpeg", "-v", "info", "-nostats", "-hide_banner", "-nostdin", "-copyts", "-start_at_zero", *arguments]
    with subprocess.Popen(
        [*command, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        times: SimpleQueue[int] = SimpleQueue()
        complaints: list[str] = []
        reader = threading.Thread(target=_listen, args=(process.stderr, times, complaints), daemon=True)
        reader.start()
        whole = False
        try:
            while len(data := _read(process)) == _BYTES:
                picture = np.frombuffer(data, np.uint8).reshape(3, HEIGHT, WIDTH)
                yield Glimpse(times.get(timeout=_STALLED_S), picture)
            whole = True
        except Empty as error:
            raise ProgramFailed("ffmpeg", "it gave a frame without a time") from error
        finally:
            if not whole:  # whoever looks has seen enough, or something went wrong
                process.kill()
            reader.join(_STALLED_S)
        if process.wait(_STALLED_S) != 0:
            raise ProgramFailed("ffmpeg", "; ".join(complaints[-3:]))


def _read(process: subprocess.Popen[bytes]) -> bytearray:
    """The next frame; less than one at the end. A decoder that is stuck is killed."""
    data = bytearray()
    if process.stdout is None:
        return data
    pipe = process.stdout.fileno()
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    while len(data) < _BYTES:
        if not ready.poll(1000 * _STALLED_S):
            process.kill()
        if not (part := os.read(pipe, _BYTES - len(data))):
            break
        data += part
    return data


def _listen(stderr: Any, times: SimpleQueue[int], complaints: list[str]) -> None:
    for line in stderr:
        found = _SHOWN.search(line)
        if found:
            times.put(int(found[1]))
        elif b"showinfo" not in line:
            complaints.append(line.decode(errors="replace").strip())
            del complaints[:-20]
