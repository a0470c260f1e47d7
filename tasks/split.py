"""Split: from a media file to the sound that the other stages hear, and the pieces they may work on in parallel.

One decode of the chosen audio stream gives two files that begin at the programme's first instant and last as long as
it does: `programme.flac` (48 kHz, the source's channels) and `speech.wav` (mono, 16 kHz). Sound that starts later than
the picture has silence before it, gaps are filled, and what the encoder put before the first sample is gone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.errors import MediaError, StoreError
from manifests.languages import iso_639_2
from manifests.model import Job
from manifests.script import dump
from manifests.spans import ANALYSIS_RATE, RATE, Span
from tasks.media import Media, MediaStream, probe, with_bit_rate
from tasks.process import ProgramFailed, file_argument, run_program
from tasks.scenes import Scenes, find_scenes
from tasks.stage import Made, Stage, Workbench
from tasks.stillness import find_still

Graph = Any
"""A node of an ffmpeg-python graph; that package has no types."""

LONGEST_PIECE_S = 180.0
SHORTEST_PIECE_S = 60.0
"""Of all pieces but the last: a cut is looked for between these two after the one before it."""
LEVEL_STEP_S = 0.02
QUIET_WINDOW_S = 0.4
"""A cut wants this much quiet around it."""

RESYNC_S = 0.03
"""Where timestamps and samples disagree by more than this, silence is filled in or sound is dropped. Below it lie the
rounding and jitter of containers, which would only chop the sound."""

COUNTED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
"""Formats that say to the sample how long sound without a picture lasts; all others are decoded and counted."""
HONEST = frozenset({"wav", "flac"})
"""Formats whose header tells the length for certain, so that less sound than it says means a file cut short."""

LESS_WANTED = frozenset({"comment", "visual_impaired", "hearing_impaired", "clean_effects", "karaoke", "descriptions"})
"""Audio streams that carry something else than the programme as everybody hears it."""


@dataclass(frozen=True, slots=True)
class Params:
    audio_language: str | None
    source_language: str
    still: bool = False
    """Whether to find where the picture stands still."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What `split` wrote."""

    media: Media
    programme: Path
    speech: Path
    pieces: tuple[Span, ...]
    scenes: Scenes


def split(
    source: Path, folder: Path, *, source_language: str, audio_language: str | None = None, still: bool = False
) -> Parts:
    """Decode a media file's speech into `folder`, and find where it may be cut into pieces.

    Raises MediaError where the file cannot be dubbed, StoreError where the folder's disk is full.
    """
    media = probe(source)
    media = replace(media, sound=choose_sound(source, media, source_language, audio_language))
    with explained_decoding(source):
        media = with_bit_rate(source, replace(media, duration=programme_length(source, media)))
        programme, speech = _decode(source, media, folder)
    return Parts(media, programme, speech, pieces(speech, media.duration), scenes_of(source, media, still))


def scenes_of(source: Path, media: Media, still: bool = False) -> Scenes:
    """The picture's changes. A picture that cannot be decoded is no reason not to dub: it is copied as it is."""
    try:
        scenes = find_scenes(source, media)
        return replace(scenes, still=find_still(source, media)) if still else scenes
    except ProgramFailed as error:
        return Scenes(unseen=error.complaint or "it cannot be decoded")


@contextmanager
def explained_decoding(source: Path) -> Generator[None]:
    """What ffmpeg says of a sound that it cannot decode, or of a full disk, as the user's or the operator's error."""
    try:
        yield
    except ProgramFailed as error:
        if "No space left" in error.complaint:
            raise StoreError(f"no space is left for the sound of {source.name}.", remedy="Free some space.") from error
        raise MediaError(
            f"the sound of {source} cannot be decoded ({error.complaint}).", remedy="Copy or export it again."
        ) from error


def choose_sound(source: Path, media: Media, source_language: str, audio_language: str | None) -> int:
    """Index of the audio stream to dub: by language tag, then the default one, then the first.

    `audio_language` is the manifest's wish: where streams are tagged and none is in that language, MediaError names
    those there are. Without it the source language is looked for, and its absence is no error: many files carry wrong
    tags. Commentary and description tracks are taken only where there is nothing else.
    """
    streams = media.of_kind("audio")
    candidates = [stream for stream in streams if _speaks(stream, audio_language or source_language)]
    if not candidates and audio_language:
        candidates = [stream for stream in streams if stream.language is None]
        if not candidates:
            there = ", ".join(sorted({stream.language for stream in streams if stream.language}))
            raise MediaError(
                f"{source} has no audio track in `{audio_language}`; its tracks are in {there}.",
                remedy="Correct `audio_language`, or leave it out.",
            )
    candidates = candidates or list(streams)
    ordinary = [stream for stream in candidates if not LESS_WANTED.intersection(stream.dispositions)]
    best = ordinary or candidates
    return next((stream for stream in best if "default" in stream.dispositions), best[0]).index


def _speaks(stream: MediaStream, language: str) -> bool:
    if stream.language is None:
        return False
    try:
        return iso_639_2(stream.language) == iso_639_2(language)
    except ValueError:
        return False


def pieces(speech: Path, duration: int) -> tuple[Span, ...]:
    """Cut a programme in the middle of its quietest stretches, into pieces of at most three minutes.

    `speech` is mono 16 kHz; `duration` the programme's length in samples at 48 kHz, all of which the pieces cover.
    """
    step = round(LEVEL_STEP_S * RATE)
    longest, shortest = (round(limit / LEVEL_STEP_S) for limit in (LONGEST_PIECE_S, SHORTEST_PIECE_S))
    cuts, start, heard = [0], 0, np.empty(0)
    for levels in _levels(speech):
        heard = np.concatenate((heard, levels))
        while len(heard) > longest:
            at = shortest + _quietest(heard[shortest:longest])
            start += at
            cuts.append(start * step)
            heard = heard[at:]
    return tuple(Span(a, b) for a, b in zip(cuts, [*cuts[1:], duration], strict=True))


def _levels(speech: Path) -> Iterator[NDArray[np.float64]]:
    """Mean power of a mono file, one value for each 20 ms, a minute at a time."""
    import soundfile

    step = round(LEVEL_STEP_S * ANALYSIS_RATE)
    for block in soundfile.blocks(str(speech), blocksize=step * 3000, dtype="float32"):
        whole = block[: len(block) // step * step]
        yield np.square(whole.reshape(-1, step), dtype=np.float64).mean(axis=1)


def _quietest(power: NDArray[np.float64]) -> int:
    """Middle of the longest stretch that is about as quiet as the quietest."""
    window = round(QUIET_WINDOW_S / LEVEL_STEP_S)
    smooth = np.convolve(power, np.full(window, 1 / window), mode="same")
    quiet = smooth <= max(smooth.min() * 2, 1e-9)  # within 3 dB; below -90 dBFS all is silence
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False]))))
    starts, ends = edges[::2], edges[1::2]
    widest = int(np.argmax(ends - starts))
    return int(starts[widest] + ends[widest]) // 2


def programme_length(source: Path, media: Media) -> int:
    """The programme's length in samples at 48 kHz; counted where the container only estimates it."""
    if media.of_kind("video") or media.format in COUNTED:
        return media.duration
    import ffmpeg

    output = ffmpeg.output(on_time(source, media.dubbed), "-", format="null", acodec="pcm_s16le")
    report = run_program(
        ["ffmpeg", "-v", "error", "-nostdin", "-progress", "pipe:1", *ffmpeg.get_args(output)], _patience_s(media)
    )
    ends = [line.partition("=")[2] for line in report.splitlines() if line.startswith("out_time_us=")]
    counted = round(int(ends[-1]) * RATE / 1_000_000) if ends and ends[-1].isdigit() else 0
    if counted == 0:
        raise MediaError(f"no sound can be decoded from {source}.", remedy="Copy or export it again.")
    if media.format in HONEST and media.duration - counted > RATE:
        raise MediaError(
            f"{source} is cut short: {counted / RATE:.1f} s of its {media.duration / RATE:.1f} s can be decoded.",
            remedy="Copy or export it again; it must be whole.",
        )
    return counted


def decode_programme(source: Path, media: Media, to: Path) -> None:
    """Write the programme's sound, as `programme.flac` is; as RF64, which is written and read faster, where `to` ends
    in `.wav`. Raises MediaError where it cannot be decoded, StoreError where the folder's disk is full."""
    import ffmpeg

    stream = media.dubbed
    deep = 16 < stream.bits <= 32
    output = ffmpeg.output(
        _lasting(_carried(on_time(source, stream), stream), media.duration),
        file_argument(to),
        **(
            # not Wave64: it is filled up to eight bytes, which libsndfile takes for samples
            {"format": "wav", "rf64": "auto", "acodec": "pcm_s24le" if deep else "pcm_s16le"}
            if to.suffix == ".wav"
            else {"format": "flac", "acodec": "flac", "sample_fmt": "s32" if deep else "s16", "compression_level": 3}
        ),
    )
    with explained_decoding(source):
        run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", *ffmpeg.get_args(output)], _patience_s(media))
    _check_length(source, to, media.duration)


def _decode(source: Path, media: Media, folder: Path) -> tuple[Path, Path]:
    """Write `programme.flac` and `speech.wav` with one decode; both last exactly as long as the programme."""
    import ffmpeg

    stream = media.dubbed
    programme, speech = folder / "programme.flac", folder / "speech.wav"
    branches = on_time(source, stream).filter_multi_output("asplit")
    deep = 16 < stream.bits <= 32
    heard = ffmpeg.output(
        _lasting(_carried(branches[0], stream), media.duration),
        file_argument(programme),
        format="flac",
        acodec="flac",
        sample_fmt="s32" if deep else "s16",
        compression_level=3,
    )
    analysed = ffmpeg.output(
        _lasting(_to_mono(branches[1], stream).filter("aresample", ANALYSIS_RATE), -(-media.duration // 3)),
        file_argument(speech),
        format="wav",
        acodec="pcm_s16le",
    )
    graph = ffmpeg.merge_outputs(heard, analysed)
    run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", *ffmpeg.get_args(graph)], _patience_s(media))
    _check_length(source, programme, media.duration)
    return programme, speech


def on_time(source: Path, stream: MediaStream) -> Graph:
    """A stream's sound at 48 kHz on the programme's time line, from its first instant."""
    import ffmpeg

    sound: Graph = ffmpeg.input(file_argument(source))[str(stream.index)]
    return sound.filter("aresample", RATE, first_pts=0, min_hard_comp=RESYNC_S, **{"async": 1})


def _lasting(sound: Graph, length: int) -> Graph:
    """The same, exactly `length` samples long."""
    return sound.filter("apad", whole_len=length).filter("atrim", end_sample=length)


def _carried(sound: Graph, stream: MediaStream) -> Graph:
    """The source's channels; FLAC carries eight, and more are folded down to stereo."""
    return sound.filter("aformat", channel_layouts="stereo") if stream.channels > 8 else sound


def _to_mono(sound: Graph, stream: MediaStream) -> Graph:
    """One channel: mostly the centre where there is one, since there people speak; else the mean of all."""
    if stream.channels > 2 and has_centre(stream):
        return sound.filter("pan", args="mono|c0=0.6*FC+0.2*FL+0.2*FR")
    count = max(1, stream.channels)
    return sound.filter("pan", args="mono|c0=" + "+".join(f"{1 / count:.6f}*c{channel}" for channel in range(count)))


def has_centre(stream: MediaStream) -> bool:
    """Whether a stream has a front centre channel besides left and right."""
    name = stream.layout.partition("(")[0]
    return name in {"3.0", "3.1", "4.0", "4.1", "5.0", "5.1", "6.0", "6.1", "7.0", "7.1", "hexagonal", "octagonal"}


def _check_length(source: Path, programme: Path, length: int) -> None:
    import soundfile

    if soundfile.info(str(programme)).frames != length:
        raise MediaError(f"no sound can be decoded from {source}.", remedy="Copy or export it again.")


def _patience_s(media: Media) -> float:
    """Longer than a decode takes on a slow disk: decoding runs at a hundred times the speed of playing."""
    return 600 + media.duration / RATE


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    parts = split(
        inputs["source"],
        bench.scratch,
        source_language=params.source_language,
        audio_language=params.audio_language,
        still=params.still,
    )
    return Made(
        {
            "media.json": dump(parts.media, bench.scratch / "media.json"),
            "speech.wav": parts.speech,
            "programme.flac": parts.programme,
            "pieces.json": dump(parts.pieces, bench.scratch / "pieces.json"),
            "scenes.json": dump(parts.scenes, bench.scratch / "scenes.json"),
        },
        notes={
            "duration_s": parts.media.duration / RATE,
            "pieces": len(parts.pieces),
            "changes": len(parts.scenes.changes),
            **({"unseen": parts.scenes.unseen} if parts.scenes.unseen else {}),
        },
    )


def _params(job: Job) -> Params:
    return Params(job.lesson.audio_language, job.course.source_language, job.course.timing.hold_still_frames)


STAGE = Stage(
    name="split",
    version=4,
    scope="lesson",
    needs=("source",),
    makes=("media.json", "speech.wav", "programme.flac", "pieces.json", "scenes.json"),
    params=_params,
    run=run,
)
