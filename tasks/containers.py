"""What each container holds, and how a dub is written into it.

The lists are what players play, not everything that ffmpeg agrees to write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from manifests.errors import MediaError
from tasks.media import Media, MediaStream

Family = Literal["mp4", "matroska", "webm", "single"]

TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})

LOSSLESS = re.compile(r"pcm_|flac|alac|wavpack|tta|ape|mlp|truehd")


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file."""

    suffix: str
    muxer: str
    """ffmpeg's name of the format."""
    family: Family
    """`single` holds one audio stream and nothing to choose from."""
    video: re.Pattern[str]
    audio: re.Pattern[str]
    """Codecs that may be copied into it."""
    subtitle_codec: str | None
    """How text subtitles are written into it; None where it holds none."""
    subtitles: re.Pattern[str]
    """Subtitle codecs that may be copied into it."""
    attachments: bool = False
    covers: bool = False
    chapters: bool = True

    @property
    def holds_many(self) -> bool:
        """Whether it holds the original and dubs side by side."""
        return self.family != "single"


NONE = re.compile(r"(?!)")
ANY = re.compile(r".")
_MP4_VIDEO = re.compile(r"(h264|hevc|av1|vp9|mpeg4|mpeg2video|mpeg1video|mjpeg|png|vvc)$")
_MP4_AUDIO = re.compile(r"(aac|mp3|mp2|ac3|eac3|alac|opus|flac|dts)$")
_MOV_VIDEO = re.compile(
    r"(h264|hevc|mpeg4|mpeg2video|mjpeg|png|prores|dnxhd|qtrle|rawvideo|cinepak|svq3|dvvideo|cfhd|hap)$"
)
_MOV_AUDIO = re.compile(r"(aac|mp3|ac3|eac3|alac|pcm_.*|adpcm_ima_qt)$")
_MOV_SUBTITLES = re.compile(r"(mov_text|eia_608)$")
_WEBM_VIDEO = re.compile(r"(vp8|vp9|av1)$")
_WEBM_AUDIO = re.compile(r"(opus|vorbis)$")
_MKV_SUBTITLES = re.compile(r"(subrip|ass|ssa|webvtt|hdmv_pgs_subtitle|dvd_subtitle|dvb_subtitle|hdmv_text_subtitle)$")

CONTAINERS = {
    container.suffix: container
    for container in (
        Container(".mp4", "mp4", "mp4", _MP4_VIDEO, _MP4_AUDIO, "mov_text", _MOV_SUBTITLES, covers=True),
        Container(".m4v", "mp4", "mp4", _MP4_VIDEO, _MP4_AUDIO, "mov_text", _MOV_SUBTITLES, covers=True),
        Container(".m4a", "ipod", "mp4", NONE, re.compile(r"(aac|alac|ac3)$"), None, NONE, covers=True),
        Container(".mov", "mov", "mp4", _MOV_VIDEO, _MOV_AUDIO, "mov_text", _MOV_SUBTITLES, covers=True),
        Container(".mkv", "matroska", "matroska", ANY, ANY, "subrip", _MKV_SUBTITLES, attachments=True, covers=True),
        Container(".mka", "matroska", "matroska", NONE, ANY, "subrip", _MKV_SUBTITLES, attachments=True, covers=True),
        Container(".webm", "webm", "webm", _WEBM_VIDEO, _WEBM_AUDIO, "webvtt", re.compile("webvtt$")),
        Container(".mp3", "mp3", "single", NONE, NONE, None, NONE, covers=True),
        Container(".flac", "flac", "single", NONE, NONE, None, NONE, covers=True),
        Container(".wav", "wav", "single", NONE, NONE, None, NONE, chapters=False),
        Container(".ogg", "ogg", "single", NONE, NONE, None, NONE),
        Container(".opus", "opus", "single", NONE, NONE, None, NONE),
    )
}

ALIKE = {".weba": ".webm", ".oga": ".ogg", ".wave": ".wav", ".qt": ".mov", ".mp4v": ".mp4", ".m4b": ".m4a"}
"""Suffixes that mean a container which goes by another name here."""


def chosen(media: Media, wanted: str) -> tuple[Container, str]:
    """The container of a dub of this file, and a note where it is not the one that might be expected.

    `wanted` is the manifest's `delivery.container`. A source whose own container players do not expect to hold two
    languages (avi, ts, wmv, ...) becomes mkv with a picture and m4a without. Raises MediaError where the wanted
    container cannot hold the source's picture.
    """
    picture = media.of_kind("video")
    if wanted == "source":
        own = CONTAINERS.get(ALIKE.get(media.suffix, media.suffix))
        if own is not None and all(own.video.match(stream.codec) for stream in picture):
            return own, ""
        other = CONTAINERS[".mkv" if picture else ".m4a"]
        name = media.suffix.lstrip(".") or "this file"
        return other, f"{name} does not hold several languages with this picture: delivered as {other.suffix[1:]}"
    container = CONTAINERS[f".{wanted}"]
    for stream in picture:
        if not container.video.match(stream.codec):
            raise MediaError(
                f"{wanted} cannot hold this picture ({stream.codec}), and pictures are not encoded anew.",
                remedy="Set `delivery: {container: mkv}`, or leave the container out.",
            )
    return container, ""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a dub is encoded: ffmpeg's encoder, bits a second (None for lossless), and what else the encoder is told."""

    encoder: str
    bit_rate: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    gain: float = 1.0
    """What makes up for an encoder's own scaling."""
    layout: str | None = None
    """A channel layout that the encoder wants in place of the source's."""


LOSSY_LIMITS = {"aac": 320_000, "libopus": 256_000, "libmp3lame": 320_000}
"""Most bits a second and channel that an encoder is asked for."""
YIELDS = {"aac": 0.84, "libopus": 0.96, "libmp3lame": 1.0}
"""Share of the bits asked for that speech over a room's tone is given, at least (measured at 96 to 256 kb/s): a dub has
no fewer than its source when so many more are asked for."""
OPUS_OPTIONS = (("vbr", "off"),)
"""At a variable rate the pauses of clean speech get next to nothing, and a dub fewer bits than its source."""
AAC_OPTIONS = (("aac_coder", "fast"),)
"""ffmpeg's default coder, `twoloop`, lifts the peaks of limited speech by up to 2.4 dB now and then, this one by 0.5;
and at one bit rate leaves 3 to 8 dB more noise below 8 kHz (measured with ffmpeg 5.1 on speech at 96 to 192 kb/s)."""
AAC_LAYOUTS = {
    "5.1(side)": "5.1", "5.0(side)": "5.0", "7.1(wide)": "7.1",
    "3.1": "5.1", "4.1": "5.1", "6.0": "7.1", "6.1": "7.1", "7.0": "7.1",
}  # fmt: skip
"""Layouts that AAC has no number for. ffmpeg would describe them in a form that most players, and its own decoder, give
back as unnamed channels; every channel has its place in the layout that stands here instead."""
NAMELESS = {5: "5.0(side)", 6: "5.1(side)", 7: "6.1"}
"""Layouts that FLAC, in which the dub comes, gives so many channels where the source does not name them."""
MP3_GAINS = ((160_000, 1 / 0.95), (192_000, 1 / 0.97), (224_000, 1 / 0.98), (320_000, 1.0))
"""LAME lowers what it encodes at up to so many bits a second, by up to 0.45 dB (its presets' `scale`, measured)."""
MP3_RATES = (96, 112, 128, 160, 192, 224, 256, 320)


def encoding(container: Container, sound: MediaStream) -> Encoding:
    """How a dub is encoded for a container, no worse than the source's sound."""
    kept = _kept_lossless(container, sound)
    if kept is not None:
        return kept
    if container.muxer == "mp3":
        rate = _bit_rate("libmp3lame", sound, min(2, sound.channels))
        allowed = next((step * 1000 for step in MP3_RATES if step * 1000 >= rate), 320_000)
        scaled = next(gain for most, gain in MP3_GAINS if allowed <= most)
        return Encoding("libmp3lame", allowed, gain=scaled, layout="stereo" if sound.channels > 2 else None)
    vorbis_family = container.family == "matroska" and sound.codec in {"opus", "vorbis"}
    if vorbis_family or container.family == "webm" or container.muxer in {"ogg", "opus"}:
        front = {"5.1(side)": "5.1", "5.0(side)": "5.0", "quad(side)": "quad"}.get(_layout(sound))
        rate = _bit_rate("libopus", sound, sound.channels)
        return Encoding("libopus", rate, OPUS_OPTIONS, layout=front)
    return aac(sound)


def aac(sound: MediaStream) -> Encoding:
    """How sound with a source's channels is encoded as AAC, no worse than the source's."""
    layout = AAC_LAYOUTS.get(_layout(sound))
    return Encoding("aac", _bit_rate("aac", sound, sound.channels), AAC_OPTIONS, layout=layout)


def _layout(sound: MediaStream) -> str:
    return sound.layout or NAMELESS.get(sound.channels, "")


def _kept_lossless(container: Container, sound: MediaStream) -> Encoding | None:
    """A lossless source stays so where the container has a codec for it that players know."""
    codec, deep = sound.codec, 16 < sound.bits <= 32
    if container.muxer == "wav":
        return Encoding(codec if codec in {"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"} else "pcm_s16le")
    if container.muxer == "flac" or (container.family == "matroska" and LOSSLESS.match(codec)):
        return Encoding("flac", options=(("sample_fmt", "s32" if deep else "s16"),))
    if container.muxer == "mov" and codec in {"pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_s24be"}:
        return Encoding(codec)
    if container.family == "mp4" and codec == "alac":
        return Encoding("alac", options=(("sample_fmt", "s32p" if deep else "s16p"),))
    return None


def _bit_rate(encoder: str, sound: MediaStream, channels: int) -> int:
    """As many bits as give the source's bit rate, or 96k for one channel and 64k a channel for more where that is
    higher, within what the codec takes."""
    channels = max(1, channels)
    least = 96_000 if channels == 1 else 64_000 * channels
    source = 96_000 * channels if LOSSLESS.match(sound.codec) else (sound.bit_rate or 0)
    return min(max(least, round(source / YIELDS[encoder])), LOSSY_LIMITS[encoder] * channels)
