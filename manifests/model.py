"""The manifest: what a course operator asks for.

Pydantic, because a person writes it; `manifests.load` turns YAML and CSV into a `Course` and names every fault by file
and line. The JSON Schema that editors use (`manifests/schema.json`) is generated from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Stage = Literal[
    "split", "diarize", "transcribe", "translate", "clone", "synthesize", "place", "mix", "remux", "verify"
]


class Part(BaseModel):
    """Base of every part of the manifest: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(Part):
    """Somebody who speaks in the course, by an id of their consent, and how their voice is refined."""

    consent: str | None = Field(None, description="id of a record in the consent registry")
    pace: float = Field(1.0, ge=0.5, le=2.0)
    pitch: float = Field(0.0, ge=-12, le=12, description="semitones")
    energy: float = Field(0.0, ge=-12, le=12, description="decibels")
    pauses: float = Field(1.0, ge=0.25, le=4.0)
    tone: Literal["warm", "sharp", "subdued"] | None = None


class Speakers(Part):
    """Who may speak in the lessons, where it is not left to `auto`."""

    single: str | None = Field(None, description="the person who speaks throughout")
    min_speakers: int | None = Field(None, ge=1, le=20)
    max_speakers: int | None = Field(None, ge=1, le=20)
    num_speakers: int | None = Field(None, ge=1, le=20)


class Delivery(Part):
    """What the finished file is."""

    container: Literal["source", "mp4", "m4v", "mov", "mkv", "webm"] = "source"
    loudness: Literal["source", "web", "ebu", "atsc", "netflix"] = "source"
    original_audio: Literal["keep"] = "keep"
    background: Literal["auto", "room_tone"] = "auto"
    subtitles: tuple[Literal["srt", "embedded"], ...] = ("srt", "embedded")


class Timing(Part):
    """How fast a line may be. 1.25 is where listening begins to cost effort (research: timing)."""

    soft_max: float = Field(1.25, ge=1.0, le=2.0)
    hard_max: float = Field(1.4, ge=1.0, le=2.0)
    hold_still_frames: bool = False


class Lesson(Part):
    """One source media file, or a glob of them."""

    media: str
    id: str | None = Field(None, pattern=r"^[^/\\\x00:]+$", description="the file's stem where not given")
    captions: str | None = None
    translations: dict[str, str] = Field(default_factory=dict)
    speakers: dict[str, str] | Speakers | None = Field(
        None, description="labels to people or `stock`, for this lesson only; or how many speak"
    )
    audio_language: str | None = Field(None, description="which audio track, where it is not the source language's")


class Course(Part):
    """A whole manifest."""

    course: str = Field(pattern=r"^[^/\\\x00]+$")
    source_language: str = "en"
    targets: tuple[str, ...] = Field(min_length=1)
    profile: Literal["embedded", "studio"] = "embedded"
    engines: dict[Stage, str] = Field(default_factory=dict)
    schedule: str | None = None
    timezone: str | None = None
    purpose: str = "training_video"
    commercial: bool = False
    require_consent: bool = False
    require_statement: bool = False
    out: str = "out/"
    people: dict[str, Person] = Field(default_factory=dict)
    speakers: Literal["auto"] | Speakers = "auto"
    glossary: str | None = None
    delivery: Delivery = Delivery()
    timing: Timing = Timing()
    quality: dict[str, float] = Field(default_factory=dict)
    lessons: Annotated[tuple[Lesson, ...], Field(min_length=1)]


class Job(Part):
    """One unit of work: a lesson, and for the stages of a target its language too."""

    manifest: Path
    """Absolute path of the manifest."""
    course: Course
    lesson: Lesson
    lesson_id: str
    media: Path
    """Absolute path of the source file."""
    out: Path
    """Absolute folder of the course's outputs (`<out>/<course>`)."""
    language: str | None = None
    """BCP-47 tag of the target; None for what is done once per lesson."""

    @property
    def name(self) -> str:
        """`lesson` or `lesson:language`, as commands take it."""
        return f"{self.lesson_id}:{self.language}" if self.language else self.lesson_id
