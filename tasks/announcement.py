"""The spoken disclosure: one sentence that says in the dub itself that its voices are synthetic.

A stock voice says it, never a person's. No line gives way to it: it is said before the first line where there is room,
else in the first pause that holds it, else after the last line, else not at all, which the record then says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import EngineUnavailable
from manifests.script import Script
from manifests.spans import Span, merged, samples
from manifests.store import Store
from manifests.timeline import Timeline
from tasks import disclosure
from tasks.engines import espeak
from tasks.stage import digest

FASTEST = 1.15
"""A rate that listeners do not notice as fast."""

APART = samples(0.3)
"""Silence between it and a line."""

EDGE = samples(0.1)
"""Silence between it and the programme's own start or end."""

VARIANT = "f2"
"""The stock variant that says it."""

LINE = "disclosure"
"""What it is called among the lines of a mix."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The spoken disclosure of a target."""

    text: str
    voice: str
    """espeak-ng's name of the voice."""
    audio: str
    """Name of the store object that holds the sound."""
    length: int
    """Samples at the voice's normal rate."""
    span: Span | None
    """When it is said; None where no pause holds it."""

    @property
    def rate(self) -> float | None:
        return self.length / self.span.length if self.span else None


def announcement(language: str, script: Script, timeline: Timeline, store: Store) -> Announcement | None:
    """The spoken disclosure in a language (BCP-47); None where nothing synthetic is spoken.

    Raises EngineUnavailable where espeak-ng or its voice for the language is missing.
    """
    import soundfile

    if not timeline.placements:
        return None
    text = disclosure.sentence(language)
    base = espeak.voice_of(language if text != disclosure.SENTENCES["en"] else "en")
    if base is None:
        raise EngineUnavailable(
            f"espeak-ng has no voice for a disclosure in {language}.",
            remedy="Leave `disclosure: {spoken: true}` out; the subtitle says it.",
        )
    voice = f"{base}+{VARIANT}"
    key = digest({"text": text, "voice": voice, "wpm": espeak.NORMAL_WPM})

    def speak(folder: Path) -> Path:
        return espeak.speak(text, voice, 50, folder / "announcement.flac")

    audio = store.made("announcement", key, speak)
    length = soundfile.info(audio).frames
    taken = [placement.span for placement in timeline.placements]
    return Announcement(text, voice, audio.name, length, room(length, taken, script.unrecognized, timeline.length))


def room(length: int, lines: Sequence[Span], others: Sequence[Span], programme: int) -> Span | None:
    """The first stretch that holds `length` samples of speech, at most 1.15 times as fast, beside lines and others.

    `others` is speech that stays as it is. Before the first line it ends as late as it can, so that the line follows
    it; elsewhere it starts as soon as it can. None where no stretch holds it.
    """
    shortest = -(-length * 100 // round(FASTEST * 100))
    taken = merged((*lines, *others))
    starts = (EDGE, *(span.end + APART for span in taken))
    ends = (*(span.start - APART for span in taken), programme - EDGE)
    first = min((span.start for span in lines), default=programme)
    for start, end in zip(starts, ends, strict=True):
        if end - start < shortest:
            continue
        lasts = min(length, end - start)
        return Span(end - lasts, end) if end <= first and end < programme - EDGE else Span(start, start + lasts)
    return None
