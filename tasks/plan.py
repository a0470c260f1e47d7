"""What a run would do, and why, without doing any of it.

The same keys and the same store that a run looks at, walked stage by stage: what is there is `cached`; the first stage
that is not is `run`, with the reason, and so is everything after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from manifests.errors import ConsentRefused, DubError, EngineUnavailable
from manifests.model import Job
from manifests.workspace import Workspace
from tasks import split, transcribe
from tasks.perform import Outcome, Products, key_of, standing
from tasks.reasons import Cause, causes, in_words
from tasks.stage import Stage
from tasks.staleness import Versions

_NOT_MADE = "not made yet"

StepState = Literal["cached", "run", "blocked", "failed"]


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of one target in a plan."""

    stage: str
    state: StepState
    why: str = ""
    stale: str = ""
    """Why it would be done with `refresh`, of a stage that is cached: another version of its engine made it."""
    because: tuple[Cause, ...] = ()
    """What changed, of a stage that is to be done again."""
    estimate_s: float | None = None
    estimate_bytes: float | None = None

    def as_dict(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"state": self.state}
        if self.state == "cached":
            facts["cached"] = True
        if self.why:
            facts["why"] = self.why
        if self.stale:
            facts["stale"] = self.stale
        if self.because:
            facts["because"] = [cause.as_dict() for cause in self.because]
        if self.estimate_bytes is not None:
            facts["bytes"] = round(self.estimate_bytes)
        if self.estimate_s is not None:
            facts["seconds"] = round(self.estimate_s, 1)
        return facts


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a job is done: its steps so far, and what they made."""

    steps: tuple[Step, ...]
    products: Products

    @property
    def complete(self) -> bool:
        return all(step.state == "cached" for step in self.steps)

    @property
    def stale(self) -> dict[str, str]:
        """The stages whose results are stale, and why."""
        return {step.stage: step.stale for step in self.steps if step.stale}

    @property
    def state(self) -> StepState:
        """The state of the whole: that of its worst step."""
        return worst(self.steps)


def after_failure(steps: Sequence[Step], stage: str, message: str) -> tuple[Step, ...]:
    """The same steps; that stage is done again because it failed last time, where nothing it depends on changed."""
    return tuple(
        replace(step, why=f"failed last time: {message}")
        if step.stage == stage and step.state == "run" and step.why == _NOT_MADE
        else step
        for step in steps
    )


def worst(steps: Sequence[Step]) -> StepState:
    """The state that stands for all of them."""
    states = {step.state for step in steps}
    worst_first: tuple[StepState, ...] = ("failed", "blocked", "run", "cached")
    return next(state for state in worst_first if state in states or state == "cached")


def walk(
    stages: Sequence[Stage],
    job: Job,
    workspace: Workspace,
    before: Walk | None = None,
    *,
    force: frozenset[str] = frozenset(),
    last_keys: Mapping[tuple[str, str, str], str] | None = None,
    versions: Versions | None = None,
    refresh: bool = False,
) -> Walk:
    """Follow the stages of a job through the store; starts nothing and loads no engine.

    `last_keys` are the ledger's latest keys, by lesson, language and stage: they tell why something is to be done, and
    which media files nobody need open to know that it is. With `versions` it is told what is stale, and what is stale
    is to be done with `refresh`.
    """
    steps: list[Step] = []
    products = before.products if before else Products()
    state = before.state if before else "cached"
    for stage in stages:
        try:
            stage.checked(job)
            if state == "cached" and stage.name in force:
                state = "run"
                steps.append(Step(stage.name, "run", "asked for"))
            elif state == "cached" and last_keys is not None and _is_new(stage, job, workspace, last_keys):
                state = "run"
                steps.append(Step(stage.name, "run", _NOT_MADE))
            elif state == "cached":
                key, digests = key_of(stage, job, products, workspace)
                commit = standing(stage, key, workspace)
                stale = versions.stale(stage, job, commit.engine) if versions and commit else ""
                if stale and refresh:
                    state = "run"
                    steps.append(Step(stage.name, "run", f"stale: {stale}"))
                    continue
                if commit is not None:
                    products = products.plus(Outcome(stage.name, commit, cached=True, seconds=commit.seconds))
                    steps.append(Step(stage.name, "cached", _as_before(commit.notes), stale))
                    continue
                state = "run"
                why, because = _why(stage, job, key, digests, workspace=workspace, last_keys=last_keys or {})
                steps.append(Step(stage.name, "run", why, because=because))
            else:
                steps.append(Step(stage.name, "blocked" if state in ("blocked", "failed") else "run", "follows"))
        except (EngineUnavailable, ConsentRefused) as error:
            state = "blocked"
            steps.append(Step(stage.name, "blocked", str(error)))
        except DubError as error:
            state = "failed"
            steps.append(Step(stage.name, "failed", str(error)))
    return Walk(tuple(steps), products)


def _as_before(notes: Mapping[str, Any]) -> str:
    """What was kept of the earlier cut of a lesson that was edited again."""
    return f"{notes['as_before']} of {notes['utterances']} lines are as before" if "as_before" in notes else ""


def _is_new(stage: Stage, job: Job, workspace: Workspace, last_keys: Mapping[tuple[str, str, str], str]) -> bool:
    """Whether a stage works from a media file that nobody has read yet, so that nobody can have made anything of it.

    A library of new lessons is planned without opening one.
    """
    if "source" not in stage.needs or (job.lesson_id, job.language or "", stage.name) in last_keys:
        return False
    try:
        return not workspace.digests.has_seen(job.media)
    except OSError:
        return False  # whoever opens it says what is wrong


def _why(
    stage: Stage,
    job: Job,
    key: str,
    digests: Mapping[str, str],
    *,
    workspace: Workspace,
    last_keys: Mapping[tuple[str, str, str], str],
) -> tuple[str, tuple[Cause, ...]]:
    """Why a stage is to be done, in words and, where its last result tells, item by item."""
    last = last_keys.get((job.lesson_id, job.language or "", stage.name))
    if last is None:
        return _NOT_MADE, ()
    if last == key:
        return "its result is gone or was changed", ()
    commit = workspace.store.committed(stage.name, last)
    found = causes(stage, job, digests, commit) if commit else ()
    why = in_words(found) or "what it depends on changed"
    if stage.name == split.STAGE.name and (lines := transcribe.lines_to_keep(job, last_keys, workspace)):
        why += f"; of its {lines} lines, those that sound as before are kept"
    return why, found
