"""Locks that the system keeps on open files: each goes with the process that holds it, however that process ends."""

from __future__ import annotations

import fcntl
from typing import IO


def take(file: int | IO[str], *, shared: bool = False) -> bool:
    """Lock an open file, alone or with others who share it; False where somebody holds it already.

    The lock lasts until the file is closed. Raises OSError where the file system knows no such locks.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
