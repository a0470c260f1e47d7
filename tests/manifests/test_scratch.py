"""Scratch folders: what a dead process left goes, what a living one works in stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from manifests.scratch import abandoned_bytes, sweep, working

WORK = """
import sys, time
from pathlib import Path
from manifests.scratch import working
with working(Path(sys.argv[1])) as folder:
    (folder / "half.wav").write_bytes(bytes(1000))
    print("ready", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_left_is_told_from_what_a_living_one_works_in(tmp_path: Path) -> None:
    """By the lock that goes with the process, whoever looks."""
    one, other = (
        subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    try:
        for each in (one, other):
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        assert abandoned_bytes(tmp_path) == 0
        sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2
        os.kill(one.pid, signal.SIGKILL)
        one.wait()
        assert abandoned_bytes(tmp_path) == 1000
        sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        assert abandoned_bytes(tmp_path) == 0
    finally:
        for each in (one, other):
            each.kill()
            each.wait()
            if each.stdout is not None:
                each.stdout.close()


def test_a_scratch_folder_goes_with_its_block(tmp_path: Path) -> None:
    """And with it all that lies in it."""
    with working(tmp_path) as folder:
        (folder / "half.wav").write_bytes(b"half")
    assert not list(tmp_path.iterdir())
