"""Recordings with known truth, mixed from real voices: lectures, interviews, panels, questions from the room.

Voices for development and held-out ones never meet. A truth is where the clean
clip is loud, so no detector that is measured has a say in it. Everything is drawn from one seed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16_000
FRAME: Final = RATE // 100

VOICES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "development": {
        "reader": ("reader/*.flac",),
        "german": ("parallel/de-DE.flac",),
        "italian": ("parallel/it-IT.flac",),
        "steve": ("consent/enrolment-steve.flac",),
        "jfk": ("speech/jfk.flac",),
    },
    "held out": {
        "english": ("parallel/en-US.flac",),
        "spanish": ("parallel/es-ES.flac",),
        "french": ("parallel/fr-FR.flac",),
        "about": ("speech/about-sdk.flac",),
        "statement": ("consent/verbal-statement.flac",),
    },
}
"""Group, who speaks, and their files below the media folder."""

CONDITIONS: Final = ("clean", "noise", "music", "room", "levels", "codec")

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound at RATE, in -1 to 1, and who speaks when in it, in seconds."""

    name: str
    kind: str
    sound: Sound
    turns: tuple[tuple[str, float, float], ...]

    @property
    def people(self) -> int:
        return len({who for who, _, _ in self.turns})


def recordings(media: Path, group: str, seed: int = 5) -> Iterator[Recording]:
    """All of a group: each voice alone and each kind of talk, each under one condition."""
    voices = {who: voice(media, patterns) for who, patterns in VOICES[group].items()}
    kinds = [*((f"lecture {who}", "lecture") for who in voices), *((kind, kind) for kind in PLANS)]
    for place, (name, kind) in enumerate(kinds):
        condition = CONDITIONS[place % len(CONDITIONS)]
        draw = np.random.default_rng((seed, place))
        order = [str(who) for who in draw.permutation(list(voices))]
        plan = _lecture(draw, list(voices)[place]) if kind == "lecture" else PLANS[kind](draw, order)
        yield _mixed(f"{name}, {condition}", kind, voices, plan, condition, draw)


@dataclass(frozen=True, slots=True)
class Turn:
    """One planned turn: who, how long, the quiet before it (negative: they talk at once), and whether from afar."""

    who: str
    length_s: float
    after_s: float
    far: bool = False


def _lecture(draw: np.random.Generator, who: str) -> list[Turn]:
    return [Turn(who, float(draw.uniform(4, 20)), float(draw.uniform(0.2, 2))) for _ in range(6)]


def _interview(draw: np.random.Generator, order: list[str]) -> list[Turn]:
    lengths = [(draw.uniform(2, 5), draw.uniform(6, 20))[n % 2] for n in range(10)]
    return [Turn(order[n % 2], float(length), float(draw.uniform(0.1, 0.8))) for n, length in enumerate(lengths)]


def _panel(draw: np.random.Generator, order: list[str]) -> list[Turn]:
    people = [order[n % 4] for n in range(4)] + [order[int(draw.integers(4))] for _ in range(6)]
    return [Turn(who, float(draw.uniform(2, 14)), float(draw.uniform(0.1, 0.8))) for who in people]


def _questions(draw: np.random.Generator, order: list[str]) -> list[Turn]:
    """A lecturer, and two people in the room who have about a twentieth of the time each."""
    out: list[Turn] = []
    for n in range(12):
        asking = n in (5, 9)
        who = order[0] if not asking else order[1 if n == 5 else 2]
        length = draw.uniform(4, 7) if asking else draw.uniform(5, 14)
        out.append(Turn(who, float(length), float(draw.uniform(0.2, 1.2)), far=asking))
    return out


def _interrupting(draw: np.random.Generator, order: list[str]) -> list[Turn]:
    return [
        Turn(order[n % 2], float(draw.uniform(2, 9)), float(draw.choice([-1.2, -0.6, 0.1, 0.4]))) for n in range(16)
    ]


PLANS: Final = {
    "interview": _interview,
    "panel": _panel,
    "questions": _questions,
    "interrupting": _interrupting,
}


def voice(media: Path, patterns: tuple[str, ...]) -> Sound:
    """All that a voice says, at an RMS of 0.05."""
    paths = [path for pattern in patterns for path in sorted(media.glob(pattern))]
    if not paths:
        raise SystemExit(f"There is no {patterns[0]} in {media}.")
    sound = np.concatenate([decoded(path) for path in paths])
    return sound * np.float32(0.05 / np.sqrt(np.mean(sound**2)))


def decoded(path: Path) -> Sound:
    command = ["ffmpeg", "-v", "error", "-i", f"file:{path}", "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout, "<f4")


def _mixed(
    name: str, kind: str, voices: Mapping[str, Sound], plan: list[Turn], condition: str, draw: np.random.Generator
) -> Recording:
    at = RATE // 2
    places = {who: int(draw.integers(len(sound))) for who, sound in voices.items()}
    gains = {who: 10 ** (draw.uniform(-12, 3) / 20) if condition == "levels" else 1.0 for who in voices}
    parts: list[tuple[int, Sound]] = []
    truth: list[tuple[str, float, float]] = []
    for turn in plan:
        voice = voices[turn.who]
        length = min(round(turn.length_s * RATE), len(voice))
        said = np.roll(voice, -places[turn.who])[:length]  # goes on where they stopped, and around
        places[turn.who] = (places[turn.who] + length) % len(voice)
        at = max(0, at + round(turn.after_s * RATE))
        truth += [(turn.who, (at + start) / RATE, (at + end) / RATE) for start, end in loud(said)]
        if turn.far:
            said = _reverberant(said, 0.6, draw) * np.float32(0.4)
        parts.append((at, said * np.float32(gains[turn.who])))
        at += length
    sound = np.zeros(max(start + len(said) for start, said in parts) + RATE // 2, np.float32)
    for start, said in parts:
        sound[start : start + len(said)] += said
    return Recording(name, kind, _heard(sound, condition, draw), tuple(truth))


def loud(sound: Sound, below_db: float = 35.0, above_db: float = 6.0, pause_s: float = 0.3) -> list[tuple[int, int]]:
    """Where a clean clip is at most so far below its loud parts, and so far above its own noise, in samples.

    Shorter pauses are filled.
    """
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    quiet, high = np.percentile(level, (5, 95))
    active = np.concatenate([[0], (level > max(high - below_db, quiet + above_db)).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(active)).reshape(-1, 2) * FRAME
    out: list[tuple[int, int]] = []
    for start, end in edges.tolist():
        if out and start - out[-1][1] < pause_s * RATE:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return [(start, end) for start, end in out if end - start > RATE // 10]


def _heard(sound: Sound, condition: str, draw: np.random.Generator) -> Sound:
    speech = np.sqrt(np.mean(sound**2))
    if condition == "noise":  # 15 dB below the speech
        noise = fan(len(sound), draw)
        sound = sound + noise * speech * 10 ** (-15 / 20) / np.sqrt(np.mean(noise**2))
    elif condition == "music":
        sound = sound + chord(len(sound)) * speech * 0.1
    elif condition == "room":
        sound = _reverberant(sound, 0.4, draw)
    elif condition == "codec":
        return _coded(sound.astype(np.float32))
    return np.clip(sound + draw.normal(0, 1e-4, len(sound)), -1, 1).astype(np.float32)


def fan(length: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Noise that falls by 3 dB an octave."""
    shape = np.fft.rfft(draw.normal(size=length))
    return np.fft.irfft(shape / np.sqrt(np.arange(1, len(shape) + 1)), length)


def chord(length: int) -> NDArray[np.float64]:
    """Three notes that swell and fade."""
    time = np.arange(length) / RATE
    notes = [np.sin(2 * np.pi * pitch * time) for pitch in (220, 277.2, 329.6)]
    return np.sum(notes, axis=0) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.3 * time))


def _reverberant(sound: Sound, decay_s: float, draw: np.random.Generator) -> Sound:
    """In a room whose sound falls by 60 dB in so many seconds, the direct sound as strong as all echoes."""
    from scipy.signal import fftconvolve

    time = np.arange(round(decay_s * RATE)) / RATE
    echoes = draw.normal(size=len(time)) * 10 ** (-3 * time / decay_s)
    response = echoes / np.sqrt(np.sum(echoes**2))
    response[0] = 1.0
    return fftconvolve(sound, response)[: len(sound)].astype(np.float32) * np.float32(0.7)


def _coded(sound: Sound) -> Sound:
    """Through Opus at 16 kbit/s, as a call is."""
    raw = ["-f", "f32le", "-ar", str(RATE), "-ac", "1"]
    pack = ["ffmpeg", "-v", "error", *raw, "-i", "-", "-c:a", "libopus", "-b:a", "16k", "-f", "ogg", "-"]
    packed = subprocess.run(pack, input=sound.tobytes(), check=True, capture_output=True, timeout=120).stdout
    unpack = ["ffmpeg", "-v", "error", "-f", "ogg", "-i", "-", *raw, "-"]
    heard = subprocess.run(unpack, input=packed, check=True, capture_output=True, timeout=120).stdout
    return np.frombuffer(heard, "<f4")[: len(sound)]
