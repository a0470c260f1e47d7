"""`dub plan`, `dub check` and `dub status`: questions that start nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from flows.order import Order, shown
from flows.standing import BLOCKED, DONE, MISUNDERSTOOD, as_json, print_rows, problem_text
from flows.wanted import Selection, manifest_path, wanted
from manifests.errors import DubError, EngineUnavailable, Finding, ManifestError
from manifests.lessons import check_media
from manifests.model import Job
from manifests.workspace import Workspace, locate
from tasks.clone import unspoken
from tasks.perform import media_seconds
from tasks.pipeline import JOINT, LESSON_STAGES, PIPELINE, TARGET_STAGES, is_held
from tasks.plan import Step, walk, worst

_STOPPED = ("blocked", "failed")


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What a run would do for one target."""

    job: Job
    steps: tuple[Step, ...]
    media_s: float | None
    """How long the lesson plays; None where it was never opened."""
    held: tuple[dict[str, Any], ...] = ()
    """The problems of a target that is made and that a gate holds."""
    unspoken: Mapping[str, str] = field(default_factory=dict[str, str])
    """Person to why their own voice may not speak here: the consents that are missing."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "lesson": self.job.lesson_id,
            "language": self.job.language,
            "state": self.state,
            "media_seconds": self.media_s,
            "stages": {step.stage: step.as_dict() for step in self.steps},
            "consents_missing": [{"person": person, "why": why} for person, why in self.unspoken.items()],
            "problems": [
                *({"stage": step.stage, "message": step.why} for step in self.steps if step.state in _STOPPED),
                *self.held,
            ],
        }

    @property
    def state(self) -> str:
        return "review" if self.held else worst(self.steps)

    @property
    def why(self) -> str:
        """The first thing that is not cached, and its reason."""
        first = next((step for step in self.steps if step.state != "cached"), None)
        return f"{first.stage}: {first.why}" if first else "; ".join(map(problem_text, self.held))


def show_plan(
    manifest: Path,
    *,
    only: Sequence[str],
    profile: str | None,
    out: Path | None,
    workspace: Path | None,
    json_wanted: bool,
) -> None:
    """Print what a run would do, why, and how long it would take."""
    path = manifest_path(manifest)
    order = Order(
        manifest=path,
        workspace=locate(path, workspace),
        out=out.expanduser().absolute() if out else None,
        only=tuple(only),
        profile=profile,
    )
    selection = wanted(order)
    plans = plan_course(selection, Workspace.open(order.workspace))
    if json_wanted:
        _print_json({"course": selection.course.course, "targets": [plan.as_dict() for plan in plans]})
        return
    _print_plan(selection.course.course, plans)


def plan_course(selection: Selection, workspace: Workspace) -> list[TargetPlan]:
    """Plan every selected target. Loads no engine and no Prefect."""
    last_keys = workspace.ledger.keys(selection.course.course)
    pace = {stage: median(shares) for stage, shares in workspace.ledger.pace().items()}
    plans: list[TargetPlan] = []
    for item in selection.lessons:
        lesson = walk(LESSON_STAGES, item.job, workspace, last_keys=last_keys)
        media_s = media_seconds(lesson.products)
        for number, target in enumerate(item.targets):
            made = walk(TARGET_STAGES, target, workspace, lesson, last_keys=last_keys)
            # The lesson's own stages cost their time once, so they are counted with its first language.
            steps = (*(_timed(lesson.steps, pace, media_s) if number == 0 else lesson.steps), *made.steps)
            held = tuple(made.products.outcomes["verify"].commit.notes["problems"]) if is_held(made) else ()
            plans.append(TargetPlan(target, _timed(steps, pace, media_s, made.steps), media_s, held, unspoken(target)))
    return plans


def _timed(
    steps: Sequence[Step], pace: Mapping[str, float], media_s: float | None, which: Sequence[Step] | None = None
) -> tuple[Step, ...]:
    """Steps that will run, with how long they should take where earlier runs tell."""
    return tuple(
        replace(step, estimate_s=pace[step.stage] * media_s)
        if step.state == "run" and media_s and step.stage in pace and (which is None or step in which)
        else step
        for step in steps
    )


def _print_plan(course: str, plans: Sequence[TargetPlan]) -> None:
    table = Table(title=course, title_justify="left", box=None, pad_edge=False)
    for heading in ("lesson", "language", "plan", "minutes", "why"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "minutes" else "left")
    for plan in plans:
        minutes = f"{plan.media_s / 60:.1f}" if plan.media_s else "?"
        table.add_row(
            plan.job.lesson_id.replace("[", r"\["),
            plan.job.language or "",
            plan.state,
            minutes,
            plan.why.replace("[", r"\["),
        )
    console = Console()
    console.print(table)
    states = [plan.state for plan in plans]
    shown_states = ("cached", "run", "blocked", "failed", *(["review"] if "review" in states else []))
    console.print(", ".join(f"{states.count(state)} {state}" for state in shown_states))
    for line in _missing_consents((plan.job, plan.unspoken) for plan in plans):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    estimates = [step.estimate_s for plan in plans for step in plan.steps if step.estimate_s is not None]
    if estimates:
        console.print(f"about {sum(estimates) / 60:.1f} minutes of work, from what earlier runs took")


def _missing_consents(found: Iterable[tuple[Job, Mapping[str, str]]]) -> list[str]:
    """For whom a stock voice will speak in which language, and why; each said once, whatever the number of lessons.

    Where the manifest requires consent nothing speaks: the target is blocked, and says so itself.
    """
    said: dict[str, None] = {}
    for job, people in found:
        if not job.course.require_consent:
            said |= {f"{job.language}: a stock voice speaks for {name}: {why}": None for name, why in people.items()}
    return list(said)


def show_status(manifest: Path, workspace: Path | None, json_wanted: bool) -> None:
    """Print the last known state of every target."""
    path = manifest_path(manifest)
    order = Order(manifest=path, workspace=locate(path, workspace))
    selection = wanted(order)
    known = Workspace.open(order.workspace).ledger.targets(selection.course.course)
    rows = [known[key] for target in selection.targets if (key := (target.lesson_id, target.language or "")) in known]
    rows += [row for (_, language), row in known.items() if language in JOINT]
    unknown = [target.name for target in selection.targets if (target.lesson_id, target.language) not in known]
    if json_wanted:
        never = [
            {"lesson": target.lesson_id, "language": target.language, "state": "new", "stages": {}, "problems": []}
            for target in selection.targets
            if target.name in unknown
        ]
        facts = as_json(selection.course.course, rows)
        _print_json(facts | {"targets": [*facts["targets"], *never]})
        return
    console = Console()
    print_rows(console, selection.course.course, rows)
    if unknown:
        console.print(f"{len(unknown)} never run: {', '.join(unknown[:10])}{', …' if len(unknown) > 10 else ''}")
        console.print(f"dub run {shown(path)}", markup=False, highlight=False)


def show_findings(manifest: Path, profile: str | None, json_wanted: bool) -> NoReturn:
    """Print every finding; exit 0 without one, 2 where the manifest or its media are at fault, 4 where an engine is.

    A missing consent is said, and no fault unless the manifest requires it: a stock voice speaks then.
    """
    path = manifest_path(manifest)
    findings: list[Finding] = []
    blocks: list[str] = []
    missing: list[str] = []
    try:
        selection = wanted(Order(manifest=path, workspace=locate(path), profile=profile))
    except ManifestError as error:
        findings += error.findings
    else:
        findings += check_media(path, selection.course)
        blocks += _blocks(selection)
        missing += _missing_consents((target, unspoken(target)) for target in selection.targets)
    if json_wanted:
        _print_json(
            {
                "findings": [
                    {"file": finding.file, "line": finding.line, "message": finding.message} for finding in findings
                ],
                "blocked": blocks,
                "consents_missing": missing,
            }
        )
    else:
        for text in (*map(str, findings), *blocks, *missing):
            sys.stdout.write(text + "\n")
        if not findings and not blocks and not missing:
            sys.stdout.write(f"{shown(path)}: nothing to mend\n")
    raise typer.Exit(MISUNDERSTOOD if findings else BLOCKED if blocks else DONE)


def _blocks(selection: Selection) -> list[str]:
    """What would keep targets from being made: engines, language pairs, consents. Each said once."""
    said: dict[str, None] = {}
    for target in selection.targets:
        for stage in PIPELINE:
            try:
                stage.check(target)
            except EngineUnavailable as error:
                said[f"{stage.name}: {error}"] = None
            except DubError as error:
                said[f"{target.name}: {stage.name}: {error}"] = None
    return list(said)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
