"""Signs of life on one machine: a file that a process keeps locked, which the system unlocks when that process ends.

Whoever finds the file and can lock it knows that its process is gone, however it went. Who finds none, on another
machine or in another container, knows nothing.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from manifests import locks


@contextmanager
def alive(token: str) -> Generator[None]:
    """Show for the block that this process lives, under a token that nobody else has. Where it cannot, it does not."""
    path = _path(token)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            locks.take(file)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def is_gone(token: str) -> bool:
    """Whether the process that showed its life under a token is known to be gone."""
    path = _path(token)
    try:
        if not re.fullmatch(r"[0-9a-f]{32}", token) or path.parent.lstat().st_uid != os.getuid():
            return False
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return locks.take(file)
    except OSError:  # no such locks here: nobody knows
        return False
    finally:
        os.close(file)


def forget(token: str) -> None:
    """Clear away the sign of a process that is gone."""
    if is_gone(token):
        _path(token).unlink(missing_ok=True)


def _path(token: str) -> Path:
    return Path(tempfile.gettempdir()) / f"dubflow-{os.getuid()}" / token
