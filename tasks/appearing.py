"""Files that appear under their name only when they are whole.

A file is written beside its place under a hidden name, flushed to the disk and renamed: a reader never sees half of it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manifests.errors import StoreError


def refuse_to_overwrite(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Raises StoreError where an output would take the place of a file that was given to work from."""
    for out in outputs:
        for given in inputs:
            if out.exists() and given.exists() and out.samefile(given):
                raise StoreError(
                    f"{out} is a file that was given to work from; it is never written over.",
                    remedy="Choose another folder with `out:` or --out, or another `id:` for the lesson.",
                )


@contextmanager
def appearing(path: Path) -> Generator[Path]:
    """A hidden file beside `path` that takes its name when all went well, and is gone when not."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with explained(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(b"")
        yield draft
        with explained(path.parent):
            flush(draft)
            draft.replace(path)
            flush(path.parent)
    finally:
        if os.path.lexists(draft):
            draft.unlink()


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(folder: Path) -> Generator[None]:
    """Turn what the system says about a folder that cannot be written into an error for the operator."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise no_space(folder, reason) or StoreError(
            f"cannot write into {folder}: {reason}.", remedy="Make it writable, or choose another folder with --out."
        ) from error


def no_space(folder: Path, complaint: str) -> StoreError | None:
    """The error of a full disk; None where the complaint is about something else."""
    if not any(sign in complaint for sign in ("No space left", "Disk quota exceeded", "File too large")):
        return None
    return StoreError(f"no space is left in {folder}.", remedy="Free some space, or choose another folder with --out.")
