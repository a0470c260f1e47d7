"""`dub run` and `dub rerun`: from the command line to flows, and back to a table and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn, get_args

import typer
from rich.console import Console

from flows.answering import print_json
from flows.line_numbers import named_lines
from flows.metering import count
from flows.notifying import interrupted, notify, stopped, summary
from flows.order import Order, cores_here, shown
from flows.pending import pending
from flows.progress import watching
from flows.reporting import left_report, report_command
from flows.results import results
from flows.saying import choose_log_format, emit, in_json, say
from flows.server import api
from flows.standing import INTERRUPTED, exit_code, print_rows, told
from flows.wanted import Selection, as_it_is_now, manifest_path, wanted
from manifests.errors import DubError, InputError
from manifests.ledger import now
from manifests.looking import looking
from manifests.model import Stage
from manifests.script import Script, load
from manifests.shelves import tidy
from manifests.target_row import TargetRow
from manifests.workspace import Workspace, locate
from tasks.pipeline import JOINT, LESSON_STAGES
from tasks.plan import walk
from voiceclone.chain import signer


def run_course(
    manifest: Path,
    *,
    only: Sequence[str],
    force: Sequence[str],
    profile: str | None,
    out: str | None,
    workspace: Path | None,
    json_wanted: bool,
    log_format: str | None = None,
    refresh: bool = False,
    report: bool = False,
) -> NoReturn:
    """Run what is not up to date, print where everything stands, exit."""
    choose_log_format(log_format, manifest_path(manifest).parent)
    stages: list[Stage] = [_stage(name) for name in force]
    order = _order(manifest, only, frozenset(stages), profile=profile, out=out, workspace=workspace)
    order = order.model_copy(update={"refresh": refresh})
    raise typer.Exit(carry_out(order, json_wanted, report=report))


def rerun_course(
    manifest: Path,
    *,
    targets: Sequence[str],
    failed: bool,
    from_stage: str | None,
    lines: str | None,
    profile: str | None,
    out: str | None,
    workspace: Path | None,
    json_wanted: bool,
    log_format: str | None = None,
) -> NoReturn:
    """Run again what is named, or what is not done."""
    choose_log_format(log_format, manifest_path(manifest).parent)
    if failed == bool(targets):
        raise InputError(
            "rerun needs either --failed or the lessons to do again.",
            remedy=f"For example: dub rerun {shown(manifest)} --failed",
        )
    stages: tuple[Stage, ...] = get_args(Stage)
    force: tuple[Stage, ...] = stages[stages.index(_stage(from_stage)) :] if from_stage else (stages if targets else ())
    if lines is not None:
        # What their new takes change is done again for that; the stages between are as they were.
        force = (*([_stage(from_stage)] if from_stage else []), _stage("synthesize"))
    order = _order(manifest, targets, frozenset(force), profile=profile, out=out, workspace=workspace)
    if lines is not None:
        order = order.model_copy(update={"lines": _of_one_lesson(named_lines(lines), order)})
    if failed:
        names = _unfinished(order)
        if not names:
            say(f"Nothing of {shown(manifest)} is failed, partial or blocked.")
            raise typer.Exit(0)
        order = order.model_copy(update={"only": names})
    raise typer.Exit(carry_out(order, json_wanted))


def _of_one_lesson(lines: tuple[str, ...], order: Order) -> tuple[str, ...]:
    """Lines that are there, as far as the lesson's script is known; raises InputError for others."""
    selection = wanted(order)
    if len(selection.lessons) != 1:
        raise InputError("--lines are of one lesson.", remedy="Name one: dub rerun MANIFEST LESSON:LANG --lines 3,7-9")
    space = Workspace.open(order.workspace)
    made = walk(LESSON_STAGES, selection.lessons[0].job, space).products.objects
    if "transcribe/script.json" in made:
        there = {each.id for each in load(Script, space.store.get(made["transcribe/script.json"])).utterances}
        if unknown := [line for line in lines if line not in there]:
            raise InputError(
                f"there is no line {unknown[0]} in {selection.lessons[0].job.lesson_id}; it has {len(there)} lines.",
                remedy="`dub script export` lists them.",
            )
    return lines


def carry_out(order: Order, json_wanted: bool, table: bool = True, tell: bool = True, report: bool = False) -> int:
    """Do what was ordered; print the result, as JSON or as a table where one is wanted; return the exit code.

    With `tell`, notifications go out, whether the run came to its end or a DubError ended it. With `report` the
    course's report is written before that; without it, the command that writes one is printed.
    """
    course, begun, left = wanted(order).course.course, now(), None
    try:
        with _alone(order) as space:
            rows = _carried_out(order, space, quiet=json_wanted)
            left = left_report(order, Path.cwd(), say) if report else None
    except DubError as error:
        left = left_report(order, Path.cwd(), say) if report else None
        if tell:
            notify(stopped(order, course, error, left), order.manifest.parent)
        raise
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, _end_at_once)
        signal.signal(signal.SIGTERM, _end_at_once)
        say(f"Interrupted. What is finished is kept; go on with: {order.resume}")
        sys.stderr.flush()
        try:
            if tell:
                notify(interrupted(order, course), order.manifest.parent)
        finally:
            # Stages still run in threads; everything is written so that an end at any moment does no harm.
            os._exit(INTERRUPTED)
    count(course, rows, since=begun)
    if json_wanted:
        print_json({"course": course, "targets": told(rows)} | ({"report": left} if left else {}))
    elif table:
        print_rows(Console(), course, rows)
    short = summary(order, course, rows, left)
    if in_json():
        emit("ended", code=exit_code(rows), **short.as_dict())
    else:
        if not report:
            say(f"To see and hear it all on one page: {report_command(order)}")
        for step in reversed(short.steps):  # what resumes a failed run is the last word
            say(f"{step.why} {step.command}")
    if tell:
        sys.stdout.flush()
        notify(short, order.manifest.parent)
    return exit_code(rows)


@contextmanager
def _alone(order: Order) -> Generator[Workspace]:
    """The workspace with no other run in it, the manifest as it is when that is so, and SIGTERM taken as Ctrl-C."""
    with _terminable():
        space = Workspace.open(order.workspace)
        with space.locked(say), as_it_is_now(order.manifest):
            yield space


def _end_at_once(_signal: int, _frame: object) -> NoReturn:
    os._exit(INTERRUPTED)


def _carried_out(order: Order, space: Workspace, *, quiet: bool) -> list[TargetRow]:
    """Do what was ordered; where every target stands then."""
    selection = wanted(order)
    if selection.course.delivery.disclosure.credentials:
        signer()  # makes the development chain where there is none: what is signed depends on who signs
    with space.surveyed(), looking():
        nothing_to_do = _up_to_date(order, selection, space)
    if not nothing_to_do:
        for address in {item.job.address for item in selection.lessons} - {""}:
            space.depots.at(address).try_out()
        _run_flows(order, selection, quiet)
    rows = results(selection, space)
    for out in {item.job.out for item in selection.lessons}:
        tidy(out)
    return rows


def _order(
    manifest: Path,
    only: Sequence[str],
    force: frozenset[Stage],
    *,
    profile: str | None,
    out: str | None,
    workspace: Path | None,
) -> Order:
    path = manifest_path(manifest)
    return Order(
        manifest=path,
        workspace=locate(path, workspace),
        out=out,
        only=tuple(only),
        force=force,
        profile=profile,
        cores=cores_here(),
    )


def _stage(name: str) -> Stage:
    for stage in get_args(Stage):
        if stage == name:
            return stage
    raise InputError(f"there is no stage {name!r}.", remedy=f"The stages are {', '.join(get_args(Stage))}.")


def _up_to_date(order: Order, selection: Selection, space: Workspace) -> bool:
    """Whether there is nothing to do."""
    if order.force:
        return False
    with closing(pending(selection, space, refresh=order.refresh)) as work:
        return next(work, None) is None


@contextmanager
def _terminable() -> Generator[None]:
    """Take SIGTERM, which service managers send, as Ctrl-C: the run says how to go on, and leaves nothing behind."""

    def interrupt(_signal: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_flows(order: Order, selection: Selection, quiet: bool) -> None:
    with api(order.workspace) as ready, watching(quiet):
        from prefect.exceptions import TerminationSignal
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        from flows.course import dub_course
        from flows.lesson import Incomplete

        ready()
        # Each heartbeat of a flow costs a second when it ends; a run in one process needs none.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            try:
                dub_course(order, selection.course.course)
            except Incomplete:
                return  # the ledger knows what and why
            except TerminationSignal as error:  # what Prefect makes of SIGTERM while a flow runs
                raise KeyboardInterrupt from error


def _unfinished(order: Order) -> tuple[str, ...]:
    selection = wanted(order)
    known = Workspace.open(order.workspace).ledger.targets(selection.course.course)
    names: list[str] = []
    for target in selection.targets:
        row = known.get((target.lesson_id, target.language or ""))
        joint = any((target.lesson_id, name) in known for name in JOINT)
        if (row is not None and row.state != "done") or joint:
            names.append(target.name)
    return tuple(names)
