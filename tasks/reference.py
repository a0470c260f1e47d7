"""What a person is known by, to an engine that is to speak in their voice: their enrolment, or what they say in a
lesson."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voiceclone.cloner.clips import Clip
    from voiceclone.enrolment import Enrolment
    from voiceclone.enrolments import Enrolments
    from voiceclone.voiceprint import Print


@dataclass(frozen=True, slots=True)
class Reference:
    """A person's own speech."""

    person: str
    language: str | None
    """That they speak in it; None where nobody knows."""
    clips: Callable[[], Sequence[Clip]]
    """What they say, cut into utterances, with the text as far as it is known. Raises InputError where that is too
    little."""
    voice_print: Callable[[], Print]
    """How they sound, for the likeness of takes."""
    enrolment: tuple[Enrolments, Enrolment] | None = None
    """Where it comes from, if not from the lesson."""
