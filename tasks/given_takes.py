"""Takes that others made: whatever a studio or another system hands over becomes mono at 48 kHz, trimmed.

A take's flags say what was done to it and what is wrong with it; a file that cannot be a take raises InputError.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.errors import InputError, StageFailed
from manifests.spans import RATE
from tasks.process import ProgramFailed, file_argument, run_program

LONGEST_S = 300.0
"""A longer file is no take of a line, but a whole programme that was given by mistake."""

BELOW_PEAK_DB = 50.0
"""Under the take's peak by this much is silence; a soft consonant or a breath is louder."""

SILENT_DBFS = -66.0
"""Nothing below this is speech, however soft the take."""

MARGIN = RATE * 15 // 1000
"""Silence that is left at both ends."""

CLIPPED_RUN = 4
"""So many samples in a row at a take's own full height are a clipped peak: a wave that was not cut has one or two."""

CONVERTED_S = 120.0

Mono = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GivenTake:
    """A take that is ready to be placed."""

    audio: Path
    """Mono at 48 kHz; the given file itself where nothing was to be done to it."""
    length: int
    """Samples."""
    flags: tuple[str, ...]


def given_take(path: Path, to: Path) -> GivenTake:
    """Look at a take, and write what it becomes to `to`, a .wav file, where it is not that already.

    Raises InputError where it is missing, no sound, empty, or longer than any line.
    """
    import soundfile

    if not path.is_file():
        raise InputError(f"there is no take {path}." if not path.exists() else f"{path} is a folder, not a take.")
    if path.stat().st_size == 0:
        raise InputError(f"the take {path} is empty.")
    readable = path
    try:
        try:
            facts = soundfile.info(str(path))
        except soundfile.LibsndfileError:
            readable = _decoded(path, to)
            facts = soundfile.info(str(readable))
        if facts.frames == 0:
            raise InputError(f"the take {path} is empty: it lasts no time.")
        if facts.duration > LONGEST_S:
            raise InputError(f"the take {path} lasts {facts.duration:.0f} s; no line is that long.")
        channels, rate = facts.channels, facts.samplerate
        read = np.asarray(soundfile.read(readable, dtype="float32", always_2d=True)[0], np.float32)
    except (soundfile.LibsndfileError, OSError) as error:
        raise InputError(f"the take {path} is no sound file that can be read ({error}).") from error
    if not np.isfinite(read).all():
        raise InputError(f"the take {path} holds values that are no sound (NaN or infinity).")
    flags = list(_flags(read, rate, channels))
    sound = _mono(read) if channels > 1 else read[:, 0]
    if rate != RATE:
        sound = _resampled(sound, rate)
    first, last = sounding(sound)
    if readable != path or channels > 1 or rate != RATE or (first, last) != (0, len(sound)):
        sound = sound[first:last]
        soundfile.write(to, sound, RATE, "FLOAT", format="WAV")
        readable = to
    return GivenTake(readable, len(sound), tuple(flags))


def sounding(sound: Mono) -> tuple[int, int]:
    """From where to where a take sounds, with 15 ms around it; all of it where it is silent throughout."""
    step = RATE // 200
    padded = np.abs(np.pad(sound, (0, -len(sound) % step))).reshape(-1, step).max(axis=1)
    limit = max(float(padded.max()) * 10 ** (-BELOW_PEAK_DB / 20), 10 ** (SILENT_DBFS / 20))
    loud = np.flatnonzero(padded > limit)
    if not len(loud):
        return 0, len(sound)
    return max(0, int(loud[0]) * step - MARGIN), min(len(sound), (int(loud[-1]) + 1) * step + MARGIN)


def _flags(read: NDArray[np.float32], rate: int, channels: int) -> tuple[str, ...]:
    flags: list[str] = []
    if channels > 1:
        flags.append(f"take with {channels} channels: mixed to one")
    if rate < 2 * 16_000:
        flags.append(f"take at {rate} Hz: nothing in it above {rate / 2000:g} kHz")
    elif rate != RATE:
        flags.append(f"take at {rate} Hz: resampled")
    if clipped := max(_clipped(read[:, channel]) for channel in range(channels)):
        flags.append(f"take is clipped in {clipped} place{'s' if clipped > 1 else ''}")
    if not read.any():
        flags.append("take is silent")
    return tuple(flags)


def _clipped(sound: Mono) -> int:
    """How many peaks are cut off: runs of samples at the highest or lowest value, where that is near full scale."""
    count = 0
    for wave in (sound, -sound):
        top = float(wave.max())
        if top < 0.5:
            continue
        at = np.concatenate([[0], wave >= top - 2 / 32768, [0]]).astype(np.int8)
        edges = np.flatnonzero(np.diff(at))
        count += int(np.sum(edges[1::2] - edges[::2] >= CLIPPED_RUN))
    return count


def _mono(read: NDArray[np.float32]) -> Mono:
    """The mean of the channels that sound; the louder one where two would cancel each other."""
    heard = read[:, np.abs(read).max(axis=0) > 0]
    if not heard.shape[1]:
        return read[:, 0]
    mean = heard.mean(axis=1)
    power = np.square(heard, dtype=np.float64).mean(axis=0)
    cancelled = float(np.square(mean, dtype=np.float64).mean()) < 0.1 * float(power.max())
    return np.ascontiguousarray(heard[:, int(power.argmax())] if cancelled else mean)


def _resampled(sound: Mono, rate: int) -> Mono:
    import soxr

    return np.asarray(soxr.resample(sound, rate, RATE, "VHQ"), np.float32)


def _decoded(path: Path, to: Path) -> Path:
    """A take in a form that libsndfile does not read, as ffmpeg decodes it."""
    import ffmpeg

    raw = to.with_suffix(".decoded.wav")
    output = ffmpeg.output(ffmpeg.input(file_argument(path))["a:0"], file_argument(raw), t=LONGEST_S + 1, c="pcm_f32le")
    try:
        run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", *ffmpeg.get_args(output)], CONVERTED_S)
    except ProgramFailed as error:
        reason = error.complaint.replace(file_argument(path), path.name)
        raise InputError(f"the take {path} is no sound file that can be read ({reason}).") from error
    except StageFailed as error:
        raise InputError(f"the take {path} could not be decoded in {CONVERTED_S:.0f} s.") from error
    return raw
