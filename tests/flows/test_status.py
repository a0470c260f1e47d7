"""The status of a library: row after row as the ledger has them, and then what they come to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import last_known, standing
from flows.asking import show_status
from flows.last_known import LastKnown
from flows.order import Order
from flows.wanted import wanted
from manifests.ledger import Ledger
from manifests.target_row import TargetRow
from manifests.workspace import Workspace
from tasks.engines.espeak import version

HERE = version()
MANIFEST = "course: library\ntargets: [es, ca]\nlessons: [{media: 'media/*.mp4'}]\n"


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Four lessons in two languages, told as a library is: no two lessons' rows in memory at once."""
    monkeypatch.setattr(last_known, "_AT_ONCE", 1)
    monkeypatch.setattr(standing, "FITTED", 2)
    monkeypatch.setenv("DUB_WORKSPACE", str(tmp_path / ".dub"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "media").mkdir()
    for name in ("four", "one", "three", "two"):
        (tmp_path / f"media/{name}.mp4").touch()
    (tmp_path / "course.yaml").write_text(MANIFEST)
    ledger = Workspace.open(tmp_path / ".dub").ledger
    for lesson in ("four", "one", "three"):
        for language in ("es", "ca"):
            ledger.record(TargetRow("library", lesson, language, "done", output=f"{tmp_path}/out/{lesson}.{language}"))
    ledger.record(TargetRow("library", "one", "ca", "review", output=f"{tmp_path}/out/review/one.ca.mp4"))
    ledger.record(TargetRow("library", "two", "es", "failed", "mix", "no space is left."))
    ledger.record(TargetRow("library", "three", "multi", "failed", "multi", "the bucket is gone."))
    ledger.record(TargetRow("another", "one", "es", "failed", "mix", "no space is left."))
    old = {"synthesize": {"state": "done", "engine": {"name": "espeak-ng", "version": "0.1"}}}
    ledger.record(TargetRow("library", "three", "ca", "done", output=f"{tmp_path}/out/three.ca", stages=old))
    yield tmp_path / "course.yaml"


def test_the_table_of_a_library_is_written_row_by_row(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the manifest's order, each row with what is stale of it though nothing of the first ones is."""
    show_status(manifest, None, json_wanted=False)
    assert capsys.readouterr().out.splitlines() == [
        "library",
        "lesson  language  state    what",
        "four    es        done     out/four.es",
        "four    ca        done     out/four.ca",
        "one     es        done     out/one.es",
        "one     ca        review",
        "three   es        done     out/three.es",
        f"three   ca        done     out/three.ca; synthesize is stale: made by espeak-ng 0.1, and {HERE} is here",
        "two     es        failed   mix: no space is left.",
        "three   multi     failed   multi: the bucket is gone.",
        "1 never run: two:ca",
        "9 targets: 2 failed, 1 review, 1 new, 5 done",
        "2 failed (two:es, three:multi). When that is mended:",
        "dub rerun course.yaml --failed",
        "one:ca is held by a quality gate. Listen to it, out/review/one.ca.mp4, and if it may go out:",
        "dub approve course.yaml one:ca",
        "1 target is still to be made.",
        "dub run course.yaml",
        f"1 target is stale: synthesize was made by espeak-ng 0.1, and {HERE} is here. If they are to be made anew:",
        "dub run course.yaml --refresh",
    ]


def test_the_json_of_a_library_has_the_same(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with what never ran behind the rows."""
    show_status(manifest, None, json_wanted=True)
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["course", "targets", "counts", "next"]
    assert [f"{each['lesson']}:{each['language']} {each['state']}" for each in told["targets"]] == [
        *("four:es done", "four:ca done", "one:es done", "one:ca review", "three:es done", "three:ca done"),
        *("two:es failed", "three:multi failed", "two:ca new"),
    ]
    assert [each.get("stale") for each in told["targets"]][5] == {
        "synthesize": f"made by espeak-ng 0.1, and {HERE} is here"
    }
    assert told["counts"] == {"failed": 2, "review": 1, "new": 1, "done": 5}
    assert [step["command"] for step in told["next"]] == [
        *("dub rerun course.yaml --failed", "dub approve course.yaml one:ca"),
        *("dub run course.yaml", "dub run course.yaml --refresh"),
    ]


def test_no_more_rows_are_read_than_are_told_next(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lesson's rows are read when it is their turn, and let go."""
    read: list[int] = []
    targets = Ledger.targets
    monkeypatch.setattr(
        Ledger, "targets", lambda self, *of, **more: read.append(len(found := targets(self, *of, **more))) or found
    )
    root = manifest.parent / ".dub"
    rows = LastKnown(wanted(Order(manifest=manifest, workspace=root)), Workspace.open(root).ledger).rows()
    assert [next(rows).lesson for _ in range(3)] == ["four", "four", "one"]
    assert read == [2, 2]
