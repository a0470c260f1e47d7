"""The database under the ledger: SQLite in the workspace, or a PostgreSQL server that workers share.

Opening brings its tables up to date, by one process at a time. A server that is restarted is waited for: what is read
or written is tried again for a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from manifests.errors import LedgerError, StoreError

PATIENCE_S: Final = 60.0
PAUSE_S: Final = 0.5

_LOCK: Final = 0x6475_6266  # "dubf": whoever holds this advisory lock changes the tables

Migration = Callable[[Connection], None]

T = TypeVar("T")

_metadata = MetaData()
_versions = Table("versions", _metadata, Column("name", String, primary_key=True), Column("at", String, nullable=False))


class Database:
    """An open database whose migrations are applied. Safe to use from threads.

    Raises StoreError where it was written by a newer version, and SQLAlchemyError where it cannot be opened.
    """

    def __init__(self, url: str, migrations: Sequence[Migration]) -> None:
        self.place = without_secrets(url)
        self._engine = _connect(url)
        self._is_server = self._engine.dialect.name != "sqlite"
        try:
            self._migrate(migrations)
        except Exception:
            self._engine.dispose()
            raise

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection, waited for where the server is away."""
        connection = self._patiently(self._engine.connect)
        try:
            yield connection
        finally:
            connection.close()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do something in one transaction. Raises LedgerError where the database takes nothing.

        Where a server's answer was lost it is done again, so `work` must be repeatable.
        """

        def once() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        try:
            return self._patiently(once)
        except OperationalError as error:
            raise LedgerError(
                f"cannot write the ledger {self.place}: {reason(error)}.",
                remedy="Free some space and see that it may be written, or choose another folder with --workspace."
                if not self._is_server
                else "See that the database runs and has space, then run again: what is finished is kept.",
            ) from error

    def _patiently(self, work: Callable[[], T]) -> T:
        started = time.monotonic()
        while True:
            try:
                return work()
            except (OperationalError, InterfaceError):
                if not self._is_server or time.monotonic() - started > PATIENCE_S:
                    raise
            time.sleep(PAUSE_S)

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        if self._applied() == {migration.__name__ for migration in migrations}:
            return  # and no lock is asked for
        with self._engine.begin() as connection:
            # Two workers may open an empty ledger at once: the second waits here, and finds it done.
            if self._is_server:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            _metadata.create_all(connection)
            applied = set(connection.execute(select(_versions.c.name)).scalars())
            if unknown := applied - {migration.__name__ for migration in migrations}:
                raise StoreError(
                    f"the ledger {self.place} was written by a newer dubflow (it knows {', '.join(sorted(unknown))}).",
                    remedy="Use that version, or another ledger: --workspace or DUB_LEDGER.",
                )
            for migration in migrations:
                if migration.__name__ not in applied:
                    migration(connection)
                    at = datetime.now(UTC).isoformat(timespec="seconds")
                    connection.execute(insert(_versions).values(name=migration.__name__, at=at))

    def _applied(self) -> set[str] | None:
        """The migrations that were applied; None where there is no table of them yet."""
        with self._engine.connect() as connection:
            if not inspect(connection).has_table(_versions.name):
                return None
            return set(connection.execute(select(_versions.c.name)).scalars())


def without_secrets(url: str) -> str:
    """A database's address as it may be shown: no password, whether or not it can be understood."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "(an address that is no SQLAlchemy URL)"
    secret = [name for name in parsed.query if "pass" in name.lower()]
    return parsed.difference_update_query(secret).render_as_string(hide_password=True)


def reason(error: SQLAlchemyError) -> str:
    """What a database's driver says, in one line, without the address that it was given."""
    said = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    return " ".join(said.split())


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _connect(url: str) -> Engine:
    if not url.startswith("sqlite"):
        # Pinged before use, since a server may have been restarted; few, since workers are many.
        return create_engine(url, json_serializer=_as_text, pool_pre_ping=True, pool_size=2, max_overflow=8)
    engine = create_engine(url, json_serializer=_as_text)

    @event.listens_for(engine, "connect")
    def ready(connection: Any, _: Any) -> None:  # pyright: ignore[reportUnusedFunction]  (SQLAlchemy calls it)
        # Two processes of one workspace may both write; each waits for the other instead of failing.
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine
