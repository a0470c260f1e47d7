"""What shorter renderings and elastic speech win on a talk as people give it, in every language there is a table for.

    .venv/bin/python benchmarks/renderings.py [--json FILE]

A minute and a half of a lecture with its hesitations and openers, timed by espeak-ng's English voice, translated by
Apertium, spoken by espeak-ng, placed: once in the full texts, once as they are chosen. The talk is also given faster,
so that the translation has less time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import soundfile

from manifests.script import Casting, Lines, Script, Speaker, Utterance
from manifests.spans import Span, samples
from manifests.store import Store
from tasks.clone import stock_voices
from tasks.engines import espeak
from tasks.engines.protocols import Translating
from tasks.place import Limits, place
from tasks.speaking import How
from tasks.stage import Workbench
from tasks.synthesize import Params, synthesize
from tasks.timing import timing
from tasks.translate import translate

TALK = """Okay, so welcome back to the second lesson, and, um, today we're going to take a look at the water cycle.
Now, as you know, there is water everywhere: in the sea, in the ground, and, of course, in the air.
So, basically, the sun heats the sea, and the water turns into vapour in order to rise.
You know, the the vapour is really very light, and it is able to climb about 10 kilometres.
Well, up there it is extremely cold, and the vapour becomes small drops of water.
In fact, a cloud is simply millions of drops, due to the fact that they are so small.
Actually, a drop does not fall until it is really heavy.
So, when a lot of drops come together, it rains, as you can see in the picture.
Then, obviously, the rain falls into the rivers, and the rivers carry it to the sea.
Of course, not all of the rain gets there, because plants need water in order to grow.
So, in the summer, the majority of the water in this valley comes from the snow of the mountains.
Now, I'm going to show you each and every step again, as well as the names in the book.
Okay, let us go ahead and open the website, and look at the table on page 12.
Basically, the first column is the temperature, and the second column is the amount of rain.
As you can see, it clearly rains more in April than in August.
Alright, you're going to draw the cycle at home, and, um, please, write the names of the five steps.""".splitlines()
PAUSE_S = 0.35


def spoken(bench: Workbench, faster: float) -> tuple[Script, int]:
    """The talk's script, its times those of an English voice, and the programme's length."""
    at, utterances = 0.5, list[Utterance]()
    for number, text in enumerate(TALK, 1):
        take = espeak.speak(text, "en-us+m3", 50, bench.scratch / "take.flac")
        length = soundfile.info(take).duration / faster
        utterances.append(Utterance(str(number), "SPEAKER_00", Span.of_seconds(at, at + length), text, (), 0.9))
        at += length + PAUSE_S / faster
    return Script("en", tuple(utterances)), samples(at + 0.5)


def row(script: Script, length: int, lines: Lines, language: str, bench: Workbench) -> dict[str, float]:
    casting = Casting(language, stock_voices(language, [Speaker("SPEAKER_00", 110, 60)], {"SPEAKER_00": ""}))
    said, takes = synthesize(lines, script, casting, length, Params(How(language)), bench)
    timeline = place(script, takes, length, Limits())
    figures = timing(script, takes, timeline)
    flags = [flag for placement in timeline.placements for flag in placement.flags]
    count = len(lines.lines)
    return {
        "shortened": sum(bool(line.trimmed) for line in said.lines),
        "text %": 100 * sum(len(line.text) for line in said.lines) / sum(len(line.text) for line in lines.lines),
        ">1.25x %": 100 * sum("fast" in flag for flag in flags) / count,
        "not spoken": len(timeline.unplaced),
        "rate p95": figures.p95_rate or 0.0,
        "smooth %": 100 * (figures.smoothness or 0.0),
        "late p95": figures.onset_p95 or 0.0,
        "stretch max %": 100 * max(abs(placement.rate - 1) for placement in timeline.placements),
    }


def table() -> pd.DataFrame:
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(Store(Path(folder) / "store"), Path(folder))
        for faster in (1.0, 1.15, 1.3):
            script, length = spoken(bench, faster)
            for language in ("es", "pt", "it", "fr", "ca", "gl"):
                lines = translate(script, Translating("en", language, "apertium"))
                full = replace(lines, lines=tuple(replace(line, renderings=()) for line in lines.lines))
                for name, each in (("full", full), ("chosen", lines)):
                    figures = row(script, length, each, language, bench)
                    rows.append({"talk": f"x{faster:.2f}", "language": language, "text": name, **figures})
    return pd.DataFrame(rows).set_index(["talk", "language", "text"])


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--json", type=Path, help="write the same figures to this file")
    chosen = options.parse_args()
    figures = table()
    print(figures.round(2).to_string())
    if chosen.json:
        chosen.json.write_text(json.dumps(figures.round(4).reset_index().to_dict("records"), indent=1) + "\n")


if __name__ == "__main__":
    main()
