"""A source that is edited again and put back, as its operator sees it: whole runs of a lesson with `dub gc` between."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.quick import Gates

pytestmark = pytest.mark.slow

MANIFEST = """\
course: sea
source_language: en
targets: [es]
engines: {diarize: quick}
quality: {loudness: 0}
lessons: [{media: lesson.wav}]
"""
"""Every cut waits for somebody who listens, so that what they approve is one cut and no other."""

WELCOME = "Welcome to the second lesson of this course."
SUN = "Every day the sun heats the water of the sea."
PLANTS = "Plants turn the light of the sun into energy."
DROPS = "Many small drops together make a white cloud."
FIRST = (WELCOME, SUN, PLANTS, DROPS)

MINUTE = (
    "There are three books on the table.",
    "The next morning the river was full of ice.",
    "It was the coldest winter of that century.",
)
"""They come with 45 s in which nobody speaks."""
EDITED = (WELCOME, SUN, *MINUTE, DROPS)

CORRECTED = "Cada día el sol calienta el mar."
CONFIRMED = "Muchas gotas pequeñas forman una nube blanca."

_PAUSE_S = 0.8


@dataclass(frozen=True)
class Cut:
    """What a run made of a cut of the lesson."""

    state: str
    record: dict[str, Any]
    spoken: tuple[str, ...]
    """What was said for it by the voice, in this run."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.record["lines"]

    @property
    def kept(self) -> list[bool]:
        """Of each line, whether its words are those of the cut before."""
        return ["as in the earlier cut" in line["flags"] for line in self.lines]

    def takes(self) -> dict[str, dict[str, float]]:
        """What is said in each line, and how long that takes."""
        return {line["text"]["value"]: line["take"] for line in self.lines}


class Lesson:
    """The course of one lesson."""

    def __init__(self, folder: Path, dub: Any) -> None:
        self.folder, self.manifest, self._dub, self._gates = (
            folder,
            folder / "course.yaml",
            dub,
            Gates(folder / "gates"),
        )
        self.manifest.write_text(MANIFEST, encoding="utf-8")

    def cut(self, texts: tuple[str, ...]) -> dict[str, tuple[float, float]]:
        """Put this cut in the place of the last one; where each sentence lies in it, in seconds."""
        inputs: list[str] = []
        graph, joined, places, at = "", "", dict[str, tuple[float, float]](), 0.0
        for number, text in enumerate(texts):
            clip = self.folder / f"{number}.wav"
            subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(clip)], check=True, timeout=60)
            before = _PAUSE_S + 45.0 * (text == MINUTE[-1])
            places[text] = (at + before, at + before + soundfile.info(str(clip)).duration)
            at = places[text][1]
            inputs += ["-i", str(clip)]
            graph += f"[{number}]aresample=48000,adelay={round(before * 1000)}:all=1[p{number}];"
            joined += f"[p{number}]"
        graph += f"{joined}concat=n={len(texts)}:v=0:a=1,apad=pad_dur=1"
        command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", graph, str(self.folder / "lesson.wav")]
        subprocess.run(command, check=True, timeout=60)
        return places

    def write(self, lines: dict[str, str], places: dict[str, tuple[float, float]]) -> None:
        """Human lines, as a colleague's changes come by version control."""
        rows = [
            {"start": places[source][0], "end": places[source][1], "source": source, "text": text}
            for source, text in lines.items()
        ]
        (self.folder / "course.lines").mkdir()
        (self.folder / "course.lines/lesson.es.lines.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")

    def dub(self, *command: object) -> Any:
        return self._dub(command[0], self.manifest, *command[1:], **self._gates.environment)

    def run(self) -> Cut:
        ran = self.dub("run", "--json")
        assert ran.code in (0, 4), ran.err
        (target,) = ran.json["targets"]
        record = json.loads(Path(target["output"]).with_name("lesson.es.dub.json").read_text(encoding="utf-8"))
        return Cut(target["state"], record, tuple(self._gates.spoken()))

    def freed_takes(self) -> int:
        """Collect what no record needs; how many takes that were."""
        return self.dub("gc", "--json").json["results"].get("take", 0)


def test_a_minute_comes_and_goes_and_only_what_changed_is_said(dub: Any, tmp_path: Path) -> None:
    """A minute is put in and a sentence taken out, and all is put back: lines that a linguist wrote and all others keep
    words, origin and take; what is not needed any more is freed, and of that alone what comes back is said again. What
    somebody approved is approved when it comes back, and nothing else is."""
    lesson = Lesson(tmp_path, dub)
    lesson.write({SUN: CORRECTED, DROPS: CONFIRMED}, lesson.cut(FIRST))
    first = lesson.run()
    assert [line["text"]["origin"] for line in first.lines] == ["machine", "human", "machine", "human"]
    assert [first.lines[at]["text"]["value"] for at in (1, 3)] == [CORRECTED, CONFIRMED]
    assert (first.state, len(first.spoken), any(first.kept)) == ("review", 4, False)
    approved = lesson.dub("approve", "lesson:es", "--by", "mireia")
    assert approved.code == 0, approved.err
    assert lesson.freed_takes() == 0

    lesson.cut(EDITED)
    (planned,) = lesson.dub("plan", "--json").json["targets"]
    assert planned["stages"]["split"]["why"] == "source changed; of its 4 lines, those that sound as before are kept"
    edited = lesson.run()
    assert edited.state == "review"
    assert edited.kept == [True, True, *[False] * len(MINUTE), True]
    stayed = [edited.lines[at] for at in (0, 1, -1)]
    assert [line["text"] for line in stayed] == [first.lines[at]["text"] for at in (0, 1, 3)]
    assert [line["source"]["text"] for line in stayed] == [first.lines[at]["source"]["text"] for at in (0, 1, 3)]
    assert [edited.takes()[line["text"]["value"]] for line in stayed] == [first.lines[at]["take"] for at in (0, 1, 3)]
    assert edited.spoken == tuple(line["text"]["value"] for line in edited.lines[2:-1])
    assert lesson.freed_takes() == 1

    lesson.cut(FIRST)
    back = lesson.run()
    assert (back.state, back.record["approved"]["by"]) == ("done", "mireia")
    assert [line["text"] for line in back.lines] == [line["text"] for line in first.lines]
    assert back.takes() == first.takes()
    assert back.spoken == (first.lines[2]["text"]["value"],)
