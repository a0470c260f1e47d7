"""Which engines there are for a stage, and which one a course chose: names only, nothing is imported.

An engine is an entry point of the stage's group, so that any installed package can bring one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import metadata
from importlib.metadata import entry_points
from typing import Final

from manifests.model import Course, EngineChoice, Stage

GROUPS: Final[Mapping[Stage, str]] = {
    "diarize": "dubflow.diarizers",
    "transcribe": "dubflow.transcribers",
    "translate": "dubflow.translators",
    "synthesize": "dubflow.synthesizers",
}
"""The stages that have a choice of engines, with the group of entry points in which theirs are found."""

PROFILES: Final[Mapping[str, Mapping[Stage, str]]] = {
    "embedded": {
        "diarize": "pyannote",
        "transcribe": "pocketsphinx",
        "translate": "apertium",
        "synthesize": "espeak-ng",
    },
    "studio": {
        "diarize": "pyannote-community-1",
        "transcribe": "whisperx",
        "translate": "argos",
        "synthesize": "qwen3-tts",
    },
}


@lru_cache
def installed(stage: Stage) -> tuple[str, ...]:
    """Names of the engines for a stage, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUPS[stage])}))


@cache
def version(package: str) -> str:
    """The version of an installed package; cached, since every key of a library asks for it. Raises
    PackageNotFoundError."""
    return metadata.version(package)


def chosen(course: Course, stage: Stage) -> EngineChoice:
    """The engine of a stage: the course's own choice, else its profile's."""
    return course.engines.get(stage) or EngineChoice(name=PROFILES[course.profile][stage])
