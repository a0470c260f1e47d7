"""The copies of a shared store's objects on this machine, kept under a limit: those asked for longest ago go first.

Everything in it is at the address too and is fetched again when somebody asks. The time of change of a file says when
it was asked for last.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

IN_USE_S: Final = 6 * 3600.0
"""What was asked for within this time stays whatever the limit: a stage may be reading it."""

FILLED: Final = 0.9
"""How far below the limit the cache is trimmed, as a share of it, so that room need not be made for every file."""


def trim(objects: Path, limit: int) -> int:
    """Delete copies below a folder of objects until they are well below `limit` bytes; returns the bytes freed.

    Nothing is done where they are below it.
    """
    found: list[tuple[float, int, str]] = []
    for folder in os.scandir(objects):
        if folder.is_dir():
            for entry in os.scandir(folder):
                facts = entry.stat()
                found.append((facts.st_mtime, facts.st_size, entry.path))
    size, freed = sum(each for _, each, _ in found), 0
    if size <= limit:
        return 0
    for used, bytes_, path in sorted(found):
        if size - freed <= limit * FILLED or used > time.time() - IN_USE_S:
            break
        Path(path).unlink(missing_ok=True)
        freed += bytes_
    return freed
