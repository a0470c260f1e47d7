"""What a stage asks of an engine, and what it gets back.

Every engine has a name, says before any work whether it can do what is wanted (`check`: light, imports nothing heavy),
and who it is for the stage's key (`identity`). One that needs weights is a `Weighted` too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from manifests.script import Speaker, Voice, Word
from manifests.spans import Span
from tasks.engines.models import Model
from tasks.stage import Engine, Workbench

if TYPE_CHECKING:
    from tasks.reference import Reference
    from voiceclone.engine import CloningEngine
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.remote_voices import RemoteVoice
    from voiceclone.saying import Said, Saying

Options = Mapping[str, str | int | float | bool]
"""What the manifest says under `options` of an engine; each engine names those that it does not know."""

Floats = NDArray[np.float32]


class Weighted(Protocol):
    """An engine of any stage that loads models from below `DUB_MODELS`."""

    offers: tuple[Model, ...]
    """Every model that it knows: what `dub models list` shows."""
    accelerated: bool
    """Whether a GPU does its work in a fraction of the time: workers that have one get it."""

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
    """Terms that are likely to be said; none for an engine that says `hears_terms = False`."""
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class Transcriber(Protocol):
    """Hears words in sound, and finds known words in it."""

    name: str
    longest_s: float
    """The longest stretch that it hears at once."""
    writes: bool
    """Whether words come as they are written, with capitals and signs; else sentences are made of them."""

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


class Reader(Transcriber, Protocol):
    """A transcriber whose dictation of a synthetic voice tells little, and that is told what may be said."""

    def read(
        self,
        speech: Path,
        parts: Sequence[tuple[Span, Sequence[str]]],
        wanted: Hearing,
        *,
        cores: int,
        tell: Callable[[float], None],
    ) -> tuple[tuple[str, ...], ...]:
        """The words that are heard in each part, of which its own are expected and others may win; as for `align`."""
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
    exclusive: tuple[tuple[int, float, float], ...] = ()
    """The same as `turns` with one voice at a time: the one that is heard best. Empty where the engine cannot tell."""


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
    terms: tuple[tuple[str, str], ...] = ()
    """The glossary's, source and target, for engines that can be told; the stage sees to them whatever comes."""


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
    tokens: tuple[int, int] = (0, 0)
    """What was read and written for it by an engine that counts them; a batch's stand at its first text."""
    cost: float = 0.0
    """The same in the currency of the engine's prices."""


class Translator(Protocol):
    """Says texts in another language."""

    name: str
    placeholder: str
    """A word, with `{}` for a number, that it hands through as it is: it stands for terms of the glossary."""

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


Control = Literal["rate", "pitch", "pauses", "tone", "emphasis"]
"""What a voice may be asked for; an engine that does not obey leaves it to the stretch, or the record says so."""


@dataclass(frozen=True, slots=True)
class Voicing:
    """What a synthesizer is to do."""

    language: str
    """BCP-47 tag of what is to be spoken."""
    engine: str
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    hearing: Hearing | None = None
    """Who can hear whether a take says its text; None where nobody understands the language."""


class Synthesizer(Protocol):
    """Says lines: in voices that belong to nobody, and in the voice of a person who consents."""

    name: str
    code_licence: str
    """SPDX, of what runs here."""
    weights_licence: str
    """SPDX, of what was trained; in words where that is the operator's, or a vendor's, to know."""
    cloner: str
    """The engine that speaks in people's own voices where this one is chosen: itself, or another; empty for none."""
    obeys: frozenset[Control]
    seeded: bool
    """Whether another seed is another take."""
    sample_rate: int
    """Of what it makes, before it becomes a take."""

    def check(self, wanted: Voicing) -> None:
        """Raises EngineUnavailable where this machine lacks what it takes or it does not speak the language, InputError
        for an option that is none."""
        ...

    def identity(self, wanted: Voicing) -> Engine: ...

    def languages(self, wanted: Voicing) -> tuple[str, ...]:
        """BCP-47 tags; a language covers its regions."""
        ...

    def commercial(self, wanted: Voicing) -> bool:
        """Whether a course that is sold may use it."""
        ...

    def third_party(self, wanted: Voicing) -> str | None:
        """Who gets to hear a person's voice, outside of the operator's own machines: their consent must name them."""
        ...

    def cast(self, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
        """A voice of its own, which belongs to nobody, for each speaker; none where it has none."""
        ...

    def speak(self, sayings: Sequence[Saying], voice: Voice, wanted: Voicing, *, cores: int) -> Iterator[Said | None]:
        """One result a saying, in order, in a voice that `cast` gave; None for a text that it cannot say."""
        ...

    def learn(
        self, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
    ) -> tuple[str, str | None]:
        """Name of the store object that holds a person's voice, and how it is used where there is a choice, and why.

        Raises InputError where there is too little to learn from, ConsentRefused where the grant no longer holds.
        """
        ...

    def speaker(
        self, voice: Voice, wanted: Voicing, registry: Registry, bench: Workbench
    ) -> CloningEngine[Saying, Said]:
        """What speaks in a learned voice, behind a grant: the only way in which anybody's voice is used."""
        ...


class Remote(Protocol):
    """A synthesizer that leaves people's voices with a service."""

    def forget(self, voice: RemoteVoice, registry: Registry) -> None:
        """Delete a voice there, make sure that it is gone, and write that down.

        Raises StageFailed or EngineUnavailable where it could not be deleted.
        """
        ...
