"""What a media file holds: its streams, and where its programme begins and ends.

The programme is what a player plays: from the container's start time to the end of the last sound or picture. Sample
0 of everything that the pipeline makes is the container's start time.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

from manifests.errors import MediaError
from manifests.spans import RATE
from tasks.process import ProgramFailed, file_argument, run_program

PROBE_TIMEOUT_S = 120.0
SCAN_TIMEOUT_S = 1800.0
PROBED = ("-show_format", "-show_streams", "-show_chapters")

BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""What an mp4 or mov file may begin with."""

Kind = Literal["video", "audio", "subtitle", "data", "attachment"]


@dataclass(frozen=True, slots=True)
class MediaStream:
    """One stream. Times are samples at 48 kHz from the programme's start."""

    index: int
    kind: Kind
    codec: str
    tag: str
    """The container's own four-letter code, where it has one."""
    language: str | None
    """As the file tags it (`eng`, `en-US`); None where it does not, or says `und`."""
    title: str | None
    dispositions: tuple[str, ...]
    start: int
    length: int | None
    """None where the container does not say."""
    bit_rate: int | None
    """Bits a second; None where the container does not say."""
    channels: int = 0
    layout: str = ""
    """ffmpeg's name of the channel layout; empty where there is none."""
    sample_rate: int = 0
    """Of the sound as it is stored, Hz."""
    bits: int = 0
    """Bits a sample of lossless sound; 0 for lossy codecs."""
    frame_rate: float | None = None
    file_name: str | None = None
    """Of an attachment."""

    @property
    def is_cover(self) -> bool:
        """A still picture that travels with the file, not the picture of the programme."""
        return self.kind == "video" and ("attached_pic" in self.dispositions or "still_image" in self.dispositions)


@dataclass(frozen=True, slots=True)
class Media:
    """A media file. `duration` is the programme's, in samples at 48 kHz."""

    suffix: str
    """Of the file's name, lower case, with its dot."""
    format: str
    """ffmpeg's name of the container format, such as `mov,mp4,m4a,3gp,3g2,mj2`."""
    start_s: float
    """The container's start time: what sample 0 is in the file's own clock."""
    duration: int
    streams: tuple[MediaStream, ...]
    chapters: int
    tags: dict[str, str]
    """The container's tags, such as `title`."""
    sound: int | None = None
    """Index of the audio stream that is dubbed; None until `split` has chosen it."""

    def of_kind(self, kind: Kind) -> tuple[MediaStream, ...]:
        """Streams of one kind in the file's order; cover pictures are not video here."""
        return tuple(stream for stream in self.streams if stream.kind == kind and not stream.is_cover)

    @property
    def covers(self) -> tuple[MediaStream, ...]:
        return tuple(stream for stream in self.streams if stream.is_cover)

    @property
    def dubbed(self) -> MediaStream:
        """The audio stream that is dubbed."""
        return next(stream for stream in self.streams if stream.index == self.sound)

    @property
    def frame_rate(self) -> float:
        """Pictures a second, for what is aligned to frames; 25 where there is no picture or it does not say."""
        return next((stream.frame_rate for stream in self.of_kind("video") if stream.frame_rate), 25.0)


def probe(path: Path, *, needs_sound: bool = True) -> Media:
    """Look into a media file.

    Raises MediaError where the file is missing, empty, a folder, unreadable, cut short or no media; and, unless
    `needs_sound` is false, where it has no audio stream.
    """
    check_file(path)
    _check_whole(path)
    try:
        answer = run_program(
            ["ffprobe", "-v", "error", *PROBED, "-of", "json", "-i", file_argument(path)], PROBE_TIMEOUT_S
        )
    except ProgramFailed as error:
        raise _unreadable(path, error.complaint) from error
    media = _read(path, json.loads(answer))
    if needs_sound and not media.of_kind("audio"):
        raise MediaError(
            f"{path} has no sound: there is nothing to dub.", remedy="Give a file with an audio track, or leave it out."
        )
    return media


def with_bit_rate(path: Path, media: Media) -> Media:
    """The same, with its dubbed sound's bit rate counted where the file does not say it, or says only what was intended
    (Vorbis' head names what the encoder was asked for): the packets' bits over their time. A dub is encoded by it."""
    stream = media.dubbed
    if stream.bit_rate and stream.codec != "vorbis":
        return media
    entries = ["-select_streams", str(stream.index), "-show_entries", "packet=size"]
    sizes = run_program(
        ["ffprobe", "-v", "error", *entries, "-of", "csv=p=0", "-i", file_argument(path)], SCAN_TIMEOUT_S
    )
    length = stream.length or media.duration
    bits = 8 * sum(int(size) for row in sizes.split() if (size := row.strip(",")).isdigit())
    counted = replace(stream, bit_rate=bits * RATE // length if length else None)
    return replace(media, streams=tuple(counted if each is stream else each for each in media.streams))


def check_file(path: Path) -> None:
    """Raise MediaError where a file is missing, a folder, unreadable or empty."""
    if path.is_dir():
        raise MediaError(
            f"{path} is a folder, not a media file.", remedy="Name the files in it: `media: folder/*.mp4`."
        )
    try:
        with path.open("rb") as stream:
            empty = not stream.read(1)
    except FileNotFoundError as error:
        raise MediaError(
            f"{path} does not exist.", remedy="Correct its name in the manifest, or restore it."
        ) from error
    except OSError as error:
        raise MediaError(
            f"{path} cannot be read: {error.strerror}.", remedy="Make it readable for the account that runs this."
        ) from error
    if empty:
        raise MediaError(f"{path} is empty.", remedy="Copy or export it again.")


def _unreadable(path: Path, complaint: str) -> MediaError:
    again = "Copy or export it again; it must be whole."
    if "moov atom not found" in complaint and _is_mp4(path):
        return MediaError(f"{path} is cut short: its index (the moov atom), written last, is missing.", remedy=again)
    reason = complaint.replace(file_argument(path), path.name)
    return MediaError(f"{path} is no media file that ffmpeg can read ({reason}).", remedy=again)


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(12)[4:8] in BOXES


def _check_whole(path: Path) -> None:
    """Raise MediaError where the outermost boxes of an mp4, mov, mkv or wav file promise more bytes than there are."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[4:8] in BOXES:
            promised = _promised_by_boxes(stream.fileno(), size)
        elif head.startswith(b"\x1a\x45\xdf\xa3"):
            promised = _promised_by_segment(os.pread(stream.fileno(), 4096, 0))
        elif head.startswith(b"RIFF") and len(head) == 12:
            (length,) = struct.unpack("<I", head[4:8])
            promised = 0 if length == 0xFFFFFFFF else length  # all ones: unknown, or told elsewhere
        else:
            return
    if promised > size:
        raise MediaError(
            f"{path} is cut short: {size} of {promised} bytes are there.",
            remedy="Copy or export it again; it must be whole.",
        )


def _promised_by_boxes(file: int, size: int) -> int:
    """End of the last top-level box of an ISO base media file (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at + 8 <= size:
        head = os.pread(file, 16, at)
        (length,) = struct.unpack(">I", head[:4])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        if length == 0:
            return size
        if length < 8:
            return at
        at += length
    return at


def _promised_by_segment(head: bytes) -> int:
    """End of a Matroska file's segment, 0 where it is written as unknown (RFC 8794, 6.2)."""
    header_length, at = _ebml_size(head, 4)
    at += header_length
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return 0
    length, start = _ebml_size(head, at + 4)
    return start + length if length >= 0 else 0


def _ebml_size(head: bytes, at: int) -> tuple[int, int]:
    """An EBML size and where what it measures begins; -1 for a size that is unknown."""
    if at >= len(head) or head[at] == 0:
        return -1, at
    width = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + width], "big") & ((1 << (7 * width)) - 1)
    return (-1 if value == (1 << (7 * width)) - 1 else value), at + width


def _read(path: Path, answer: Mapping[str, Any]) -> Media:
    container: Mapping[str, Any] = answer.get("format", {})
    start = _fraction(container.get("start_time")) or Fraction(0)
    streams = tuple(_stream(entry, start) for entry in answer.get("streams", ()) if entry.get("codec_type"))
    programme = [stream for stream in streams if stream.kind in ("video", "audio") and not stream.is_cover]
    ends = [stream.start + stream.length for stream in programme if stream.length is not None]
    stated = _fraction(container.get("duration"))
    if ends and len(ends) == len(programme):
        duration = max(ends)
    elif stated is not None:
        duration = round(stated * RATE)
    elif programme:
        duration = _scanned_end(path, start)
    else:
        duration = 0
    if programme and duration <= 0:
        raise MediaError(f"{path} holds streams, but nothing is in them.", remedy="Copy or export it again.")
    return Media(
        suffix=path.suffix.lower(),
        format=str(container.get("format_name", "")),
        start_s=round(float(start), 6),
        duration=duration,
        streams=streams,
        chapters=len(answer.get("chapters", ())),
        tags={str(key): str(value) for key, value in container.get("tags", {}).items()},
    )


def _stream(entry: Mapping[str, Any], origin: Fraction) -> MediaStream:
    tags = {str(key).lower(): str(value) for key, value in entry.get("tags", {}).items()}
    kind: Kind = entry["codec_type"] if entry["codec_type"] in get_args(Kind) else "data"
    base = _fraction(entry.get("time_base")) or Fraction(0)
    start = base * int(entry["start_pts"]) if "start_pts" in entry else origin
    length = base * int(entry["duration_ts"]) if "duration_ts" in entry else _clock(tags.get("duration"))
    if length is not None and "duration_ts" not in entry:
        length -= start  # Matroska's DURATION tag is when the stream ends
    language = tags.get("language")
    frame_rate = _fraction(entry.get("avg_frame_rate")) if kind == "video" else None
    layout = str(entry.get("channel_layout", ""))
    return MediaStream(
        index=int(entry["index"]),
        kind=kind,
        codec=str(entry.get("codec_name", "unknown")),
        tag=str(entry.get("codec_tag_string", "")),
        language=None if language in (None, "", "und") else language,
        title=tags.get("title") or tags.get("name") or _spoken_name(tags.get("handler_name", "")),
        dispositions=tuple(sorted(name for name, on in entry.get("disposition", {}).items() if on)),
        start=round((start - origin) * RATE),
        length=None if length is None else max(0, round(length * RATE)),
        bit_rate=_whole(entry.get("bit_rate")) or _whole(tags.get("bps")) or _whole(tags.get("bps-eng")),
        channels=int(entry.get("channels", 0)),
        layout="" if layout == "unknown" else layout,
        sample_rate=int(entry.get("sample_rate", 0)),
        bits=_whole(entry.get("bits_per_raw_sample")) or _whole(entry.get("bits_per_sample")) or 0,
        frame_rate=float(frame_rate) if frame_rate else None,
        file_name=tags.get("filename"),
    )


def _spoken_name(handler: str) -> str | None:
    """An mp4 track's name, which lies where QuickTime named the handler; programs leave their own names there."""
    machine = re.search(
        r"handler|core media|iso media|gpac|l-smash|mainconcept|apple|alias|^\W*$", handler, re.IGNORECASE
    )
    return None if machine else handler


def _scanned_end(path: Path, origin: Fraction) -> int:
    """End of the last packet, for files that do not say how long they are, as browsers record them."""
    command = ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time,duration_time", "-of", "csv=p=0"]
    end = Fraction(0)
    with subprocess.Popen(
        [*command, "-i", file_argument(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        limit = threading.Timer(SCAN_TIMEOUT_S, process.kill)
        limit.start()
        try:
            for row in process.stdout or ():
                pts, _, length = row.strip().partition(",")
                end = max(end, (_fraction(pts) or Fraction(0)) + (_fraction(length.strip(",")) or Fraction(0)))
        finally:
            limit.cancel()
    return round((end - origin) * RATE)


def _fraction(text: object) -> Fraction | None:
    """A number or ratio as ffprobe writes it; None for `N/A`, `0/0` and nothing."""
    try:
        return Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None


def _clock(text: str | None) -> Fraction | None:
    """`01:02:03.500000000` in seconds."""
    if text is None or text.count(":") != 2:
        return None
    hours, minutes, rest = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(rest)


def _whole(text: object) -> int | None:
    number = _fraction(text)
    return int(number) if number else None
