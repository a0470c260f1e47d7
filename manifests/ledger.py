"""The ledger: what ran, how it went, and where each target stands.

It is the truth that `status`, `report` and `rerun --failed` read; Prefect's database is a view of the same runs. SQLite
in the workspace by default, any database that SQLAlchemy speaks to by URL. What it says of finished work can be made
again from the store's commits (`rebuild`), so that losing it is an inconvenience.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Delete,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from manifests.errors import LedgerError, StoreError
from manifests.store import Commit

TargetState = Literal["done", "partial", "failed", "blocked", "review", "running"]
StageState = Literal["done", "cached", "failed", "blocked", "running"]
"""`cached` is a result that was there, and not the last one: the settings, or the media, are as they once were."""

Place = tuple[str, str, str, str]
"""Course, lesson, language (empty for a lesson's own stages) and stage."""

_metadata = MetaData()

_versions = Table("versions", _metadata, Column("name", String, primary_key=True), Column("at", String, nullable=False))

_stage_runs = Table(
    "stage_runs",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("course", String, nullable=False, index=True),
    Column("lesson", String, nullable=False, index=True),
    Column("language", String, nullable=False, default=""),
    Column("stage", String, nullable=False),
    Column("key", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False, default=1),
    Column("message", Text, nullable=False, default=""),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("host", String, nullable=False, default=""),
    Column("started", String, nullable=False),
    Column("media_seconds", Float, nullable=True),
)

_targets = Table(
    "targets",
    _metadata,
    Column("course", String, primary_key=True),
    Column("lesson", String, primary_key=True),
    Column("language", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("stage", String, nullable=False, default=""),
    Column("message", Text, nullable=False, default=""),
    Column("output", Text, nullable=False, default=""),
    Column("problems", JSON, nullable=False, default=list),
    Column("stages", JSON, nullable=False, default=dict),
    Column("stale", Boolean, nullable=False, default=False),
    Column("updated", String, nullable=False),
)

_PLACE = (_stage_runs.c.course, _stage_runs.c.lesson, _stage_runs.c.language, _stage_runs.c.stage)

_HAS_RESULT = ("done", "cached")

Migration = Callable[[Connection], None]
MIGRATIONS: list[Migration] = []
_migration = MIGRATIONS.append


@_migration
def first_tables(connection: Connection) -> None:
    """Stage runs and targets."""
    _metadata.create_all(connection, tables=[_stage_runs, _targets])


@dataclass(frozen=True, slots=True)
class TargetRow:
    """Where one target stands."""

    course: str
    lesson: str
    language: str
    state: TargetState
    stage: str = ""
    """The stage that failed or is blocked."""
    message: str = ""
    output: str = ""
    problems: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    stages: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    stale: bool = False
    updated: str = ""


def now() -> str:
    """The present moment, UTC, as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """Rows about stage runs and targets. Safe to use from threads and from several processes."""

    def __init__(self, url: str) -> None:
        self._engine = _connect(url)
        with self._engine.begin() as connection:
            _metadata.create_all(connection, tables=[_versions])
            known = {migration.__name__ for migration in MIGRATIONS}
            applied = set(connection.execute(select(_versions.c.name)).scalars())
            if applied - known:
                raise StoreError(
                    f"the ledger {without_secrets(url)} was written by a newer dubflow "
                    f"(it knows {', '.join(sorted(applied - known))}).",
                    remedy="Use that version, or another workspace with --workspace.",
                )
            for migration in MIGRATIONS:
                if migration.__name__ not in applied:
                    migration(connection)
                    connection.execute(insert(_versions).values(name=migration.__name__, at=now()))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def running(self, course: str, lesson: str, language: str | None, stage: str, key: str) -> Generator[RunningStage]:
        """A row for a stage while it runs; it stays `running` only where the process was killed."""
        where = {"course": course, "lesson": lesson, "language": language or "", "stage": stage}
        with self._engine.begin() as connection:
            earlier = connection.execute(
                select(_stage_runs.c.id).where(*(_stage_runs.c[name] == value for name, value in where.items()))
            ).all()
            row = connection.execute(
                insert(_stage_runs).values(
                    **where,
                    key=key,
                    state="running",
                    attempt=len(earlier) + 1,
                    host=socket.gethostname(),
                    started=now(),
                )
            ).inserted_primary_key
        run = RunningStage()
        try:
            yield run
        finally:
            with self._engine.begin() as connection:
                connection.execute(
                    update(_stage_runs)
                    .where(_stage_runs.c.id == (row[0] if row else None))
                    .values(
                        state=run.state,
                        message=run.message,
                        seconds=run.seconds,
                        media_seconds=run.media_seconds,
                    )
                )

    def found(self, course: str, results: Mapping[tuple[str, str, str], str]) -> None:
        """Note results that were there already, by lesson, language and stage: the key of each, where it is not the
        last one that is known. What is noted last is what `collect` keeps."""
        lessons = {lesson for lesson, _, _ in results}
        last = self.keys(course, next(iter(lessons)) if len(lessons) == 1 else None)
        rows = [
            {
                "course": course,
                "lesson": lesson,
                "language": language,
                "stage": stage,
                "key": key,
                "state": "cached",
                "host": socket.gethostname(),
                "started": now(),
            }
            for (lesson, language, stage), key in results.items()
            if last.get((lesson, language, stage)) != key
        ]
        if rows:
            with self._writing() as connection:
                connection.execute(insert(_stage_runs), rows)

    def record(self, row: TargetRow) -> None:
        """Write where a target stands, over what was said before. Raises LedgerError where the disk takes nothing."""
        values = {name: getattr(row, name) for name in row.__slots__} | {"updated": now()}
        with self._writing() as connection:
            connection.execute(_this_target(row.course, row.lesson, row.language))
            connection.execute(insert(_targets).values(**values))

    def drop(self, course: str, lesson: str, language: str) -> None:
        """Forget a target: it is no longer wanted, or no longer in trouble. Raises LedgerError as `record` does."""
        with self._writing() as connection:
            connection.execute(_this_target(course, lesson, language))

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise LedgerError(
                f"cannot write the ledger {self._engine.url.database}: {error.orig}.",
                remedy="Free some space, or choose another folder with --workspace.",
            ) from error

    def targets(self, course: str) -> dict[tuple[str, str], TargetRow]:
        """Every known target of a course by lesson and language."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_targets).where(_targets.c.course == course)).mappings()
            return {(row["lesson"], row["language"]): TargetRow(**row) for row in rows}

    def pace(self, course: str | None = None) -> dict[str, list[float]]:
        """For each stage, what its finished runs took: seconds of work for each second of programme."""
        query = select(_stage_runs.c.stage, _stage_runs.c.seconds, _stage_runs.c.media_seconds).where(
            _stage_runs.c.state == "done", _stage_runs.c.media_seconds > 0
        )
        if course is not None:
            query = query.where(_stage_runs.c.course == course)
        shares: dict[str, list[float]] = {}
        with self._engine.connect() as connection:
            for stage, took, media in connection.execute(query):
                shares.setdefault(stage, []).append(took / media)
        return shares

    def lengths(self, course: str) -> dict[str, float]:
        """How long the lessons of a course play, in seconds, as far as they were ever opened."""
        query = select(_stage_runs.c.lesson, _stage_runs.c.media_seconds).where(
            _stage_runs.c.course == course, _stage_runs.c.stage == "split", _stage_runs.c.media_seconds > 0
        )
        with self._engine.connect() as connection:
            return {row.lesson: row.media_seconds for row in connection.execute(query)}

    def attempts(self, course: str, lesson: str, language: str, stage: str) -> int:
        """How often a stage of a target was started."""
        with self._engine.connect() as connection:
            return len(
                connection.execute(
                    select(_stage_runs.c.id).where(
                        _stage_runs.c.course == course,
                        _stage_runs.c.lesson == lesson,
                        _stage_runs.c.language == language,
                        _stage_runs.c.stage == stage,
                        _stage_runs.c.state != "cached",
                    )
                ).all()
            )

    def keys(self, course: str, lesson: str | None = None) -> dict[tuple[str, str, str], str]:
        """The key of the latest result of every stage, by lesson, language (empty for a lesson's) and stage."""
        query = (
            select(_stage_runs.c.lesson, _stage_runs.c.language, _stage_runs.c.stage, _stage_runs.c.key)
            .where(_stage_runs.c.course == course, _stage_runs.c.state.in_(_HAS_RESULT))
            .order_by(_stage_runs.c.id)
        )
        if lesson is not None:
            query = query.where(_stage_runs.c.lesson == lesson)
        with self._engine.connect() as connection:
            return {(row.lesson, row.language, row.stage): row.key for row in connection.execute(query)}

    def lesson_keys(self) -> dict[tuple[str, str], dict[str, str]]:
        """For every lesson, by course and lesson: the key of the latest finished run of each stage done once for it."""
        query = (
            select(_stage_runs.c.course, _stage_runs.c.lesson, _stage_runs.c.stage, _stage_runs.c.key)
            .where(_stage_runs.c.language == "", _stage_runs.c.state.in_(_HAS_RESULT))
            .order_by(_stage_runs.c.id)
        )
        found: dict[tuple[str, str], dict[str, str]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                found.setdefault((row.course, row.lesson), {})[row.stage] = row.key
        return found

    def latest(self) -> dict[Place, str]:
        """The key of the latest result of every stage of everything."""
        query = (
            select(*_PLACE, _stage_runs.c.key).where(_stage_runs.c.state.in_(_HAS_RESULT)).order_by(_stage_runs.c.id)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query)
            return {(row.course, row.lesson, row.language, row.stage): row.key for row in rows}

    def unfinished_since(self) -> float | None:
        """When the oldest stage run began that did not end well, or not yet, in seconds since 1970; None where all are
        done."""
        query = select(*_PLACE, _stage_runs.c.state, _stage_runs.c.started).order_by(_stage_runs.c.id)
        last: dict[Place, tuple[str, str]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                last[row.course, row.lesson, row.language, row.stage] = (row.state, row.started)
        open_ = [started for state, started in last.values() if state not in _HAS_RESULT]
        return datetime.fromisoformat(min(open_)).timestamp() if open_ else None

    def rebuild(self, commits: Iterable[Commit]) -> int:
        """Write again what the store's commits say of finished targets; returns how many targets that were."""
        found = 0
        for commit in commits:
            if commit.stage != "verify" or "lesson" not in commit.notes:
                continue
            notes = commit.notes
            self.record(
                TargetRow(
                    course=notes["course"],
                    lesson=notes["lesson"],
                    language=notes["language"],
                    state=notes["state"],
                    output=notes.get("output", ""),
                    problems=notes.get("problems", []),
                )
            )
            found += 1
        return found


@dataclass(slots=True)
class RunningStage:
    """How a stage's run went, filled in by whoever runs it."""

    state: StageState = "failed"
    message: str = ""
    seconds: float = 0.0
    media_seconds: float | None = None


def without_secrets(url: str) -> str:
    """A ledger's address as it may be shown: no password, whether or not it can be understood."""
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


def _this_target(course: str, lesson: str, language: str) -> Delete:
    return delete(_targets).where(
        _targets.c.course == course, _targets.c.lesson == lesson, _targets.c.language == language
    )


def _connect(url: str) -> Engine:
    engine = create_engine(url, json_serializer=_as_text)
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def ready(connection: Any, _: Any) -> None:  # pyright: ignore[reportUnusedFunction]  (SQLAlchemy calls it)
            # Two processes of one workspace may both write; each waits for the other instead of failing.
            connection.execute("PRAGMA busy_timeout = 30000")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    return engine
