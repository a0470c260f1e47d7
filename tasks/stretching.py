"""Stretch many takes at once, a process a core: the stretcher holds on to the interpreter while it works.

Each process (`python -m tasks.stretching`) reads its takes as JSON from its input and writes each sound to its output,
which fills no more than a pipe until it is wanted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from manifests.errors import StageFailed
from manifests.spans import RATE
from tasks.process import dying_with_us
from tasks.stretch import Mono, stretch

Job = tuple[Path, int]
"""A take's file, and how many samples it is to last."""

WORTH_PROCESSES = 120 * RATE
"""Samples of speech from which stretching takes longer than starting processes for it."""

PATIENCE_S = 600.0
"""Beyond a fiftieth of the speech's own length, after which a process is stopped: it works at a hundred times that."""


def stretched(jobs: Sequence[Job], cores: int = 1) -> Generator[Mono]:
    """Each take as `stretch` plays it in so many samples, in order; the same on any number of cores.

    Raises StageFailed for a take that is not a sound file at 48 kHz.
    """
    total = sum(length for _, length in jobs)
    if cores < 2 or total < WORTH_PROCESSES:
        for path, length in jobs:
            yield stretch(read_take(path), length)
        return
    with ExitStack() as stack:
        shares = [jobs[first::cores] for first in range(cores)]
        outputs = [stack.enter_context(_process(share, PATIENCE_S + total / RATE / 50)) for share in shares]
        for number, (path, length) in enumerate(jobs):
            data = outputs[number % cores].read(4 * length)
            if len(data) < 4 * length:
                raise StageFailed(f"the take {path} could not be stretched.", stage="mix", remedy="Run again.")
            yield np.frombuffer(data, np.float32)


def read_take(path: Path) -> Mono:
    """A take's sound, mono at 48 kHz."""
    import soundfile

    read, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != RATE:
        raise StageFailed(f"a take is at {rate} Hz, not {RATE}.", stage="mix")
    return np.asarray(read[:, 0] if read.shape[1] == 1 else read.mean(axis=1), np.float32)


@contextmanager
def _process(jobs: Sequence[Job], patience_s: float) -> Generator[IO[bytes]]:
    """The output of a process that stretches these takes; it ends with the context."""
    # -P: a folder named `tasks` where somebody stands is not ours
    command = [*dying_with_us(sys.executable), sys.executable, "-P", "-m", "tasks.stretching"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as process:
        limit = threading.Timer(patience_s, process.kill)
        limit.start()
        try:
            assert process.stdin is not None  # noqa: S101 - for the type checker, here and below: both are pipes
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(json.dumps([(os.fspath(path), length) for path, length in jobs]).encode())
            process.stdin.close()
            yield process.stdout
        finally:
            limit.cancel()
            process.kill()


def work(asked: IO[bytes], out: IO[bytes]) -> None:
    """What each process does."""
    for path, length in json.load(asked):
        out.write(stretch(read_take(Path(path)), length).tobytes())
    out.flush()


if __name__ == "__main__":
    work(sys.stdin.buffer, sys.stdout.buffer)
