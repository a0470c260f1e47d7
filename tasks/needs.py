"""Which models a job needs, and which there are. The engines are asked, and none is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from manifests.engines import GROUPS, chosen, installed
from manifests.errors import EngineUnavailable
from manifests.model import Job, Stage
from tasks import diarize, transcribe, translate, understanding, voice_terms
from tasks.engines import catalogue, hdemucs
from tasks.engines.models import Model

WANTED: Final[Mapping[Stage, Callable[[Job], Any]]] = {
    "diarize": diarize.params,
    "transcribe": transcribe.params,
    "translate": translate.wanted,
    "synthesize": voice_terms.wanted,
}
"""What a job asks of the engine of each stage."""


@dataclass(frozen=True, slots=True)
class Need:
    """A model, and the engine that it is for."""

    stage: Stage
    engine: str
    model: Model


_SEPARATOR: Final = Need("mix", "hdemucs", hdemucs.MODEL)


def of_jobs(jobs: Iterable[Job]) -> tuple[Need, ...]:
    """What jobs need, each once, in the order of the stages.

    Raises EngineUnavailable and InputError as the engines do for what they could never do.
    """
    found: dict[tuple[Stage, str], Need] = {}
    every = list(jobs)
    for stage, wanted in WANTED.items():
        for job in every:
            engine = chosen(job.course, stage).name
            for model in catalogue.needs(stage, engine, wanted(job)):
                found.setdefault((stage, model.name), Need(stage, engine, model))
    for job in every:
        if job.course.quality.read_back is not None:
            for engine, model in understanding.models(job):
                found.setdefault(("transcribe", model.name), Need("transcribe", engine, model))
        if job.course.delivery.background == "separate":
            found.setdefault(("mix", _SEPARATOR.model.name), _SEPARATOR)
    return tuple(found.values())


def offered() -> tuple[Need, ...]:
    """Every model that any installed engine knows; an engine that cannot be made is passed over."""
    found: list[Need] = []
    for stage in GROUPS:
        for engine in installed(stage):
            try:
                found += [Need(stage, engine, model) for model in catalogue.offers(stage, engine)]
            except EngineUnavailable:
                continue
    return (*found, _SEPARATOR)
