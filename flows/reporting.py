"""The course report as one HTML file: what `dub report` writes, and a scheduled run leaves; in short as JSON."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flows.answering import print_json
from flows.next_steps import next_steps
from flows.order import Order, shown
from flows.standing import as_json, stale_targets
from flows.wanted import manifest_path, wanted
from manifests.commits import Commit
from manifests.depot import Depot
from manifests.errors import DubError, StoreError
from manifests.store import Store
from manifests.target_row import TargetRow
from manifests.workspace import Workspace, locate
from tasks.publishing import publish
from tasks.report.away import records_here, with_files
from tasks.report.facts import LineFacts, NextStep, TargetFacts, survey
from tasks.report.page import ConsentSeen, Written, page

NAME = "report.html"


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written, and what it tells, for whoever says so."""

    place: str
    """A path, or an address."""
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
                "report": report.place,
                "lines": [_line(line) for line in report.written.urgent],
                "wanting": dict(report.written.wanting),
                "next": [step.as_dict() for step in report.steps],
            }
        )
        return
    sys.stdout.write(f"{report.place}\n")
    for step in report.steps:
        sys.stderr.write(f"{step.why}\n{step.command}\n")


def left_report(order: Order, folder: Path, tell: Callable[[str], None]) -> str | None:
    """Write the report of an order's whole course where `dub report` does, and tell where it is.

    Where it cannot be written, the reason is told with the command that writes it, and None is returned: the run that
    it is about is not affected.
    """
    try:
        place = made_report(order.model_copy(update={"only": ()}), folder=folder).place
    except Exception as error:  # noqa: BLE001  (a picture of what was done: no run fails for want of it)
        said = str(error) if isinstance(error, DubError) else f"{type(error).__name__}: {error}"
        tell(f"The report was not written: {said} To write it: {report_command(order)}")
        return None
    tell(f"The report: {place}")
    return place


def report_command(order: Order) -> str:
    """The command that writes the report of an order's course, to where the order delivers."""
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
    job = next(iter(selection.lessons)).job
    depot = space.depots.at(job.address) if job.address else None
    with ExitStack() as ends:
        scratch = ends.enter_context(space.store.scratch())
        ends.enter_context(space.depots.surveyed())
        targets = records_here(depot, selection.targets, scratch) if depot else selection.targets
        facts = [_noted(each, stale.get((each.job.lesson_id, each.language), {})) for each in survey(targets, known)]
        beside = job.out
        if depot:  # the page goes to the address too, as it goes into the folder, unless another place is named
            facts = [with_files(depot, each, scratch, beside=target is None) for each in facts]
            beside = scratch / job.out.name
        outputs = {
            each.name: str(there) for each in facts if (there := each.away.address if each.away else each.output)
        }
        states = {each.name: each.state for each in facts}
        steps = next_steps(order.manifest, states, outputs, workspace=order.chosen_workspace, stale=stale)
        file = target or beside / NAME
        written = page(
            course,
            facts,
            file.parent,
            space.store,
            steps=steps,
            consents=_consents(facts),
            folder=folder or Path.cwd(),
        )
        place = _deliver(file, written, course, space.store, None if target else depot)
    rows = [known[key] for each in facts if (key := (each.job.lesson_id, each.language)) in known]
    summary = as_json(course, rows, stale)
    summary["targets"] += _without_row(facts, known)
    return Report(place, written, steps, summary)


def _noted(facts: TargetFacts, stale: Mapping[str, str]) -> TargetFacts:
    """A target, with what is stale of it among its notes."""
    return replace(facts, notes=(*facts.notes, *(f"{stage} is stale: {why}" for stage, why in stale.items())))


def _deliver(file: Path, written: Written, course: str, store: Store, depot: Depot | None) -> str:
    """Put the page in its place, or at the address, and remember whose voices are heard in it, so that a revocation
    names it; returns where it is."""
    if file.is_dir():
        raise StoreError(f"{file} is a folder.", remedy=f"Name a file: --out {shown(file / NAME)}")
    publish(written.text, file)
    target = depot.put(file, NAME) if depot else str(file)
    key = hashlib.sha256(f"{course}\n{target}".encode()).hexdigest()
    store.forget("report", key)
    if written.people:
        sha256 = hashlib.sha256(written.text.encode()).hexdigest()
        people = tuple(sorted(written.people))
        address = depot.address if depot else ""
        store.commit(Commit("report", key, {}, delivered={target: sha256}, people=people, address=address))
    return target


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
