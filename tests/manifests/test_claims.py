"""Claims: one holder at a time, whatever dies, jumps or comes late."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from manifests.bucket import FolderBucket
from manifests.claims import Claims
from manifests.errors import ClaimLost, StoreError

HOLD = """
import sys, time
from pathlib import Path
from manifests.bucket import FolderBucket
from manifests.claims import Claims
claims = Claims(FolderBucket(Path(sys.argv[1])))
"""
"""What every worker of these tests begins with."""

COUNT = """
inside = Path(sys.argv[1]) / "inside"
for _ in range(20):
    with claims.held("biology/lesson-01"):
        inside.mkdir()      # fails where somebody else is inside
        time.sleep(0.002)
        inside.rmdir()
sys.stdout.write("20 times")
"""

DIE = """
with claims.held("biology/lesson-01", lease_s=1.5):
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    time.sleep(600)
"""


def worker(program: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLD + program, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(FolderBucket(tmp_path))


def files(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted((folder / "claims/biology/lesson-01").iterdir())]


def test_two_processes_are_never_inside_at_once(tmp_path: Path) -> None:
    """Each takes the name twenty times, and every time is alone in what it does under it."""
    both = [worker(COUNT, tmp_path) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == ["20 times", "20 times"]
    assert [process.returncode for process in both] == [0, 0]


def test_a_killed_holder_on_this_machine_is_taken_over_at_once(tmp_path: Path, claims: Claims) -> None:
    """Whoever types the command again after `kill -9` does not wait for the lease to end."""
    dead = worker(DIE.replace("1.5", "600"), tmp_path)
    assert dead.stdout is not None
    assert dead.stdout.readline() == "held\n"
    dead.send_signal(signal.SIGKILL)
    dead.communicate(timeout=10)
    seen = claims.seen("biology/lesson-01")
    assert (seen and seen.gone, seen and seen.lease_s) == (True, 600)
    with claims.held("biology/lesson-01", waiting=pytest.fail):
        claims.check("biology/lesson-01")


def test_a_killed_holder_is_taken_over(tmp_path: Path, claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill -9` leaves the claim behind; a lease later a worker of another machine has it, and was told for whom it
    waited."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where nothing of the other is seen
    dead = worker(DIE, tmp_path)
    assert dead.stdout is not None
    assert dead.stdout.readline() == "held\n"
    dead.send_signal(signal.SIGKILL)
    dead.communicate(timeout=10)
    told: list[str] = []
    started = time.monotonic()
    with claims.held("biology/lesson-01", lease_s=1.5, waiting=told.append):
        waited = time.monotonic() - started
        claims.check("biology/lesson-01")
    assert waited >= 1.4
    assert len(told) == 1
    assert f"(process {dead.pid}), which works on biology/lesson-01" in told[0]


def test_a_holder_that_lives_is_never_taken_over(tmp_path: Path, claims: Claims) -> None:
    """Its lease is renewed for as long as it works, many leases long."""
    living = worker(DIE, tmp_path)
    assert living.stdout is not None
    assert living.stdout.readline() == "held\n"
    taken = threading.Event()

    def take() -> None:
        with claims.held("biology/lesson-01", lease_s=1.5):
            taken.set()

    waiter = threading.Thread(target=take)
    waiter.start()
    assert not taken.wait(6)
    living.send_signal(signal.SIGKILL)
    living.communicate(timeout=10)
    assert taken.wait(60)
    waiter.join()


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_jumps_does_no_harm(
    years: int, tmp_path: Path, claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the holder's clock nor the waiter's decides, nor the times of files: only what was seen for how long."""
    living = worker(DIE, tmp_path)
    assert living.stdout is not None
    assert living.stdout.readline() == "held\n"
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + years * 365 * 86400)
    path = next((tmp_path / "claims/biology/lesson-01").iterdir())
    told = json.loads(path.read_bytes()) | {"taken": f"{2026 + years}-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(told))
    os.utime(path, (real() - years * 365 * 86400,) * 2)
    taken = threading.Event()

    def take() -> None:
        with claims.held("biology/lesson-01", lease_s=1.5):
            taken.set()

    waiter = threading.Thread(target=take)
    waiter.start()
    assert not taken.wait(3)
    living.send_signal(signal.SIGKILL)
    living.communicate(timeout=10)
    assert taken.wait(60)
    waiter.join()


def test_whoever_lost_a_claim_cannot_commit(tmp_path: Path) -> None:
    """A worker that stood still for longer than its lease learns, before it publishes, that another took over."""
    slept, awake = Claims(FolderBucket(tmp_path)), Claims(FolderBucket(tmp_path))
    with slept.held("biology/lesson-01", lease_s=600):  # renewed so rarely that it seems dead to whoever waits a second
        slept.check("biology/lesson-01")
        path = next((tmp_path / "claims/biology/lesson-01").iterdir())
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"lease_s": 0.5}))
        with awake.held("biology/lesson-01"):
            awake.check("biology/lesson-01")
            with pytest.raises(ClaimLost, match=r"another worker took biology/lesson-01 over.*Nothing is to be done"):
                slept.check("biology/lesson-01")
        with pytest.raises(ClaimLost):
            slept.check("biology/lesson-01")  # nor when the other has finished


def test_a_released_name_is_free_at_once(tmp_path: Path, claims: Claims) -> None:
    """Nobody waits for a lease after a holder that ended; and no generation is left but the last."""
    for _ in range(3):
        with claims.held("biology/lesson-01", lease_s=600):
            pass
    assert [(told["released"], told["lease_s"]) for told in files(tmp_path)] == [(True, 600)]


def test_a_released_name_is_free_after_a_failure_too(claims: Claims) -> None:
    """Whatever ends the work ends the claim."""
    with pytest.raises(ValueError, match="broken"), claims.held("biology/lesson-01", lease_s=600):
        raise ValueError("broken")
    with claims.held("biology/lesson-01", lease_s=600):
        pass


def test_a_late_creation_below_the_highest_generation_holds_nothing(tmp_path: Path) -> None:
    """A waiter that decided long ago may create a generation that was cleared away since: it sees the higher one."""
    holder = Claims(FolderBucket(tmp_path))
    for _ in range(2):
        with holder.held("biology/lesson-01"):
            pass

    class Late(FolderBucket):
        """Reads what was there three generations ago, once."""

        stale = True

        def names(self, folder: str):  # pyright: ignore[reportIncompatibleMethodOverride]
            if self.stale:
                return iter(())
            return super().names(folder)

        def create(self, name: str, data: bytes) -> bool:
            made = super().create(name, data)
            self.stale = False
            return made

    late = Late(tmp_path)
    with holder.held("biology/lesson-01", lease_s=600):
        taken = threading.Event()

        def take() -> None:
            with Claims(late).held("biology/lesson-01"):
                taken.set()

        waiter = threading.Thread(target=take)
        waiter.start()
        assert not taken.wait(1)
        holder.check("biology/lesson-01")
    assert taken.wait(30)
    waiter.join()


def test_a_damaged_claim_is_waited_for_and_then_taken_over(tmp_path: Path, claims: Claims) -> None:
    """Who cannot be read may live: they get the lease that the waiter would have."""
    (tmp_path / "claims/biology/lesson-01").mkdir(parents=True)
    (tmp_path / "claims/biology/lesson-01/000007.json").write_bytes(b"\x00not json")
    with claims.held("biology/lesson-01", lease_s=0.5):
        pass
    assert [path.name for path in (tmp_path / "claims/biology/lesson-01").iterdir()] == ["000008.json"]


def test_names_are_held_apart(claims: Claims) -> None:
    """Lessons of one course do not wait for each other, nor does a name that was never taken fail its check."""
    with claims.held("biology/lesson-01", lease_s=600), claims.held("biology/lesson-02", lease_s=600):
        claims.check("biology/lesson-03")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """With the folder and what to do."""
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot write claims.*Make the folder"):
        Claims(FolderBucket(tmp_path)).held("biology/lesson-01").__enter__()
