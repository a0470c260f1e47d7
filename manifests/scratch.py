"""Scratch folders that show whether somebody works in them: each is locked by its process as long as that lives.

The lock is the system's and goes with the process, so what a killed one left is told from what another works in, on
this machine, whatever runs here. Where a file system knows no such locks, a day without a change says it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from manifests import locks

DEAD_AFTER_S: Final = 86_400.0
"""Without locks, a folder in which nothing changed for so long is nobody's any more."""


@contextmanager
def working(parent: Path) -> Generator[Path]:
    """A new folder below `parent`, locked for the block and gone afterwards. Raises OSError where it cannot be made."""
    with _opened(parent) as door:
        _lock(door, fcntl.LOCK_SH)  # nobody sweeps between the folder's making and its lock
        folder = Path(tempfile.mkdtemp(dir=parent))
        held = os.open(folder, os.O_RDONLY)
        _lock(held, fcntl.LOCK_SH)
    try:
        yield folder
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def abandoned_bytes(parent: Path) -> int:
    """Size of all files in folders below `parent` in which nobody works."""
    return sum(
        path.stat().st_size
        for folder in _folders(parent)
        if _is_abandoned(parent, folder)
        for path in folder.rglob("*")
        if path.is_file()
    )


def sweep(parent: Path) -> None:
    """Remove the folders below `parent` in which nobody works."""
    for folder in _folders(parent):
        if _is_abandoned(parent, folder):
            shutil.rmtree(folder, ignore_errors=True)


def _folders(parent: Path) -> Iterator[Path]:
    return (path for path in parent.iterdir() if path.is_dir())


def _is_abandoned(parent: Path, folder: Path) -> bool:
    try:
        with _opened(parent) as door, _opened(folder) as inside:
            if not (_lock(door, fcntl.LOCK_EX) and _lock(inside, fcntl.LOCK_SH)):
                return time.time() - folder.stat().st_mtime > DEAD_AFTER_S
            return locks.take(inside)
    except FileNotFoundError:
        return False  # its process has just ended, and took it along


@contextmanager
def _opened(folder: Path) -> Generator[int]:
    number = os.open(folder, os.O_RDONLY)
    try:
        yield number
    finally:
        os.close(number)


def _lock(number: int, how: int) -> bool:
    """Lock an open folder; False where the file system cannot."""
    try:
        fcntl.flock(number, how)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
