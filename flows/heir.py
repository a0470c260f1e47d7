"""The heir of a process: a small one beside it, which gives its claims back where it is killed without a word.

Prefect's process worker (3.8.8) that is told to end kills its runs: they hear no signal, and can give nothing back. Nor
can whoever ran out of memory. The heir sees that the pipe from its process has ended, and lets go of what that process
held then, so that workers on other machines need not wait for the lease to end.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Final

from manifests.bucket import bucket_of
from manifests.claims import Claims
from manifests.errors import DubError

END_S: Final = 10.0
"""How long an heir that nothing is left to may take to end."""


class Heir:
    """The heir of this process, to be told what it would inherit. Safe to use from threads; an heir that has died is
    told in vain, and the lease ends by itself."""

    def __init__(self, process: subprocess.Popen[str] | None = None) -> None:
        """Without a process nobody inherits."""
        self._process = process
        self._lock = Lock()

    def holds(self, name: str, token: str) -> None:
        """This process has a claim now, known by its token."""
        self._tell(name, token)

    def holds_no_longer(self, name: str) -> None:
        self._tell(name, None)

    def _tell(self, name: str, token: str | None) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with self._lock, suppress(OSError, ValueError):
            self._process.stdin.write(f"{json.dumps([name, token])}\n")
            self._process.stdin.flush()


@contextmanager
def heir_of_this_process(workspace: Path) -> Generator[Heir]:
    """An heir for the block; `workspace` is whose store the claims are in. It loads no engine and no Prefect."""
    # What ends this process, as a signal to its group may, must not reach its heir.
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.heir", str(workspace)],
        stdin=subprocess.PIPE,
        # Nor must it keep open what a worker reads of this process until its end.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield Heir(process)
    finally:
        with suppress(OSError, subprocess.TimeoutExpired):
            process.communicate(timeout=END_S)


def inherit(lines: Iterable[str], claims: Claims) -> None:
    """Hear what a process holds until it ends, then give back what it held still."""
    held: dict[str, str] = {}
    for line in lines:
        name, token = json.loads(line)
        if token is None:
            held.pop(name, None)
        else:
            held[name] = token
    for name, token in held.items():
        with suppress(DubError):  # then the lease ends by itself
            claims.give_back(name, token)


def main() -> None:
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # service managers tell all processes to end: this one ends last
    inherit(sys.stdin, Claims(bucket_of(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
