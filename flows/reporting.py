"""The course report as one HTML file: what `dub report` writes, and a scheduled run leaves; in short as JSON."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flows.answering import print_json
from flows.next_steps import next_steps
from flows.order import Order, shown
from flows.standing import as_json, stale_targets
from flows.wanted import manifest_path, wanted
from manifests.errors import DubError, StoreError
from manifests.ledger import TargetRow
from manifests.store import Commit, Store
from manifests.workspace import Workspace, locate
from tasks.publishing import publish
from tasks.report.facts import LineFacts, NextStep, TargetFacts, survey
from tasks.report.page import ConsentSeen, Written, page

NAME = "report.html"


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written, and what it tells, for whoever says so."""

    path: Path
    written: Written
    steps: tuple[NextStep, ...]
    summary: dict[str, Any]
    """What `dub status --json` says of the same targets."""


def write_report(
    manifest: Path, *, only: Sequence[str], out: Path | None, workspace: Path | None, json_wanted: bool
) -> None:
    """Write the report of a course and print where it is. Starts nothing and loads no engine."""
    path = manifest_path(manifest)
    order = Order(manifest=path, workspace=locate(path, workspace), only=tuple(only))
    report = made_report(order, out.expanduser().absolute() if out else None)
    if json_wanted:
        print_json(
            report.summary
            | {
                "report": str(report.path),
                "lines": [_line(line) for line in report.written.urgent],
                "wanting": dict(report.written.wanting),
                "next": [step.as_dict() for step in report.steps],
            }
        )
        return
    sys.stdout.write(f"{report.path}\n")
    for step in report.steps:
        sys.stderr.write(f"{step.why}\n{step.command}\n")


def left_report(order: Order, folder: Path, tell: Callable[[str], None]) -> Path | None:
    """Write the report of an order's whole course where `dub report` does, and tell where it is.

    What keeps it from being written is told, with the command that writes it, and changes nothing of the run that it
    is about: None then.
    """
    try:
        path = made_report(order.model_copy(update={"only": ()}), folder=folder).path
    except Exception as error:  # noqa: BLE001  (a picture of what was done: no run fails for want of it)
        said = str(error) if isinstance(error, DubError) else f"{type(error).__name__}: {error}"
        tell(f"The report was not written: {said} To write it: {report_command(order)}")
        return None
    tell(f"The report: {path}")
    return path


def report_command(order: Order) -> str:
    """What writes the report of an order's course, where the order delivers to."""
    if order.out:
        return f"{order.resume} --report"
    where = f" --workspace {shown(order.chosen_workspace)}" if order.chosen_workspace else ""
    return f"dub report {shown(order.manifest)}{where}"


def made_report(order: Order, target: Path | None = None, folder: Path | None = None) -> Report:
    """Write the report of what an order selects, to a file or to `out/<course>/report.html`.

    `folder` is where its commands are meant for; where the user is, if none is named. Raises DubError.
    """
    selection = wanted(order)
    course = selection.course.course
    space = Workspace.open(order.workspace)
    known = space.ledger.targets(course)
    stale = stale_targets(selection.targets, known)
    facts = [
        _noted(each, stale.get((each.job.lesson_id, each.language), {})) for each in survey(selection.targets, known)
    ]
    outputs = {each.name: str(each.output) for each in facts if each.output}
    states = {each.name: each.state for each in facts}
    steps = next_steps(order.manifest, states, outputs, workspace=order.chosen_workspace, stale=stale)
    path = target or next(iter(selection.lessons)).job.out / NAME
    written = page(
        course,
        facts,
        path.parent,
        space.store,
        steps=steps,
        consents=_consents(facts),
        folder=folder or Path.cwd(),
    )
    _deliver(path, written, course, space.store)
    rows = [known[key] for each in facts if (key := (each.job.lesson_id, each.language)) in known]
    summary = as_json(course, rows, stale)
    summary["targets"] += _without_row(facts, known)
    return Report(path, written, steps, summary)


def _noted(facts: TargetFacts, stale: Mapping[str, str]) -> TargetFacts:
    """A target, with what is stale of it among its notes."""
    return replace(facts, notes=(*facts.notes, *(f"{stage} is stale: {why}" for stage, why in stale.items())))


def _deliver(target: Path, written: Written, course: str, store: Store) -> None:
    """Put the page in its place, and remember whose voices are heard in it, so that a revocation names it."""
    if target.is_dir():
        raise StoreError(f"{target} is a folder.", remedy=f"Name a file: --out {shown(target / NAME)}")
    publish(written.text, target)
    key = hashlib.sha256(f"{course}\n{target}".encode()).hexdigest()
    store.forget("report", key)
    if written.people:
        sha256 = hashlib.sha256(written.text.encode()).hexdigest()
        people = tuple(sorted(written.people))
        store.commit(Commit("report", key, {}, delivered={str(target): sha256}, people=people))


def _consents(facts: Iterable[TargetFacts]) -> dict[str, ConsentSeen]:
    """How the consents that speak in the course stand now; one that cannot be read is said to be so."""
    names = {use.consent for each in facts for use in each.voices if use.consent}
    if not names:
        return {}
    from voiceclone.registry import Registry

    registry = Registry.default()
    seen: dict[str, ConsentSeen] = {}
    for name in sorted(names):
        try:
            checked = registry.verify(name)
        except DubError as error:
            seen[name] = ConsentSeen(name, str(error))
        else:
            seen[name] = ConsentSeen(name, "; ".join(checked.problems) or checked.standing or "")
    return seen


def _without_row(facts: Iterable[TargetFacts], known: Mapping[tuple[str, str], TargetRow]) -> list[dict[str, Any]]:
    """Targets that the ledger does not know, as `status` lists them."""
    return [
        {"lesson": each.job.lesson_id, "language": each.language, "state": each.state, "stages": {}, "problems": []}
        for each in facts
        if (each.job.lesson_id, each.language) not in known
    ]


def _line(line: LineFacts) -> dict[str, Any]:
    return {name: value for name, value in asdict(line).items() if name != "severity"}
