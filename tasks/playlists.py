"""Playlists of HTTP Live Streaming (RFC 8216): the master that names everything, and subtitles cut into segments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from manifests.spans import RATE, Span, samples, seconds
from tasks.subtitles import Cue, to_vtt

SEGMENT_S = 6
"""Seconds of a segment, as Apple recommends them; pictures are cut at their own keyframes, so theirs may be longer."""

VERSION = 7
"""Of the protocol: the first that has renditions in fragmented mp4."""

ORIGINAL = "public.original-content"
DUBBED = "public.translation.dubbed"
SYNTHETIC = "public.machine-generated"
FOR_THE_DEAF = ("public.accessibility.transcribes-spoken-dialog",)  # our SDH names who speaks, and no sounds
"""Characteristics by which players find, and label, what a viewer wants (Apple's media characteristics)."""

_SEGMENTS = re.compile(r"#EXTINF:([\d.]+),[^\n]*\n#EXT-X-BYTERANGE:(\d+)@")


@dataclass(frozen=True, slots=True)
class Segment:
    seconds: float
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One track that a viewer chooses: a language's sound, or its subtitles of one kind."""

    kind: Literal["AUDIO", "SUBTITLES"]
    uri: str
    """Of its playlist, below the folder of all of them."""
    name: str
    language: str
    characteristics: tuple[str, ...] = ()
    channels: int = 0
    default: bool = False
    forced: bool = False
    codec: str = ""
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture, which every language shares."""

    uri: str
    codec: str
    width: int
    height: int
    frame_rate: float
    segments: tuple[Segment, ...]


def segments_of(playlist: Path) -> tuple[Segment, ...]:
    """The segments of a media playlist in byte ranges."""
    found = _SEGMENTS.findall(playlist.read_text(encoding="utf-8"))
    return tuple(Segment(float(length), int(size)) for length, size in found)


def peak_bits(segments: Sequence[Segment]) -> int:
    """Most bits a second of any stretch of half to one and a half times the longest segment (RFC 8216, 4.3.4.2)."""
    target = max((round(segment.seconds) for segment in segments), default=0)
    most = 0.0
    for first in range(len(segments)):
        length = size = 0.0
        for segment in segments[first:]:
            length, size = length + segment.seconds, size + segment.size
            if length > 1.5 * target:
                break
            if length >= 0.5 * target:
                most = max(most, 8 * size / length)
    return round(most) or mean_bits(segments)


def mean_bits(segments: Sequence[Segment]) -> int:
    """Bits a second of all segments together."""
    length = sum(segment.seconds for segment in segments)
    return round(8 * sum(segment.size for segment in segments) / length) if length else 0


def master(
    picture: Picture | None, renditions: Sequence[Rendition], said: Iterable[tuple[str, str]], below: str
) -> str:
    """The master playlist of what lies in the folder `below`, beside it.

    `said` are sentences that disclose what is synthetic, each with its language before it. Without a picture the first
    sound stands where it would.
    """
    sounds = [rendition for rendition in renditions if rendition.kind == "AUDIO"]
    rows = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for language, sentence in said:
        facts = {
            "DATA-ID": _quoted("org.dubflow.disclosure"),
            "VALUE": _quoted(sentence),
            "LANGUAGE": _quoted(language),
        }
        rows.append(f"#EXT-X-SESSION-DATA:{_attributes(facts)}")
    rows += [f"#EXT-X-MEDIA:{_attributes(dict(_media(rendition, below)))}" for rendition in renditions]
    peak = max(peak_bits(sound.segments) for sound in sounds)
    mean = max(mean_bits(sound.segments) for sound in sounds)
    codecs = dict.fromkeys(sound.codec for sound in sounds)
    variant = {"BANDWIDTH": str(peak), "AVERAGE-BANDWIDTH": str(mean), "CODECS": _quoted(",".join(codecs))}
    if picture is not None:
        variant["BANDWIDTH"] = str(peak + peak_bits(picture.segments))
        variant["AVERAGE-BANDWIDTH"] = str(mean + mean_bits(picture.segments))
        variant["CODECS"] = _quoted(",".join([picture.codec, *codecs]))
        variant["RESOLUTION"] = f"{picture.width}x{picture.height}"
        variant["FRAME-RATE"] = f"{picture.frame_rate:.3f}"
    variant["AUDIO"] = _quoted("audio")
    if len(renditions) > len(sounds):
        variant["SUBTITLES"] = _quoted("subtitles")
    variant["CLOSED-CAPTIONS"] = "NONE"
    uri = picture.uri if picture else sounds[0].uri
    return "\n".join([*rows, f"#EXT-X-STREAM-INF:{_attributes(variant)}", f"{below}/{uri}", ""])


def _media(rendition: Rendition, below: str) -> Iterator[tuple[str, str]]:
    def yes(value: bool) -> str:
        return "YES" if value else "NO"

    sound = rendition.kind == "AUDIO"
    yield "TYPE", rendition.kind
    yield "GROUP-ID", _quoted("audio" if sound else "subtitles")
    yield "NAME", _quoted(rendition.name)
    yield "LANGUAGE", _quoted(rendition.language)
    yield "DEFAULT", yes(rendition.default)
    yield "AUTOSELECT", "YES"
    if sound:
        yield "CHANNELS", _quoted(str(rendition.channels))
    else:
        yield "FORCED", yes(rendition.forced)
    if rendition.characteristics:
        yield "CHARACTERISTICS", _quoted(",".join(rendition.characteristics))
    yield "URI", _quoted(f"{below}/{rendition.uri}")


def _attributes(values: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())


def _quoted(text: str) -> str:
    """A quoted string, which can hold neither quotes nor line ends (RFC 8216, 4.2)."""
    return '"' + re.sub(r'["\r\n]+', "'", text) + '"'


def write_subtitles(shown: Sequence[Cue], length: int, folder: Path, starts_at: float) -> None:
    """Cut subtitles into segments below a folder, with their playlist.

    `length` is the programme's, in samples; `starts_at` the second of the media's clock at which it begins. A cue that
    lasts beyond a segment is in the next one too (RFC 8216, 3.5).
    """
    folder.mkdir(parents=True)
    step = samples(SEGMENT_S)
    header = f"X-TIMESTAMP-MAP=MPEGTS:{round(starts_at * 90_000)},LOCAL:00:00:00.000"
    rows = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", f"#EXT-X-TARGETDURATION:{SEGMENT_S}"]
    rows += ["#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for number, start in enumerate(range(0, max(1, length), step)):
        span = Span(start, min(start + step, max(1, length)))
        here = [cue for cue in shown if cue.span.overlap(span) > 0]
        name = f"{number:05}.vtt"
        (folder / name).write_text(to_vtt(here, header), encoding="utf-8")
        rows += [f"#EXTINF:{seconds(span.length):.6f},", name]
    (folder / "index.m3u8").write_text("\n".join([*rows, "#EXT-X-ENDLIST", ""]), encoding="utf-8")


def total_samples(segments: Sequence[Segment]) -> int:
    """How long segments last together, in samples at 48 kHz."""
    return round(sum(segment.seconds for segment in segments) * RATE)
