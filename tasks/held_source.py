"""A source whose still frames are held: every packet of its picture as it was, only later.

Nothing of the picture is encoded anew. A container says of each frame when it is shown; a held frame is one after
which the next comes later. Subtitles and chapters move alike. Sound cannot pause, so it is encoded anew with silence
in the holds, which lie in pauses of its speech.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from manifests.holds import Holds
from manifests.spans import RATE
from tasks.containers import CONTAINERS, Container, Encoding, chosen, encoding
from tasks.media import Media, MediaStream, probe
from tasks.process import file_argument, run_program
from tasks.split import on_time

FADE = 240
"""Samples over which sound goes to silence and comes back."""
BLOCK = 8 * RATE


def cannot_hold(media: Media, container: str) -> str:
    """Why frames of a source cannot be held for a container; empty where they can."""
    if not media.of_kind("video"):
        return "there is no picture to hold"
    own = CONTAINERS.get(media.suffix)
    if own is None or own.family not in ("mp4", "matroska") or chosen(media, container)[0].family == "single":
        name = media.suffix.lstrip(".") or "this file"
        return f"still frames are not held in {name}: only in mp4, mov and mkv"
    return ""


def held_source(source: Path, media: Media, holds: Holds, scratch: Path) -> tuple[Path, Media]:
    """Write a source with its frames held, in its own container, and say what it holds.

    Raises ProgramFailed where ffmpeg cannot write it.
    """
    import ffmpeg

    container = CONTAINERS[media.suffix]
    origin = ffmpeg.input(file_argument(source))
    nodes: list[Any] = []
    options: dict[str, str | int] = {"format": container.muxer, "max_muxing_queue_size": 8192}
    sound = 0
    for stream in media.streams:
        number = len(nodes)
        if stream.kind == "audio":
            if stream.index == media.sound:
                sound = number
            nodes.append(_with_silence(source, stream, holds))
            how = _encoding(container, stream)
            options |= {f"{name}:{number}": value for name, value in _encoder(how.encoder, how.bit_rate, how.options)}
        elif stream.kind in ("video", "subtitle", "attachment"):
            nodes.append(origin[str(stream.index)])
            options[f"c:{number}"] = "copy"
            if stream.kind != "attachment" and not stream.is_cover:
                options[f"bsf:{number}"] = _later(holds)
        else:
            continue
        options[f"disposition:{number}"] = "+".join(stream.dispositions) or "0"
    if container.family == "mp4":
        options["strict"] = "experimental"
    out = scratch / f"held{media.suffix}"
    graph = ffmpeg.output(*nodes, file_argument(out), **options)
    *arguments, name = ffmpeg.get_args(graph)
    tags = [part for number, stream in enumerate(_kept(media)) for part in _tags(number, stream)]
    patience = 1200 + 2 * media.duration / RATE
    inputs = [after for option, after in pairwise(arguments) if option == "-i"]
    chapters = ["-map_chapters", "-1"]
    if media.chapters and container.chapters:
        listed = scratch / "chapters.txt"
        described = run_program(["ffmpeg", "-v", "error", "-i", file_argument(source), "-f", "ffmetadata", "-"], 600)
        listed.write_text(_moved_chapters(described, holds), encoding="utf-8")
        at = len(arguments) - arguments[::-1].index("-i") + 1
        arguments[at:at] = ["-f", "ffmetadata", "-i", file_argument(listed)]
        chapters = ["-map_chapters", str(len(inputs))]
    metadata = ["-map_metadata", str(inputs.index(file_argument(source))), *chapters, *tags]
    run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments, *metadata, name], patience)
    made = probe(out)
    return out, replace(made, sound=made.streams[sound].index, duration=media.duration + holds.length)


def held_programme(programme: Path, holds: Holds, out: Path) -> Path:
    """The programme's sound with silence where frames are held; the same file where none are."""
    import numpy as np
    import soundfile

    if not holds.all:
        return programme
    with soundfile.SoundFile(programme) as heard:
        sink = soundfile.SoundFile(out, "w", heard.samplerate, heard.channels, heard.subtype, format="FLAC")
        with sink:
            at = 0
            for until, silence in [*((hold.at, hold.length) for hold in holds.all), (heard.frames, 0)]:
                while at < until and len(block := heard.read(min(BLOCK, until - at), dtype="int32", always_2d=True)):
                    sink.write(block)
                    at += len(block)
                for start in range(0, silence, BLOCK):
                    sink.write(np.zeros((min(BLOCK, silence - start), heard.channels), np.int32))
    return out


def _encoding(container: Container, stream: MediaStream) -> Encoding:
    """As a dub would be encoded; losslessly in place of Opus, which ffmpeg before 7 writes too early into Matroska."""
    how = encoding(container, stream)
    return how if how.encoder != "libopus" else Encoding("flac", options=(("sample_fmt", "s16"),))


def _kept(media: Media) -> Iterator[MediaStream]:
    return (stream for stream in media.streams if stream.kind != "data")


def _tags(number: int, stream: MediaStream) -> Iterator[str]:
    """What ffmpeg forgets of a stream that goes through a filter."""
    if stream.kind == "audio":
        for key, value in (("language", stream.language), ("title", stream.title), ("handler_name", stream.title)):
            if value:
                yield from (f"-metadata:s:{number}", f"{key}={value}")


def _encoder(name: str, bit_rate: int | None, more: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str | int]]:
    yield "c", name
    yield from more
    if bit_rate:
        yield "b", bit_rate


def _later(holds: Holds) -> str:
    """ffmpeg's bitstream filter that moves packets; one monotone map for both times, so that decoding order stays."""
    added = [
        (f"gte({{0}}*TB*{RATE}\\,{hold.at})", f"lt({{0}}*TB*{RATE}\\,{hold.at})", f"round({hold.length}/{RATE}/TB)")
        for hold in holds.all
    ]
    moved = {of: "+".join([of, *(f"{after.format(of)}*{by}" for after, _, by in added)]) for of in ("PTS", "DTS")}
    ends = [f"{before.format('PTS')}*{after.format('(PTS+DURATION-1)')}*{by}" for after, before, by in added]
    duration = "+".join(["DURATION", *ends])
    return f"setts=pts='{moved['PTS']}':dts='{moved['DTS']}':duration='{duration}'"


def _with_silence(source: Path, stream: MediaStream, holds: Holds) -> Any:
    import ffmpeg

    parts = on_time(source, stream).filter_multi_output("asplit", len(holds.all) + 1)
    joined: list[Any] = []
    start = 0
    for number, hold in enumerate(holds.all):
        length = hold.at - start
        part = parts[number].filter("atrim", start_sample=start, end_sample=hold.at).filter("asetpts", "PTS-STARTPTS")
        part = part.filter("apad", whole_len=length).filter("afade", type="out", ss=max(0, length - FADE), ns=FADE)
        joined.append(part.filter("apad", whole_len=length + hold.length))
        start = hold.at
    last = parts[len(holds.all)].filter("atrim", start_sample=start).filter("asetpts", "PTS-STARTPTS")
    joined.append(last.filter("afade", type="in", ss=0, ns=FADE))
    return ffmpeg.concat(*joined, n=len(joined), v=0, a=1)


def _moved_chapters(described: str, holds: Holds) -> str:
    """ffmpeg's metadata file with its chapters' times moved."""
    lines: list[str] = []
    scale = 1.0
    for line in described.splitlines():
        base = re.fullmatch(r"TIMEBASE=(\d+)/(\d+)", line)
        time = re.fullmatch(r"(START|END)=(-?\d+)", line)
        if base:
            scale = int(base[1]) / int(base[2])
        if time:
            at = round(int(time[2]) * scale * RATE)
            moved = holds.start(at) if time[1] == "START" else holds.end(at)
            lines.append(f"{time[1]}={round(moved / RATE / scale)}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
