"""What HTTP Live Streaming is made of: the picture, each language's sound and its subtitles, each in a folder of its
own, as fragmented mp4 (CMAF) in one file whose segments are byte ranges, and as WebVTT.

No packet of the picture is changed, nor of the original's sound where that is AAC. All tracks have one clock. It begins
when the first frame can be decoded; frames that refer to later ones are presented that much later, and so is
everything else. Encoders put a frame before the first sample of AAC, which only some players leave out by an edit
list: it is left out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from manifests.errors import MediaError, StageFailed
from manifests.languages import own_name
from manifests.spans import RATE, samples, seconds
from tasks.appearing import no_space
from tasks.codec_names import codec_name
from tasks.containers import Encoding, aac
from tasks.fragments import first_presented, set_start, shown_size
from tasks.joined_aac import encode
from tasks.media import PROBE_TIMEOUT_S, Media, MediaStream
from tasks.playlists import (
    DUBBED,
    FOR_THE_DEAF,
    ORIGINAL,
    SEGMENT_S,
    SYNTHETIC,
    Picture,
    Rendition,
    segments_of,
    total_samples,
    write_subtitles,
)
from tasks.process import ProgramFailed, file_argument, run_program
from tasks.tracks import TITLED, Dub

PICTURES = frozenset({"h264", "hevc", "av1"})
"""Codecs that players of HLS play."""

PLAYLIST, MEDIA = "index.m3u8", "media.mp4"

WITHOUT_PRIMING = "noise=drop='lt(pts,0)'"
"""ffmpeg's filter of packets, told to drop what comes before the programme's first instant."""

TOLERANCE = samples(0.1)
HIDDEN_FRAMES = 2
"""So many frames may be shown before the programme begins: nobody sees them, and everything stays in step."""


def check_picture(media: Media) -> None:
    """Raise MediaError where players of HLS do not play the picture."""
    for stream in media.of_kind("video"):
        if stream.codec not in PICTURES:
            raise MediaError(
                f"players of HLS do not play this picture ({stream.codec}), and pictures are not encoded anew.",
                remedy="Leave `delivery: {hls: true}` out, or give the lesson as H.264, HEVC or AV1.",
            )


def picture(source: Path, media: Media, folder: Path) -> tuple[Picture, Fraction] | None:
    """The picture's own track, and the second of its clock at which the programme begins; None where there is none."""
    import ffmpeg

    stream = next(iter(media.of_kind("video")), None)
    if stream is None:
        return None
    node = ffmpeg.input(file_argument(source), fflags="+genpts")[str(stream.index)]
    tag = {"tag:v": "hvc1"} if stream.codec == "hevc" else {}
    late = min(_first_times(source, media, stream), default=Fraction(0))
    if late < -HIDDEN_FRAMES / Fraction(media.frame_rate):
        raise MediaError(
            f"an edit list hides the picture's first {float(-late):.2f} s, and HLS would show them.",
            remedy="Export the lesson again, cut where it begins; or leave `delivery: {hls: true}` out.",
        )
    _fragmented(node, folder, media, {"c": "copy", **tag})
    made = folder / MEDIA
    begins = max(Fraction(0), first_presented(made) - late)
    set_start(made, begins + late)
    size, segments = shown_size(made), segments_of(folder / PLAYLIST)
    facts = Picture(_uri(folder), codec_name(made), size.width, size.height, media.frame_rate, segments)
    return facts, begins


def original(source: Path, media: Media, language: str, folder: Path, begins: Fraction) -> Rendition:
    """The sound that was dubbed, copied where it is AAC."""
    import ffmpeg

    stream = media.dubbed
    node = ffmpeg.input(file_argument(source), fflags="+genpts")[str(stream.index)]
    late = Fraction(0)
    if stream.codec == "aac":
        late = next((time for time in _first_times(source, media, stream) if time >= 0), late)
        options: dict[str, str | int] = {"c": "copy", "bsf": WITHOUT_PRIMING}
    else:
        # from the programme's first instant, whatever begins when
        node = node.filter("aresample", RATE, **{"async": 1, "first_pts": 0})
        options, node = _encoded(node, aac(stream))
    _fragmented(node, folder, media, options)
    set_start(folder / MEDIA, begins + late)
    return _sound(folder, own_name(language), language, stream.channels, (ORIGINAL,), default=True)


def dubbed(dub: Dub, media: Media, folder: Path, scratch: Path, begins: Fraction, cores: int) -> Rendition:
    """A dub's sound, encoded as for mp4."""
    import ffmpeg

    how = aac(media.dubbed)
    joined = encode(
        dub.sound, scratch / f"hls.{dub.language}.aac", bit_rate=how.bit_rate or 0, layout=how.layout, cores=cores
    )
    if joined:
        node = ffmpeg.input(file_argument(joined.path), **joined.input_options)["a:0"]
        options: dict[str, str | int] = {**joined.options}
        options["bsf"] = f"{options['bsf']},{WITHOUT_PRIMING}"
    else:
        options, node = _encoded(ffmpeg.input(file_argument(dub.sound))["a:0"], how)
    _fragmented(node, folder, media, options)
    set_start(folder / MEDIA, begins)
    spoken = (DUBBED, SYNTHETIC) if dub.speaks else (DUBBED,)
    return _sound(folder, dub.title, dub.language, media.dubbed.channels, spoken)


def subtitles(dub: Dub, media: Media, folder: Path, begins: Fraction) -> list[Rendition]:
    """A dub's subtitles, each kind in a folder beside `folder`, which is the full ones'."""
    made: list[Rendition] = []
    for kind, shown in dub.shown.items():
        if not shown and kind != "full":
            continue
        own = folder if kind == "full" else folder.with_name(f"{folder.name}-{kind}")
        write_subtitles(shown, media.duration, own, float(begins))
        name = own_name(dub.language) + TITLED[kind]
        marks = FOR_THE_DEAF if kind == "sdh" else ()
        made.append(Rendition("SUBTITLES", _uri(own), name, dub.language, marks, forced=kind == "forced"))
    return made


def _uri(folder: Path) -> str:
    return f"{folder.name}/{PLAYLIST}"


def _sound(
    folder: Path, name: str, language: str, channels: int, marks: Sequence[str], *, default: bool = False
) -> Rendition:
    return Rendition(
        "AUDIO",
        _uri(folder),
        name,
        language,
        tuple(marks),
        channels,
        default,
        codec=codec_name(folder / MEDIA),
        segments=segments_of(folder / PLAYLIST),
    )


def _encoded(node: Any, how: Encoding) -> tuple[dict[str, str | int], Any]:
    """Options for encoding a sound, and the sound in the layout that they want."""
    if how.layout:
        node = node.filter("aformat", channel_layouts=how.layout)
    return {"c": how.encoder, "b:a": how.bit_rate or 0, "bsf": WITHOUT_PRIMING, **dict(how.options)}, node


def _fragmented(node: Any, folder: Path, media: Media, options: Mapping[str, str | int]) -> None:
    """Write one track as fragments in a folder of its own, with its playlist.

    Raises StageFailed where it cannot be written, or does not last as long as the programme's picture or sound.
    """
    import ffmpeg

    folder.mkdir(parents=True)
    output = ffmpeg.output(
        node,
        file_argument(folder / PLAYLIST),
        format="hls",
        hls_time=SEGMENT_S,
        hls_playlist_type="vod",
        hls_segment_type="fmp4",
        hls_flags="single_file+independent_segments",
        hls_segment_filename=file_argument(folder / MEDIA),
        hls_segment_options="use_editlist=0",
        map_metadata=-1,
        map_chapters=-1,
        max_muxing_queue_size=8192,
        **options,
    )
    try:
        run_program(
            ["ffmpeg", "-v", "error", "-nostdin", "-y", *ffmpeg.get_args(output)], 1200 + 2 * media.duration / RATE
        )
    except ProgramFailed as error:
        raise no_space(folder, error.complaint) or StageFailed(
            f"the streams of {folder.name} could not be written: {error.complaint}.",
            remedy="Leave `delivery: {hls: true}` out.",
            stage="hls",
        ) from error
    length = total_samples(segments_of(folder / PLAYLIST))
    if length > media.duration + TOLERANCE:
        raise StageFailed(
            f"the stream {folder.name} lasts {seconds(length):.3f} s, its source {seconds(media.duration):.3f} s.",
            remedy="Leave `delivery: {hls: true}` out; the source's time stamps are damaged.",
            stage="hls",
        )


def _first_times(source: Path, media: Media, stream: MediaStream) -> list[Fraction]:
    """When a stream's first packets are presented, in seconds of the programme: before 0 what an edit list hides."""
    rows = run_program(
        [
            "ffprobe", "-v", "error", "-select_streams", str(stream.index), "-read_intervals", "%+#20",
            "-show_entries", "packet=pts_time", "-of", "default=nk=1:nw=1", file_argument(source),
        ],
        PROBE_TIMEOUT_S,
    )  # fmt: skip
    origin = Fraction(str(media.start_s))
    return [Fraction(row) - origin for row in rows.split() if row != "N/A"]
