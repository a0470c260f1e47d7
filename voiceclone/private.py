"""Files that only their owner reads: how the registry and the keys touch the disk.

Folders are 0700 and files 0600 from the moment they exist. Nothing is read through a link. A file appears whole or not
at all, and is on the disk when a function returns. POSIX only, like the locks.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from manifests import locks
from manifests.errors import StoreError

LOCK_PATIENCE_S = 20.0
"""How long a process waits for another to finish with the registry before it gives up."""


class RegistryError(StoreError):
    """The consent registry or the operator's key cannot be read, written or trusted. The operator's to mend."""


@contextmanager
def explained(doing: str, path: Path) -> Generator[None]:
    """Turn an OSError into a RegistryError that says what was being done to which file."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise RegistryError(
                f"cannot {doing}: a link stands where a file should be.", remedy=f"Look at {path}."
            ) from error
        raise RegistryError(f"cannot {doing}: {error.strerror}.", remedy=f"Look at {path}.") from error


def make_folder(path: Path) -> None:
    """Make a 0700 folder where there is none; one of ours that is there is closed to others.

    A folder that is everybody's by design (sticky, as `/tmp`) or somebody else's is left as it is, and so is what a
    link leads to.
    """
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            path.chmod(0o700)
        return
    status = path.lstat()
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    if ours and status.st_mode & 0o077 and not status.st_mode & stat.S_ISVTX:
        path.chmod(0o700)


def is_real_folder(path: Path) -> bool:
    """Whether a folder, and not a link to one, is there."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def open_to_others(path: Path) -> bool:
    """Whether anybody but the owner may read or write a file or folder."""
    return bool(path.lstat().st_mode & 0o077)


def read(path: Path, limit: int = 16 << 20) -> bytes:
    """A regular file's bytes. Raises OSError for a link, another kind of file, or more than `limit` bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "a folder, not a file", str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > limit:
            raise OSError(errno.EFBIG, "larger than it can be", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(descriptor)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet; raises FileExistsError where it is."""
    draft = _draft(path, data)
    try:
        os.link(draft, path)
    finally:
        draft.unlink()
    flush_folder(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Write a file, in one step, over what was there."""
    draft = _draft(path, data)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(path: Path) -> None:
    """Make sure that a folder's names are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def locked(path: Path, *, shared: bool) -> Generator[None]:
    """Hold the lock of a lock file that exists: many readers, or one writer; threads and processes alike.

    Raises RegistryError after LOCK_PATIENCE_S, OSError where the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while not locks.take(descriptor, shared=shared):
            if time.monotonic() > deadline:
                raise RegistryError(
                    "the consent registry is in use by another process.", remedy="Try again in a moment."
                )
            time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def _draft(path: Path, data: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        write_all(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return draft
