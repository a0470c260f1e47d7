"""Reading a dub back: lines are heard where they lie in a real file, by a real recognizer, whoever speaks them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from manifests.script import Line, Lines
from manifests.spans import RATE, Span, samples
from manifests.store import Store
from manifests.timeline import Placement, Timeline
from tasks.engines.protocols import Hearing
from tasks.read_back import places, read_back, said
from tasks.stage import Workbench

TEXTS = (
    "Many small drops together make a white cloud.",
    "When the temperature falls below 0, the water becomes ice.",
    "The teacher opened the door for 50 students.",
)
ENGLISH = Hearing("en", "pocketsphinx")


def spoken(text: str, folder: Path, *program: str) -> np.ndarray:
    clip = folder / "clip.wav"
    subprocess.run([*program, str(clip), *([text] if program[0] == "espeak-ng" else ["-t", text])], check=True)
    sound, rate = soundfile.read(clip, dtype="float32")
    return soxr.resample(sound, rate, RATE)


@pytest.fixture(scope="module")
def dub(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Timeline]:
    """An M4A of three lines: flite's voice, flite's voice backwards, and espeak-ng's American."""
    folder = tmp_path_factory.mktemp("dub")
    flite = ("flite", "-voice", "slt", "-o")
    clips = [
        spoken(TEXTS[0], folder, *flite),
        spoken(TEXTS[1], folder, *flite)[::-1],
        spoken(TEXTS[2], folder, "espeak-ng", "-v", "en-us+f3", "-w"),
    ]
    sound, placed, at = [np.zeros(RATE // 2, np.float32)], [], RATE // 2
    for name, clip in zip("123", clips, strict=True):
        placed.append(Placement(name, Span(at, at + len(clip)), 1.0))
        sound += [clip, np.zeros(RATE // 2, np.float32)]
        at += len(clip) + RATE // 2
    soundfile.write(folder / "dub.wav", np.concatenate(sound), RATE)
    command = ["ffmpeg", "-v", "error", "-i", str(folder / "dub.wav"), "-c:a", "aac", str(folder / "dub.m4a")]
    subprocess.run(command, check=True, timeout=60)
    return folder / "dub.m4a", Timeline("en", at, tuple(placed))


def test_each_line_is_heard_where_it_lies(dub: tuple[Path, Timeline], tmp_path: Path) -> None:
    """What is said is understood, numbers in figures too; what is garbled is not; a second reading costs nothing."""
    finished, timeline = dub
    lines = Lines("en", tuple(Line(name, f"<em>{text}</em>") for name, text in zip("123", TEXTS, strict=True)))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    bench = Workbench(Store(tmp_path / "store"), scratch, cores=2)
    found = read_back(finished, 0, lines, timeline, ENGLISH, bench)
    assert found.lines["1"].heard == "many small drops together make a white cloud"
    assert (found.lines["1"].words, found.lines["1"].errors) == (8, 0)
    assert found.lines["2"].share <= 0.2
    assert found.lines["3"].share >= 0.6
    assert list(scratch.iterdir()) == []
    kept = list((tmp_path / "store/commits/read_back").iterdir())
    assert read_back(finished, 0, lines, timeline, ENGLISH, bench) == found
    assert list((tmp_path / "store/commits/read_back").iterdir()) == kept


def test_both_sides_are_compared_as_they_are_said() -> None:
    """Figures, signs, case and abbreviations are no errors; nor is a dash that nobody says."""
    assert said("Mr. Smith — it's 21 °C!", "en") == ("mister", "smith", "it's", "twenty", "one", "degrees", "celsius")
    assert said("¡Son 21!", "es") == said("son veintiuno", "es")


def test_lines_that_speak_together_are_not_judged() -> None:
    """Two that overlap by more than 0.3 s are left out; the quiet around the others ends where a neighbour begins."""
    spans = {"1": (1, 3), "2": (2, 4), "3": (4.1, 5), "4": (6, 7)}
    placed = tuple(Placement(name, Span.of_seconds(*span), 1.0) for name, span in spans.items())
    assert places(Timeline("en", samples(10), placed)) == {
        "3": Span.of_seconds(4.05, 5.2),
        "4": Span.of_seconds(5.8, 7.2),
    }
