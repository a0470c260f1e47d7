"""The ledger's tables, how they came to be as they are, and the queries that are asked of every lesson of a library."""

from __future__ import annotations

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
    inspect,
    select,
    text,
)

from manifests.database import Migration

_metadata = MetaData()

STAGE_RUNS = Table(
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

TARGETS = Table(
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

TARGETS_WITH_STAGES = select(
    *(column for column in TARGETS.c if column.name != "stages"), cast(TARGETS.c.stages, Text).label("stages")
)
"""Rows of targets with their stages as text, which `Stages` reads only when somebody asks."""

PLACE = (STAGE_RUNS.c.course, STAGE_RUNS.c.lesson, STAGE_RUNS.c.language, STAGE_RUNS.c.stage)

HAS_RESULT = ("done", "cached")
"""The states of a stage run that left a result."""

_BY_PLACE = Index("stage_runs_by_place", *PLACE)

KEYS = (
    select(STAGE_RUNS.c.lesson, STAGE_RUNS.c.language, STAGE_RUNS.c.stage, STAGE_RUNS.c.key)
    .where(STAGE_RUNS.c.course == bindparam("of_course"), STAGE_RUNS.c.state.in_(HAS_RESULT))
    .order_by(STAGE_RUNS.c.id)
)
"""The keys of a course's results, the latest last."""

KEYS_OF_LESSONS = (
    KEYS.where(STAGE_RUNS.c.lesson.in_(bindparam("of_lessons", expanding=True)))
    # An order that no index has: else SQLite walks the whole course in the order of ids to save a sort of ten.
    .order_by(None)
    .order_by(STAGE_RUNS.c.id + 0)
)
"""As `KEYS`, for some lessons. Built once, because a look at a library asks it of all lessons, some at a time."""

MIGRATIONS: list[Migration] = []
_migration = MIGRATIONS.append


@_migration
def first_tables(connection: Connection) -> None:
    """Stage runs and targets."""
    _metadata.create_all(connection, tables=[STAGE_RUNS, TARGETS])


@_migration
def index_of_places(connection: Connection) -> None:
    """What is known of one stage of one target is found without reading what is known of all others."""
    _BY_PLACE.create(connection, checkfirst=True)


@_migration
def sizes_of_results(connection: Connection) -> None:
    """How much each run wrote, for estimates of space; of earlier runs nobody knows."""
    if "bytes" not in {column["name"] for column in inspect(connection).get_columns("stage_runs")}:
        connection.execute(text("ALTER TABLE stage_runs ADD COLUMN bytes BIGINT"))
