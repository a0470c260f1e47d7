"""What one audio track of a finished file sounds like: its length, its loudness, how loud each line is in it.

The file is decoded once, by ffmpeg, with its time stamps: what is measured is what a player plays.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable, StageFailed
from manifests.spans import ANALYSIS_RATE, RATE, Span
from tasks.process import file_argument

STEP = 480
"""Samples at 48 kHz, ten milliseconds, in which the level is kept: 100 numbers a second."""

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
    graph = (
        f"[0:a:{track}]aresample={RATE}:async=1:first_pts=0,asplit[meter][down];"
        "[meter]ebur128=peak=true:framelog=verbose[metered];"
        f"[down]aresample={ANALYSIS_RATE},aformat=sample_fmts=s16[levels]"
    )
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-i", file_argument(path), "-filter_complex", graph]
    command += ["-map", "[levels]", "-f", "s16le", "pipe:1", "-map", "[metered]", "-f", "null", "-"]
    complaints: list[bytes] = []
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
    except FileNotFoundError as error:
        raise EngineUnavailable("ffmpeg is not installed.", remedy="Run `make setup`.") from error
    with process:
        limit = threading.Timer(timeout_s, process.kill)
        listener = threading.Thread(target=lambda: complaints.extend(process.stderr or ()))
        limit.start()
        listener.start()
        try:
            powers = _powers(process, channels)
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
    return Heard(len(powers) * STEP, _figure(said, "I:", "LUFS", -69.9), _figure(said, "Peak:", "dBFS", -200), powers)


def _powers(process: subprocess.Popen[bytes], channels: int) -> NDArray[np.float32]:
    """Mean squares of what the process writes, read in blocks."""
    step = STEP * ANALYSIS_RATE // RATE
    size = 2 * step * channels
    parts: list[NDArray[np.float32]] = []
    rest = b""
    assert process.stdout is not None  # noqa: S101 - for the type checker: stdout is a pipe
    while block := process.stdout.read(1 << 16):
        rest += block
        whole = len(rest) // size * size
        sound = np.frombuffer(rest[:whole], "<i2").astype(np.float32) / 32768
        parts.append(np.square(sound).reshape(-1, step, channels).mean(axis=1).max(axis=1))
        rest = rest[whole:]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _figure(summary: str, name: str, unit: str, least: float) -> float | None:
    """A figure of ebur128's summary, which comes last; None at or below `least`, where it stands for silence."""
    found: Sequence[str] = re.findall(rf"{name}\s+(-?[\d.]+|-inf) {unit}", summary)
    value = float(found[-1]) if found else float("-inf")
    return value if value > least else None
