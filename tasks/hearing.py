"""What one audio track of a finished file sounds like: its length, its loudness, how loud each line is in it.

The file is decoded once, by ffmpeg, with its time stamps: what is measured is what a player plays.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable, StageFailed
from manifests.spans import RATE, Span
from tasks.ahead import ahead
from tasks.limiter import PeakMeter
from tasks.loudness import Meter, integrated
from tasks.process import file_argument

STEP = 480
"""Samples at 48 kHz, ten milliseconds, in which the level is kept: 100 numbers a second."""

_BLOCK = 100 * STEP

SILENT_DBFS = -120.0

AUDIBLE_DBFS = -50.0
"""Speech that is quieter than this on average is not heard."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A track as it is played."""

    length: int
    """Samples at 48 kHz, to the ten milliseconds below."""
    integrated_lufs: float | None
    """None for silence, here and below."""
    true_peak_dbtp: float | None
    powers: NDArray[np.float32]
    """Mean square of the loudest channel in every `STEP`, full scale = 1."""

    def level(self, span: Span) -> float:
        """Level of a stretch in dBFS."""
        part = self.powers[span.start // STEP : max(span.start // STEP + 1, span.end // STEP)]
        return float(10 * np.log10(part.mean() + 1e-12)) if len(part) else SILENT_DBFS


def hear(path: Path, track: int, channels: int, *, timeout_s: float) -> Heard:
    """Listen to audio track `track` (counted from 0 among the audio tracks), which has so many channels.

    Raises StageFailed where ffmpeg cannot decode it or takes longer than `timeout_s` seconds.
    """
    timely = f"[0:a:{track}]aresample={RATE}:async=1:first_pts=0,aformat=sample_fmts=flt[heard]"
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-i", file_argument(path)]
    command += ["-filter_complex", timely, "-map", "[heard]", "-f", "f32le", "pipe:1"]
    complaints: list[bytes] = []
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise EngineUnavailable("ffmpeg is not installed.", remedy="Run `make setup`.") from error
    with process:
        limit = threading.Timer(timeout_s, process.kill)
        listener = threading.Thread(target=lambda: complaints.extend(process.stderr or ()))
        limit.start()
        listener.start()
        try:
            heard = _measured(process, channels)
            failed = process.wait() != 0
        finally:
            late = not limit.is_alive()
            limit.cancel()
            process.kill()
            listener.join()
    said = b"".join(complaints).decode(errors="replace")
    if late:
        raise StageFailed(f"{path.name} could not be heard within {timeout_s:.0f} s.", remedy="Run again.")
    if failed:
        reason = "; ".join(said.strip().splitlines()[-2:])
        raise StageFailed(f"{path.name} cannot be decoded: {reason}.", remedy="Run again with --force remux.")
    return heard


def _measured(process: subprocess.Popen[bytes], channels: int) -> Heard:
    """What the process writes, measured block by block."""
    meter, peak = Meter(channels), PeakMeter()
    powers: list[NDArray[np.float32]] = []

    def watched(blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        for block in blocks:
            peak.add(block)
            yield block

    with ahead(_blocks(process, channels)) as read, ahead(watched(read)) as blocks:
        for block in blocks:
            meter.add(block)
            whole = np.ascontiguousarray(block[: len(block) // STEP * STEP].T).reshape(channels, -1, STEP)
            powers.append(np.einsum("cts,cts->ct", whole, whole).max(axis=0) / STEP)
    level = integrated(meter.steps())
    return Heard(
        length=sum(map(len, powers)) * STEP,
        integrated_lufs=round(level, 2) if np.isfinite(level) else None,
        true_peak_dbtp=round(peak.dbtp, 2) if np.isfinite(peak.dbtp) else None,
        powers=np.concatenate(powers) if powers else np.zeros(0, np.float32),
    )


def _blocks(process: subprocess.Popen[bytes], channels: int) -> Iterator[NDArray[np.float32]]:
    """The floats that a process writes, (samples, channels), a whole number of steps at a time."""
    assert process.stdout is not None  # noqa: S101 - for the type checker: stdout is a pipe
    while data := process.stdout.read(4 * channels * _BLOCK):
        whole = len(data) // (4 * channels) * (4 * channels)
        yield np.frombuffer(data[:whole], "<f4").astype(np.float32).reshape(-1, channels)
