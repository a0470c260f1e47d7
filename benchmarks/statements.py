"""How surely a spoken statement's voice is told from other people's, with and without a cohort.

usage: python benchmarks/statements.py FOLDER... [--one-person FOLDER...] [--out statements.json]

Each sound file in a FOLDER is one person's, named by its stem; one with an `.rttm` beside it is cut into its speakers
(people with one name there are one person throughout). All files of a folder after --one-person are one person's.

The first half of each person's speech stands for their enrolment, pieces of 12 s of the second for statements; each is
compared with everybody's enrolment. The cohort of a pair is everybody but the two. Nothing is fitted here: the limits
are those of the encoder (`voiceclone.encoders`) and of Student's distribution (`voiceclone.cohort`).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from voices import alone, mono, sounds

from manifests.quiet import settle
from manifests.settings import StatementLimits
from voiceclone import cohort, encoders
from voiceclone.encoders import SpeakerEncoder
from voiceclone.speech import joined, speaking
from voiceclone.statement import WINDOW_S, voice_verdict
from voiceclone.voiceprint import RATE, Mono, centroid

STATEMENT_WINDOWS = 3


@dataclass(frozen=True)
class Voice:
    person: str
    source: str
    windows: NDArray[np.float32]
    """Prints of WINDOW_S each."""

    @property
    def enrolment(self) -> NDArray[np.float32]:
        return self.windows[: (len(self.windows) + 1) // 2]

    @property
    def statements(self) -> list[NDArray[np.float32]]:
        rest = self.windows[(len(self.windows) + 1) // 2 :]
        count = max(1, len(rest) // STATEMENT_WINDOWS)
        return [part for part in np.array_split(rest, count) if len(part)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--one-person", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("statements.json"))
    options = parser.parse_args()
    settle()
    speech = [each for folder in options.folders for each in of_folder(folder)]
    speech += [(folder.name, folder.name, spoken(sorted(sounds(folder)))) for folder in options.one_person]
    report = {encoder.name: judged(encoder, speech) for encoder in encoders.installed()}
    options.out.write_text(json.dumps(report, indent=1))


def judged(encoder: SpeakerEncoder, speech: Sequence[tuple[str, str, Mono]]) -> dict[str, Any]:
    """Verdicts on every pair of a statement and an enrolment."""
    size = round(WINDOW_S * RATE)
    parts = [[sound[at : at + size] for at in range(0, len(sound) - size + 1, size)] for _, _, sound in speech]
    everybody = [
        Voice(person, source, encoder.prints(windows))
        for (person, source, _), windows in zip(speech, parts, strict=True)
        if windows
    ]
    able = [voice for voice in everybody if len(voice.windows) >= 4]
    middles = [(voice.person, centroid(voice.windows)) for voice in everybody]
    limits = StatementLimits()
    found: dict[str, Counter[str]] = {}
    raw: dict[str, list[tuple[float, str]]] = {"same": [], "other": []}
    norm: dict[str, list[tuple[float, str]]] = {"same": [], "other": []}
    for one in able:
        for statement in one.statements:
            for other in able:
                kind = "same" if one.person == other.person else "other"
                crowd = np.stack([middle for person, middle in middles if person not in (one.person, other.person)])
                score = float(np.median(statement @ other.enrolment.T))
                sides = [np.median(prints @ crowd.T, axis=0) for prints in (statement, other.enrolment)]
                normalized = cohort.normalized(score, [side.astype(np.float64) for side in sides])
                name = f"{one.source} / {other.source}"
                raw[kind].append((score, name))
                norm[kind].append((normalized, name))
                for how, value in (("alone", None), (f"cohort of {len(crowd)}", normalized)):
                    verdict, _ = voice_verdict(score, value, len(crowd), encoder.limits, limits)
                    found.setdefault(f"{kind}, {how.split(' of ')[0]}", Counter())[verdict] += 1
    print(f"{encoder.name}: {len(able)} voices, {len(everybody)} with those of the cohort only")
    for name, verdicts in sorted(found.items()):
        total = verdicts.total()
        shares = ", ".join(f"{each} {verdicts[each]} ({verdicts[each] / total:.1%})" for each in VERDICTS)
        print(f"  {name:16} {shares}")
    print("  least alike, one person: ", *sorted(raw["same"])[:4])
    print("  most alike, two people:  ", *sorted(raw["other"])[::-1][:4])
    print("  normalized, one person:  ", *sorted(norm["same"])[:4])
    print("  normalized, two people:  ", *sorted(norm["other"])[::-1][:4])
    return {name: dict(verdicts) for name, verdicts in found.items()}


VERDICTS = ("matched", "review", "refused")


def of_folder(folder: Path) -> list[tuple[str, str, Mono]]:
    """Person, source and speech without pauses of everybody in a folder."""
    found: list[tuple[str, str, Mono]] = []
    for path in sorted(sounds(folder)):
        truth = path.with_suffix(".rttm")
        if not truth.exists():
            found.append((path.stem, path.stem, spoken([path])))
            continue
        sound = mono(path)
        for person, own in alone(truth, len(sound)).items():
            found.append((person, f"{path.stem}:{person}", np.ascontiguousarray(sound[own])))
    return found


def spoken(paths: Sequence[Path]) -> Mono:
    return np.concatenate([joined(sound, speaking(sound)) for sound in map(mono, paths)])


if __name__ == "__main__":
    main()
