"""`dub plan`: what a run would do, target by target, why, and how long it would take; starts nothing.

A library is told as it is walked: nothing is kept of a target once it is printed, and no media file is opened that
nobody has read before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Final

from flows.estimates import History, Length
from flows.lookout import Lookout, UpToDate
from flows.order import Order
from flows.plan_tables import write_json, write_table
from flows.target_plan import CACHED, TargetPlan
from flows.wanted import Selection, manifest_path, wanted
from manifests.errors import DubError
from manifests.looking import looking
from manifests.model import Job
from manifests.timeline import Unplaced
from manifests.workspace import Workspace, locate
from tasks.foresight import cannot_fit
from tasks.perform import media_seconds
from tasks.pipeline import LESSON_STAGES, PIPELINE, TARGET_STAGES, is_held, joint_stages
from tasks.plan import Step, Walk, after_failure, walk
from tasks.staleness import Versions
from tasks.voice_terms import unspoken

USUAL_BYTES: Final[Mapping[str, float]] = {
    ".wav": 176_400.0,
    ".flac": 90_000.0,
    ".mp3": 16_000.0,
    ".m4a": 16_000.0,
    ".ogg": 16_000.0,
}
"""Bytes a second of sound files, where a course has no history that tells."""

USUAL_VIDEO_BYTES: Final = 250_000.0
"""The same of anything else: a lecture at 2 Mbit/s."""


def show_plan(
    manifest: Path,
    *,
    only: Sequence[str],
    refresh: bool = False,
    profile: str | None,
    out: str | None,
    workspace: Path | None,
    json_wanted: bool,
) -> None:
    """Print what a run would do, why, and how long it would take."""
    path = manifest_path(manifest)
    order = Order(
        manifest=path,
        workspace=locate(path, workspace),
        out=out,
        only=tuple(only),
        refresh=refresh,
        profile=profile,
    )
    selection = wanted(order)
    space = Workspace.open(order.workspace)
    history = History.of(space.ledger)
    plans = plan_course(selection, space, history, refresh=refresh)
    with space.surveyed(), looking():
        (write_json if json_wanted else write_table)(selection, plans, history, sys.stdout)


def plan_course(
    selection: Selection, workspace: Workspace, history: History, *, refresh: bool = False
) -> Iterator[TargetPlan]:
    """Plan every selected target, one after the other. Loads no engine and no Prefect.

    `history` is what such work took before; with `refresh` what is stale is to be done.
    """

    follow = partial(walk, workspace=workspace, versions=Versions(), refresh=refresh)
    bytes_a_second = cache(partial(_bytes_a_second, selection, workspace))
    lookout = Lookout(selection, workspace, only_looks=True)
    failures = workspace.ledger.failures(selection.course.course)
    try:
        for item in selection.lessons:
            seen = lookout.known(item, refresh=refresh)
            if seen.whole:
                for target in item.targets:
                    yield _up_to_date(target, seen)
                continue
            workspace.digests.read()
            last_keys = lookout.last(item.job.lesson_id)
            lesson = follow(LESSON_STAGES, item.job, last_keys=last_keys)
            length = _length(item.job.media, media_seconds(lesson.products), bytes_a_second)
            made: dict[str, Walk] = {}
            for number, target in enumerate(item.targets):
                if (language := target.language or "") in seen.targets:
                    yield _up_to_date(target, seen)
                    continue
                each = made[language] = follow(TARGET_STAGES, target, before=lesson, last_keys=last_keys)
                # The lesson's own stages cost their time once, so they are counted with its first language.
                before = history.estimated(lesson.steps, length) if number == 0 else lesson.steps
                held = tuple(each.products.outcomes["verify"].commit.notes["problems"]) if is_held(each) else ()
                steps = (*before, *history.estimated(each.steps, length))
                if failure := failures.get((target.lesson_id, language)):
                    steps = after_failure(steps, *failure)
                yield TargetPlan(target, steps, length, held, unspoken(target), _unfit(target, each, workspace))
            joint = None
            if lesson.complete and all(each.complete for each in made.values()):
                joint = [
                    follow((stage,), item.job, before=Walk((), products))
                    for stage, products in joint_stages(item.job, lesson, workspace, made)
                ]
            lookout.note(item, lesson, made, joint)
    finally:
        lookout.save()


def _up_to_date(target: Job, seen: UpToDate) -> TargetPlan:
    """The plan of a target of which nothing is to be done."""
    each, steps = seen.targets[target.language or ""], CACHED
    if each.stale or each.why:
        steps = tuple(
            Step(stage.name, "cached", each.why.get(stage.name, ""), each.stale.get(stage.name, ""))
            for stage in PIPELINE
        )
    length = Length(seen.length_s) if seen.length_s is not None else None
    return TargetPlan(target, steps, length, each.problems if each.state == "review" else (), each.unspoken)


def _bytes_a_second(selection: Selection, workspace: Workspace) -> float | None:
    """What a second of the course's lessons usually weighs; None where none was ever opened."""
    lengths = workspace.ledger.lengths(selection.course.course)
    weights = [
        item.job.media.stat().st_size / lengths[item.job.lesson_id]
        for item in selection.lessons
        if lengths.get(item.job.lesson_id) and item.job.media.exists()
    ]
    return median(weights) if weights else None


def _length(media: Path, known: float | None, bytes_a_second: Callable[[], float | None]) -> Length | None:
    if known is not None:
        return Length(known)
    try:
        size = media.stat().st_size
    except OSError:
        return None
    return Length(size / (bytes_a_second() or USUAL_BYTES.get(media.suffix.lower(), USUAL_VIDEO_BYTES)), guessed=True)


def _unfit(target: Job, made: Walk, workspace: Workspace) -> tuple[Unplaced, ...]:
    """The lines that cannot fit, of a target that is to be spoken; what cannot be read is for the run to tell."""
    if target.course.timing.hold_still_frames or not any(
        step.stage == "synthesize" and step.state == "run" for step in made.steps
    ):
        return ()
    try:
        return cannot_fit(target, made.products, workspace)
    except DubError:
        return ()
