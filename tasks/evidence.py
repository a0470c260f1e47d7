"""Evidence: what the stages of a target decided, and what its finished file is checked against."""

from __future__ import annotations

from dataclasses import dataclass

from manifests.script import Casting, Lines, Script
from manifests.timeline import Takes, Timeline
from tasks.delivery import Delivery
from tasks.media import Media
from tasks.mix_measures import Mix


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a finished file before it is looked at."""

    course: str
    lesson: str
    language: str
    source: str
    """The source's path as the record names it."""
    hard_max: float
    watermark: bool = True
    """Whether the dub is expected to carry one."""
    switched_off: tuple[str, ...] = ()
    """Ways of disclosure that the manifest asks to leave out."""
    reason: str | None = None
    hls: str | None = None
    """Where the lesson's streams are, relative to the outputs, if they are asked for."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the stages of a target decided."""

    media: Media
    script: Script
    lines: Lines
    casting: Casting
    takes: Takes
    timeline: Timeline
    mix: Mix
    delivery: Delivery
