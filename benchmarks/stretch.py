"""Which time-stretcher to use for speech: the round trip.

Each sound is stretched by a rate and back by its inverse, and compared with itself. Artefacts count twice and methods
that can be inverted are favoured: a ranking, not a mark.

    .venv/bin/python benchmarks/stretch.py [--json FILE] [SOUND ...]

Without sounds, two sentences by espeak-ng speak. Distance: log-spectral, in dB, mean over frames of 32 ms within 40 dB
of the loudest, bands of a third of an octave up to 8 kHz; lower is better, 0 is the same. Error: how far the stretched
sound's length is from what was asked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from manifests.spans import RATE
from tasks.stretch import stretch

Mono = NDArray[np.float32]
Method = Callable[[Mono, float], Mono]

RATES = (0.85, 0.9, 1.1, 1.25, 1.4)
SENTENCES = (
    ("en-us+m3", "The cell is the basic unit of life, and every living thing is made of one or more of them."),
    ("es+f2", "La fotosíntesis convierte la luz del sol en azúcar, y sin ella no habría nada que comer."),
)


def signalsmith(sound: Mono, rate: float) -> Mono:
    return stretch(sound, round(len(sound) / rate))


def by_ffmpeg(audio_filter: str) -> Method:
    def stretched(sound: Mono, rate: float) -> Mono:
        raw = ["-f", "f32le", "-ar", str(RATE), "-ac", "1"]
        out = subprocess.run(
            ["ffmpeg", "-v", "error", *raw, "-i", "-", "-af", f"{audio_filter}={rate:.9f}", *raw, "-"],
            input=sound.tobytes(),
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        return np.frombuffer(out, np.float32)

    return stretched


METHODS: dict[str, Method] = {
    "signalsmith": signalsmith,
    "ffmpeg atempo": by_ffmpeg("atempo"),
    "ffmpeg rubberband": by_ffmpeg("rubberband=tempo"),
}


def bands(sound: Mono) -> NDArray[np.float64]:
    """Level in dB of each third of an octave in each frame: (frames, bands)."""
    size, hop = 1536, 384
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::hop] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.round(100 * 2 ** (np.arange(0, 20) / 3) / (RATE / size)).astype(int)
    parts = [power[:, low : max(high, low + 1)].mean(axis=1) for low, high in pairwise(edges)]
    return 10 * np.log10(np.stack(parts, axis=1) + 1e-9)


def distance(original: Mono, round_trip: Mono) -> float:
    """Log-spectral distance in dB."""
    count = min(len(original), len(round_trip))
    was, now = bands(original[:count]), bands(round_trip[:count])
    loud = was.max(axis=1) > was.max() - 40
    floor = was.max() - 60
    return float(np.sqrt(np.mean((np.maximum(was, floor) - np.maximum(now, floor))[loud] ** 2, axis=1)).mean())


def sounds(paths: list[Path]) -> list[Mono]:
    """What is stretched: mono at 48 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        if not paths:
            for number, (voice, text) in enumerate(SENTENCES):
                paths.append(Path(folder) / f"{number}.wav")
                subprocess.run(["espeak-ng", "-v", voice, "-w", str(paths[-1]), text], check=True, timeout=60)
        read = [soundfile.read(path, dtype="float32", always_2d=True) for path in paths]
    return [np.asarray(soxr.resample(sound.mean(axis=1), rate, RATE), np.float32) for sound, rate in read]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", nargs="*", type=Path)
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    asked = parser.parse_args()
    clips = sounds(asked.sounds)
    length = sum(len(clip) for clip in clips) / RATE
    rows: dict[str, dict[str, float]] = {}
    for name, method in METHODS.items():
        row: dict[str, float] = {}
        worst, began = 0.0, time.perf_counter()
        for rate in RATES:
            there = [method(clip, rate) for clip in clips]
            back = [method(sound, 1 / rate) for sound in there]
            row[f"{rate:g}"] = round(float(np.mean([distance(a, b) for a, b in zip(clips, back, strict=True)])), 2)
            errors = [abs(len(out) - len(clip) / rate) / RATE for clip, out in zip(clips, there, strict=True)]
            worst = max(worst, *errors)
        row["error ms"] = round(1000 * worst, 1)
        row["x real time"] = round(2 * len(RATES) * length / (time.perf_counter() - began))
        rows[name] = row
    print(f"round trip of {length:.0f} s of speech: log-spectral distance in dB by rate")
    columns = list(rows["signalsmith"])
    print(f"{'':20}" + "".join(f"{column:>12}" for column in columns))
    for name, row in rows.items():
        print(f"{name:20}" + "".join(f"{row[column]:>12g}" for column in columns))
    if asked.json:
        asked.json.write_text(json.dumps({"seconds": round(length, 1), "methods": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
