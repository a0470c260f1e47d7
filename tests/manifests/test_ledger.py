"""The ledger on SQLite and on PostgreSQL: the same answers, whoever else writes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from manifests import workspace
from manifests.commits import Commit
from manifests.database import without_secrets
from manifests.errors import LedgerError, StoreError
from manifests.ledger import Ledger
from manifests.target_row import Standing, TargetRow


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty ledger."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return f"postgresql+psycopg://{request.getfixturevalue('postgres').database()}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    made = Ledger(url)
    yield made
    made.close()


def ran(ledger: Ledger, lesson: str, stage: str, key: str, *, language: str | None = "es", state: Any = "done") -> None:
    with ledger.running("c", lesson, language, stage, key) as row:
        row.state, row.seconds, row.media_seconds, row.message = state, 2.0, 4.0, "what\x00happened"


def test_a_target_stands_where_it_was_last_said_to(ledger: Ledger) -> None:
    """Written over, with its problems and stages as they were given; and forgotten when it is dropped."""
    problems = [{"stage": "place", "message": "does not fit: ¿qué?", "line": "3"}]
    ledger.record(TargetRow("c", "one", "es", "failed", stage="mix", message="broke"))
    ledger.record(TargetRow("c", "one", "es", "partial", output="/out/one.es.mp4", problems=problems))
    ledger.record(TargetRow("c", "one", "ca", "done", stages={"mix": {"state": "done", "seconds": 1.5}}))
    ledger.record(TargetRow("other", "one", "es", "done"))
    known = ledger.targets("c")
    assert set(known) == {("one", "es"), ("one", "ca")}
    assert (known["one", "es"].state, known["one", "es"].message) == ("partial", "")
    assert known["one", "es"].problems == problems
    assert known["one", "ca"].stages == {"mix": {"state": "done", "seconds": 1.5}}
    ledger.drop("c", "one", "es")
    assert set(ledger.targets("c")) == {("one", "ca")}


def test_runs_of_stages_are_counted_timed_and_known_by_their_keys(ledger: Ledger) -> None:
    """The latest result counts, a later failure does not hide it."""
    ran(ledger, "one", "split", "s1", language=None)
    ran(ledger, "one", "mix", "m1")
    ran(ledger, "one", "mix", "m2")
    ran(ledger, "one", "mix", "m3", state="failed")
    assert ledger.keys("c") == {("one", "", "split"): "s1", ("one", "es", "mix"): "m2"}
    assert ledger.keys("c", "one") == ledger.keys("c")
    assert ledger.keys("c", "two") == {}
    assert ledger.lesson_keys() == {("c", "one"): {"split": "s1"}}
    assert ledger.attempts("c", "one", "es", "mix") == 3
    assert ledger.pace("c") == {"split": [0.5], "mix": [0.5, 0.5]}
    assert ledger.lengths("c") == {"one": 4.0}


def test_it_is_rebuilt_from_commits(ledger: Ledger) -> None:
    """What the store says of finished targets is written again."""
    notes = {"course": "c", "lesson": "one", "language": "es", "state": "done", "output": "/out/one.es.mp4"}
    assert ledger.rebuild([Commit("verify", "k", {}, notes=notes), Commit("mix", "k", {}, notes=notes)]) == 1
    assert ledger.targets("c")["one", "es"].output == "/out/one.es.mp4"


def test_workers_may_say_the_same_at_once(ledger: Ledger) -> None:
    """Eight threads about one target: one row, and no error."""
    rows = [TargetRow("c", "one", "es", "done", message=str(number)) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ledger.record, rows))
    assert len(ledger.targets("c")) == 1


OPEN = """
import sys
from manifests.ledger import Ledger
from manifests.target_row import Standing, TargetRow
sys.stdin.read(1)
Ledger(sys.argv[1]).record(TargetRow("c", sys.argv[2], "es", "done"))
"""


def test_two_workers_may_open_an_empty_ledger_at_once(url: str) -> None:
    """The tables are made once, and neither worker fails."""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, url, lesson], stdin=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
        )
        for lesson in ("one", "two", "three")
    ]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.close()
    assert [process.wait(120) for process in both] == [0, 0, 0]
    ledger = Ledger(url)
    assert set(ledger.targets("c")) == {("one", "es"), ("two", "es"), ("three", "es")}
    ledger.close()


def test_threads_may_open_an_empty_ledger_at_once(url: str) -> None:
    """The same within one process."""
    gate = threading.Barrier(6)

    def opened(_: int) -> None:
        gate.wait(30)
        Ledger(url).close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(opened, range(6)))


def test_a_ledger_of_a_newer_version_is_left_alone(url: str) -> None:
    """With what it knows, and nothing of its address that is secret."""
    Ledger(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO versions (name, at) VALUES ('tables_of_tomorrow', '2030-01-01')"))
    engine.dispose()
    with pytest.raises(
        StoreError, match=r"written by a newer dubflow \(it knows tables_of_tomorrow\).*Use that version"
    ):
        Ledger(url)


def test_old_runs_are_pruned_and_the_last_ones_stay(ledger: Ledger) -> None:
    """Of every stage the latest run and the latest result, however old, and everything that is young."""
    for key in ("m1", "m2", "m3"):
        ran(ledger, "one", "mix", key)
    ran(ledger, "one", "mix", "m4", state="failed")
    ran(ledger, "two", "mix", "m5")
    assert ledger.prune(older_than_days=30) == 0
    assert ledger.attempts("c", "one", "es", "mix") == 4
    assert ledger.prune(older_than_days=-1) == 2
    assert ledger.keys("c") == {("one", "es", "mix"): "m3", ("two", "es", "mix"): "m5"}
    assert ledger.attempts("c", "one", "es", "mix") == 2
    assert ledger.prune(older_than_days=-1) == 0


def test_a_database_that_is_restarted_is_waited_for(postgres: Any) -> None:
    """Whoever writes in the meantime is late, and nothing is lost."""
    ledger = Ledger(f"postgresql+psycopg://{postgres.database()}")
    ledger.record(TargetRow("c", "one", "es", "running"))
    postgres.stop()
    back = threading.Timer(3, postgres.start)
    back.start()
    ledger.record(TargetRow("c", "one", "es", "done"))
    back.join()
    assert ledger.targets("c")["one", "es"].state == "done"
    ledger.close()


def test_a_database_that_is_not_there_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting to correct."""
    monkeypatch.setenv("DUB_LEDGER", f"postgresql+psycopg://dub:s3cret@/dub?host={tmp_path}")
    monkeypatch.setattr("manifests.database.PATIENCE_S", 0.0)
    with pytest.raises(
        StoreError, match=r"cannot open the ledger postgresql\+psycopg://dub:\*\*\*@.*correct DUB_LEDGER"
    ) as caught:
        workspace.open_ledger(tmp_path)
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("DUB_LEDGER", "s3cret without a scheme")
    with pytest.raises(StoreError, match="cannot open the ledger") as caught:
        workspace.open_ledger(tmp_path)
    assert "s3cret" not in str(caught.value)
    assert (
        without_secrets("postgresql://me@h/d?sslpassword=s3cret&sslmode=require")
        == "postgresql://me@h/d?sslmode=require"
    )


def test_a_full_ledger_is_the_operators_to_mend(tmp_path: Path) -> None:
    """No defect of ours: the message says what the database says, and what to do; what was there stays."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.record(TargetRow("c", "one", "es", "done"))
    pages = "PRAGMA max_page_count = 1"
    with ledger._database.reading() as connection:  # pyright: ignore[reportPrivateUsage]
        connection.exec_driver_sql(pages)
    with pytest.raises(LedgerError, match=r"cannot write the ledger .*full.*Free some space"):
        for number in range(200):
            ledger.record(TargetRow("c", f"{number}", "es", "done", message="x" * 4000))
    with pytest.raises(LedgerError, match="full"), ledger.running("c", "one", "es", "mix", "k" * 8000):
        pass
    assert ledger.targets("c")["one", "es"].state == "done"
    ledger.close()


def test_what_runs_wrote_is_known_for_each_stage(url: str) -> None:
    """Bytes a second of programme; of runs that an earlier version noted nobody knows, and they count for nothing."""
    Ledger(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE stage_runs DROP COLUMN bytes"))
        connection.execute(text("DELETE FROM versions WHERE name = 'sizes_of_results'"))
        connection.execute(
            text(
                "INSERT INTO stage_runs (course, lesson, language, stage, key, state, attempt, message, seconds, host,"
                " started, media_seconds) VALUES ('c', 'old', 'es', 'mix', 'm', 'done', 1, '', 1, '', '2026-01-01', 60)"
            )
        )
    engine.dispose()
    ledger = Ledger(url)
    assert ledger.weight() == {}
    with ledger.running("c", "one", "es", "mix", "m1") as row:
        row.state, row.seconds, row.media_seconds, row.bytes = "done", 30.0, 60.0, 6_000_000_000
    assert ledger.weight() == {"mix": [100_000_000.0]}
    assert sorted(ledger.pace()["mix"]) == [1 / 60, 0.5]
    ledger.close()


def test_what_a_row_says_of_stages_is_as_it_was_written(ledger: Ledger) -> None:
    """Read when it is asked for, it is equal to what was recorded, and can be recorded again."""
    row = TargetRow("c", "one", "es", "done", stages={"mix": {"state": "done", "seconds": 1.5}}, stale=True)
    ledger.record(row)
    (found,) = ledger.targets("c").values()
    assert found.stages == row.stages
    assert found.stages["mix"]["seconds"] == 1.5
    assert len(found.stages) == 1
    ledger.record(found)
    assert ledger.targets("c")["one", "es"].stages == row.stages
    assert ledger.standings("c") == {("one", "es"): Standing("done", True)}
