"""`dub approve`: somebody listened to what a quality gate holds, and releases it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from flows.answering import print_json
from flows.order import Order, shown
from flows.saying import say
from flows.standing import as_json, exit_code, finished, print_rows
from flows.wanted import manifest_path, wanted
from manifests import approvals
from manifests.approvals import Approval
from manifests.errors import InputError
from manifests.ledger import TargetRow
from manifests.model import Job
from manifests.record import Record
from manifests.shelves import held, tidy
from manifests.store import file_sha256
from manifests.workspace import Workspace, locate
from tasks import verify
from tasks.perform import claim_of, perform
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
from tasks.plan import Walk, walk


def approve_targets(
    manifest: Path,
    targets: Sequence[str],
    *,
    by: str,
    reason: str,
    out: str | None,
    workspace: Path | None,
    json_wanted: bool,
) -> NoReturn:
    """Remember each approval, move the files into their place, print where the targets stand, exit.

    It does so at once, even beside a run that works on other lessons; it waits for a run that works on one of these.
    Raises InputError, and approves none, where nothing of one target is held, or what is held was changed since.
    """
    path = manifest_path(manifest)
    if bare := [target for target in targets if ":" not in target]:
        raise InputError(
            f"`{bare[0]}` is not a target.", remedy=f"Name the language too: dub approve {shown(path)} {bare[0]}:LANG"
        )
    order = Order(manifest=path, workspace=locate(path, workspace), out=out, only=tuple(targets))
    jobs = wanted(order).targets
    space = Workspace.open(order.workspace)
    for job in jobs:
        _waiting(job, space)  # where nothing is held nobody waits
    released = {job.name: row for job in jobs if (row := _release(job, space, by, reason)) is not None}
    rows = list(released.values())
    course = jobs[0].course.course
    if json_wanted:
        print_json(as_json(course, rows))
    elif rows:
        print_rows(Console(), course, rows)
    for job in {job.lesson_id: job for job in jobs if job.name in released}.values():
        lesson = walk(LESSON_STAGES, job.model_copy(update={"language": None}), space)
        if joint_stages(job, Walk((), lesson.products), space):
            say(f"What holds all languages of {job.lesson_id} is made by: dub run {shown(path)}")
    raise typer.Exit(exit_code(rows))


def _release(job: Job, space: Workspace, by: str, reason: str) -> TargetRow | None:
    """Approve one target and move its files; None where it must first be made again as it was."""
    with space.idle() as busy_since, space.claims.held(claim_of(job), waiting=say):
        approvals.write(job.manifest, _approval(job, _waiting(job, space), by, reason))
        lesson = walk(LESSON_STAGES, job.model_copy(update={"language": None}), space)
        before = walk(TARGET_STAGES[:-1], job, space, lesson)
        if not before.complete:
            say(
                f"{job.name} is approved. `dub run {shown(job.manifest)}` releases it, once it is made again as it was."
            )
            return None
        outcome = perform(verify.STAGE, job, before.products, space)
        row = finished(job, before.products.plus(outcome))
        space.ledger.record(row)
        if busy_since is None:
            tidy(job.out)
    return row


def _waiting(job: Job, space: Workspace) -> Record:
    """The record of what is held. Raises InputError where nothing is, or it is not what the record describes."""
    group = f"{job.lesson_id}.{job.language}"
    depot = space.depots.at(job.address) if job.address else None
    waiting = held(job.out / f"{group}.dub.json")
    place = depot.place(waiting) if depot else str(waiting)
    try:
        data = depot.read(waiting) if depot else waiting.read_bytes() if waiting.exists() else None
        if data is None:
            raise InputError(
                f"nothing of {job.name} is held for review.",
                remedy=f"`dub status {shown(job.manifest)}` shows where every target stands.",
            )
        record = Record.model_validate_json(data)
    except (OSError, ValidationError) as error:
        raise InputError(f"{place} cannot be read.", remedy=_again(job)) from error
    video = waiting.parent / Path(record.output.path).name
    sha256 = record.output.sha256
    if depot:
        place = depot.place(video)
        whole = depot.where(group, depot.place(job.out / video.name), sha256) == place
    else:
        place = str(video)
        whole = video.is_file() and file_sha256(video) == sha256
    if record.content is None or not whole:
        raise InputError(f"{place} is not what was verified.", remedy=_again(job))
    return record


def _again(job: Job) -> str:
    return f"Make it again: dub rerun {shown(job.manifest)} {shown(job.name)} --from remux"


def _approval(job: Job, record: Record, by: str, reason: str) -> Approval:
    gates = tuple(dict.fromkeys(problem.gate for problem in record.problems if problem.gate))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Approval(job.lesson_id, job.language or "", record.content or "", gates, now, by, reason)
