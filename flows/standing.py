"""Where targets stand, as rows of the ledger, as JSON for programs, as a table for people, as an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from manifests.errors import ConsentRefused, DubError, EngineUnavailable
from manifests.model import Job
from manifests.target_row import TargetRow
from tasks.perform import Products
from tasks.pipeline import PIPELINE
from tasks.staleness import Versions
from tasks.told_problems import in_a_row, problems_text

DONE, DEFECT, MISUNDERSTOOD, UNFINISHED, BLOCKED, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""The exit codes of every command."""

FITTED = 1_000
"""Rows of a table that are fitted to the terminal, at most."""

_COLOURS = {"done": "green", "partial": "yellow", "blocked": "yellow", "review": "yellow", "failed": "red"}


def finished(job: Job, products: Products) -> TargetRow:
    """The row of a target whose stages all ran."""
    notes = products.outcomes["verify"].commit.notes
    return TargetRow(
        course=job.course.course,
        lesson=job.lesson_id,
        language=job.language or "",
        state=notes["state"],
        output=notes.get("output", ""),
        problems=notes.get("problems", []),
        stages={
            name: outcome.as_dict() | ({"engine": outcome.commit.engine} if outcome.commit.engine else {})
            for name, outcome in products.outcomes.items()
        },
        stale=bool(stale_stages(job, {name: each.commit.engine for name, each in products.outcomes.items()})),
    )


def stale_stages(
    job: Job, made_by: Mapping[str, Mapping[str, Any]], versions: Versions | None = None
) -> dict[str, str]:
    """The stages of a target whose results are stale, and why, by the engines that made them."""
    known = versions or Versions()
    found = {stage.name: known.stale(stage, job, made_by.get(stage.name, {})) for stage in PIPELINE}
    return {name: why for name, why in found.items() if why}


def stale_targets(
    targets: Iterable[Job], known: Mapping[tuple[str, str], TargetRow]
) -> dict[tuple[str, str], dict[str, str]]:
    """The stages that are stale, and why, of the targets that the ledger knows, by lesson and language; targets without
    any are left out."""
    versions = Versions()
    found: dict[tuple[str, str], dict[str, str]] = {}
    for job in targets:
        at = (job.lesson_id, job.language or "")
        if at in known and known[at].state in ("done", "partial", "review"):
            made_by = {name: facts.get("engine", {}) for name, facts in known[at].stages.items()}
            if stale := stale_stages(job, made_by, versions):
                found[at] = stale
    return found


def state_of(error: DubError) -> Literal["blocked", "failed"]:
    """The state of a target that an error keeps from being made."""
    return "blocked" if isinstance(error, EngineUnavailable | ConsentRefused) else "failed"


def unfinished(job: Job, error: DubError) -> TargetRow:
    """The row of a target that a stage kept from being made."""
    state = state_of(error)
    problem = {"stage": error.stage, "message": str(error)} | ({"line": error.line} if error.line else {})
    return TargetRow(
        course=job.course.course,
        lesson=job.lesson_id,
        language=job.language or "",
        state=state,
        stage=error.stage,
        message=str(error),
        problems=[problem],
        stages={error.stage: {"state": state, "why": str(error)}} if error.stage else {},
    )


Stale = Mapping[tuple[str, str], Mapping[str, str]]
"""Lesson and language to the stages whose results are stale, and why."""


def as_json(course: str, rows: Iterable[TargetRow], stale: Stale | None = None) -> dict[str, Any]:
    """What `--json` prints for `run`, `rerun` and `status`."""
    return {"course": course, "targets": list(told(rows, stale))}


def told(rows: Iterable[TargetRow], stale: Stale | None = None) -> Iterator[dict[str, Any]]:
    """The targets in that document, one after the other."""
    return (_as_json(row, (stale or {}).get((row.lesson, row.language), {})) for row in rows)


def _as_json(row: TargetRow, stale: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"lesson": row.lesson, "language": row.language, "state": row.state}
    if row.output:
        facts["output"] = row.output
    if stale:
        facts["stale"] = dict(stale)
    stages = {name: {key: value for key, value in each.items() if key != "engine"} for name, each in row.stages.items()}
    return facts | {"stages": stages, "problems": row.problems}


def print_rows(
    console: Console,
    course: str,
    rows: Iterable[TargetRow],
    stale: Stale | None = None,
    widths: tuple[int, int] | None = None,
) -> None:
    """The table that `run` ends with and `status` shows; a library's rows are written as plain lines, not fitted to the
    terminal.

    With `widths`, of the longest lesson and the longest language, each of those lines is written as its row comes.
    """
    coming = iter(rows)
    rows = list(islice(coming, FITTED + 1))
    if len(rows) > FITTED:
        every = chain(rows, coming)
        _print_lines(console, course, every if widths else list(every), {} if stale is None else stale, widths)
        return
    table = Table(title=course, title_justify="left", box=None, pad_edge=False)
    for heading in ("lesson", "language", "state", "what"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        state = f"[{_COLOURS[row.state]}]{row.state}[/]" if row.state in _COLOURS else row.state
        table.add_row(_plain(row.lesson), row.language, state, _plain(_what(row, stale or {})))
    console.print(table)


def _print_lines(
    console: Console, course: str, rows: Iterable[TargetRow], stale: Stale, widths: tuple[int, int] | None
) -> None:
    """The same columns, each row as it is: fitting and folding a row takes longer than looking its target over.

    Without `widths` the rows are looked at twice.
    """
    most = widths or (max(len(row.lesson) for row in rows), max(len(row.language) for row in rows))
    lessons, languages = max(len("lesson"), most[0]), max(len("language"), most[1])
    console.file.write(f"{course}\n{'lesson':{lessons}}  {'language':{languages}}  {'state':7}  what\n")
    for row in rows:
        line = f"{row.lesson:{lessons}}  {row.language:{languages}}  {row.state:7}  {_what(row, stale)}"
        console.file.write(line.rstrip() + "\n")


def _what(row: TargetRow, stale: Stale) -> str:
    """What to say about a target: where it lies, or why it is not there."""
    if row.state == "done":
        said = _nearby(row.output)
    elif row.message:
        said = f"{row.stage}: {row.message}" if row.stage else row.message
    else:
        said = problems_text(row.problems)
    old = (f"{name} is stale: {why}" for name, why in stale.get((row.lesson, row.language), {}).items())
    return in_a_row([said, *old])


def _nearby(output: str) -> str:
    """A path as short as it can be said from here."""
    return output.removeprefix(f"{Path.cwd()}/")


def _plain(text: str) -> str:
    """Text of a user's in a table: square brackets are theirs, not markup."""
    return text.replace("[", r"\[")


def exit_code(rows: Iterable[TargetRow]) -> int:
    """0 all done, 3 some failed or partial, 4 some blocked or held for review and none failed."""
    states = {row.state for row in rows}
    if states & {"failed", "partial", "running"}:
        return UNFINISHED
    return BLOCKED if states & {"blocked", "review"} else DONE


def stage_seconds(rows: Iterable[TargetRow]) -> Mapping[str, float]:
    """How long each stage took over all targets; a lesson's own stages are counted once a lesson."""
    once: dict[tuple[str, str, str], float] = {}
    for row in rows:
        for name, facts in row.stages.items():
            per_lesson = name in ("split", "diarize", "transcribe")
            once[row.lesson, "" if per_lesson else row.language, name] = facts.get("seconds", 0.0)
    total: dict[str, float] = {}
    for (_, _, name), took in once.items():
        total[name] = total.get(name, 0.0) + took
    return total
