"""Where a media file speaks, and how surely what it says there is marked.

The file is decoded once, by ffmpeg, in windows of two seconds; nothing that is kept grows with its length.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable, MediaError
from voiceclone import watermark
from voiceclone.watermark import RATE

WINDOW_S = 2.0

MOST_WINDOWS = 300
"""Windows that are heard of one track, evenly spread over it: ten minutes of sound give the median of three hours to a
hundredth, at a twentieth of the cost."""

SPEAKING = 0.5
"""Share of a window's 30 ms frames in which a voice is detected, for it to count as speech."""

QUIETER = 20.0
"""Decibels below the loudest tenth of windows from which a window is background, whatever was detected in it."""

TONE = 0.3
"""Share of a window's power within 2 Hz from which it is a tone: the detector takes one for a voice, the network for a
mark. In speech it is below a tenth."""

_FRAME = RATE * 30 // 1000


def score_file(
    path: Path, track: int, *, duration_s: float, spoken: Sequence[tuple[float, float]] | None = None
) -> float:
    """Median watermark score, 0 to 1, over the windows with speech of an audio track (counted from 0); 0 without any.

    `duration_s` is how long the file plays. Where it is known when somebody speaks, `spoken` says so (starts and ends
    in seconds): only that is heard, as if all else were silent, and no voice is looked for. Raises MediaError where the
    track cannot be decoded, EngineUnavailable where ffmpeg or the watermark is missing.
    """
    size = round(WINDOW_S * RATE)
    step = max(1, -(-round(duration_s / WINDOW_S) // MOST_WINDOWS))
    powers: list[float] = []
    found: list[float] = []
    waiting: list[NDArray[np.float32]] = []
    for number, heard in enumerate(_windows(path, track, size, timeout_s=600 + duration_s)):
        if number % step:
            continue
        window = heard if spoken is None else _only(heard, number * size, spoken)
        if _is_tone(window) or not (_speaks(window) if spoken is None else window.any()):
            continue
        sound = window.astype(np.float32) / np.float32(32768)
        powers.append(float(np.square(sound).mean()))
        waiting.append(sound)
        if len(waiting) == 8:
            found += watermark.scores(np.stack(waiting), RATE).tolist()
            waiting.clear()
    if waiting:
        found += watermark.scores(np.stack(waiting), RATE).tolist()
    if not found:
        return 0.0
    loud = np.array(powers) >= np.quantile(powers, 0.9) * 10 ** (-QUIETER / 10)
    return round(float(np.median(np.array(found)[loud])), 4)


def _only(window: NDArray[np.int16], start: int, spoken: Sequence[tuple[float, float]]) -> NDArray[np.int16]:
    """A window, which begins at sample `start`, with all silenced that is not spoken."""
    kept = np.zeros_like(window)
    for begins, ends in spoken:
        part = slice(max(0, round(begins * RATE) - start), max(0, round(ends * RATE) - start))
        kept[part] = window[part]
    return kept


def _is_tone(window: NDArray[np.int16]) -> bool:
    powers = np.square(np.abs(np.fft.rfft(window.astype(np.float32))))
    within = round(2 * WINDOW_S)
    return bool(np.convolve(powers, np.ones(within), mode="same").max() > TONE * powers.sum())


def _speaks(window: NDArray[np.int16]) -> bool:
    from pocketsphinx import Vad

    detector = Vad(2, RATE, _FRAME / RATE)
    frames = window[: len(window) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return float(np.mean([detector.is_speech(frame.tobytes()) for frame in frames])) >= SPEAKING


def _windows(path: Path, track: int, size: int, *, timeout_s: float) -> Iterator[NDArray[np.int16]]:
    """A track's sound in one channel, `size` samples at `RATE` at a time; a shorter rest fills up with silence."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", f"file:{path.absolute()}", "-map", f"0:a:{track}"]
    command += ["-ac", "1", "-ar", str(RATE), "-f", "s16le", "pipe:1"]
    complaints: list[bytes] = []
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise EngineUnavailable("ffmpeg is not installed.", remedy="Run `make setup`.") from error
    with process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both are pipes
        limit = threading.Timer(timeout_s, process.kill)
        listener = threading.Thread(target=complaints.extend, args=(process.stderr,))
        limit.start()
        listener.start()
        heard = 0
        try:
            while block := process.stdout.read(2 * size):
                sound = np.frombuffer(block[: len(block) // 2 * 2], "<i2")
                heard += len(sound)
                whole = np.zeros(size, np.int16)
                whole[: len(sound)] = sound
                if len(sound) > size // 4:
                    yield whole
            failed = process.wait() != 0
        finally:
            limit.cancel()
            process.kill()
            listener.join()
    if failed and not heard:
        reason = b"".join(complaints).decode(errors="replace").strip().splitlines()
        raise MediaError(f"{path.name} cannot be decoded: {'; '.join(reason[-2:])}.", remedy="Look at the file.")
