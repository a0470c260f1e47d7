"""The workspace: everything that can be made again (store, ledger, digests), in one folder that may be deleted."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from manifests import settings
from manifests.digests import Digests
from manifests.errors import StoreError
from manifests.ledger import Ledger
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


@dataclass(frozen=True, slots=True)
class Workspace:
    """An open workspace."""

    root: Path
    store: Store
    ledger: Ledger
    digests: Digests

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Open a workspace, making it where it is not there. Raises StoreError naming the folder and the mend."""
        store = Store(root / "store")
        try:
            return cls(root, store, Ledger(f"sqlite:///{root / 'ledger.sqlite'}"), Digests(root / "digests.sqlite"))
        except SQLAlchemyError as error:
            raise StoreError(
                f"cannot open the ledger {root / 'ledger.sqlite'}: {error.__cause__ or error}.",
                remedy="Move it away (it is rebuilt from the store), or choose another folder with --workspace.",
            ) from error

    @contextmanager
    def locked(self, waiting: Callable[[str], None]) -> Generator[None]:
        """Hold the workspace for one run; another run waits, and `waiting` is told for whom.

        The lock is the system's and goes with the process that holds it, so a killed run never blocks the next.
        """
        with (self.root / "run.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                waiting(f"waiting for the run with process id {lock.read().strip() or 'unknown'} on {self.root}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove what a killed run left in the scratch folder; nobody else works here now."""
        for rest in (self.store.root / "tmp").iterdir():
            shutil.rmtree(rest, ignore_errors=True)
