"""Who a speaker of a lesson is, by voice, among the people who are enrolled.

A wrong yes would put somebody's words into another person's mouth, so there are three answers: clearly this person;
clearly not; unsure, and then a stock voice speaks. The limits were measured by `benchmarks/voices.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voiceclone.voiceprint import Print, likeness

CLEAR = 0.85
"""Cosine from which on a voice may be a person's. Measured on 14 voices, 9 s against half a recording: two people 0.81
at most, 0.69 in 95 of 100; one person 0.81 to 0.97, below 0.85 only where less than 8 s of them were enrolled."""

MARGIN = 0.06
"""By how much the best person must be more alike than the second."""

OTHER = 0.70
"""Cosine below which a voice is somebody else's, whatever a manifest says: one person never measured below 0.81, two
people below 0.70 in 95 of 100. The room between is for another microphone or another day."""


@dataclass(frozen=True, slots=True)
class Match:
    """What the voice of a speaker says about who they are."""

    label: str
    person: str | None
    """None: unsure, or nobody who is enrolled."""
    similarity: float | None
    """With the best person; None where the speaker could not be heard or nobody is enrolled."""
    reason: str
    """In words fit for a record."""


def match(label: str, voice: Print | None, people: Mapping[str, Print]) -> Match:
    """Say who a speaker is. `voice` is None where they speak too little to be told by voice."""
    if not people:
        return Match(label, None, None, "nobody is enrolled")
    if voice is None:
        return Match(label, None, None, f"{label} speaks too little to be told by voice")
    scores = _scores(voice, people)
    best, similarity = scores[0]
    if similarity < CLEAR:
        return Match(
            label, None, similarity, f"no enrolled voice matches {label} clearly: best {best} {similarity:.2f}"
        )
    if len(scores) > 1 and similarity - scores[1][1] < MARGIN:
        second, near = scores[1]
        why = f"{label} could be {best} ({similarity:.2f}) or {second} ({near:.2f})"
        return Match(label, None, similarity, why)
    return Match(label, best, similarity, f"{label} sounds like {best} ({similarity:.2f})")


def objection(label: str, person: str, voice: Print | None, people: Mapping[str, Print]) -> str | None:
    """Why a speaker whom a manifest calls `person` is somebody else by voice; None where nothing speaks against it.

    `person` is enrolled. A speaker who says too little to be told by voice is who the manifest says.
    """
    if voice is None:
        return None
    own = round(likeness(voice, people[person]), 3)
    if own < OTHER:
        return f"the manifest calls {label} {person}, but the voice is somebody else's ({own:.2f})"
    best, similarity = _scores(voice, people)[0]
    if best != person and similarity >= CLEAR and similarity - own >= MARGIN:
        return f"the manifest calls {label} {person} ({own:.2f}), but the voice is {best}'s ({similarity:.2f})"
    return None


def _scores(voice: Print, people: Mapping[str, Print]) -> list[tuple[str, float]]:
    found = [(name, round(likeness(voice, own), 3)) for name, own in people.items()]
    return sorted(found, key=lambda each: (-each[1], each[0]))
