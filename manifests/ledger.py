"""The ledger: what ran, how it went, and where each target stands.

It is the truth that `status`, `report` and `rerun --failed` read; Prefect's database is a view of the same runs. SQLite
in the workspace by default, PostgreSQL where workers share one. What it says of finished work can be made
again from the store's commits (`rebuild`), so that losing it is an inconvenience.
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Column, Connection, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from manifests.commits import Commit
from manifests.database import Database
from manifests.ledger_tables import (
    HAS_RESULT,
    KEYS,
    KEYS_OF_LESSONS,
    MIGRATIONS,
    PLACE,
    STAGE_RUNS,
    TARGETS,
    TARGETS_WITH_STAGES,
)
from manifests.target_row import Stages, Standing, TargetRow

StageState = Literal["done", "cached", "failed", "blocked", "running"]
"""`cached` is a result that was there, and not the last one: the settings, or the media, are as they once were."""

Place = tuple[str, str, str, str]
"""Course, lesson, language (empty for a lesson's own stages) and stage."""

HISTORY_DAYS = 180.0
"""How long old runs of stages are kept, for estimates; the last run of each stage is kept for ever."""


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
                .select_from(STAGE_RUNS)
                .where(*(STAGE_RUNS.c[name] == value for name, value in where.items()))
            ).scalar_one()
            row = insert(STAGE_RUNS).values(
                **where, key=key, state="running", attempt=earlier + 1, host=socket.gethostname(), started=now()
            )
            return connection.execute(row.returning(STAGE_RUNS.c.id)).scalar_one()

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
                    update(STAGE_RUNS).where(STAGE_RUNS.c.id == number).values(**ended)
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
            self._database.write(lambda connection: connection.execute(insert(STAGE_RUNS), rows))

    def record(self, row: TargetRow) -> None:
        """Write where a target stands, over what was said before. Raises LedgerError where the disk takes nothing."""
        values = {name: getattr(row, name) for name in row.__slots__} | {"updated": now()}
        values |= {"message": _storable(row.message), "stages": dict(row.stages)}

        def write(connection: Connection) -> None:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            connection.execute(
                dialect.insert(TARGETS)
                .values(**values)
                .on_conflict_do_update(index_elements=["course", "lesson", "language"], set_=values)
            )

        self._database.write(write)

    def drop(self, course: str, lesson: str, language: str) -> None:
        """Forget a target: it is no longer wanted, or no longer in trouble. Raises LedgerError as `record` does."""
        this = delete(TARGETS).where(
            TARGETS.c.course == course, TARGETS.c.lesson == lesson, TARGETS.c.language == language
        )
        self._database.write(lambda connection: connection.execute(this))

    def prune(self, older_than_days: float = HISTORY_DAYS, *, dry_run: bool = False) -> int:
        """Forget old runs of stages; returns how many. Each stage of a target keeps its last run and its last result.

        Raises LedgerError as `record` does.
        """
        before = (datetime.now(UTC) - timedelta(days=older_than_days)).isoformat(timespec="seconds")
        last = select(func.max(STAGE_RUNS.c.id)).group_by(*PLACE)
        old = (
            STAGE_RUNS.c.started < before,
            STAGE_RUNS.c.id.not_in(last),
            STAGE_RUNS.c.id.not_in(last.where(STAGE_RUNS.c.state.in_(HAS_RESULT))),
        )
        if dry_run:
            with self._database.reading() as connection:
                return connection.execute(select(func.count()).select_from(STAGE_RUNS).where(*old)).scalar_one()
        return self._database.write(lambda connection: connection.execute(delete(STAGE_RUNS).where(*old)).rowcount)

    def targets(
        self, course: str, *, lessons: Sequence[str] | None = None, languages: Sequence[str] | None = None
    ) -> dict[tuple[str, str], TargetRow]:
        """Every known target of a course by lesson and language; only of these lessons, some hundred at most, or of
        these languages."""
        query = TARGETS_WITH_STAGES.where(TARGETS.c.course == course)
        query = query if lessons is None else query.where(TARGETS.c.lesson.in_(lessons))
        query = query if languages is None else query.where(TARGETS.c.language.in_(languages))
        with self._database.reading() as connection:
            rows = connection.execute(query)
            found = [dict[str, Any](row) for row in rows.mappings()]
        for row in found:
            row["stages"] = Stages(row["stages"])
        return {(row["lesson"], row["language"]): TargetRow(**row) for row in found}

    def standings(self, course: str) -> dict[tuple[str, str], Standing]:
        """Where every known target of a course stands, by lesson and language; of a library this costs little."""
        query = select(TARGETS.c.lesson, TARGETS.c.language, TARGETS.c.state, TARGETS.c.stale)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(TARGETS.c.course == course))
            return {(lesson, language): Standing(state, stale) for lesson, language, state, stale in rows}

    def failures(self, course: str) -> dict[tuple[str, str], tuple[str, str]]:
        """The stage and the message of every target that failed last time, by lesson and language."""
        query = select(TARGETS.c.lesson, TARGETS.c.language, TARGETS.c.stage, TARGETS.c.message)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(TARGETS.c.course == course, TARGETS.c.state == "failed"))
            return {(lesson, language): (stage, message) for lesson, language, stage, message in rows}

    def pace(self, course: str | None = None) -> dict[str, list[float]]:
        """For each stage, what its finished runs took: seconds of work for each second of programme."""
        return self._shares(STAGE_RUNS.c.seconds, course)

    def weight(self) -> dict[str, list[float]]:
        """For each stage, what its finished runs wrote: bytes for each second of programme."""
        return self._shares(STAGE_RUNS.c.bytes, None)

    def _shares(self, of: Column[Any], course: str | None) -> dict[str, list[float]]:
        query = select(STAGE_RUNS.c.stage, of, STAGE_RUNS.c.media_seconds).where(
            STAGE_RUNS.c.state == "done", STAGE_RUNS.c.media_seconds > 0, of.is_not(None)
        )
        if course is not None:
            query = query.where(STAGE_RUNS.c.course == course)
        shares: dict[str, list[float]] = {}
        with self._database.reading() as connection:
            for stage, amount, media in connection.execute(query):
                shares.setdefault(stage, []).append(amount / media)
        return shares

    def lengths(self, course: str) -> dict[str, float]:
        """How long the lessons of a course play, in seconds, as far as they were ever opened."""
        query = select(STAGE_RUNS.c.lesson, STAGE_RUNS.c.media_seconds).where(
            STAGE_RUNS.c.course == course, STAGE_RUNS.c.stage == "split", STAGE_RUNS.c.media_seconds > 0
        )
        with self._database.reading() as connection:
            return {row.lesson: row.media_seconds for row in connection.execute(query)}

    def attempts(self, course: str, lesson: str, language: str, stage: str) -> int:
        """How often a stage of a target was started."""
        place = zip(PLACE, (course, lesson, language, stage), strict=True)
        query = (
            select(func.count())
            .select_from(STAGE_RUNS)
            .where(*(column == value for column, value in place), STAGE_RUNS.c.state != "cached")
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()

    def keys(self, course: str, lesson: str | None = None) -> dict[tuple[str, str, str], str]:
        """The key of the latest result of every stage, by lesson, language (empty for a lesson's) and stage."""
        if lesson is not None:
            return self.keys_of(course, [lesson])[lesson]
        with self._database.reading() as connection:
            rows = connection.execute(KEYS, {"of_course": course})
            return {(lesson, language, stage): key for lesson, language, stage, key in rows}

    def keys_of(self, course: str, lessons: Sequence[str]) -> dict[str, dict[tuple[str, str, str], str]]:
        """The same of each of these lessons; of some hundred at most."""
        found: dict[str, dict[tuple[str, str, str], str]] = {lesson: {} for lesson in lessons}
        with self._database.reading() as connection:
            rows = connection.execute(KEYS_OF_LESSONS, {"of_course": course, "of_lessons": list(lessons)})
            for lesson, language, stage, key in rows:
                found[lesson][lesson, language, stage] = key
        return found

    def lesson_keys(self) -> dict[tuple[str, str], dict[str, str]]:
        """For every lesson, by course and lesson: the key of the latest finished run of each stage done once for it."""
        query = (
            select(STAGE_RUNS.c.course, STAGE_RUNS.c.lesson, STAGE_RUNS.c.stage, STAGE_RUNS.c.key)
            .where(STAGE_RUNS.c.language == "", STAGE_RUNS.c.state.in_(HAS_RESULT))
            .order_by(STAGE_RUNS.c.id)
        )
        found: dict[tuple[str, str], dict[str, str]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                found.setdefault((row.course, row.lesson), {})[row.stage] = row.key
        return found

    def latest(self) -> dict[Place, str]:
        """The key of the latest result of every stage of everything."""
        query = select(*PLACE, STAGE_RUNS.c.key).where(STAGE_RUNS.c.state.in_(HAS_RESULT)).order_by(STAGE_RUNS.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query)
            return {(row.course, row.lesson, row.language, row.stage): row.key for row in rows}

    def unfinished_since(self) -> float | None:
        """When the oldest stage run began that did not end well, or not yet, in seconds since 1970; None where all are
        done."""
        open_ = [started for state, started in self._last_runs() if state not in HAS_RESULT]
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
        query = select(*PLACE, STAGE_RUNS.c.state, STAGE_RUNS.c.started).order_by(STAGE_RUNS.c.id)
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
