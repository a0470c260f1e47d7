"""Who each speaker of a lesson is: what the manifest says of a label, held against the voice, or the voice alone.

A label is never an identity: it is numbered by first speech, so a cut at the start of a lesson moves it to somebody
else. What a manifest says of labels is therefore refused where the voice is clearly not that person's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from manifests.rules import STOCK
from manifests.script import Diarization, Speaker
from manifests.spans import Span, samples
from voiceclone import matching
from voiceclone.excerpts import SHORTEST, speaker_print
from voiceclone.matching import APART, OTHER, objection
from voiceclone.voiceprint import Mono, Print, likeness

EVERYONE = "*"
"""In place of a label: whoever speaks."""

_LEAST_TO_OBJECT = samples(2.5)
"""Speech from which on a voice can be clearly somebody else's; one 3 s window of a person never measured below 0.80."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a speaker is, as far as that is sure."""

    person: str | None
    reason: str = ""
    """Why nobody, in words fit for a record."""
    refused: bool = False
    """Whether the manifest names somebody here, and the voice is not theirs."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a manifest says of who speaks."""

    people: Mapping[str, str]
    """Label to person or `stock`; `EVERYONE` where one person speaks throughout."""
    known: Mapping[str, str]
    """Person to where their voice is known from, as `their enrolment`."""
    by_voice: bool = False
    """Whether speakers whom it does not name are compared with the people who are known."""
    unknown: str = ""
    """Why a speaker who is not named, nor compared with anybody, is nobody; empty for the plain reason."""


def identify(
    found: Diarization, named: Named, voices: Mapping[str, Print], hear: Callable[[Span], Mono]
) -> dict[str, Identity]:
    """Who every speaker of a lesson is, by label. `voices` holds the print of everybody in `named.known`.

    `hear` gives the mono 16 kHz sound of a span; it is called only where voices must be compared. Raises
    EngineUnavailable where the speech detector or the speaker encoder is missing.
    """
    prints: dict[tuple[str, int], Print | None] = {}

    def heard(label: str, least: int) -> Print | None:
        if (label, least) not in prints:
            prints[label, least] = speaker_print(found, label, hear, least=least)
        return prints[label, least]

    out: dict[str, Identity] = {}
    open_labels: list[str] = []
    claims: dict[str, list[Speaker]] = {}
    for speaker in found.speakers:
        label = speaker.label
        name = named.people.get(label, named.people.get(EVERYONE))
        if name == STOCK:
            out[label] = Identity(None, f"the manifest gives {label} a stock voice")
        elif name is not None:
            claims.setdefault(name, []).append(speaker)
        elif named.by_voice and voices:
            open_labels.append(label)
        else:
            out[label] = Identity(None, named.unknown or f"no person is named for {label}")
    alone = EVERYONE in named.people
    for person, speakers in claims.items():
        sounds = (
            {each.label: heard(each.label, _LEAST_TO_OBJECT) for each in speakers}
            if (person in voices or len(speakers) > 1)
            else {speakers[0].label: None}
        )
        out |= _held(person, speakers, sounds, named, voices, alone=alone)
    if open_labels:
        sounds = {label: heard(label, SHORTEST) for label in open_labels}
        for label, match in matching.match_all(sounds, voices).items():
            reason = match.reason + (f"; {named.unknown}" if named.unknown and match.person is None else "")
            out[label] = Identity(match.person, "" if match.person else reason)
    return {speaker.label: out[speaker.label] for speaker in found.speakers}


def leading(speakers: Sequence[Speaker]) -> str:
    """The label under which most is said; the first of equals."""
    return min(speakers, key=lambda each: (-each.speech_s, each.label)).label


def _held(
    person: str,
    speakers: Sequence[Speaker],
    sounds: Mapping[str, Print | None],
    named: Named,
    voices: Mapping[str, Print],
    *,
    alone: bool,
) -> dict[str, Identity]:
    """The speakers whom a manifest gives one person, each held against that person's voice and against each other."""
    out: dict[str, Identity] = {}
    own = voices.get(person)
    for speaker in speakers:
        why = objection(speaker.label, person, sounds[speaker.label], voices) if own is not None else None
        if why is not None:
            out[speaker.label] = Identity(None, f"{why}; {person}'s voice is known from {named.known[person]}", True)
    left = [each for each in speakers if each.label not in out]
    if not left:
        return out
    main = leading(left)
    theirs = sounds[main]
    for speaker in left:
        voice = sounds[speaker.label]
        out[speaker.label] = Identity(person)
        if speaker.label == main:
            continue
        alike = max(
            (likeness(voice, each) for each in (theirs, own) if voice is not None and each is not None), default=None
        )
        # Under `single` nobody said that this label is theirs; diarization heard another voice than the main one.
        if alone and (alike is None or alike < APART):
            told = "speaks too little to be told by voice" if alike is None else f"is another voice ({alike:.2f})"
            out[speaker.label] = Identity(
                None, f"one person, {person}, is named throughout, and {speaker.label} {told}"
            )
        elif not alone and voice is not None and theirs is not None and (near := likeness(voice, theirs)) < OTHER:
            why = f"the manifest calls both {main} and {speaker.label} {person}, but they are two voices ({near:.2f})"
            out[speaker.label] = Identity(None, why, True)
    if alone:  # somebody is that person, so another voice is a guest's, and no fault of the manifest
        out = {label: Identity(each.person, each.reason) for label, each in out.items()}
    return out
