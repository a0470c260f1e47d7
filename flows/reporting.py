"""`dub report`: the course report as one HTML file; the same in short as JSON."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
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
from tasks.report.facts import LineFacts, TargetFacts, survey
from tasks.report.page import ConsentSeen, Written, page

NAME = "report.html"


def write_report(
    manifest: Path, *, only: Sequence[str], out: Path | None, workspace: Path | None, json_wanted: bool
) -> None:
    """Write the report of a course and print where it is. Starts nothing and loads no engine."""
    path = manifest_path(manifest)
    order = Order(manifest=path, workspace=locate(path, workspace), only=tuple(only))
    selection = wanted(order)
    space = Workspace.open(order.workspace)
    known = space.ledger.targets(selection.course.course)
    stale = stale_targets(selection.targets, known)
    facts = [
        _noted(each, stale.get((each.job.lesson_id, each.language), {})) for each in survey(selection.targets, known)
    ]
    outputs = {each.name: str(each.output) for each in facts if each.output}
    steps = next_steps(path, {each.name: each.state for each in facts}, outputs, workspace=workspace, stale=stale)
    folder = next(iter(selection.lessons)).job.out
    target = out.expanduser().absolute() if out else folder / NAME
    written = page(
        selection.course.course,
        facts,
        target.parent,
        space.store,
        steps=steps,
        consents=_consents(facts),
        folder=Path.cwd(),
    )
    _deliver(target, written, selection.course.course, space.store)
    if json_wanted:
        rows = [known[key] for each in facts if (key := (each.job.lesson_id, each.language)) in known]
        summary = as_json(selection.course.course, rows, stale)
        summary |= {
            "report": str(target),
            "targets": [*summary["targets"], *_without_row(facts, known)],
            "lines": [_line(line) for line in written.urgent],
            "wanting": dict(written.wanting),
            "next": [step.as_dict() for step in steps],
        }
        print_json(summary)
        return
    sys.stdout.write(f"{target}\n")
    for step in steps:
        sys.stderr.write(f"{step.why}\n{step.command}\n")


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
