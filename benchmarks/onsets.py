"""How far utterances begin and end from the voice, on lectures with known truth: gaps, noise, music, speeds, codecs.

usage: python benchmarks/onsets.py FOLDER [--group "held out"] [--only noise15 …] [--out onsets.json]

FOLDER has the voices that `conversations.py` names. Of each, passages between two pauses are put into one lecture with
silence of 0.5 to 2 s between them, once for every condition. A passage begins and ends where its clean sound does.
Prints milliseconds, late being positive: median, 95th percentile and greatest of the absolute errors.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import conversations
import numpy as np
import soundfile
from conversations import RATE, Sound

from manifests.quiet import settle
from manifests.script import Utterance
from manifests.spans import Span
from tasks.diarize import diarize
from tasks.engines.protocols import Hearing, Listening
from tasks.transcribe import transcribe

PASSAGE_S = (3.0, 7.0)
PASSAGES = 2  # of each voice
BESIDE_S = 0.1  # of its own silence stays at both ends of a passage

PACKED: Final = ["-f", "f32le", "-ar", str(RATE), "-ac", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--group", choices=list(conversations.VOICES), default="held out", help="whose voices")
    parser.add_argument("--only", nargs="*", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--out", type=Path, default=Path("onsets.json"))
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    settle()
    sound, passages = lecture(options.folder, options.group)
    rows: list[dict[str, Any]] = []
    print(
        f"{'':12} {'onsets: median':>14} {'p95':>6} {'worst':>6}   "
        f"{'ends: median':>12} {'p95':>6} {'worst':>6} {'lost':>5}"
    )
    for name in options.only:
        speed, treat = CONDITIONS[name]
        heard = utterances(treat(sound), options.cores)
        truth = [(start / speed, end / speed) for start, end in passages]
        row = errors(heard, truth)
        rows.append({"condition": name, **row})
        shown = [f"{value:6.0f}" for side in ("onsets", "ends") for value in summary(row[side])]
        print(f"{name:12} {shown[0]:>14} {shown[1]} {shown[2]}   {shown[3]:>12} {shown[4]} {shown[5]} {row['lost']:5}")
    for side in ("onsets", "ends"):
        every = [value for row in rows for value in row[side]]
        print(f"all {side}: median {{:.0f}}, p95 {{:.0f}}, worst {{:.0f}}".format(*summary(every)))
    options.out.write_text(json.dumps(rows, indent=1))


def lecture(media: Path, group: str) -> tuple[Sound, list[tuple[float, float]]]:
    """A sound, and where each of its passages begins and ends, in seconds."""
    draw = np.random.default_rng(7)
    parts: list[Sound] = [np.zeros(RATE, np.float32)]
    truth: list[tuple[float, float]] = []
    at = RATE
    for patterns in conversations.VOICES[group].values():
        whole = conversations.voice(media, patterns)
        runs = conversations.loud(whole)
        spans = [
            (a, b) for n, (a, _) in enumerate(runs) for _, b in runs[n:] if PASSAGE_S[0] < (b - a) / RATE < PASSAGE_S[1]
        ]
        spans = spans or [(runs[0][0], runs[0][1])]
        for index in draw.permutation(len(spans))[:PASSAGES]:
            start, end = spans[index]
            beside = round(BESIDE_S * RATE)
            said = whole[max(0, start - beside) : end + beside]
            truth.append(((at + start - max(0, start - beside)) / RATE, (at + end - max(0, start - beside)) / RATE))
            silence = np.zeros(round(draw.uniform(0.5, 2.0) * RATE), np.float32)
            parts += [said, silence]
            at += len(said) + len(silence)
    return np.concatenate(parts), truth


def utterances(sound: Sound, cores: int) -> tuple[Utterance, ...]:
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        room = np.random.default_rng(1).normal(0, 1e-4, len(sound))
        soundfile.write(speech, np.clip(sound + room, -1, 1), RATE, subtype="PCM_16")
        found = diarize(speech, (Span(0, len(sound) * 3),), Listening("pyannote"), cores=cores)
        return transcribe(speech, found, Hearing("en", "pocketsphinx"), cores=cores).utterances


def errors(heard: Sequence[Utterance], truth: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Of each passage the milliseconds by which its first utterance starts late, and its last one ends late."""
    onsets: list[float] = []
    ends: list[float] = []
    for start, end in truth:
        span = Span.of_seconds(start, end)
        within = [each.span for each in heard if each.span.overlap(span) > each.span.length / 2]
        if within:
            onsets.append(round(1000 * (min(each.start_s for each in within) - start), 1))
            ends.append(round(1000 * (max(each.end_s for each in within) - end), 1))
    return {"onsets": onsets, "ends": ends, "lost": len(truth) - len(onsets)}


def summary(values: Sequence[float]) -> tuple[float, float, float]:
    sizes = np.abs(values) if len(values) else np.full(1, np.nan)
    return float(np.median(sizes)), float(np.percentile(sizes, 95)), float(sizes.max())


def noisy(sound: Sound, below_db: float) -> Sound:
    """With a fan's noise so far below the speech."""
    return _with(sound, conversations.fan(len(sound), np.random.default_rng(3)), below_db)


def musical(sound: Sound) -> Sound:
    return _with(sound, conversations.chord(len(sound)), 15.0)


def _with(sound: Sound, other: Any, below_db: float) -> Sound:
    speech = np.sqrt(np.mean(sound[sound != 0] ** 2))
    return (sound + other * speech * 10 ** (-below_db / 20) / np.sqrt(np.mean(other**2))).astype(np.float32)


def coded(sound: Sound, coder: str, rate: str, container: str) -> Sound:
    pack = ["ffmpeg", "-v", "error", *PACKED, "-i", "-", "-c:a", coder, "-b:a", rate, "-f", container]
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "packed"
        subprocess.run([*pack, str(packed)], input=sound.tobytes(), check=True, timeout=120)
        return filtered(packed, len(sound))


def filtered(source: Path | Sound, length: int, *filters: str) -> Sound:
    """A file or a sound through ffmpeg, so many samples of it."""
    origin = ["-i", str(source)] if isinstance(source, Path) else [*PACKED, "-i", "-"]
    shaped = ["-af", ",".join(filters)] if filters else []
    command = ["ffmpeg", "-v", "error", *origin, *shaped, *PACKED, "-"]
    data = None if isinstance(source, Path) else source.tobytes()
    out = subprocess.run(command, input=data, check=True, capture_output=True, timeout=120).stdout
    return np.frombuffer(out, "<f4")[:length]


def telephone(sound: Sound) -> Sound:
    return filtered(sound, len(sound), "highpass=f=300", "highpass=f=300", "lowpass=f=3400", "lowpass=f=3400")


def faster(sound: Sound, speed: float) -> Sound:
    return filtered(sound, round(len(sound) / speed), f"atempo={speed}")


CONDITIONS: Final[dict[str, tuple[float, Callable[[Sound], Sound]]]] = {
    "clean": (1.0, lambda sound: sound),
    "noise20": (1.0, partial(noisy, below_db=20.0)),
    "noise15": (1.0, partial(noisy, below_db=15.0)),
    "noise10": (1.0, partial(noisy, below_db=10.0)),
    "music": (1.0, musical),
    "slow": (0.8, partial(faster, speed=0.8)),
    "fast": (1.25, partial(faster, speed=1.25)),
    "aac": (1.0, partial(coded, coder="aac", rate="32k", container="ipod")),
    "opus": (1.0, partial(coded, coder="libopus", rate="24k", container="ogg")),
    "telephone": (1.0, telephone),
}
"""What is done to a lecture, and how much faster it then is."""


if __name__ == "__main__":
    main()
