"""Muxing: one ffmpeg command that copies the picture and every original track, and adds the dubs.

Which tracks there are, and what a container does to them, is `tasks.tracks`' matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from manifests.errors import StageFailed
from manifests.spans import RATE
from tasks import matroska_tracks, mp4_tracks
from tasks.appearing import no_space
from tasks.containers import Container
from tasks.media import Media
from tasks.process import ProgramFailed, file_argument, run_program
from tasks.tracks import (
    Dub,
    Track,
    dubbed,
    embedded_subtitles,
    extracted_covers,
    holds_subtitles,
    image_type,
    kept,
    kept_attachments,
    kept_covers,
    kept_subtitles,
)


def mux(
    source: Path,
    media: Media,
    dubs: Sequence[Dub],
    draft: Path,
    scratch: Path,
    container: Container,
    embedded: bool,
    notes: list[str],
    tags: Mapping[str, str],
    cores: int = 1,
) -> None:
    """Write `draft`: the source's own tracks bit for bit, then the dubs; `notes` gets what could not be kept.

    Raises StoreError where the disk is full, StageFailed where ffmpeg cannot write the container.
    """
    import ffmpeg

    origin = ffmpeg.input(file_argument(source), fflags="+genpts")
    added = list(embedded_subtitles(dubs, scratch, container, notes)) if embedded else []
    tracks = [
        *kept(source, origin, media, container, notes),
        *dubbed(dubs, media.dubbed, container, scratch, cores),
        *kept_subtitles(origin, media, container, notes),
        *added,
        *kept_covers(origin, media, container, notes),
        *kept_attachments(origin, media, container, notes),
    ]
    if media.chapters and not container.chapters:
        notes.append(f"{container.suffix[1:]} holds no chapters")
    repeated = [
        word
        for number, track in enumerate(tracks)
        for key, value in track.tags.items()
        for word in (f"-metadata:s:{number}", f"{key}={value}")
    ]
    attached = len(media.of_kind("attachment"))
    for at, cover in enumerate(extracted_covers(source, media, container, scratch), attached):
        repeated += ["-attach", file_argument(cover), f"-metadata:s:t:{at}", f"mimetype={image_type(cover)}"]
        repeated += [f"-metadata:s:t:{at}", f"filename={cover.name}"]
    nodes = (track.node for track in tracks)
    output = ffmpeg.output(*nodes, file_argument(draft), **_options(tracks, container))
    # ffmpeg-python writes every option once; those that are repeated go where options end, before the file's name
    *arguments, name = ffmpeg.get_args(output)
    first = _input_of(source, arguments)
    repeated += ["-map_metadata", first, "-map_chapters", first if container.chapters else "-1"]
    for key, value in tags.items():
        repeated += ["-metadata", f"{key}={value}"]
    try:
        run_program(
            ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments, *repeated, name],
            1200 + 2 * media.duration / RATE,
        )
        _settle_tracks(draft, media, container, len(added))
    except ProgramFailed as error:
        raise no_space(draft.parent, error.complaint) or StageFailed(
            f"{container.suffix[1:]} could not be written: {error.complaint}.",
            remedy="Set `delivery: {container: mkv}`, which holds nearly everything.",
            stage="remux",
        ) from error


def _options(tracks: Sequence[Track], container: Container) -> dict[str, str | int]:
    """ffmpeg's options for the file and for each of its streams."""
    options: dict[str, str | int] = {"format": container.muxer, "max_muxing_queue_size": 8192}
    if container.family == "mp4":
        options |= {"movflags": "+faststart", "strict": "experimental"}  # ffmpeg calls FLAC and DTS in mp4 that
    if container.muxer == "wav":
        options["rf64"] = "auto"
    for number, track in enumerate(tracks):
        options |= {f"{name}:{number}": value for name, value in track.options.items()}
        if track.disposition is not None:
            options[f"disposition:{number}"] = track.disposition
    return options


def _input_of(source: Path, arguments: list[str]) -> str:
    """The number of the source among the inputs of a command, to which it is added where none of its streams is copied:
    its tags and chapters are."""
    inputs = [after for option, after in pairwise(arguments) if option == "-i"]
    if file_argument(source) not in inputs:
        after_inputs = len(arguments) - arguments[::-1].index("-i") + 1
        arguments[after_inputs:after_inputs] = ["-i", file_argument(source)]
        inputs.append(file_argument(source))
    return str(inputs.index(file_argument(source)))


def _settle_tracks(draft: Path, media: Media, container: Container, added: int) -> None:
    """Write into the file what ffmpeg cannot: languages, and which subtitles are shown; the last `added` never are."""
    if container.family == "mp4":
        own = [stream for stream in media.of_kind("subtitle") if holds_subtitles(container, stream)]
        mp4_tracks.set_subtitles(draft, [*("default" in stream.dispositions for stream in own), *[False] * added])
        mp4_tracks.set_languages(draft)
    elif container.family == "matroska":
        matroska_tracks.set_languages(draft)
