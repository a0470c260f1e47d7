"""The ledger: what ran, how it went, and where each target stands.

It is the truth that `status`, `report` and `rerun --failed` read; Prefect's database is a view of the same runs. SQLite
in the workspace by default, PostgreSQL where workers share one. What it says of finished work can be made
again from the store's commits (`rebuild`), so that losing it is an inconvenience.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Generator, ItemsView, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from manifests.database import Database, Migration
from manifests.store import Commit

TargetState = Literal["done", "partial", "failed", "blocked", "review", "running"]
StageState = Literal["done", "cached", "failed", "blocked", "running"]
"""`cached` is a result that was there, and not the last one: the settings, or the media, are as they once were."""

Place = tuple[str, str, str, str]
"""Course, lesson, language (empty for a lesson's own stages) and stage."""

_metadata = MetaData()

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
    Column("bytes", BigInteger, nullable=True),
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

_TARGETS = select(
    *(column for column in _targets.c if column.name != "stages"), cast(_targets.c.stages, Text).label("stages")
)
"""With their stages as text."""

_PLACE = (_stage_runs.c.course, _stage_runs.c.lesson, _stage_runs.c.language, _stage_runs.c.stage)

_HAS_RESULT = ("done", "cached")

_BY_PLACE = Index("stage_runs_by_place", *_PLACE)

_KEYS = (
    select(_stage_runs.c.lesson, _stage_runs.c.language, _stage_runs.c.stage, _stage_runs.c.key)
    .where(_stage_runs.c.course == bindparam("of_course"), _stage_runs.c.state.in_(_HAS_RESULT))
    .order_by(_stage_runs.c.id)
)

_KEYS_OF_LESSON = (
    _KEYS.where(_stage_runs.c.lesson == bindparam("of_lesson"))
    # An order that no index has: else SQLite walks the whole course in the order of ids to save a sort of ten.
    .order_by(None)
    .order_by(_stage_runs.c.id + 0)
)
"""Made once: a look at a library asks it of every lesson."""

HISTORY_DAYS = 180.0
"""So long the runs of stages are remembered, for estimates, beyond the last ones."""

MIGRATIONS: list[Migration] = []
_migration = MIGRATIONS.append


@_migration
def first_tables(connection: Connection) -> None:
    """Stage runs and targets."""
    _metadata.create_all(connection, tables=[_stage_runs, _targets])


@_migration
def index_of_places(connection: Connection) -> None:
    """What is known of one stage of one target is found without reading what is known of all others."""
    _BY_PLACE.create(connection, checkfirst=True)


@_migration
def sizes_of_results(connection: Connection) -> None:
    """How much each run wrote, for estimates of space; of earlier runs nobody knows."""
    if "bytes" not in {column["name"] for column in inspect(connection).get_columns("stage_runs")}:
        connection.execute(text("ALTER TABLE stage_runs ADD COLUMN bytes BIGINT"))


class Stages(Mapping[str, dict[str, Any]]):
    """What a row says of stages, as the ledger holds it: read when it is asked for, since of most rows of a library
    nobody asks, and as text they take a fifth of the memory."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __getitem__(self, stage: str) -> dict[str, Any]:
        return self._held()[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __len__(self) -> int:
        return len(self._held())

    def items(self) -> ItemsView[str, dict[str, Any]]:
        return self._held().items()

    def _held(self) -> dict[str, dict[str, Any]]:
        return json.loads(self._text)


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
    stages: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    stale: bool = False
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one target stands, in short."""

    state: str
    stale: bool


def now() -> str:
    """The present moment, UTC, as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """Rows about stage runs and targets. Safe to use from threads and from several processes."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, MIGRATIONS)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def running(self, course: str, lesson: str, language: str | None, stage: str, key: str) -> Generator[RunningStage]:
        """A row for a stage while it runs; it stays `running` only where the process was killed.

        Raises LedgerError where the database takes nothing.
        """
        where = {"course": course, "lesson": lesson, "language": language or "", "stage": stage}

        def begin(connection: Connection) -> int:
            earlier = connection.execute(
                select(func.count())
                .select_from(_stage_runs)
                .where(*(_stage_runs.c[name] == value for name, value in where.items()))
            ).scalar_one()
            row = insert(_stage_runs).values(
                **where, key=key, state="running", attempt=earlier + 1, host=socket.gethostname(), started=now()
            )
            return connection.execute(row.returning(_stage_runs.c.id)).scalar_one()

        number = self._database.write(begin)
        run = RunningStage()
        try:
            yield run
        finally:
            ended = {
                "state": run.state,
                "message": _storable(run.message),
                "seconds": run.seconds,
                "media_seconds": run.media_seconds,
                "bytes": run.bytes,
            }
            self._database.write(
                lambda connection: connection.execute(
                    update(_stage_runs).where(_stage_runs.c.id == number).values(**ended)
                )
            )

    def found(
        self,
        course: str,
        results: Mapping[tuple[str, str, str], str],
        last: Mapping[tuple[str, str, str], str] | None = None,
    ) -> None:
        """Note results that were there already, by lesson, language and stage: the key of each, where it is not the
        last one that is known (`last`, as `keys` has it; else it is asked for). What is noted last is what `gc` keeps.
        """
        if last is None:
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
            self._database.write(lambda connection: connection.execute(insert(_stage_runs), rows))

    def record(self, row: TargetRow) -> None:
        """Write where a target stands, over what was said before. Raises LedgerError where the disk takes nothing."""
        values = {name: getattr(row, name) for name in row.__slots__} | {"updated": now()}
        values |= {"message": _storable(row.message), "stages": dict(row.stages)}

        def write(connection: Connection) -> None:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            connection.execute(
                dialect.insert(_targets)
                .values(**values)
                .on_conflict_do_update(index_elements=["course", "lesson", "language"], set_=values)
            )

        self._database.write(write)

    def drop(self, course: str, lesson: str, language: str) -> None:
        """Forget a target: it is no longer wanted, or no longer in trouble. Raises LedgerError as `record` does."""
        this = delete(_targets).where(
            _targets.c.course == course, _targets.c.lesson == lesson, _targets.c.language == language
        )
        self._database.write(lambda connection: connection.execute(this))

    def prune(self, older_than_days: float = HISTORY_DAYS, *, dry_run: bool = False) -> int:
        """Forget old runs of stages; returns how many. The latest run and result of each stage of each target stay.

        Raises LedgerError as `record` does.
        """
        before = (datetime.now(UTC) - timedelta(days=older_than_days)).isoformat(timespec="seconds")
        last = select(func.max(_stage_runs.c.id)).group_by(*_PLACE)
        old = (
            _stage_runs.c.started < before,
            _stage_runs.c.id.not_in(last),
            _stage_runs.c.id.not_in(last.where(_stage_runs.c.state.in_(_HAS_RESULT))),
        )
        if dry_run:
            with self._database.reading() as connection:
                return connection.execute(select(func.count()).select_from(_stage_runs).where(*old)).scalar_one()
        return self._database.write(lambda connection: connection.execute(delete(_stage_runs).where(*old)).rowcount)

    def targets(self, course: str) -> dict[tuple[str, str], TargetRow]:
        """Every known target of a course by lesson and language."""
        with self._database.reading() as connection:
            rows = connection.execute(_TARGETS.where(_targets.c.course == course))
            found = [dict[str, Any](row) for row in rows.mappings()]
        for row in found:
            row["stages"] = Stages(row["stages"])
        return {(row["lesson"], row["language"]): TargetRow(**row) for row in found}

    def standings(self, course: str) -> dict[tuple[str, str], Standing]:
        """Where every known target of a course stands, by lesson and language; of a library this costs little."""
        query = select(_targets.c.lesson, _targets.c.language, _targets.c.state, _targets.c.stale)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(_targets.c.course == course))
            return {(lesson, language): Standing(state, stale) for lesson, language, state, stale in rows}

    def pace(self, course: str | None = None) -> dict[str, list[float]]:
        """For each stage, what its finished runs took: seconds of work for each second of programme."""
        return self._shares(_stage_runs.c.seconds, course)

    def weight(self) -> dict[str, list[float]]:
        """For each stage, what its finished runs wrote: bytes for each second of programme."""
        return self._shares(_stage_runs.c.bytes, None)

    def _shares(self, of: Column[Any], course: str | None) -> dict[str, list[float]]:
        query = select(_stage_runs.c.stage, of, _stage_runs.c.media_seconds).where(
            _stage_runs.c.state == "done", _stage_runs.c.media_seconds > 0, of.is_not(None)
        )
        if course is not None:
            query = query.where(_stage_runs.c.course == course)
        shares: dict[str, list[float]] = {}
        with self._database.reading() as connection:
            for stage, amount, media in connection.execute(query):
                shares.setdefault(stage, []).append(amount / media)
        return shares

    def lengths(self, course: str) -> dict[str, float]:
        """How long the lessons of a course play, in seconds, as far as they were ever opened."""
        query = select(_stage_runs.c.lesson, _stage_runs.c.media_seconds).where(
            _stage_runs.c.course == course, _stage_runs.c.stage == "split", _stage_runs.c.media_seconds > 0
        )
        with self._database.reading() as connection:
            return {row.lesson: row.media_seconds for row in connection.execute(query)}

    def attempts(self, course: str, lesson: str, language: str, stage: str) -> int:
        """How often a stage of a target was started."""
        place = zip(_PLACE, (course, lesson, language, stage), strict=True)
        query = (
            select(func.count())
            .select_from(_stage_runs)
            .where(*(column == value for column, value in place), _stage_runs.c.state != "cached")
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def keys(self, course: str, lesson: str | None = None) -> dict[tuple[str, str, str], str]:
        """The key of the latest result of every stage, by lesson, language (empty for a lesson's) and stage."""
        query = _KEYS if lesson is None else _KEYS_OF_LESSON
        with self._database.reading() as connection:
            rows = connection.execute(query, {"of_course": course, "of_lesson": lesson}).all()
        return {(lesson, language, stage): key for lesson, language, stage, key in rows}

    def lesson_keys(self) -> dict[tuple[str, str], dict[str, str]]:
        """For every lesson, by course and lesson: the key of the latest finished run of each stage done once for it."""
        query = (
            select(_stage_runs.c.course, _stage_runs.c.lesson, _stage_runs.c.stage, _stage_runs.c.key)
            .where(_stage_runs.c.language == "", _stage_runs.c.state.in_(_HAS_RESULT))
            .order_by(_stage_runs.c.id)
        )
        found: dict[tuple[str, str], dict[str, str]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                found.setdefault((row.course, row.lesson), {})[row.stage] = row.key
        return found

    def latest(self) -> dict[Place, str]:
        """The key of the latest result of every stage of everything."""
        query = (
            select(*_PLACE, _stage_runs.c.key).where(_stage_runs.c.state.in_(_HAS_RESULT)).order_by(_stage_runs.c.id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query)
            return {(row.course, row.lesson, row.language, row.stage): row.key for row in rows}

    def unfinished_since(self) -> float | None:
        """When the oldest stage run began that did not end well, or not yet, in seconds since 1970; None where all are
        done."""
        open_ = [started for state, started in self._last_runs() if state not in _HAS_RESULT]
        return min(open_, default=None)

    def at_work_since(self, lately: float) -> float | None:
        """When the oldest stage run began that is under way, or that began after `lately`, on whatever machine, in
        seconds since 1970: between two stages of a run no row says so. None where there is none.

        A run that was killed counts until it is done again.
        """
        busy = [started for state, started in self._last_runs() if state == "running" or started >= lately]
        return min(busy, default=None)

    def _last_runs(self) -> list[tuple[str, float]]:
        """State of the last run of every stage of everything, and when it began."""
        query = select(*_PLACE, _stage_runs.c.state, _stage_runs.c.started).order_by(_stage_runs.c.id)
        last: dict[Place, tuple[str, str]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                last[row.course, row.lesson, row.language, row.stage] = (row.state, row.started)
        return [(state, datetime.fromisoformat(started).timestamp()) for state, started in last.values()]

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
    bytes: int | None = None
    """What it wrote, into the store and beside the media."""


def _storable(text: str) -> str:
    """A text without the one character that PostgreSQL holds in none."""
    return text.replace("\x00", "\ufffd")
