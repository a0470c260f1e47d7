"""Slide changes and cuts that are found, in pictures drawn for it, whose changes are known.

usage: python benchmarks/scenes.py [--out scenes.json] [--seconds 60] [--height 1080] [--only NAME]…

Prints one row a picture: recall, precision, the error of the onsets in frames, and the processor time against the
time that decoding every frame takes; and writes the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from manifests.spans import RATE
from tasks.media import probe
from tasks.scenes import find_scenes

FPS = 25
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p")
WORDS = ("cell", "energy", "membrane", "because", "light", "is", "stored", "when", "water", "moves", "the", "gradient")
Frame = NDArray[np.uint8]
Drawn = Iterator[Frame]


class Deck:
    """Slides of a lecture, drawn with the text that Pillow brings; the same for the same seed."""

    def __init__(self, height: int, seed: int) -> None:
        self.height, self.width = height, height * 16 // 9
        self.random = np.random.default_rng(seed)
        self.times = self.random

    def slide(self, bullets: int) -> Frame:
        dark = self.random.random() < 0.3
        page = Image.new("L", (self.width, self.height), 24 if dark else 248)
        draw, ink, unit = ImageDraw.Draw(page), 235 if dark else 30, self.height / 1080
        draw.text((120 * unit, 70 * unit), self.words(3), ink, ImageFont.load_default(84 * unit))
        for row in range(bullets):
            text = f"• {self.words(int(self.random.integers(2, 6)))}"
            draw.text((160 * unit, (240 + 90 * row) * unit), text, ink, ImageFont.load_default(44 * unit))
        return np.asarray(page)

    def words(self, count: int) -> str:
        return " ".join(self.random.choice(WORDS, count))

    def moments(self, seconds: float, shortest: float, longest: float) -> list[float]:
        """Times on whole frames, from the first wait on until shortly before the end."""
        at, found = 0.0, list[float]()
        while (at := at + round(self.random.uniform(shortest, longest) * FPS) / FPS) < seconds - 1.5:
            found.append(round(at, 3))
        return found

    def head(self, number: int) -> tuple[slice, slice, Frame]:
        """Somebody who talks in the lower right corner: sways, blinks and is noisy like a camera."""
        rows, columns = self.height // 4, self.width // 5
        y, x = np.mgrid[0:rows, 0:columns]
        sway, nod = columns * (0.5 + 0.06 * math.sin(number / 9)), rows * (0.45 + 0.03 * math.sin(number / 5))
        face = ((x - sway) / columns * 4) ** 2 + ((y - nod) / rows * 2.6) ** 2 < 1
        mouth = (abs(x - sway) < columns * 0.08) & (
            abs(y - nod - rows * 0.2) < rows * 0.03 * (1 + math.sin(number * 1.7))
        )
        noise = np.random.default_rng(number).normal(0, 3, (rows, columns))
        picture = np.where(mouth, 60, np.where(face, 190, 90)) + noise
        top, left = self.height - rows - 20, self.width - columns - 20
        return slice(top, top + rows), slice(left, left + columns), picture.clip(0, 255).astype(np.uint8)


Case = Callable[[Deck, float], tuple[Drawn, list[float]]]


def _numbers(seconds: float) -> range:
    return range(round(seconds * FPS))


def _shown(pages: list[Frame], moments: list[float], number: int) -> Frame:
    return pages[sum(number / FPS >= at - 1e-6 for at in moments)]


def cuts(deck: Deck, seconds: float) -> tuple[Drawn, list[float]]:
    moments = deck.moments(seconds, 2, 9)
    pages = [deck.slide(6) for _ in range(len(moments) + 1)]
    return (_shown(pages, moments, number) for number in _numbers(seconds)), moments


def corner(deck: Deck, seconds: float) -> tuple[Drawn, list[float]]:
    slides, moments = cuts(deck, seconds)
    return _overlaid(slides, deck.head), moments


def _overlaid(slides: Drawn, overlay: Callable[[int], tuple[slice, slice, Frame]]) -> Drawn:
    for number, page in enumerate(slides):
        rows, columns, picture = overlay(number)
        frame = page.copy()
        frame[rows, columns] = picture[: frame[rows, columns].shape[0], : frame[rows, columns].shape[1]]
        yield frame


def fades(deck: Deck, seconds: float) -> tuple[Drawn, list[float]]:
    moments = deck.moments(seconds, 4, 10)
    pages = [deck.slide(6).astype(np.float32) for _ in range(len(moments) + 1)]

    def drawn() -> Drawn:
        for number in _numbers(seconds):
            index = sum(number / FPS >= at - 1e-6 for at in moments)
            share = min(1.0, (number / FPS - moments[index - 1] + 1 / FPS) / 1.0) if index else 1.0
            yield (pages[index] * share + pages[max(0, index - 1)] * (1 - share)).astype(np.uint8)

    return drawn(), moments


def bullets(deck: Deck, seconds: float) -> tuple[Drawn, list[float]]:
    """Lines of text that appear one by one, beside a mouse that moves."""
    moments = deck.moments(seconds, 1.5, 6)
    pages: list[Frame] = []
    full = deck.slide(6)
    for index in range(len(moments) + 1):
        if index and index % 7 == 0:
            full = deck.slide(6)
        page = full.copy()
        page[round((240 + 90 * (index % 7)) * deck.height / 1080) :] = full[0, 0]
        pages.append(page)
    slides = (_shown(pages, moments, number) for number in _numbers(seconds))
    return _overlaid(slides, lambda number: _mouse(deck, number)), moments


def _mouse(deck: Deck, number: int) -> tuple[slice, slice, Frame]:
    size = round(32 * deck.height / 1080)
    y = round(deck.height * (0.5 + 0.3 * math.sin(number / 40)))
    x = round(deck.width * (0.5 + 0.3 * math.sin(number / 23)))
    return slice(y, y + size), slice(x, x + size * 2 // 3), np.zeros((size, size), np.uint8)


def mouse(deck: Deck, seconds: float) -> tuple[Drawn, list[float]]:
    page = deck.slide(6)
    return _overlaid((page for _ in _numbers(seconds)), lambda number: _mouse(deck, number)), []


def scrolling(deck: Deck, seconds: float) -> tuple[Drawn, list[float]]:
    """A long page that is scrolled by half its height, for a second, now and then."""
    moments = deck.moments(seconds, 4, 9)
    page = np.concatenate([deck.slide(8) for _ in range(len(moments) + 2)])

    def drawn() -> Drawn:
        for number in _numbers(seconds):
            done = sum(min(1.0, max(0.0, number / FPS - at + 1 / FPS)) for at in moments)
            top = round(done * deck.height / 2)
            yield page[top : top + deck.height]

    return drawn(), moments


def film(deck: Deck, seconds: float) -> tuple[Drawn, list[float]]:
    """Cuts between cameras that move all the time."""
    moments = deck.moments(seconds, 3, 9)
    rooms: list[Frame] = []
    for _ in range(len(moments) + 1):
        coarse = deck.random.integers(20, 235, (12, 30)).astype(np.uint8)
        room = Image.fromarray(coarse).resize((deck.width * 2, deck.height), Image.Resampling.BICUBIC)
        grain = deck.random.normal(0, 12, (deck.height, deck.width * 2))
        rooms.append((np.asarray(room) + grain).clip(0, 255).astype(np.uint8))

    def drawn() -> Drawn:
        for number in _numbers(seconds):
            left = round(deck.width * (0.5 + 0.4 * math.sin(number / 60)))
            yield _shown(rooms, moments, number)[:, left : left + deck.width]

    return drawn(), moments


CASES: dict[str, tuple[Case, tuple[str, ...]]] = {
    "hard cuts": (cuts, X264),
    "hard cuts, no keyframes at cuts": (cuts, (*X264, "-sc_threshold", "0")),
    "hard cuts, talking head": (corner, (*X264, "-sc_threshold", "0")),
    "fades of 1 s": (fades, X264),
    "bullets and a mouse": (bullets, X264),
    "scrolling": (scrolling, X264),
    "film with cuts": (film, X264),
    "a mouse only": (mouse, X264),
    "variable frame rate": (cuts, ("-vf", "mpdecimate=hi=64:lo=32:frac=0.02:max=50", "-vsync", "vfr", *X264)),
    "VP9": (cuts, ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M")),
    "MPEG-4": (bullets, ("-c:v", "mpeg4", "-q:v", "5", "-g", "250")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("scenes.json"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--only", action="append", choices=list(CASES))
    options = parser.parse_args()
    print(
        f"{'picture':32} {'changes':>7} {'recall':>7} {'precision':>9} {'onset error':>12} {'CPU s':>6} {'decode':>6}"
    )
    rows: list[dict[str, Any]] = []
    for seed, name in enumerate(CASES):
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = {"picture": name, **measure(name, Path(folder), options.seconds, options.height, seed)}
        rows.append(row)
        print(
            f"{name:32} {row['changes']:7} {row['recall']:7.3f} {row['precision']:9.3f} "
            f"{row['worst onset, frames']:5.1f} frames {row['CPU s']:6.2f} {row['CPU s, all decoded']:6.2f}",
            flush=True,
        )
    options.out.write_text(
        json.dumps({"seconds": options.seconds, "height": options.height, "pictures": rows}, indent=1)
    )


def measure(name: str, folder: Path, seconds: float, height: int, seed: int) -> dict[str, Any]:
    case, encoding = CASES[name]
    deck = Deck(height, seed)
    drawn, moments = case(deck, seconds)
    path = folder / f"picture{'.webm' if name == 'VP9' else '.mp4'}"
    size = ("-s", f"{deck.width}x{deck.height}", "-r", str(FPS), "-i", "-")
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", *size, *encoding, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        pipe = process.stdin or sys.exit("ffmpeg takes no input")
        for frame in drawn:
            pipe.write(np.ascontiguousarray(frame).tobytes())
        pipe.close()
    before = _processor()
    found = find_scenes(path, probe(path, needs_sound=False)).changes
    spent = _processor() - before
    before = _processor()
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-vf", "scale=160:90", "-f", "null", "-"], check=True)
    decoding = _processor() - before
    frame_s = 1 / FPS
    off: list[float] = []
    hits: set[int] = set()
    for moment in moments:
        near = [(abs(change.span.start / RATE - moment), index) for index, change in enumerate(found)]
        nearest, index = min(near, default=(math.inf, -1))
        if nearest <= 5 * frame_s:
            off.append(nearest / frame_s)
            hits.add(index)
    return {
        "changes": len(moments),
        "found": len(found),
        "recall": len(off) / len(moments) if moments else 1.0,
        "precision": len(hits) / len(found) if found else 1.0,
        "worst onset, frames": max(off, default=0.0),
        "CPU s": round(spent, 2),
        "CPU s, all decoded": round(decoding, 2),
        "missed": [moment for moment in moments if all(abs(c.span.start / RATE - moment) > 5 * frame_s for c in found)],
        "wrong": [[c.span.start_s, c.span.end_s] for index, c in enumerate(found) if index not in hits],
    }


def _processor() -> float:
    """Processor time of this process and of the programs that it ran."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    main()
