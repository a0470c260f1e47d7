"""Where targets stand, as rows of the ledger, as JSON for programs, as a table for people, as an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from manifests.errors import ConsentRefused, DubError, EngineUnavailable
from manifests.ledger import TargetRow
from manifests.model import Job
from tasks.perform import Products

DONE, DEFECT, MISUNDERSTOOD, UNFINISHED, BLOCKED, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""The exit codes of every command."""

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
        stages={name: outcome.as_dict() for name, outcome in products.outcomes.items()},
    )


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


def as_json(course: str, rows: Iterable[TargetRow]) -> dict[str, Any]:
    """What `--json` prints for `run`, `rerun` and `status`."""
    return {"course": course, "targets": [_as_json(row) for row in rows]}


def _as_json(row: TargetRow) -> dict[str, Any]:
    facts: dict[str, Any] = {"lesson": row.lesson, "language": row.language, "state": row.state}
    if row.output:
        facts["output"] = row.output
    return facts | {"stages": row.stages, "problems": row.problems}


def print_rows(console: Console, course: str, rows: Iterable[TargetRow]) -> None:
    """The table that `run` ends with and `status` shows."""
    table = Table(title=course, title_justify="left", box=None, pad_edge=False)
    for heading in ("lesson", "language", "state", "what"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        state = f"[{_COLOURS[row.state]}]{row.state}[/]" if row.state in _COLOURS else row.state
        table.add_row(_plain(row.lesson), row.language, state, _plain(_what(row)))
    console.print(table)


def _what(row: TargetRow) -> str:
    if row.state == "done":
        return _nearby(row.output)
    if row.message:
        return f"{row.stage}: {row.message}" if row.stage else row.message
    return "; ".join(problem_text(problem) for problem in row.problems)


def problem_text(problem: Mapping[str, Any]) -> str:
    """A problem in a table: its line or its gate first."""
    about = f"line {problem['line']}" if problem.get("line") else problem.get("gate", "")
    return f"{about}: {problem['message']}" if about else problem["message"]


def _nearby(output: str) -> str:
    """A path as short as it can be said from here."""
    path = Path(output)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else output


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
