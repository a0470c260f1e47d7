"""Plans of libraries: told without opening what nobody has opened yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.order import Order
from flows.planning import Pace, plan_course, show_plan
from flows.wanted import wanted
from manifests import digests
from manifests.workspace import Workspace

MANIFEST = "course: library\nsource_language: en\ntargets: [es, ca]\nlessons: [{media: 'media/*'}]\n"


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of a video of 30 MB and a sound file of 1.6 MB, which cannot be read without a failure."""

    def never(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(digests, "file_sha256", never)
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
    plans = list(plan_course(selection, space, {"transcribe": 0.5, "synthesize": 0.25}))
    seconds = [{step.stage: step.estimate_s for step in plan.steps if step.estimate_s} for plan in plans]
    assert seconds[:2] == [{"transcribe": 60.0, "synthesize": 30.0}, {"synthesize": 30.0}]


def test_a_pace_is_told_with_its_spread() -> None:
    """The quartiles of what earlier runs took; of a single run there are none."""
    assert Pace.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Pace(2.0, 3.0, 4.0)
    assert Pace.of([0.3]) == Pace(0.3, 0.3, 0.3)
