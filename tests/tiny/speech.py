"""Speech whose words and times are known: sentences that the tiny models learn, in voices that belong to nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 16_000
ENGLISH = ("Plants turn light into energy.", "Water moves through the stem.", "In 1984 the river froze.")
SPOKEN = {
    "Plants turn light into energy.": "plants turn light into energy",
    "Water moves through the stem.": "water moves through the stem",
    "In 1984 the river froze.": "in nineteen eighty four the river froze",
}
"""What is written, and what is said."""

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A sentence, spoken word by word, and when each of its spoken words starts and ends in it, in seconds."""

    text: str
    sound: Sound
    times: tuple[tuple[float, float], ...]


class Reader:
    """espeak-ng, word by word, so that it is known where each word is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said: dict[str, Sound] = {}

    def word(self, word: str) -> Sound:
        """A word without the quiet around it."""
        if word not in self._said:
            path = self._folder / "word.wav"
            subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", str(path), word], check=True, timeout=30)
            sound, rate = soundfile.read(path, dtype="float32")
            sound = soxr.resample(sound, rate, RATE).astype(np.float32)
            loud = np.flatnonzero(np.abs(sound) > 0.01)
            self._said[word] = sound[loud[0] : loud[-1] + 1]
        return self._said[word]

    def clip(self, text: str, draw: np.random.Generator) -> Clip:
        """A sentence with pauses of 60 to 160 ms between its words and 0.2 to 0.4 s of faint noise around it."""
        parts = [np.zeros(int(draw.uniform(0.2, 0.4) * RATE), np.float32)]
        times: list[tuple[float, float]] = []
        for word in SPOKEN.get(text, text).split():
            start = sum(map(len, parts)) / RATE
            sound = self.word(word)
            times.append((start, start + len(sound) / RATE))
            parts += [sound, np.zeros(int(draw.uniform(0.06, 0.16) * RATE), np.float32)]
        parts.append(np.zeros(int(draw.uniform(0.2, 0.4) * RATE), np.float32))
        whole = np.concatenate(parts) * draw.uniform(0.7, 1.1)
        return Clip(text, (whole + draw.normal(0, 0.0005, len(whole))).astype(np.float32), tuple(times))


def voice_of(folder: Path, name: str, text: str) -> Sound:
    """A sentence by a flite voice, or espeak-ng's `en-us`; 16 kHz, at an RMS of 0.05."""
    path = folder / "said.wav"
    flite = ["flite", "-voice", name, "-t", text, "-o", str(path)]
    espeak = ["espeak-ng", "-v", name, "-s", "140", "-w", str(path), text]
    subprocess.run(espeak if name == "en-us" else flite, check=True, timeout=30)
    sound, rate = soundfile.read(path, dtype="float32")
    sound = soxr.resample(sound, rate, RATE)
    return (sound * (0.05 / np.sqrt(np.mean(sound**2)))).astype(np.float32)


def lecture(path: Path, clips: Sequence[Clip], gap_s: float = 0.8) -> tuple[tuple[float, float], ...]:
    """Write clips one after the other into a file; from when to when each is, in seconds."""
    parts, spans = [np.zeros(RATE // 2, np.float32)], []
    at = len(parts[0])
    for clip in clips:
        spans.append((at / RATE, (at + len(clip.sound)) / RATE))
        parts += [clip.sound, np.zeros(round(gap_s * RATE), np.float32)]
        at += len(parts[-2]) + len(parts[-1])
    whole = np.concatenate(parts)
    noise = np.random.default_rng(9).normal(0, 0.0003, len(whole))
    soundfile.write(path, np.clip(whole + noise, -1, 1), RATE, subtype="PCM_16")
    return tuple(spans)
