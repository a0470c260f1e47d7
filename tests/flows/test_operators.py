"""What operators do while a run is at work: they edit its manifest, start a second run, approve, correct and clean up.

The run waits at a gate meanwhile, so that all of it happens in its middle.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.quick import Gates, talk

pytestmark = pytest.mark.slow

HEAD = "course: leaves\nsource_language: en\nengines: {diarize: quick, transcribe: quick}\n"
READ = HEAD + "targets: [es]\nlessons: [{media: one.mp4}, {media: two.mp4}]\n"
EDITED = HEAD + "targets: [es, ca]\nlessons: [{media: one.mp4}]\n"
BROKEN = HEAD + "targets: [es, ca\nlessons: [{media: one.mp4}]\n"


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path / "gates")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The folder of a course of two lessons, whose manifest is `course.yaml`."""
    folder = tmp_path / "course"
    folder.mkdir()
    talk(folder / "one.mp4", ("Plants turn the light of the sun into energy.", "It happens in the green leaves."))
    talk(folder / "two.mp4", ("Water rises from the roots to the crown.",))
    (folder / "course.yaml").write_text(READ, encoding="utf-8")
    return folder


def files(course: Path) -> list[str]:
    return sorted(path.name for path in (course / "out/leaves").glob("*.mp4"))


def lines(course: Path, target: str) -> list[tuple[str, str]]:
    """Origin and text of a finished target's lines."""
    record = json.loads((course / f"out/leaves/{target}.dub.json").read_text(encoding="utf-8"))
    return [(line["text"]["origin"], line["text"]["value"]) for line in record["lines"]]


def correct(sheet: Path, text: str) -> None:
    """Give the first line of a sheet another text, as a linguist does."""
    with sheet.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["text"] = text
    with sheet.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_a_night_does_what_it_read_and_the_next_takes_what_was_edited(
    dub: Any, gates: Gates, course: Path, tmp_path: Path
) -> None:
    """A lesson is removed and a language added, a line is corrected, others ask for this and that, another run waits:
    the run that is at work is none the wiser, and the one that waited does exactly what is new."""
    manifest, sheet, known = course / "course.yaml", tmp_path / "lines.csv", gates.environment
    gates.close("synthesize")
    with dub.under_way(tmp_path / "night.log", "run", manifest, "--report", **known) as night:
        gates.reached("synthesize", night.process)
        with dub.under_way(tmp_path / "second.log", "run", manifest, **known) as second:
            second.until(f"waiting for the run with process id {night.process.pid} on {course / '.dub'}")
            states = [target["state"] for target in dub("status", manifest, "--json", **known).json["targets"]]
            assert states == ["new", "new"]
            held = dub("approve", manifest, "one:es", **known)
            assert held.err == (
                f"dub: nothing of one:es is held for review. `dub status {manifest}` shows where every target stands.\n"
            )
            cleaned = dub("gc", manifest, **known)
            assert f"A run is at work on {course / '.dub'} since" in cleaned.err
            exported = dub("script", "export", manifest, "one:es", sheet, **known)
            correct(sheet, "El sol las alimenta.")
            corrected = dub("script", "import", manifest, "one:es", sheet, **known)
            assert "1 lines of one:es are now human" in corrected.err
            assert [held.code, cleaned.code, exported.code, corrected.code] == [2, 0, 0, 0]
            manifest.write_text(EDITED, encoding="utf-8")

            gates.open("synthesize")
            assert night.ends() == 0, night.said
            assert f"The report: {course}/out/leaves/report.html" in night.said
            assert second.ends() == 0, second.said
            assert "two" not in second.said
    assert files(course) == ["one.ca.mp4", "one.es.mp4", "one.multi.mp4", "two.es.mp4"]
    assert lines(course, "two.es") == [("machine", "Las plantas necesitan el sol.")]
    assert lines(course, "one.es")[0] == ("human", "El sol las alimenta.")
    assert "El sol las alimenta." in gates.spoken()


def test_two_workspaces_over_one_store_do_each_lesson_once(
    dub: Any, gates: Gates, course: Path, tmp_path: Path
) -> None:
    """The second says for whom it waits, finds what the first has made, and both end well, though a fault is written
    into the manifest meanwhile; the next run says the fault's line. Mended, nothing is to be done again."""
    shared = gates.environment | {"DUB_STORE": str(tmp_path / "store")}
    command = ("run", course / "course.yaml", "--workspace")
    gates.close("mix")
    with dub.under_way(tmp_path / "first.log", *command, tmp_path / "a", **shared) as first:
        gates.reached("mix", first.process)
        with dub.under_way(tmp_path / "second.log", *command, tmp_path / "b", **shared) as second:
            second.until(f"(process {first.process.pid}), which works on leaves/one")
            (course / "course.yaml").write_text(BROKEN, encoding="utf-8")
            gates.open("mix")
            assert (first.ends(), second.ends()) == (0, 0), first.said + second.said
            again = [row for row in second.said.splitlines() if "  synthesize  " in row or "  mix  " in row]
            assert [row.endswith("cached") for row in again] == [True] * 4
    assert files(course) == ["one.es.mp4", "two.es.mp4"]
    refused = dub(*command, tmp_path / "a", **shared)
    assert (refused.code, refused.err.startswith(f"{course / 'course.yaml'}:")) == (2, True), refused.err
    (course / "course.yaml").write_text(READ, encoding="utf-8")
    gates.spoken()
    for workspace in ("a", "b"):
        again = dub(*command, tmp_path / workspace, **shared)
        assert (again.code, gates.spoken()) == (0, []), again.err
        told = dub("status", course / "course.yaml", "--workspace", tmp_path / workspace, "--json", **shared).json
        assert told["counts"] == {"done": 2}
