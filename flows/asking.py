"""`dub check` and `dub status`: questions that start nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from flows.answering import print_json
from flows.next_steps import STATES, counts_in_words, next_steps
from flows.order import Order, shown
from flows.plan_tables import missing_consents
from flows.standing import BLOCKED, DONE, MISUNDERSTOOD, as_json, print_rows, stale_targets
from flows.wanted import Selection, manifest_path, wanted
from manifests import approvals, human_lines
from manifests.errors import DubError, EngineUnavailable, Finding, ManifestError
from manifests.lessons import check_media
from manifests.looking import looking
from manifests.workspace import Workspace, locate
from tasks.pipeline import JOINT, PIPELINE
from tasks.understanding import unread
from tasks.voice_terms import unspoken


def show_status(manifest: Path, workspace: Path | None, json_wanted: bool) -> None:
    """Print the last known state of every target."""
    path = manifest_path(manifest)
    order = Order(manifest=path, workspace=locate(path, workspace))
    selection = wanted(order)
    known = Workspace.open(order.workspace).ledger.targets(selection.course.course)
    rows = [known[key] for target in selection.targets if (key := (target.lesson_id, target.language or "")) in known]
    rows += [row for (_, language), row in known.items() if language in JOINT]
    unknown = [target.name for target in selection.targets if (target.lesson_id, target.language) not in known]
    states = {f"{row.lesson}:{row.language}": row.state for row in rows} | dict.fromkeys(unknown, "new")
    outputs = {f"{row.lesson}:{row.language}": row.output for row in rows}
    stale = stale_targets(selection.targets, known)
    steps = next_steps(path, states, outputs, workspace=workspace, stale=stale)
    if json_wanted:
        never = [
            {"lesson": target.lesson_id, "language": target.language, "state": "new", "stages": {}, "problems": []}
            for target in selection.targets
            if target.name in unknown
        ]
        facts = as_json(selection.course.course, rows, stale)
        counts = {state: count for state in STATES if (count := list(states.values()).count(state))}
        told = {"targets": [*facts["targets"], *never], "counts": counts, "next": [step.as_dict() for step in steps]}
        print_json(facts | told)
        return
    console = Console()
    print_rows(console, selection.course.course, rows, stale)
    if unknown:
        console.print(f"{len(unknown)} never run: {', '.join(unknown[:10])}{', …' if len(unknown) > 10 else ''}")
    console.print(f"{len(states)} targets: {counts_in_words(states.values(), STATES)}", highlight=False)
    for step in steps:
        console.print(f"{step.why}\n{step.command}", markup=False, highlight=False, soft_wrap=True)


def show_findings(manifest: Path, profile: str | None, json_wanted: bool) -> NoReturn:
    """Print every finding; exit 0 without one, 2 where the manifest or its media are at fault, 4 where an engine is.

    A missing consent is said, and no fault unless the manifest requires it: a stock voice speaks then.
    """
    path = manifest_path(manifest)
    findings: list[Finding] = []
    blocks: list[str] = []
    missing: list[str] = []
    unheard: list[str] = []
    try:
        selection = wanted(Order(manifest=path, workspace=locate(path), profile=profile))
    except ManifestError as error:
        findings += error.findings
    else:
        findings += check_media(path, selection.course)
        findings += human_lines.faults(path)
        findings += approvals.faults(path, ((target.lesson_id, target.language or "") for target in selection.targets))
        with looking():
            blocks += _blocks(selection)
            missing += missing_consents((target, unspoken(target)) for target in selection.targets)
            unheard += unread(selection.targets)
    if json_wanted:
        print_json(
            {
                "findings": [
                    {"file": finding.file, "line": finding.line, "message": finding.message} for finding in findings
                ],
                "blocked": blocks,
                "consents_missing": missing,
                "unread": unheard,
            }
        )
    else:
        for text in (*map(str, findings), *blocks, *missing, *unheard):
            sys.stdout.write(text + "\n")
        if not findings and not blocks and not missing and not unheard:
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
