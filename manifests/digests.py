"""SHA-256 of big files, remembered by inode, size and time, so that an unchanged library is not read again.

A digest is remembered only where the file was at rest for longer than a second before it was read: a file system's
clock is coarse, and a second write within the same tick would leave size and time as they were (git calls such an
entry racy).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, Text, create_engine, event, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from manifests.errors import InputError, StoreError
from manifests.store import file_sha256

AT_REST_NS = 1_000_000_000
ATTEMPTS = 3

Identity = tuple[str, str, int, int]
"""Device, inode, size, and time of change in nanoseconds."""

_METADATA = MetaData()
_FILES = Table(
    "files",
    _METADATA,
    Column("device", Text, primary_key=True),  # text, because a device or inode number may exceed SQLite's 63 bits
    Column("inode", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
)


class Digests:
    """A cache of digests in one SQLite file, which threads and processes may share and anybody may delete.

    Raises StoreError where the cache cannot be used.
    """

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._opened: Engine | None = None
        self._read: dict[Identity, str] | None = None
        self._asked: dict[Identity, str] = {}

    def of(self, place: str | Path) -> str:
        """SHA-256 of a file's bytes, in hexadecimal.

        Raises OSError where the file cannot be read, and InputError where it does not hold still while it is.
        """
        before = os.stat(place)  # noqa: PTH116  (of a library there are hundreds of thousands)
        if (known := self._known(before)) is not None:
            return known
        path = Path(place)
        for _ in range(ATTEMPTS):
            started = time.time_ns()
            before = path.stat()
            digest = file_sha256(path)
            after = path.stat()
            if _identity(before) == _identity(after):
                if started - after.st_mtime_ns > AT_REST_NS:
                    self._remember(after, digest)
                return digest
        raise InputError(f"{path} changes while it is read.", remedy="Wait until it is copied, then run again.")

    def has_seen(self, path: Path) -> bool:
        """Whether a file's digest is remembered, so that nothing need be read to know it. Raises OSError as `of` does.

        What this process and others remember later is not looked at: all is read at the first question, since a plan
        asks of ten thousand files.
        """
        return _identity(path.stat()) in self.read()

    def read(self) -> Mapping[Identity, str]:
        """All that is remembered, read once: for one who is going to ask about a whole library."""
        if self._read is None:
            try:
                with self._engine().connect() as connection:
                    rows = connection.execute(select(_FILES))
                    self._read = {(row.device, row.inode, row.size, row.mtime_ns): row.sha256 for row in rows}
            except SQLAlchemyError as error:
                raise self._unusable(error) from error
        return self._read

    def _known(self, stat: os.stat_result) -> str | None:
        at = device, inode, size, mtime_ns = _identity(stat)
        if (known := self._asked.get(at) or (self._read or {}).get(at)) is not None:
            return known
        query = select(_FILES.c.sha256).where(
            _FILES.c.device == device,
            _FILES.c.inode == inode,
            _FILES.c.size == size,
            _FILES.c.mtime_ns == mtime_ns,
        )
        try:
            with self._engine().connect() as connection:
                found = connection.execute(query).scalar_one_or_none()
        except SQLAlchemyError as error:
            raise self._unusable(error) from error

        if found is not None:
            self._asked[at] = found
        return found

    def _remember(self, stat: os.stat_result, digest: str) -> None:
        device, inode, size, mtime_ns = _identity(stat)
        row = insert(_FILES).values(device=device, inode=inode, size=size, mtime_ns=mtime_ns, sha256=digest)
        newest = row.on_conflict_do_update(
            index_elements=["device", "inode"], set_={"size": size, "mtime_ns": mtime_ns, "sha256": digest}
        )
        try:
            with self._engine().begin() as connection:
                connection.execute(newest)
        except SQLAlchemyError as error:
            if not takes_nothing(error.__cause__):
                raise self._unusable(error) from error

    def _engine(self) -> Engine:
        if self._opened is None:
            # No pool: a connection lives for one statement, so none crosses a thread or a fork, and none stays open.
            engine = create_engine(f"sqlite:///{self.cache}", poolclass=NullPool, connect_args={"timeout": 60})
            event.listen(engine, "connect", _settle)
            with engine.begin() as connection:
                # IF NOT EXISTS: `create_all` asks first and creates then, and two processes may start at once.
                connection.execute(CreateTable(_FILES, if_not_exists=True))
            self._opened = engine
        return self._opened

    def _unusable(self, error: SQLAlchemyError) -> StoreError:
        return StoreError(
            f"cannot use the cache of digests {self.cache}: {error.__cause__ or error}.",
            remedy="Delete that file (it is made again), or choose another folder with --workspace.",
        )


def takes_nothing(error: BaseException | None) -> bool:
    """Whether SQLite failed because its disk is full or may only be read: to a cache that is no fault."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_READONLY", "SQLITE_FULL"))


def _settle(connection: DBAPIConnection, record: object) -> None:
    """SQLite need not wait for the disk: a lost cache costs a second reading, never a wrong answer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = OFF")
    cursor.close()


def _identity(stat: os.stat_result) -> Identity:
    return str(stat.st_dev), str(stat.st_ino), stat.st_size, stat.st_mtime_ns
