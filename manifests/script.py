"""What is said: turns, words, utterances of the source, and the lines of a target language.

Plain frozen data that the stages hand to each other as JSON files in the store; `load` and `dump` are the only way in
and out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from manifests.spans import Span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """One stretch in which one speaker speaks, as diarization hears it."""

    speaker: str
    span: Span


@dataclass(frozen=True, slots=True)
class Speaker:
    """A label of one lesson (`SPEAKER_00` is who speaks first) and what its voice measures."""

    label: str
    pitch_hz: float | None
    """Median fundamental frequency of the speaker's voiced speech; None where none could be measured."""
    speech_s: float


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who speaks when. Turns are in order of start and may overlap where people do."""

    speakers: tuple[Speaker, ...]
    turns: tuple[Turn, ...]
    speech: tuple[Span, ...]
    """Where anybody speaks at all, merged and in order."""
    exclusive: tuple[Turn, ...] = ()
    """Turns of which no two overlap, by whom each word is said; none where the engine tells only who speaks."""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    span: Span
    confidence: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of source speech by one speaker; `id` counts from 1 in order of start, as text (`"1"`)."""

    id: str
    speaker: str
    span: Span
    text: str
    words: tuple[Word, ...]
    confidence: float
    flags: tuple[str, ...] = ()
    earlier: tuple[Span, ...] = ()
    """Where the same sound was in earlier cuts of the lesson, the latest last: its words are as they were there."""


@dataclass(frozen=True, slots=True)
class Script:
    """A lesson's utterances in order of start, in the source language."""

    language: str
    utterances: tuple[Utterance, ...]
    unrecognized: tuple[Span, ...] = ()
    """Speech in which no word was recognized: it is left as it was, and the record says so."""
    pitch_hz: dict[str, float] = field(default_factory=dict[str, float])
    """Of speakers whom an earlier cut had: what was measured there, so that their voices stay as they were."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A shorter way to say a line, for where there is no time for the full one."""

    text: str
    trimmed: tuple[str, ...]
    """What it leaves out or says shorter, such as `"por supuesto"` or `"con el fin de" to "para"`."""
    cost: float
    """What it loses, in the unit of `tasks.pacing`; above zero, and higher for each shorter rendering of a line."""
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance in a target language. `id` is the utterance's."""

    id: str
    text: str
    """What subtitles show and the voice says; words in `<em>…</em>` are said with emphasis and shown without tags."""
    origin: Literal["machine", "human", "memory"] = "machine"
    checks: tuple[str, ...] = ()
    """Remarks for a linguist, such as `unknown word: photosynthesis`."""
    trimmed: tuple[str, ...] = ()
    """What the text leaves out or says shorter, because there was no time for it."""
    renderings: tuple[Rendering, ...] = ()
    """Shorter ones, from the mildest on; none for what a person wrote, or once one has been chosen."""
    flags: tuple[str, ...] = ()
    """How it came about where that is not plain, such as `not in the translation`."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A script in a target language: one line an utterance, in the same order."""

    language: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """What speaks a line."""

    kind: Literal["clone", "stock", "recorded"]
    engine: str
    name: str
    """The engine's own name of the voice, e.g. `es+m3`; for a clone, the digest of the trained voice."""
    person: str | None = None
    consent: str | None = None
    reason: str | None = None
    """Why this voice and not the person's own."""
    pitch: int = 50
    """The engine's pitch setting, 0 to 99; 50 is the voice's own."""
    seed: int | None = None
    similarity: float | None = None
    use: str | None = None
    """How the engine uses what it learned of the person where it has a choice, and why."""


@dataclass(frozen=True, slots=True)
class Casting:
    """Which voice speaks for each speaker label of a lesson in one language."""

    language: str
    voices: dict[str, Voice]


@lru_cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def load(kind: type[T], path: Path) -> T:
    """Read a dataclass that `dump` wrote."""
    return parsed(kind, path.read_bytes())


def parsed(kind: type[T], data: bytes) -> T:
    """The dataclass that `written` made these bytes of."""
    value: T = _adapter(kind).validate_json(data)
    return value


def dump(value: object, path: Path) -> Path:
    """Write a dataclass as JSON; the same value gives the same bytes."""
    path.write_bytes(written(value))
    return path


def written(value: object) -> bytes:
    """A dataclass as JSON."""
    return _adapter(type(value)).dump_json(value, indent=1)
