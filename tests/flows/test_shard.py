"""What a shard's process holds: claims that it lets go however it ends, and a GPU that it has to itself."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.claiming import claims_of_this_process, lesson_held
from flows.shard import own_device
from flows.wanted import Wanted
from manifests.bucket import FolderBucket
from manifests.claims import Claims
from manifests.errors import StoreError
from manifests.ledger import Ledger
from tests.courses import job

INHERITED = """
import sys, time
from pathlib import Path
from flows.claiming import claims_of_this_process
from flows.heir import heir_of_this_process
from manifests.bucket import bucket_of
from manifests.claims import Claims
root = Path(sys.argv[1])
with heir_of_this_process(root) as heir, claims_of_this_process(Claims(bucket_of(root)), 600, heir) as mine:
    with mine.held("leaves/lesson-01", print):
        pass
    with mine.held("leaves/lesson-02", print):
        sys.stdout.write("held\\n")
        sys.stdout.flush()
        sys.stdin.readline()
"""

HOLD = """
import sys, time
from flows.shard import own_device
from flows.wanted import Wanted
with own_device(lambda said: None):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    time.sleep(600)
"""


def until(true: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_process_that_is_told_to_end_lets_go_of_its_lessons_at_once(tmp_path: Path) -> None:
    """Though a thread is still at work on one: the next worker need not wait for the lease to end."""
    claims = Claims(FolderBucket(tmp_path))
    at_work, end = threading.Event(), threading.Event()

    def work() -> None:
        with mine.held("leaves/lesson-01", waiting=lambda who: None):
            at_work.set()
            end.wait(60)

    with pytest.raises(KeyboardInterrupt), claims_of_this_process(claims, 60) as mine:
        thread = threading.Thread(target=work)
        thread.start()
        assert at_work.wait(60)
        assert claims.seen("leaves/lesson-01") is not None
        raise KeyboardInterrupt
    assert claims.seen("leaves/lesson-01") is None
    with claims.held("leaves/lesson-01", waiting=pytest.fail):
        end.set()
        thread.join()
        assert claims.seen("leaves/lesson-01") is not None  # the thread's own end takes nothing from the next holder


@pytest.mark.parametrize("killed", [True, False])
def test_what_a_killed_process_held_is_given_back_by_its_heir(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, for workers on other machines too, where nothing of it is seen; of a process that ends, nothing is left
    to inherit."""
    monkeypatch.delenv("DUB_STORE", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # another machine's
    claims = Claims(FolderBucket(tmp_path / "store"))
    process = subprocess.Popen(
        [sys.executable, "-c", INHERITED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    seen = claims.seen("leaves/lesson-02")
    assert (seen and seen.gone, seen and seen.lease_s) == (False, 600)
    assert claims.seen("leaves/lesson-01") is None
    if killed:
        process.kill()
        until(lambda: (now := claims.seen("leaves/lesson-02")) and now.gone)
    process.communicate("\n" if not killed else None)
    assert (claims.seen("leaves/lesson-02") is None) is not killed
    for lesson in ("leaves/lesson-01", "leaves/lesson-02"):
        with claims.held(lesson, waiting=pytest.fail):
            assert (now := claims.seen(lesson)) is not None
            assert not now.gone


def test_one_process_at_a_time_has_the_gpu_and_a_killed_one_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next waits, says so, and has it as soon as the holder is gone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    said: list[str] = []
    got = threading.Event()

    def take() -> None:
        with own_device(said.append):
            got.set()

    thread = threading.Thread(target=take)
    thread.start()
    until(lambda: said)
    assert said == ["waiting for another process of dubflow to be done with the GPU"]
    assert not got.wait(0.3)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert got.wait(60)
    thread.join()


def test_another_gpu_is_another_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`CUDA_VISIBLE_DEVICES` names it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with own_device(pytest.fail):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        with own_device(pytest.fail):
            pass


def test_a_lesson_that_cannot_be_claimed_is_told_of(tmp_path: Path) -> None:
    """A store that takes nothing, not even a claim: the ledger says so of every target, with what to do."""
    store = tmp_path / "store"
    store.mkdir()
    (store / "claims").write_text("not a folder")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    item = Wanted(job(tmp_path), ("es", "ca"))
    with (
        claims_of_this_process(Claims(FolderBucket(store))) as mine,
        pytest.raises(StoreError),
        lesson_held(mine, item, ledger, pytest.fail),
    ):
        pytest.fail("it is not held")
    rows = ledger.targets("biology")
    assert {name: row.state for name, row in rows.items()} == {("one", "es"): "failed", ("one", "ca"): "failed"}
    assert str(store) in rows["one", "es"].message
