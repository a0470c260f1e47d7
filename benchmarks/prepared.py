"""A talk and its takes, made on the spot: what `assembly.py` and `length.py` give to every system alike.

The talk is espeak-ng's in English, over a steady room noise, with a picture that changes every half minute. Each line
lasts 2 to 6 s; its Spanish take is as long as the line times a log-normal factor around 1, so that some takes are far
too long for their line, as in any translation.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import soundfile
import soxr

ENGLISH = (
    "every day the sun heats the water of the sea and a part of it rises into the air where it is cold and then many "
    "small drops together make a white cloud that the wind carries over the land until the drops are too heavy"
)
SPANISH = (
    "cada día el sol calienta el agua del mar y una parte sube al aire donde hace frío y entonces muchas gotas "
    "pequeñas forman una nube blanca que el viento lleva sobre la tierra hasta que las gotas pesan demasiado"
)

RATE = 48_000
WORDS_A_SECOND = 2.6


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where the talk says it, in seconds, and its take."""

    start: float
    end: float
    take: Path
    take_seconds: float


@dataclass(frozen=True, slots=True)
class Talk:
    media: Path
    cues: Path
    seconds: float
    lines: tuple[Line, ...]


def talk(count: int, seconds: float, folder: Path, *, distinct: int | None = None) -> Talk:
    """Make a talk of so many lines and seconds, once; `distinct` is how many different lines are spoken in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = folder / "talk.json"
    if not facts.exists():
        facts.write_text(json.dumps(_made(count, seconds, folder, distinct or count)), encoding="utf-8")
    lines = tuple(
        Line(start, end, folder / take, length) for start, end, take, length in json.loads(facts.read_text("utf-8"))
    )
    return Talk(folder / "talk.mp4", folder / "cues.json", seconds, lines)


def _made(count: int, seconds: float, folder: Path, distinct: int) -> list[tuple[float, float, str, float]]:
    draw = np.random.default_rng(1)
    slots = np.resize(draw.uniform(2, 6, distinct), count)
    pauses = np.resize(draw.uniform(0.2, 1.0, distinct), count)
    scale = seconds / (slots.sum() + pauses.sum())
    slots, pauses = slots * scale, pauses * scale
    starts = np.cumsum(pauses + slots) - slots - pauses / 2
    factors = np.resize(np.clip(draw.lognormal(0, 0.18, distinct), 0.6, 1.8), count)
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda k: _spoken("en-us", ENGLISH, k, slots[k]), range(distinct)))
        takes = list(pool.map(lambda k: _spoken("es", SPANISH, k, slots[k] * factors[k]), range(distinct)))
    for number, take in enumerate(takes):
        soundfile.write(folder / f"take-{number}.wav", take, RATE, "PCM_16")
    sound = folder / "talk.wav"
    with soundfile.SoundFile(sound, "w", RATE, 2, "PCM_16") as out:
        for number in range(count):
            first = round((starts[number - 1] + slots[number - 1] + pauses[number - 1] / 2) * RATE) if number else 0
            last = round((starts[number] + slots[number] + pauses[number] / 2) * RATE)
            block = draw.normal(0, 10 ** (-62 / 20), (last - first, 2))
            at = round(starts[number] * RATE) - first
            speech = said[number % distinct][: last - first - at]
            block[at : at + len(speech)] += speech[:, np.newaxis]
            out.write(block)
    _film(sound, seconds, folder / "talk.mp4")
    cues = {
        "language": "es",
        "lines": [
            {
                "id": str(number + 1),
                "start": round(float(starts[number]), 6),
                "end": round(float(starts[number] + slots[number]), 6),
                "audio": f"take-{number % distinct}.wav",
                "text": f"línea {number + 1}",
                "speaker": "ana",
            }
            for number in range(count)
        ],
    }
    (folder / "cues.json").write_text(json.dumps(cues, indent=1, ensure_ascii=False), encoding="utf-8")
    return [
        (line["start"], line["end"], line["audio"], len(takes[number % distinct]) / RATE)
        for number, line in enumerate(cues["lines"])
    ]


def _spoken(voice: str, text: str, number: int, seconds: float) -> np.ndarray:
    """Words of a voice that last about so long, trimmed of their silence; mono, 48 kHz."""
    words, count = text.split(), max(2, round(seconds * WORDS_A_SECOND))
    text = " ".join(islice(cycle(words), number % len(words), number % len(words) + count))
    speed = 165.0
    for _ in range(2):
        sound = _trimmed(voice, text, round(speed))
        if abs(len(sound) / RATE / seconds - 1) < 0.02:
            break
        speed = min(max(speed * len(sound) / RATE / seconds, 90), 300)
    return sound


def _trimmed(voice: str, text: str, speed: int) -> np.ndarray:
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", text]
    raw = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    sound = np.frombuffer(raw[44:], "<i2").astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(sound) > 0.003)
    return soxr.resample(0.7 * sound[loud[0] : loud[-1] + 1], 22_050, RATE)


def _film(sound: Path, seconds: float, to: Path) -> None:
    """The sound under slides of half a minute each."""
    colours = ("0x20374c", "0x234034", "0x3b2a4a", "0x4a3a23")
    slides = [f"color=c={colour}:s=640x360:r=25:d=30" for colour in colours]
    graph = ";".join(f"{slide}[s{number}]" for number, slide in enumerate(slides))
    joined = "".join(f"[s{number}]" for number in range(len(slides)))
    clip = to.with_name("slides.mp4")
    h264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "250")
    _ffmpeg("-filter_complex", f"{graph};{joined}concat=n={len(slides)}:v=1:a=0[v]", "-map", "[v]", *h264, str(clip))
    _ffmpeg(
        *(
            "-stream_loop",
            "-1",
            "-i",
            str(clip),
            "-i",
            str(sound),
            "-map",
            "0:v",
            "-map",
            "1:a",
            "-t",
            f"{seconds:.6f}",
        ),
        *("-c:v", "copy", "-c:a", "aac", "-aac_coder", "fast", "-b:a", "128k"),
        *("-metadata:s:a:0", "language=eng", str(to)),
    )


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True, timeout=1800)
