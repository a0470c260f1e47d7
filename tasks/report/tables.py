"""The report's numbers, as pandas tables of the whole course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, get_args

from manifests.model import Stage
from tasks.pipeline import LESSON_STAGES
from tasks.report.facts import State, TargetFacts

Table: TypeAlias = Any
"""A pandas DataFrame. Its stubs make every result a union of a dozen types, so it goes unchecked."""

STATES: Final[tuple[State, ...]] = ("failed", "blocked", "partial", "review", "running", "new", "done")
"""In the order in which somebody wants to read them."""

SPEEDS: Final = tuple(round(0.70 + 0.05 * step, 2) for step in range(19))
"""Edges of the histogram's bins, 0.70x to 1.60x; what is beyond is counted in the outermost."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram: `counts[i]` values lie between `edges[i]` and `edges[i + 1]`."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


def targets_table(facts: Sequence[TargetFacts]) -> Table:
    """One row a target."""
    from pandas import Categorical, DataFrame

    table: Table = DataFrame.from_records(
        [
            {
                "lesson": each.job.lesson_id,
                "language": each.language,
                "state": each.state,
                "minutes": (each.duration_s or 0.0) / 60,
                "lines": each.lines,
                "missing": each.missing,
            }
            for each in facts
        ],
        columns=["lesson", "language", "state", "minutes", "lines", "missing"],
    )
    table["state"] = Categorical(table["state"], categories=list(STATES), ordered=True)
    return table


def count_states(table: Table) -> dict[str, int]:
    """How many targets are in each state that occurs."""
    counts = table["state"].value_counts(sort=False)
    return {str(state): int(count) for state, count in counts.items() if count}


def by_language(table: Table) -> list[dict[str, Any]]:
    """A row a language: its targets by state, minutes of finished programme, lines and missing ones."""
    from pandas import crosstab

    if table.empty:
        return []
    states: Table = crosstab(table["language"], table["state"])
    sums = table.groupby("language")[["minutes", "lines", "missing"]].sum()
    rows = states.join(sums).reset_index()
    return [
        {
            "language": row["language"],
            "states": {state: int(row[state]) for state in STATES if row.get(state)},
            "minutes": float(row["minutes"]),
            "lines": int(row["lines"]),
            "missing": int(row["missing"]),
        }
        for row in rows.to_dict("records")
    ]


def speed_spread(facts: Sequence[TargetFacts]) -> Spread:
    """How fast the lines of all targets are heard."""
    from pandas import Series, cut

    rates: Table = Series([rate for each in facts for rate in each.rates], dtype=float).clip(
        SPEEDS[0] + 1e-9, SPEEDS[-1]
    )
    bins: Table = cut(rates.round(4), list(SPEEDS), include_lowest=True)
    counts = bins.value_counts(sort=False)
    return Spread(SPEEDS, tuple(int(count) for count in counts))


def stage_seconds(facts: Sequence[TargetFacts]) -> list[tuple[str, float]]:
    """Seconds of work of each stage that took any; a lesson's own stages are counted once, whatever its languages."""
    from pandas import DataFrame

    per_lesson = {stage.name for stage in LESSON_STAGES}
    rows = [
        (each.job.lesson_id, "" if name in per_lesson else each.language, name, float(run.get("seconds", 0.0)))
        for each in facts
        for name, run in each.stages.items()
    ]
    table: Table = DataFrame.from_records(rows, columns=["lesson", "language", "stage", "seconds"])
    table = table.drop_duplicates(["lesson", "language", "stage"])
    took = table.groupby("stage")["seconds"].sum()
    return [(name, float(took[name])) for name in get_args(Stage) if name in took.index and took[name] > 0]


def voices_table(facts: Sequence[TargetFacts]) -> list[dict[str, Any]]:
    """A row for each voice, person and consent: its lines, its targets, its least similarity; clones first."""
    from pandas import DataFrame, isna

    columns = ["kind", "person", "consent", "name", "engine", "reason"]
    rows = [
        {
            **{name: getattr(use, name) for name in columns},
            "target": each.name,
            "lines": use.lines,
            "similarity": use.similarity,
        }
        for each in facts
        for use in each.voices
    ]
    if not rows:
        return []
    table: Table = DataFrame.from_records(rows)
    # Why a stock voice speaks names the speaker's label, which differs from lesson to lesson: one stands for all.
    kept = table.groupby(["kind", "person", "consent", "name", "engine"], sort=True, dropna=False).agg(
        lines=("lines", "sum"),
        targets=("target", "nunique"),
        similarity=("similarity", "min"),
        reason=("reason", "first"),
    )
    return [
        {**row, "similarity": None if isna(row["similarity"]) else float(row["similarity"])}
        for row in kept.reset_index().to_dict("records")
    ]
