"""The workspace: everything that can be made again (store, ledger, digests), in one folder that may be deleted."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy.exc import SQLAlchemyError

from manifests import locks, settings
from manifests.bucket import FolderBucket, bucket_of
from manifests.claims import Claims
from manifests.commits import Commit
from manifests.database import reason, without_secrets
from manifests.depot import Depots
from manifests.digests import Digests
from manifests.errors import StoreError
from manifests.ledger import Ledger
from manifests.shelves import places
from manifests.store import Store


def locate(manifest: Path, chosen: Path | None = None) -> Path:
    """The workspace folder of a manifest.

    `--workspace`, else `DUB_WORKSPACE`, else `workspace` in `dubflow.toml`, else `.dub/` beside the manifest, else the
    nearest one upward; where there is none yet, `.dub/` beside the manifest. Raises ManifestError for faulty settings.
    """
    if chosen is not None:
        return chosen.expanduser().absolute()
    beside = manifest.absolute().parent
    if named := settings.of(beside).workspace:
        return named
    for folder in (beside, *beside.parents):
        if (folder / ".dub").is_dir():
            return folder / ".dub"
    return beside / ".dub"


def open_store(root: Path) -> Store:
    """The store of a workspace: its own, or the shared one that the user's settings name.

    Raises StoreError where it cannot be opened, ManifestError for faulty settings.
    """
    bucket = bucket_of(root)
    if isinstance(bucket, FolderBucket):
        return Store(root / "store", bucket.root)
    from manifests.remote_store import RemoteStore

    return RemoteStore(root / "store", bucket, round(settings.personal().cache_gb * 10**9))


def open_ledger(root: Path) -> Ledger:
    """The ledger of a workspace: its own, or the one that the user's settings name. Raises as `open_store` does."""
    url = settings.personal().ledger
    try:
        return Ledger(url or f"sqlite:///{root / 'ledger.sqlite'}")
    except ImportError as error:
        raise StoreError(
            f"the ledger needs a package that is not there: {error}.",
            remedy="Install it: uv pip install 'dubflow[server]'",
        ) from error
    except SQLAlchemyError as error:
        if url:
            raise StoreError(
                f"cannot open the ledger {without_secrets(url)}: {reason(error)}.",
                remedy="Start that database, or correct DUB_LEDGER (or `ledger` in dubflow.toml).",
            ) from error
        raise StoreError(
            f"cannot open the ledger {root / 'ledger.sqlite'}: {error.__cause__ or error}.",
            remedy="Make its folder writable, move it away where it is damaged (it is rebuilt from the store), or "
            "choose another folder with --workspace.",
        ) from error


RUN_LOCK: Final = "run.lock"
"""The file of a workspace that a run holds locked, with its process id in it."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """An open workspace."""

    root: Path
    store: Store
    ledger: Ledger
    digests: Digests
    claims: Claims
    """Who works on which lesson, among all that share the store."""
    depots: Depots
    """Where finished files lie that are at an address."""

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Open a workspace, making it where it is not there, with the store and the ledger that the settings name.

        Raises StoreError naming the place and the mend, ManifestError for faulty settings.
        """
        store = open_store(root)
        ledger, digests = open_ledger(root), Digests(root / "digests.sqlite")
        return cls(root, store, ledger, digests, Claims(store.bucket), Depots(root, store.bucket))

    @contextmanager
    def surveyed(self) -> Generator[None]:
        """To be held by one who asks about a whole library, and makes nothing of it: addresses are listed once."""
        with self.store.surveyed(), self.depots.surveyed():
            yield

    def is_there(self, commit: Commit) -> bool:
        """Whether every finished file of a commit, held or not, is as it was made. Raises StoreError for an address
        that does not answer."""
        return not self._missing(commit)

    def is_partly_there(self, commit: Commit) -> bool:
        """Whether any finished file of a commit is as it was made. Raises as `is_there` does."""
        return len(self._missing(commit)) < len(commit.delivered)

    def _missing(self, commit: Commit) -> frozenset[str]:
        if commit.address:
            return self.depots.at(commit.address).missing(commit.group, commit.delivered)

        return frozenset(name for name, sha256 in commit.delivered.items() if self.lies_at(name, sha256) is None)

    def lies_at(self, name: str, sha256: str) -> str | None:
        """Where a finished file lies as it was made, by its place: there or held; None where in neither."""
        for place in places(name):
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                if self.digests.of(place) == sha256:
                    return place
        return None

    @contextmanager
    def locked(self, waiting: Callable[[str], None]) -> Generator[None]:
        """Hold the workspace for one run; another run waits, and `waiting` is told for whom.

        The lock is the system's and goes with the process that holds it, so a killed run never blocks the next.
        """
        with self._lock() as lock:
            if not locks.take(lock):
                lock.seek(0)
                waiting(f"waiting for the run with process id {lock.read().strip() or 'unknown'} on {self.root}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._sign(lock)
            self.store.sweep()  # a killed run left it, and nobody else works here now
            yield

    @contextmanager
    def idle(self) -> Generator[float | None]:
        """Hold the workspace, as a run does, where no run is at work; None then.

        Else since when one is, in seconds since 1970, and nothing is held.
        """
        with self._lock() as lock:
            if locks.take(lock):
                self._sign(lock)
                yield None
            else:
                yield os.fstat(lock.fileno()).st_mtime  # when it wrote its process id into it

    @contextmanager
    def _lock(self) -> Generator[TextIO]:
        with ExitStack() as ends:
            with self._written():
                lock = ends.enter_context((self.root / RUN_LOCK).open("a+"))
            yield lock

    def _sign(self, lock: TextIO) -> None:
        """Write into a lock that is held who holds it, and so since when."""
        with self._written():
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()

    @contextmanager
    def _written(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot write into the workspace {self.root}: {error.strerror}.",
                remedy="Make it writable, free some space on its disk, or choose another folder with --workspace.",
            ) from error


def run_is_at_work(root: Path) -> bool:
    """Whether a run holds the workspace in a folder. Raises OSError where its lock cannot be read."""
    try:
        with (root / RUN_LOCK).open() as lock:
            return not locks.take(lock, shared=True)
    except FileNotFoundError:
        return False
