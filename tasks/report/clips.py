"""Short sounds for the report: a line as its source says it, and as the finished file plays it.

Each file is decoded once, to a mono draft on the disk; pydub cuts the clips from it, and of the whole only a picture's
worth of peaks is kept.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE
from tasks.examining import dub_track
from tasks.media import Media, MediaStream, probe
from tasks.process import file_argument, run_program
from tasks.split import choose_sound, on_time

CLIP_RATE = 24_000
"""What speech needs, and half of what the dub has."""

CLIP_BITRATE = "32k"

LONGEST_S = 20.0
"""A clip is cut there: what a human wants to hear is how a line sounds."""

_FADE_MS = 8


@dataclass(frozen=True, slots=True)
class Sound:
    """One track, decoded: mono 16 bit WAV at `CLIP_RATE`."""

    path: Path

    def peaks(self, count: int) -> NDArray[np.float32]:
        """The loudest sample, 0 to 1, of each of `count` stretches of the same length; read a block at a time."""
        import soundfile

        frames = soundfile.info(str(self.path)).frames
        size = max(1, -(-frames // count))
        found = [float(np.abs(block).max(initial=0)) for block in soundfile.blocks(self.path, size, dtype="float32")]
        return np.pad(np.asarray(found, np.float32), (0, max(0, count - len(found))))[:count]

    def clip(self, start_s: float, end_s: float) -> str:
        """A stretch as a data URI: AAC, which every phone plays; empty where there is nothing."""
        import soundfile
        from pydub import AudioSegment

        first = max(0, round(start_s * CLIP_RATE))
        wanted = round(min(end_s - start_s, LONGEST_S) * CLIP_RATE)
        samples, _ = soundfile.read(self.path, wanted, first, dtype="int16")
        if not len(samples):
            return ""
        cut: Any = AudioSegment(data=samples.tobytes(), sample_width=2, frame_rate=CLIP_RATE, channels=1)
        cut = cut.fade_in(_FADE_MS).fade_out(_FADE_MS)
        made = BytesIO()
        cut.export(made, format="ipod", codec="aac", bitrate=CLIP_BITRATE, parameters=["-movflags", "+faststart"])
        return "data:audio/mp4;base64," + base64.b64encode(made.getvalue()).decode()


def source_sound(media: Path, source_language: str, audio_language: str | None, scratch: Path) -> Sound:
    """The track of a source that was dubbed. Raises DubError where it cannot be decoded."""
    made = probe(media)
    wanted = choose_sound(media, made, source_language, audio_language)
    return _decode(
        media, made, next(stream for stream in made.streams if stream.index == wanted), scratch / "source.wav"
    )


def dubbed_sound(finished: Path, language: str, scratch: Path) -> Sound:
    """The dub in a finished file. Raises DubError where there is none or it cannot be decoded."""
    made = probe(finished)
    return _decode(finished, made, made.of_kind("audio")[dub_track(made, language)], scratch / "dub.wav")


def _decode(path: Path, media: Media, stream: MediaStream, to: Path) -> Sound:
    import ffmpeg

    output = ffmpeg.output(
        on_time(path, stream), file_argument(to), ac=1, ar=CLIP_RATE, format="wav", acodec="pcm_s16le"
    )
    run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", *ffmpeg.get_args(output)], 600 + media.duration / RATE)
    return Sound(to)
