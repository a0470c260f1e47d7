"""Licences of weights: which of them may not be used for a course that is sold, in any stage."""

from __future__ import annotations

from typing import Any

from manifests.engines import chosen
from manifests.errors import EngineUnavailable
from manifests.model import Job, Stage
from tasks.engines import catalogue


def require(job: Job, stage: Stage, wanted: Any) -> None:
    """Raises EngineUnavailable where a course is sold, and weights of its engine for a stage may not be used for that.

    `wanted` is what the job asks of that engine. Weights of the operator's own count as such until the manifest says
    otherwise: only they know on which terms they have them.
    """
    choice = chosen(job.course, stage)
    if not job.course.commercial or choice.commercial:
        return
    refused = [model for model in catalogue.needs(stage, choice.name, wanted) if not model.commercial]
    if not refused:
        return
    names = " and ".join(f"{model.name} (its licence: {model.licence})" for model in refused)
    raise EngineUnavailable(
        f"the course is `commercial: true`, and of the engine {choice.name} {names} may not be used for that.",
        remedy=f"Choose other weights; or, where you may, say so: `engines: {{{stage}: {{name: {choice.name},"
        " commercial: true, …}}`.",
    )
