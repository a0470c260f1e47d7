"""What a run would do for one target, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flows.estimates import Length
from manifests.model import Job
from manifests.timeline import Unplaced
from tasks.pipeline import PIPELINE
from tasks.plan import Step, worst
from tasks.told_problems import in_a_row, problems_text

CACHED: Final = tuple(Step(stage.name, "cached") for stage in PIPELINE)
"""The steps of a target with nothing to do and nothing to say."""

_CACHED_STAGES: Final = {step.stage: step.as_dict() for step in CACHED}

_STOPPED: Final = ("blocked", "failed")


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
            "stages": _CACHED_STAGES if self.steps is CACHED else {step.stage: step.as_dict() for step in self.steps},
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
            return problems_text(self.held)
        if self.state == "cached":
            return in_a_row(f"{stage} is stale: {why}" for stage, why in self.stale.items())
        first = next(step for step in self.steps if step.state == self.state)
        return f"{first.stage}: {first.why}"

    @property
    def minutes(self) -> str:
        if self.length is None:
            return "?"
        return f"{'~' if self.length.guessed else ''}{self.length.seconds / 60:.1f}"
