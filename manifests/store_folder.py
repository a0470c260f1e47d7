"""Writing into a store's folder: scratch space, moves that survive a power cut, and errors that say what to do next."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from manifests import scratch
from manifests.errors import ManifestError, StoreError


def moved(path: Path, target: Path) -> bool:
    """Move a file; False, and nothing is done, where the two places are not on one disk."""
    flush(path)
    try:
        path.replace(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def flush(path: Path) -> None:
    """Wait until the disk has what was written to a file."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextmanager
def temporary(root: Path) -> Generator[Path]:
    """A scratch folder in `root`'s `tmp/`, for the block. Raises StoreError where it cannot be made."""
    with ExitStack() as ends:
        with explained("write to", root):
            folder = ends.enter_context(scratch.working(root / "tmp"))
        yield folder


@contextmanager
def explained(verb: str, root: Path) -> Generator[None]:
    """Turn an OSError of the block into a StoreError that names the folder and the setting that chooses another."""
    try:
        yield
    except OSError as error:
        elsewhere = _elsewhere(root)
        remedy = f"Free some space, or choose another folder with {elsewhere}."
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            remedy = f"Make it writable, or choose another folder with {elsewhere}."
        raise StoreError(f"cannot {verb} the store {root}: {error.strerror}.", remedy=remedy) from error


def _elsewhere(root: Path) -> str:
    """The setting that chooses where a store's folder lies; a shared store has one of its own."""
    from manifests import settings

    try:
        shared = settings.personal().store
    except ManifestError:  # whoever opened the store was told already
        return "--workspace"
    return "DUB_STORE" if shared and root.is_relative_to(Path(shared).expanduser().absolute()) else "--workspace"
