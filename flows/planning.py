"""`dub plan`: what a run would do, target by target, why, and how long it would take; starts nothing.

A library is told as it is walked: nothing is kept of a target once it is printed, and no media file is opened that
nobody has read before.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any, Final, TextIO

from flows.collecting import in_bytes
from flows.estimates import Estimate, History, Length
from flows.lookout import Lookout, UpToDate
from flows.order import Order
from flows.standing import problem_text
from flows.wanted import Selection, Wanted, manifest_path, wanted
from manifests.errors import DubError
from manifests.model import Job
from manifests.timeline import Unplaced
from manifests.workspace import Workspace, locate
from tasks.foresight import cannot_fit
from tasks.perform import media_seconds
from tasks.pipeline import LESSON_STAGES, PIPELINE, TARGET_STAGES, is_held, joint_stages
from tasks.plan import Step, Walk, walk, worst
from tasks.staleness import Versions
from tasks.understanding import unread
from tasks.voice_terms import unspoken

STATES: Final = ("cached", "run", "blocked", "failed", "review")

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

_CACHED: Final = tuple(Step(stage.name, "cached") for stage in PIPELINE)

SPELLED_OUT: Final = 5
"""So many lines that cannot fit are named in a table; --json names all."""

_STOPPED = ("blocked", "failed")


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What a run would do for one target."""

    job: Job
    steps: tuple[Step, ...]
    length: Length | None
    """None where neither a run nor the file tells."""
    held: tuple[dict[str, Any], ...] = ()
    """The problems of a target that is made and that a gate holds."""
    unspoken: Mapping[str, str] = field(default_factory=dict[str, str])
    """Person to why their own voice may not speak here: the consents that are missing."""
    unfit: tuple[Unplaced, ...] = ()
    """Lines that no voice could say in their time, as far as that shows before they are spoken."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "lesson": self.job.lesson_id,
            "language": self.job.language,
            "state": self.state,
            "media_seconds": round(self.length.seconds, 3) if self.length else None,
            "media_seconds_guessed": self.length is not None and self.length.guessed,
            "stages": {step.stage: step.as_dict() for step in self.steps},
            **({"stale": self.stale} if self.stale else {}),
            "cannot_fit": [{"line": each.line, "lacks_s": each.lacks_s} for each in self.unfit],
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
    def stale(self) -> dict[str, str]:
        """The stages that are cached and stale, and why."""
        return {step.stage: step.stale for step in self.steps if step.stale}

    @property
    def why(self) -> str:
        """The first stage that decides the state, and its reason."""
        if self.held:
            return "; ".join(map(problem_text, self.held))
        if self.state == "cached":
            return "; ".join(f"{stage} is stale: {why}" for stage, why in self.stale.items())
        first = next(step for step in self.steps if step.state == self.state)
        return f"{first.stage}: {first.why}"

    @property
    def minutes(self) -> str:
        if self.length is None:
            return "?"
        return f"{'~' if self.length.guessed else ''}{self.length.seconds / 60:.1f}"


@dataclass(slots=True)
class Work:
    """What all targets of a plan add up to, counted as they pass."""

    states: Counter[str] = field(default_factory=Counter[str])
    stale: int = 0
    """Targets that are cached and stale."""
    time: Estimate = field(default_factory=Estimate)
    """Seconds."""
    space: Estimate = field(default_factory=Estimate)
    """Bytes."""
    unfit: int = 0
    remarks: dict[str, None] = field(default_factory=dict[str, None])
    """For whom a stock voice speaks, and which languages nobody can read back, each said once."""

    def add(self, plan: TargetPlan, history: History) -> None:
        self.states[plan.state] += 1
        self.stale += bool(plan.stale)
        self.remarks |= dict.fromkeys([*missing_consents([(plan.job, plan.unspoken)]), *unread([plan.job])])
        self.unfit += len(plan.unfit)
        for step in plan.steps:
            if step.estimate_s is not None:
                self.time.add(step.estimate_s, history.paces[step.stage])
            if step.estimate_bytes is not None:
                self.space.add(step.estimate_bytes, history.weights[step.stage])

    @property
    def in_words(self) -> str:
        known = STATES if self.states["review"] else STATES[:-1]
        return ", ".join(f"{self.states[state]} {state}" for state in known)


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
    with space.surveyed():
        (_write_json if json_wanted else _write_table)(selection, plans, history, sys.stdout)


def plan_course(
    selection: Selection, workspace: Workspace, history: History, *, refresh: bool = False
) -> Iterator[TargetPlan]:
    """Plan every selected target, one after the other. Loads no engine and no Prefect.

    `history` is what such work took before; with `refresh` what is stale is to be done.
    """

    @cache
    def last_keys() -> Mapping[tuple[str, str, str], str]:
        return workspace.ledger.keys(selection.course.course)

    follow = partial(walk, workspace=workspace, versions=Versions(), refresh=refresh)
    bytes_a_second = cache(partial(_bytes_a_second, selection, workspace))
    lookout = Lookout(selection, workspace, only_looks=True)
    for item in selection.lessons:
        if (seen := lookout.known(item, refresh=refresh)) is not None:
            yield from _up_to_date(item, seen)
            continue
        workspace.digests.read()
        lesson = follow(LESSON_STAGES, item.job, last_keys=last_keys())
        length = _length(item.job.media, media_seconds(lesson.products), bytes_a_second)
        targets: list[Walk] = []
        for number, target in enumerate(item.targets):
            made = follow(TARGET_STAGES, target, before=lesson, last_keys=last_keys())
            targets.append(made)
            # The lesson's own stages cost their time once, so they are counted with its first language.
            before = history.estimated(lesson.steps, length) if number == 0 else lesson.steps
            held = tuple(made.products.outcomes["verify"].commit.notes["problems"]) if is_held(made) else ()
            steps = (*before, *history.estimated(made.steps, length))
            yield TargetPlan(target, steps, length, held, unspoken(target), _unfit(target, made, workspace))
        if all(each.complete for each in targets):
            joint = [
                follow((stage,), item.job, before=Walk((), products))
                for stage, products in joint_stages(
                    item.job, lesson, workspace, dict(zip(item.languages, targets, strict=True))
                )
            ]
            if all(each.complete for each in joint):
                lookout.note(item, lesson, targets, joint)
    lookout.save()


def _up_to_date(item: Wanted, seen: UpToDate) -> Iterator[TargetPlan]:
    """The plans of a lesson of which nothing is to be done."""
    length = Length(seen.length_s) if seen.length_s is not None else None
    for each in seen.targets:
        steps = tuple(
            Step(stage.name, "cached", stale=each.stale[stage.name]) if stage.name in each.stale else step
            for stage, step in zip(PIPELINE, _CACHED, strict=True)
        )
        held = each.problems if each.state == "review" else ()
        target = item.job.model_copy(update={"language": each.language})
        yield TargetPlan(target, steps if each.stale else _CACHED, length, held, each.unspoken)


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


def _write_json(selection: Selection, plans: Iterable[TargetPlan], history: History, to: TextIO) -> None:
    """One document, a line a target."""
    work = Work()
    to.write(f'{{"course": {json.dumps(selection.course.course, ensure_ascii=False)}, "targets": [')
    for number, plan in enumerate(plans):
        work.add(plan, history)
        to.write(("," if number else "") + "\n" + json.dumps(plan.as_dict(), ensure_ascii=False))
    time, room = json.dumps(work.time.as_dict(1)), json.dumps(work.space.as_dict())
    to.write(f'\n], "work_seconds": {time}, "space_bytes": {room}}}\n')


def _write_table(selection: Selection, plans: Iterable[TargetPlan], history: History, to: TextIO) -> None:
    """Columns as wide as the names ask for, so that each line can be written as soon as its target is planned."""
    work = Work()
    names = max((len(item.job.lesson_id) for item in selection.lessons), default=0)
    tags = max((len(tag) for item in selection.lessons for tag in item.languages), default=0)
    wide = (max(names, len("lesson")), max(tags, len("language")))
    to.write(f"{selection.course.course}\n")
    to.write(f"{'lesson':{wide[0]}}  {'language':{wide[1]}}  {'plan':7}  {'minutes':>7}  why\n")
    for plan in plans:
        work.add(plan, history)
        row = f"{plan.job.lesson_id:{wide[0]}}  {plan.job.language or '':{wide[1]}}  {plan.state:7}  {plan.minutes:>7}"
        to.write(f"{row}  {plan.why}".rstrip() + "\n")
        if plan.unfit:
            lines = ", ".join(f"{each.line} ({each.lacks_s:.1f} s)" for each in plan.unfit[:SPELLED_OUT])
            more = f" and {len(plan.unfit) - SPELLED_OUT} more" if len(plan.unfit) > SPELLED_OUT else ""
            to.write(f"{'':{sum(wide) + 4}}cannot be spoken in time, by their letters: {lines}{more}\n")
    to.write(work.in_words + "\n")
    if work.stale:
        to.write(f"{work.stale} stale, and left as they are; `dub run --refresh` does them again\n")
    to.writelines(line + "\n" for line in work.remarks)
    if work.unfit:
        to.write(f"{work.unfit} lines need a shorter text, or `timing: {{hard_max: …}}` higher, to be spoken at all\n")
    if work.time.usual:
        low, usual, high = (f"{value / 60:.1f}" for value in (work.time.low, work.time.usual, work.time.high))
        spread = f" ({low} to {high} by their quartiles)" if low != high else ""
        to.write(f"about {usual} minutes of work, from what earlier runs took{spread}\n")
    if work.space.usual:
        low, usual, high = (in_bytes(value) for value in (work.space.low, work.space.usual, work.space.high))
        spread = f" ({low} to {high} by their quartiles)" if low != high else ""
        to.write(f"about {usual} of space, from what earlier runs wrote{spread}\n")


def missing_consents(found: Iterable[tuple[Job, Mapping[str, str]]]) -> list[str]:
    """For whom a stock voice will speak in which language, and why; each said once, whatever the number of lessons.

    Where the manifest requires consent nothing speaks: the target is blocked, and says so itself.
    """
    said: dict[str, None] = {}
    for job, people in found:
        if not job.course.require_consent:
            said |= {f"{job.language}: a stock voice speaks for {name}: {why}": None for name, why in people.items()}
    return list(said)
