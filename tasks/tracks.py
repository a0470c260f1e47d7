"""The streams of a finished file: what is kept of the source, and what a dub adds.

Each is a stream of an ffmpeg-python graph with the options it is written with. What a container cannot hold is named
in `notes`, a list that the functions add to.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from manifests.languages import iso_639_2, own_name
from manifests.spans import RATE
from tasks.containers import TEXT_SUBTITLES, Container, Encoding, encoding
from tasks.joined_aac import encode
from tasks.media import PROBE_TIMEOUT_S, Media, MediaStream, probe
from tasks.process import file_argument, run_program
from tasks.subtitle_kinds import Kind
from tasks.subtitles import Cue, to_srt
from tasks.track_languages import named

TITLED: Mapping[Kind, str] = {"full": "", "forced": " (forced)", "sdh": " (SDH)"}
DISPOSITIONS: Mapping[Kind, str] = {"full": "0", "forced": "forced", "sdh": "hearing_impaired"}


@dataclass(frozen=True, slots=True)
class Dub:
    """One language's part of a finished file."""

    language: str
    sound: Path
    """48 kHz, the programme's length."""
    subtitles: tuple[Cue, ...]
    speaks: bool = True
    """Whether anything in it is synthetic; a lesson in which nobody speaks keeps its own sound."""
    variants: Mapping[Kind, tuple[Cue, ...]] = field(default_factory=dict[Kind, tuple[Cue, ...]])
    """Further kinds of subtitles that are asked for: what is not spoken (`forced`), and for the deaf (`sdh`)."""

    @property
    def title(self) -> str:
        return f"{own_name(self.language)} (dub)"

    @property
    def shown(self) -> Mapping[Kind, tuple[Cue, ...]]:
        """All kinds of subtitles, the full ones first."""
        return {"full": self.subtitles, **self.variants}


@dataclass(frozen=True, slots=True)
class Track:
    """One stream to be written: where it comes from, and the options for it, without their stream index."""

    node: Any
    """Stream of an ffmpeg-python graph."""
    options: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    disposition: str | None = None
    """None leaves the source's."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def kept(source: Path, origin: Any, media: Media, container: Container, notes: list[str]) -> Iterator[Track]:
    """The picture, and the original's sound where there is room for it."""
    import ffmpeg

    for stream in media.of_kind("video"):
        tag = {"tag": "hvc1"} if stream.codec == "hevc" and container.family == "mp4" else {}
        yield Track(origin[str(stream.index)], {"c": "copy", **tag})
    if container.holds_many:
        for stream in media.of_kind("audio"):
            names = set(stream.dispositions) - {"default"}
            if stream.index == media.sound and not names:
                names = {"original"}
            options: dict[str, str | int] = {"c": "copy"}
            if not container.audio.match(stream.codec) and media.suffix != container.suffix:
                how = encoding(container, stream)
                options = _encoder(how)
                notes.append(
                    f"audio stream {stream.index} ({stream.codec}) cannot be copied into {container.suffix[1:]}: "
                    f"encoded anew as {how.encoder}"
                )
            late = _late(container, _pre_skip(source, stream)) if stream.codec == "opus" else {}
            node = ffmpeg.input(file_argument(source), **late) if late else origin
            yield Track(node[str(stream.index)], options, "+".join(sorted(names)) or "0")
    for stream in media.of_kind("data"):
        if stream.tag == "text" and media.chapters:
            continue  # QuickTime's chapter titles: they are written anew with the chapters
        if stream.tag == "tmcd" and container.muxer == "mov":
            yield Track(origin[str(stream.index)], {"c": "copy"})
        else:
            notes.append(f"data stream {stream.index} ({stream.tag or stream.codec}) cannot be kept")


def dubbed(
    dubs: Sequence[Dub], original: MediaStream, container: Container, scratch: Path, cores: int = 1
) -> Iterator[Track]:
    """The dubs, each encoded for the container; AAC for the mp4 family by several processes where that is sooner."""
    import ffmpeg

    how = encoding(container, original)
    for number, dub in enumerate(dubs):
        aac = None
        if container.family == "mp4" and how.encoder == "aac" and how.bit_rate:
            aac = encode(
                dub.sound, scratch / f"dub.{number}.aac", bit_rate=how.bit_rate, layout=how.layout, cores=cores
            )
        if aac:
            sound = ffmpeg.input(file_argument(aac.path), **aac.input_options)["a:0"]
            options: dict[str, str | int] = {**aac.options}
        else:
            late = _late(container, OPUS_LEAD) if how.encoder == "libopus" else {}
            sound = ffmpeg.input(file_argument(dub.sound), **late)["a:0"]
            if how.layout:
                sound = sound.filter("aformat", channel_layouts=how.layout)
            if how.gain != 1:
                sound = sound.filter("volume", f"{how.gain:.6f}", precision="float")
            options = _encoder(how)
        tags = {"language": iso_639_2(dub.language)}
        if container.holds_many:
            tags |= _titled(dub.title, dub.language, container)
        disposition = "default+dub" if number == 0 else "dub"
        yield Track(sound, options, disposition if container.holds_many else None, tags)


def _titled(title: str, language: str, container: Container) -> dict[str, str]:
    """A track's name where the container's players look for it, with its language where that takes more letters."""
    name = named(title, language, container.family)
    return {"title": title, "handler_name": name} if container.family == "mp4" else {"title": name}


def _encoder(how: Encoding) -> dict[str, str | int]:
    options: dict[str, str | int] = {"c": how.encoder, **dict(how.options)}
    if how.bit_rate:
        options["b"] = how.bit_rate
    return options


def holds_subtitles(container: Container, stream: MediaStream) -> bool:
    """Whether a subtitle stream of the source goes into the container, as it is or written anew."""
    return bool(container.subtitles.match(stream.codec)) or bool(
        container.subtitle_codec and stream.codec in TEXT_SUBTITLES
    )


def kept_subtitles(origin: Any, media: Media, container: Container, notes: list[str]) -> Iterator[Track]:
    for stream in media.of_kind("subtitle"):
        if container.subtitles.match(stream.codec):
            yield Track(origin[str(stream.index)], {"c": "copy"})
        elif container.subtitle_codec and stream.codec in TEXT_SUBTITLES:
            yield Track(origin[str(stream.index)], {"c": container.subtitle_codec})
        else:
            notes.append(f"{container.suffix[1:]} cannot hold subtitle stream {stream.index} ({stream.codec})")


def embedded_subtitles(dubs: Sequence[Dub], scratch: Path, container: Container, notes: list[str]) -> Iterator[Track]:
    import ffmpeg

    if container.subtitle_codec is None:
        notes.append(f"{container.suffix[1:]} holds no subtitles: they lie beside it only")
        return
    for dub in dubs:
        for kind, shown in dub.shown.items():
            if not shown:
                continue
            text = scratch / f"subtitles.{dub.language}.{kind}.srt"
            text.write_text(to_srt(shown), encoding="utf-8")
            tags = {"language": iso_639_2(dub.language)}
            tags |= _titled(own_name(dub.language) + TITLED[kind], dub.language, container)
            node = ffmpeg.input(file_argument(text), format="srt", sub_charenc="UTF-8")["s:0"]
            yield Track(node, {"c": container.subtitle_codec}, DISPOSITIONS[kind], tags)


def kept_covers(origin: Any, media: Media, container: Container, notes: list[str]) -> Iterator[Track]:
    for stream in media.covers:
        if container.family == "matroska":
            continue  # as an attachment, which is what a cover is there
        if container.covers:
            yield Track(origin[str(stream.index)], {"c": "copy"}, "attached_pic")
        else:
            notes.append(f"{container.suffix[1:]} cannot hold the cover picture (stream {stream.index})")


def kept_attachments(origin: Any, media: Media, container: Container, notes: list[str]) -> Iterator[Track]:
    for stream in media.of_kind("attachment"):
        if container.attachments:
            yield Track(origin[str(stream.index)], {"c": "copy"})
        else:
            notes.append(f"{container.suffix[1:]} cannot hold the attachment {stream.file_name or stream.index}")


def extracted_covers(source: Path, media: Media, container: Container, scratch: Path) -> list[Path]:
    """Cover pictures as files, for Matroska, whose muxer would make a video track of a stream."""
    import ffmpeg

    if container.family != "matroska":
        return []
    pictures: list[Path] = []
    for number, stream in enumerate(media.covers):
        suffix = {"mjpeg": ".jpg", "png": ".png", "webp": ".webp", "gif": ".gif", "bmp": ".bmp"}.get(stream.codec)
        if suffix is None:
            continue
        picture = scratch / f"cover{number or ''}{suffix}"
        node = ffmpeg.input(file_argument(source))[str(stream.index)]
        output = ffmpeg.output(
            node, file_argument(picture), format="image2", vcodec="copy", update=1, **{"frames:v": 1}
        )
        run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", *ffmpeg.get_args(output)], 600)
        pictures.append(picture)
    return pictures


def image_type(picture: Path) -> str:
    return f"image/{picture.suffix[1:].replace('jpg', 'jpeg')}"


OPUS_LEAD = 312
"""Samples at 48 kHz that libopus puts before the first one (RFC 7845, 4.2: pre-skip)."""


def _pre_skip(source: Path, stream: MediaStream) -> int:
    """Samples at 48 kHz that an Opus stream wants dropped at its start (RFC 7845, 5.1)."""
    entries = ["-select_streams", str(stream.index), "-show_entries", "stream=extradata", "-show_data"]
    dumped = run_program(
        ["ffprobe", "-v", "error", *entries, "-of", "default=nk=1:nw=1", file_argument(source)], PROBE_TIMEOUT_S
    )
    rows = [row.partition(": ")[2][:40] for row in dumped.splitlines()]
    head = bytes.fromhex("".join(rows).replace(" ", ""))
    return int.from_bytes(head[10:12], "little") if head.startswith(b"OpusHead") else 0


def _late(container: Container, lead: int) -> dict[str, float]:
    """Input options that make up for a muxer that writes Opus too early by its lead."""
    early = container.family in ("matroska", "webm") and lead > 0 and _writes_opus_early()
    return {"itsoffset": lead / RATE} if early else {}


@lru_cache
def _writes_opus_early() -> bool:
    """Whether this ffmpeg's Matroska muxer forgets to delay Opus by its lead, as those before 7 do.

    Matroska's clock counts from the lead's end (`CodecDelay`), so sound that was not delayed plays that much early.
    A tenth of a second of silence beside sound without a lead tells.
    """
    import ffmpeg

    silence = ffmpeg.input("anullsrc=r=48000:cl=mono", format="lavfi", t=0.1).filter_multi_output("asplit")
    with tempfile.TemporaryDirectory() as folder:
        trial = file_argument(Path(folder) / "trial.mka")
        output = ffmpeg.output(
            silence[0], silence[1], trial, format="matroska", **{"c:0": "libopus", "c:1": "pcm_s16le"}
        )
        run_program(["ffmpeg", "-v", "error", "-nostdin", *ffmpeg.get_args(output)], 60)
        opus, pcm = probe(Path(folder) / "trial.mka").streams
    return pcm.start - opus.start > 1.5 * OPUS_LEAD
