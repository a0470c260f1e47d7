"""Who a speaker of a lesson is, by voice, among the people who are enrolled.

A wrong yes would put somebody's words into another person's mouth, so there are three answers: clearly this person;
clearly not; unsure, and then a stock voice speaks. The limits were measured by `benchmarks/voices.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from voiceclone.voiceprint import Print, likeness

CLEAR = 0.85
"""Cosine from which on a voice may be a person's. Measured on 14 voices, 9 s against half a recording: two people 0.81
at most, 0.69 in 95 of 100; one person 0.81 to 0.97, below 0.85 only where less than 8 s of them were enrolled."""

MARGIN = 0.06
"""By how much the best person must be more alike than the second."""

OTHER = 0.70
"""Cosine below which a voice is somebody else's, whatever a manifest says: one person never measured below 0.81, two
people below 0.70 in 95 of 100. The room between is for another microphone or another day."""

APART = 0.79
"""Cosine below which two speakers of one lesson are two people: there, microphone and room are the same for both.
Measured as `quality.TWO_VOICES`: one person's windows, parted as unlike as can be, 0.80 to 0.97."""


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
        why = f"no one enrolled sounds like {label} ({similarity:.2f} at most, {CLEAR:.2f} is clear)"
        return Match(label, None, similarity, why)
    if len(scores) > 1 and similarity - scores[1][1] < MARGIN:
        second, near = scores[1]
        why = f"by voice {label} is between {best} ({similarity:.2f}) and {second} ({near:.2f})"
        return Match(label, None, similarity, why)
    return Match(label, best, similarity, f"{label} sounds like {best} ({similarity:.2f})")


def match_all(voices: Mapping[str, Print | None], people: Mapping[str, Print]) -> dict[str, Match]:
    """Say who each speaker of one lesson is, by label.

    Two of them are the same person only where both match clearly and they are not two voices to each other; of two
    voices that both resemble somebody, one is that person only by a margin: a microphone and a room that make strangers
    resemble somebody do so for all of them.
    """
    found = {label: match(label, voice, people) for label, voice in voices.items()}
    settled = dict(found)
    for person in people:
        claims = sorted(
            (each for each in found.values() if each.person == person),
            key=lambda each: (-(each.similarity or 0.0), each.label),
        )
        if not claims:
            continue
        first, own = claims[0], voices[claims[0].label]
        for label, voice in voices.items():
            if voice is None or own is None or likeness(own, voice) >= APART:
                continue
            near = round(likeness(voice, people[person]), 3)
            if (first.similarity or 0.0) - near < MARGIN:
                why = (
                    f"{first.label} ({first.similarity:.2f}) and {label} ({near:.2f}) are two voices, and both resemble"
                    f" {person}"
                )
                settled |= {each.label: replace(each, person=None, reason=why) for each in claims}
                break
            if found[label].person == person:
                why = f"{label} resembles {person} ({near:.2f}), but {first.label} does more, and they are two voices"
                settled[label] = replace(found[label], person=None, reason=why)
    return settled


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
