"""How well voices tell people apart: similarity of the same person and of others, and what the limits make of it.

usage: python benchmarks/voices.py FOLDER... [--one-person FOLDER...] [--out voices.json]

Each sound file in a FOLDER is one person's, named by its stem; one with an `.rttm` beside it is cut into its speakers
(people with one name there are one person throughout). All files of a folder after --one-person are one person's.
The first half of each person's speech stands for their enrolment, each 9 s of the rest is compared with all of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.quiet import settle
from voiceclone import matching, quality, voiceprint
from voiceclone.recordings import read
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import RATE

SOUND = {".flac", ".wav", ".ogg", ".mp3", ".m4a"}


@dataclass(frozen=True)
class Heard:
    person: str
    source: str
    windows: NDArray[np.float32]
    """Voice prints of 3 s each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--one-person", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("voices.json"))
    options = parser.parse_args()
    settle()
    heard = [each for folder in options.folders for each in of_folder(folder)]
    heard += [of_one(folder.name, sorted(sounds(folder))) for folder in options.one_person]
    heard = [each for each in heard if len(each.windows) >= 2]
    enrolled = [voiceprint.centroid(each.windows[: (len(each.windows) + 1) // 2]) for each in heard]
    same: list[tuple[float, str, str]] = []
    other: list[tuple[float, str, str]] = []
    for each in heard:
        rest = each.windows[(len(each.windows) + 1) // 2 :]
        for first in range(0, max(1, len(rest) - 2), 3):
            voice = voiceprint.centroid(rest[first : first + 3])
            for person, own in zip(heard, enrolled, strict=True):
                row = (voiceprint.likeness(voice, own), each.source, person.source)
                (same if each.person == person.person else other).append(row)
    windows = window_scores(heard)
    report = {
        "voices": len({each.person for each in heard}),
        "same": spread([row[0] for row in same]),
        "other": spread([row[0] for row in other]),
        "window, own mean": spread(windows[0]),
        "window, other mean": spread(windows[1]),
        "limits": {"clear": matching.CLEAR, "margin": matching.MARGIN, "other": matching.OTHER},
        "one voice": quality.ONE_VOICE,
        "same below clear": float(np.mean([row[0] < matching.CLEAR for row in same])),
        "same below other": float(np.mean([row[0] < matching.OTHER for row in same])),
        "other from clear on": float(np.mean([row[0] >= matching.CLEAR for row in other])),
        "other from other on": float(np.mean([row[0] >= matching.OTHER for row in other])),
    }
    show(report, same, other)
    options.out.write_text(json.dumps(report, indent=1))


def of_folder(folder: Path) -> list[Heard]:
    found: list[Heard] = []
    for path in sorted(sounds(folder)):
        truth = path.with_suffix(".rttm")
        if not truth.exists():
            found.append(of_one(path.stem, [path]))
            continue
        sound = mono(path)
        for person, spoken in alone(truth, len(sound)).items():
            found.append(Heard(person, f"{path.stem}:{person}", quality.window_prints(sound[spoken])))
    return found


def of_one(person: str, paths: Sequence[Path]) -> Heard:
    sounds = [mono(path) for path in paths]
    speech = np.concatenate([joined(sound, speaking(sound)) for sound in sounds])
    return Heard(person, person, quality.window_prints(speech))


def alone(truth: Path, length: int) -> dict[str, NDArray[np.bool_]]:
    """Where each speaker of an RTTM file speaks and nobody else does, sample by sample."""
    active: dict[str, NDArray[np.bool_]] = {}
    for line in truth.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        start, end = round(float(fields[3]) * RATE), round((float(fields[3]) + float(fields[4])) * RATE)
        active.setdefault(fields[7], np.zeros(length, np.bool_))[start:end] = True
    count = np.sum(list(active.values()), axis=0)
    return {person: spoken & (count == 1) for person, spoken in active.items()}


def window_scores(heard: Sequence[Heard]) -> tuple[list[float], list[float]]:
    """Cosines of each 3 s with their speaker's mean, and with all others'."""
    own: list[float] = []
    others: list[float] = []
    for each in heard:
        middle = voiceprint.centroid(each.windows)
        own += (each.windows @ middle).tolist()
        for another in heard:
            if another.person != each.person:
                others += (another.windows @ middle).tolist()
    return own, others


def spread(values: Sequence[float]) -> dict[str, Any]:
    marks = {"min": 0.0, "1 %": 0.01, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "99 %": 0.99, "max": 1.0}
    return {"count": len(values)} | {name: round(float(np.quantile(values, at)), 3) for name, at in marks.items()}


def show(report: dict[str, Any], same: list[tuple[float, str, str]], other: list[tuple[float, str, str]]) -> None:
    print(f"{'':22}" + "".join(f"{name:>8}" for name in report["same"]))
    for name in ("same", "other", "window, own mean", "window, other mean"):
        print(f"{name:22}" + "".join(f"{value:8}" for value in report[name].values()))
    print(
        "least alike, same person:", *(f"{score:.2f} {one}/{two}" for score, one, two in sorted(same)[:5]), sep="\n  "
    )
    print("most alike, two people:", *(f"{score:.2f} {a}/{b}" for score, a, b in sorted(other)[::-1][:5]), sep="\n  ")
    print(f"clear from {matching.CLEAR}: refuses {report['same below clear']:.1%} of the same person, ", end="")
    print(f"takes {report['other from clear on']:.1%} of others")
    print(f"another below {matching.OTHER}: {report['same below other']:.1%} of the same person, ", end="")
    print(f"misses {report['other from other on']:.1%} of others")


def mono(path: Path) -> NDArray[np.float32]:
    recording = read(path)
    return voiceprint.resampled(recording.samples, recording.rate)


def sounds(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in SOUND]


if __name__ == "__main__":
    main()
