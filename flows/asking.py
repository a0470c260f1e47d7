"""`dub check` and `dub status`: questions that start nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

from flows.answering import print_json
from flows.last_known import LastKnown
from flows.next_steps import STATES, counts_in_words, next_steps
from flows.order import Order, shown
from flows.plan_tables import missing_consents
from flows.standing import BLOCKED, DONE, MISUNDERSTOOD, print_rows, told
from flows.wanted import Selection, manifest_path, wanted
from manifests import approvals, human_lines
from manifests.errors import DubError, EngineUnavailable, Finding, ManifestError, MediaError, StageFailed
from manifests.lessons import check_media
from manifests.looking import looking
from manifests.workspace import Workspace, locate
from tasks.media import probe
from tasks.pipeline import PIPELINE
from tasks.report.facts import NextStep
from tasks.understanding import unread
from tasks.voice_terms import unspoken


def show_status(manifest: Path, workspace: Path | None, json_wanted: bool) -> None:
    """Print the last known state of every target."""
    path = manifest_path(manifest)
    order = Order(manifest=path, workspace=locate(path, workspace))
    selection = wanted(order)
    known = LastKnown(selection, Workspace.open(order.workspace).ledger)
    if json_wanted:
        print_json(_status(path, known, workspace))
        return
    console = Console()
    print_rows(console, selection.course.course, known.rows(), known.stale, known.widths)
    if unknown := [f"{lesson}:{language}" for lesson, language in known.never]:
        console.print(f"{len(unknown)} never run: {', '.join(unknown[:10])}{', …' if len(unknown) > 10 else ''}")
    console.print(f"{len(known.states)} targets: {counts_in_words(known.states.values(), STATES)}", highlight=False)
    for step in _next(path, known, workspace):
        console.print(f"{step.why}\n{step.command}", markup=False, highlight=False, soft_wrap=True)


def _status(path: Path, known: LastKnown, workspace: Path | None) -> Iterator[tuple[str, Any]]:
    """What `--json` prints, key after key: the totals are known once all rows were written."""
    yield "course", known.selection.course.course
    yield "targets", chain(told(known.rows(), known.stale), known.never_run())
    counted = Counter(known.states.values())
    yield "counts", {state: counted[state] for state in STATES if counted[state]}
    yield "next", [step.as_dict() for step in _next(path, known, workspace)]


def _next(path: Path, known: LastKnown, workspace: Path | None) -> tuple[NextStep, ...]:
    return next_steps(path, known.states, known.held, workspace=workspace, stale=known.stale)


def show_findings(manifest: Path, profile: str | None, json_wanted: bool) -> NoReturn:
    """Print every finding; exit 0 without one, 2 where the manifest or its media are at fault, 4 where an engine is. A
    missing consent is reported, but is a fault only where the manifest requires it: otherwise a stock voice speaks.
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
        findings += check_media(path, selection.course, within=_fault_within)
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


def _fault_within(media: Path) -> str:
    """What keeps a media file from being a lesson, where it is there: it is none, cut short, or without a sound."""
    try:
        probe(media)
    except (MediaError, StageFailed) as error:
        return str(error)
    return ""


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
