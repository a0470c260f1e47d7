"""Stale results: made by another version of their engine than is installed now.

An upgrade does not redo a library: the version of an engine is noted with what it made, and is no part of the key. What
differs is told, and redone where that is asked for (`dub run --refresh`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifests.errors import DubError
from manifests.model import Job
from tasks.stage import Engine, Stage


def why_stale(engine: Engine | None, made_by: Mapping[str, Any]) -> str:
    """Why a result is stale, by what a commit notes of its engine; empty where it is not, or nothing is noted."""
    was = made_by.get("version")
    if engine is None or was is None or made_by.get("name") != engine.name or was == engine.version:
        return ""
    return f"made by {engine.name} {was}, and {engine.version} is here"


class Versions:
    """The engines of one course as they are here, asked for once a stage and language rather than once a lesson."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Engine | None] = {}

    def stale(self, stage: Stage, job: Job, made_by: Mapping[str, Any]) -> str:
        """As `why_stale`; empty where the engine is not here at all, since then nothing can be made anew."""
        name = str(made_by.get("name", ""))
        if not name:
            return ""
        at = (stage.name, job.language or "", name)
        if at not in self._known:
            try:
                self._known[at] = stage.engine(job)
            except DubError:
                self._known[at] = None
        return why_stale(self._known[at], made_by)
