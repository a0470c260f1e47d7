"""Workspaces that are not what they should be: of a newer version, damaged, read-only. Nothing is lost in any."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flows.cli import app
from flows.ending import ended
from manifests.commits import Commit, Ref
from manifests.errors import StoreError
from manifests.ledger import Ledger
from manifests.store import Store, file_sha256
from tests.quick import MANIFEST, Gates, talk

ASKED = {
    "run": (),
    "plan": (),
    "status": (),
    "rerun": ("--failed",),
    "report": (),
    "approve": ("one:es",),
    "gc": (),
}
"""Every command that opens the ledger of a manifest, and what else it is told."""


@pytest.mark.parametrize("command", ASKED)
def test_a_ledger_of_a_newer_version_is_named_and_left_as_it_is(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By every command that would read or write it: exit code 3, and no byte of it is another."""
    (tmp_path / "one.mp4").write_bytes(b"never opened")
    (tmp_path / "course.yaml").write_text("course: c\ntargets: [es]\nlessons: [{media: one.mp4}]\n", encoding="utf-8")
    (tmp_path / ".dub").mkdir()
    ledger = tmp_path / ".dub/ledger.sqlite"
    Ledger(f"sqlite:///{ledger}").close()
    with sqlite3.connect(ledger) as connection:
        connection.execute("INSERT INTO versions (name, at) VALUES ('tables_of_tomorrow', '2030-01-01')")
    connection.close()
    before = ledger.read_bytes()
    monkeypatch.setattr("sys.argv", ["dub", command, str(tmp_path / "course.yaml"), *ASKED[command]])
    with pytest.raises(SystemExit) as end:
        ended(app)
    assert (end.value.code, ledger.read_bytes()) == (3, before)
    assert capsys.readouterr().err == (
        f"dub: the ledger sqlite:///{ledger} was written by a newer dubflow (it knows tables_of_tomorrow)."
        " Use that version, or another ledger: --workspace or DUB_LEDGER.\n"
    )
    assert not (tmp_path / "out").exists()


class Course:
    """A course of one lesson that was run."""

    def __init__(self, folder: Path, dub: Any) -> None:
        self.folder, self._dub, self.gates = folder, dub, Gates(folder / "gates")
        talk(folder / "one.mp4", ("Plants turn the light of the sun into energy.",))
        (folder / "course.yaml").write_text(MANIFEST, encoding="utf-8")
        ran = self.dub("run")
        assert ran.code == 0, ran.err
        assert self.gates.spoken() == ["Las plantas necesitan el sol."]

    def dub(self, command: str, *more: str, **how: Any) -> Any:
        return self._dub(command, self.folder / "course.yaml", *more, **how, **self.gates.environment)

    def latest(self, store: Store) -> list[Commit]:
        """The last result of every stage, by the ledger."""
        ledger = Ledger(f"sqlite:///{self.folder / '.dub/ledger.sqlite'}")
        found = [store.committed(stage, key) for (_, _, stage), key in ledger.keys("leaves").items()]
        ledger.close()
        return [commit for commit in found if commit is not None]

    @property
    def made(self) -> dict[str, Any]:
        """Of the record, what does not depend on when it was made."""
        record = json.loads((self.folder / "out/leaves/one.es.dub.json").read_text(encoding="utf-8"))
        return {name: record[name] for name in ("state", "lines", "timing", "loudness", "problems")}


@pytest.fixture(scope="module")
def course(dub: Any, tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course(tmp_path_factory.mktemp("workspace"), dub)


@pytest.mark.slow
def test_a_workspace_that_may_only_be_read_answers_and_takes_no_work(course: Course) -> None:
    """`plan` and `status` say what is so; `run` and `gc` say what is to be mended, exit code 3."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted: neither root nor user name spaces")
    space = course.folder / ".dub"
    mounted = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    before = ("unshare", "-rm", "sh", "-c", mounted, "sh", str(space))
    planned = course.dub("plan", "--json", before=before)
    assert (planned.code, planned.json["targets"][0]["state"]) == (0, "cached"), planned.err
    assert course.dub("status", "--json", before=before).json["counts"] == {"done": 1}
    for command in ("run", "gc"):
        refused = course.dub(command, before=before)
        assert (refused.code, refused.out) == (3, "")
        assert refused.err == (
            f"dub: cannot write into the workspace {space}: Read-only file system. Make it writable, free some space"
            " on its disk, or choose another folder with --workspace.\n"
        )


@pytest.mark.slow
def test_objects_of_every_kind_that_a_disk_damaged_are_set_aside_and_made_again(course: Course) -> None:
    """Sound, scripts, lines, takes, timelines, mixes and records, cut short or with another byte, and the finished file
    is gone: the next run makes all of it as it was."""
    made, store = course.made, Store(course.folder / ".dub/store")
    damaged = sorted(store.folder.glob("objects/*/*"))
    for number, path in enumerate(damaged):
        whole = path.read_bytes()
        middle = len(whole) // 2
        changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        path.write_bytes(whole[:middle] if number % 2 else changed)
    (course.folder / "out/leaves/one.es.mp4").unlink()
    ran = course.dub("run")
    assert ran.code == 0, ran.err
    assert course.gates.spoken() == ["Las plantas necesitan el sol."]
    assert course.made == made
    needed = {name for commit in course.latest(store) for name in commit.objects_named}
    assert {Path(name).suffix for name in needed} == {".wav", ".flac", ".json"}
    assert len(course.latest(store)) == 10
    assert all(file_sha256(store.get(name)) == Ref.named(name).digest for name in needed)
    aside = {path.name for path in (store.folder / "quarantine").iterdir()}
    assert needed & {path.name for path in damaged} <= aside


def test_a_commit_that_is_damaged_is_named_by_who_reads_them_all(tmp_path: Path) -> None:
    """`dub gc` has to know what every commit needs; for a run, one that is damaged is none, and is made again."""
    store = Store(tmp_path)
    ref = store.put_bytes(b"sound", ".wav")
    made = store.commit(Commit("mix", "ab12", {"dub.wav": ref.name}))
    lies = tmp_path / "commits/mix/ab12.json"
    lies.write_bytes(lies.read_bytes()[:20])
    with pytest.raises(StoreError, match=rf"the commit {lies} is damaged. Delete it: what it told of is made again"):
        list(store.commits())
    assert store.committed("mix", "ab12") is None
    assert store.commit(made) == made
    assert list(store.commits()) == [made]
