"""A plan, printed while it is made: a line for each target, then the totals."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TextIO

from flows.collecting import in_bytes
from flows.estimates import Estimate, History
from flows.target_plan import TargetPlan
from flows.wanted import Selection
from manifests.model import Job
from tasks.understanding import unread

STATES: Final = ("cached", "run", "blocked", "failed", "review")

SPELLED_OUT: Final = 5
"""How many of the lines that cannot fit the table names; --json names all."""


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
    """Remarks, each made once: for whom a stock voice speaks, and which languages nobody can read back."""
    _asked: set[tuple[str | None, tuple[tuple[str, str], ...]]] = field(
        default_factory=set[tuple[str | None, tuple[tuple[str, str], ...]]]
    )
    """Languages and refusals whose remarks are there."""

    def add(self, plan: TargetPlan, history: History) -> None:
        self.states[plan.state] += 1
        self.stale += bool(plan.stale)
        if (asked := (plan.job.language, tuple(plan.unspoken.items()))) not in self._asked:
            self._asked.add(asked)
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


def write_json(selection: Selection, plans: Iterable[TargetPlan], history: History, to: TextIO) -> None:
    """One document, a line a target."""
    work = Work()
    to.write(f'{{"course": {json.dumps(selection.course.course, ensure_ascii=False)}, "targets": [')
    for number, plan in enumerate(plans):
        work.add(plan, history)
        to.write(("," if number else "") + "\n" + json.dumps(plan.as_dict(), ensure_ascii=False))
    time, room = json.dumps(work.time.as_dict(1)), json.dumps(work.space.as_dict())
    to.write(f'\n], "work_seconds": {time}, "space_bytes": {room}}}\n')


def write_table(selection: Selection, plans: Iterable[TargetPlan], history: History, to: TextIO) -> None:
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
