"""What a stage asks of an engine, and what it gets back.

Every engine has a name, says before any work whether it can do what is wanted (`check`: light, imports nothing heavy),
and who it is for the stage's key (`identity`). One that needs weights is a `Weighted` too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manifests.script import Word
from manifests.spans import Span
from tasks.engines.models import Model
from tasks.stage import Engine

Options = Mapping[str, str | int | float | bool]
"""What the manifest says under `options` of an engine; each engine names those that it does not know."""

Floats = NDArray[np.float32]


class Weighted(Protocol):
    """An engine of any stage that loads models from below `DUB_MODELS`."""

    offers: tuple[Model, ...]
    """Every model that it knows: what `dub models list` shows."""

    def models(self, wanted: Any) -> tuple[Model, ...]:
        """Those that it takes for this (the stage's own `Hearing`, `Listening`, …): what `plan` and `pull` go by.

        Raises InputError or EngineUnavailable for what it could never do.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a transcriber is to do."""

    language: str
    """BCP-47 tag of what is spoken."""
    engine: str
    model: str | None = None
    """The manifest's choice among the engine's models; None for the engine's own."""
    hotwords: tuple[str, ...] = ()
    """Terms that are likely to be said, for engines that listen for some."""
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class Transcriber(Protocol):
    """Hears words in sound, and finds known words in it."""

    name: str
    longest_s: float
    """The longest stretch that it hears at once."""

    def check(self, wanted: Hearing) -> None:
        """Raises EngineUnavailable where this machine lacks what it takes, InputError for an option that is none."""
        ...

    def identity(self, wanted: Hearing) -> Engine: ...

    def recognize(
        self, speech: Path, parts: Sequence[Span], wanted: Hearing, *, cores: int, tell: Callable[[float], None]
    ) -> tuple[Word, ...]:
        """The words in stretches of a mono 16 kHz WAV file, in order, with their times and confidence."""
        ...

    def align(
        self,
        speech: Path,
        parts: Sequence[tuple[Span, Sequence[str]]],
        wanted: Hearing,
        *,
        cores: int,
        tell: Callable[[float], None],
    ) -> tuple[tuple[Span, ...] | None, ...]:
        """When each word of each part is said; None for a part whose words do not fit its sound.

        A part is a stretch of the file, of at most 30 s, and its words as they are spoken, in lower case.
        """
        ...


@dataclass(frozen=True, slots=True)
class Listening:
    """What a diarizer is to do."""

    engine: str
    least: int | None = None
    """At least so many people speak; `least == most` where their number is known."""
    most: int | None = None
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Heard:
    """Who speaks when in a stretch, in seconds from its start."""

    turns: tuple[tuple[int, float, float], ...]
    """Voice (a row of `voices`), start, end; turns of different voices may overlap."""
    voices: Floats
    """One embedding of length 1 for each voice, shape (voices, the engine's dimension)."""
    activity: Floats
    """How likely anybody speaks, 0 to 1, for each frame."""
    frame_s: float
    """Time from one frame of `activity` to the next."""


class Diarizer(Protocol):
    """Tells voices apart."""

    name: str
    stretch_s: float
    """How much it hears at once: memory does not grow with a lesson's length."""
    same_voice: float
    """Cosine of two of its embeddings, each the mean over a stretch, from which on they are one person's."""

    def check(self, wanted: Listening) -> None:
        """Raises EngineUnavailable where this machine lacks what it takes, InputError for an option that is none."""
        ...

    def identity(self, wanted: Listening) -> Engine: ...

    def hear(
        self,
        wave: Floats,
        wanted: Listening,
        *,
        least: int | None,
        most: int | None,
        cores: int,
        tell: Callable[[float], None],
    ) -> Heard:
        """Who speaks when in mono 16 kHz samples of -1 to 1, shape (samples,); `least` and `most` for this stretch."""
        ...


@dataclass(frozen=True, slots=True)
class Translating:
    """What a translator is to do."""

    source: str
    target: str
    """BCP-47 tags."""
    engine: str
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Translated:
    """A text in the target language."""

    text: str
    unknown: tuple[str, ...] = ()
    """Words that the engine does not know: they stand in the text as they were."""
    uninflected: tuple[str, ...] = ()
    """Words that could not be put into their form: they stand there in their dictionary's."""
    hypotheses: tuple[str, ...] = ()
    """Other translations, from the likeliest on, where the engine has any."""


class Translator(Protocol):
    """Says texts in another language."""

    name: str

    def check(self, wanted: Translating) -> None:
        """Raises EngineUnavailable where nothing leads to the target, InputError for an option it does not have."""
        ...

    def identity(self, wanted: Translating) -> Engine: ...

    def route(self, wanted: Translating) -> tuple[str, ...]:
        """The models by which it goes, in order: another way between the languages is another result."""
        ...

    def translate(
        self, texts: Sequence[str], wanted: Translating, *, cores: int, tell: Callable[[float], None]
    ) -> list[Translated]:
        """One translation a text, in order; the texts are the lesson's, so neighbours are context."""
        ...
