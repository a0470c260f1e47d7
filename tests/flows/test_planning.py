"""Plans of libraries: told without opening what nobody has opened yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.estimates import History, Pace
from flows.order import Order
from flows.planning import plan_course, show_plan
from flows.wanted import wanted
from manifests import digests
from manifests.timeline import Unplaced
from manifests.workspace import Workspace

MANIFEST = "course: library\nsource_language: en\ntargets: [es, ca]\nlessons: [{media: 'media/*'}]\n"


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of a video of 30 MB and a sound file of 1.6 MB, which cannot be read without a failure."""

    def never(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(digests, "file_sha256", never)
    # Not one that somebody left in a folder above, which would have a history and know lessons of these names.
    monkeypatch.setenv("DUB_WORKSPACE", str(tmp_path / ".dub"))
    (tmp_path / "media").mkdir()
    for name, size in (("film.mp4", 30_000_000), ("talk.mp3", 1_600_000)):
        with (tmp_path / "media" / name).open("wb") as file:
            file.truncate(size)
    path = tmp_path / "course.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    return path


def show(manifest: Path, as_json: bool) -> None:
    show_plan(manifest, only=(), profile=None, out=None, workspace=None, json_wanted=as_json)


def test_a_library_is_planned_without_opening_a_lesson(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody has read cannot have been made: it will run, and its length is guessed from its size."""
    show(manifest, as_json=True)
    plan = json.loads(capsys.readouterr().out)
    assert plan["course"] == "library"
    assert [
        (target["lesson"], target["language"], target["state"], target["media_seconds"]) for target in plan["targets"]
    ] == [
        ("film", "es", "run", 120.0),
        ("film", "ca", "run", 120.0),
        ("talk", "es", "run", 100.0),
        ("talk", "ca", "run", 100.0),
    ]
    assert all(target["media_seconds_guessed"] for target in plan["targets"])
    assert plan["targets"][0]["stages"]["split"] == {"state": "run", "why": "not made yet"}


def test_the_table_marks_what_is_guessed_and_counts_the_states(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a target, then what it comes to."""
    show(manifest, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "library",
        "lesson  language  plan     minutes  why",
        "film    es        run         ~2.0  split: not made yet",
        "film    ca        run         ~2.0  split: not made yet",
        "talk    es        run         ~1.7  split: not made yet",
        "talk    ca        run         ~1.7  split: not made yet",
        "0 cached, 4 run, 0 blocked, 0 failed",
    ]


def test_a_lessons_own_stages_cost_their_time_once(manifest: Path) -> None:
    """Whatever the number of its languages; each language's stages cost theirs again."""
    selection = wanted(Order(manifest=manifest, workspace=manifest.parent / ".dub"))
    space = Workspace.open(manifest.parent / ".dub")
    plans = list(
        plan_course(
            selection, space, History({"transcribe": Pace(0.5, 0.5, 0.5), "synthesize": Pace(0.25, 0.25, 0.25)})
        )
    )
    seconds = [{step.stage: step.estimate_s for step in plan.steps if step.estimate_s} for plan in plans]
    assert seconds[:2] == [{"transcribe": 60.0, "synthesize": 30.0}, {"synthesize": 30.0}]


def test_a_pace_is_told_with_its_spread() -> None:
    """The quartiles of what earlier runs took; of a single run there are none."""
    assert Pace.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Pace(2.0, 3.0, 4.0)
    assert Pace.of([0.3]) == Pace(0.3, 0.3, 0.3)


def test_time_and_space_are_estimated_by_what_such_work_took(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the quartiles that the ledger has of it; a stage of which it has nothing counts for nothing."""
    space = Workspace.open(manifest.parent / ".dub")
    for seconds, written in ((30.0, 1_000_000), (60.0, 2_000_000), (90.0, 6_000_000)):
        with space.ledger.running("other", "one", "es", "mix", "k") as row:
            row.state, row.seconds, row.media_seconds, row.bytes = "done", seconds, 60.0, written
    show(manifest, as_json=True)
    plan = json.loads(capsys.readouterr().out)
    assert plan["targets"][0]["stages"]["mix"] == {
        "state": "run",
        "why": "follows",
        "bytes": 4_000_000,
        "seconds": 120.0,
    }
    assert plan["work_seconds"] == {"low": 330.0, "usual": 440.0, "high": 550.0}
    assert plan["space_bytes"] == {"low": 11_000_000, "usual": 14_666_667, "high": 29_333_333}
    show(manifest, as_json=False)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "about 7.3 minutes of work, from what earlier runs took (5.5 to 9.2 by their quartiles)",
        "about 14.7 MB of space, from what earlier runs wrote (11.0 MB to 29.3 MB by their quartiles)",
    ]


def test_the_table_names_the_lines_that_cannot_fit(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first few by name with what each lacks, and how many there are in all."""
    lost = tuple(Unplaced(str(number), number / 10) for number in range(1, 8))
    monkeypatch.setattr("flows.planning._unfit", lambda target, made, space: lost if target.name == "talk:ca" else ())
    show(manifest, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    said = (
        "cannot be spoken in time, by their letters: 1 (0.1 s), 2 (0.2 s), 3 (0.3 s), 4 (0.4 s), 5 (0.5 s) and 2 more"
    )
    assert lines[6].strip() == said
    assert lines[-1] == "7 lines need a shorter text, or `timing: {hard_max: …}` higher, to be spoken at all"
    show(manifest, as_json=True)
    plan = json.loads(capsys.readouterr().out)
    assert plan["targets"][3]["cannot_fit"][:2] == [{"line": "1", "lacks_s": 0.1}, {"line": "2", "lacks_s": 0.2}]
