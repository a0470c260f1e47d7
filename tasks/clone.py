"""Clone: decide which voice speaks for each speaker, and ask for every permission that takes.

A person's own voice is used only where the consent registry grants it, and learned from what they say in the lesson
itself; a speaker without such a grant, or with too little speech to learn from, gets a stock voice, and the record says
why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manifests.errors import ConsentRefused, EngineUnavailable, InputError
from manifests.model import Job, Speakers
from manifests.script import Casting, Diarization, Script, Speaker, Voice, dump, load
from tasks import own_voice
from tasks.engines import espeak
from tasks.stage import Engine, Made, Stage, Workbench
from voiceclone import workspaces
from voiceclone.grant import Grant
from voiceclone.registry import Registry

STOCK = "stock"
"""What a manifest writes for a speaker who is to have a voice that belongs to nobody."""

Learn = Callable[[str, frozenset[str]], Voice]
"""Learns the voice of a person from what these speaker labels say. Raises InputError where that is too little."""

_APART_OCTAVES = 1 / 6
"""How far two voices lie apart in pitch where that can be: two semitones, of which anyone hears the difference."""

_NEAR_OCTAVES = math.log2(1.2)
"""How far a voice may lie from its speaker's pitch to be apart from the others: a fifth."""

_UNMEASURED_HZ = float(espeak.STOCK["m3"])
"""The pitch of the first low voice, for a speaker of whom none was measured."""


@dataclass(frozen=True, slots=True)
class Params:
    """Everything that the choice of voices depends on beside the sound."""

    language: str
    course: str
    purpose: str
    commercial: bool
    require_consent: bool = False
    require_statement: bool = False
    people: dict[str, str] = field(default_factory=dict[str, str])
    """Speaker label to the person whom the manifest names for it; `*` for whoever speaks."""
    consents: dict[str, str] = field(default_factory=dict[str, str])
    """Person to the id of their consent."""
    registry: str = ""
    """Digest of what the registry says of these consents: a revocation makes another key."""

    def person(self, label: str) -> str | None:
        """Whom the manifest names for a label; None for nobody, and for `stock`."""
        person = self.named(label)
        return None if person == STOCK else person

    def named(self, label: str) -> str | None:
        """What the manifest says of a label: a person, `stock` or nothing."""
        return self.people.get(label, self.people.get("*"))

    def grant(self, person: str, registry: Registry) -> Grant:
        """The registry's yes to this use of a person's voice. Raises ConsentRefused."""
        consent = self.consents.get(person)
        if consent is None:
            raise ConsentRefused(
                f"the manifest names no consent for {person}", remedy=f"Add one: people: {{{person}: {{consent: ID}}}}"
            )
        return registry.grant(
            consent=consent,
            person=person,
            language=self.language,
            course=self.course,
            purpose=self.purpose,
            commercial=self.commercial,
            require_statement=self.require_statement,
        )


def cast(diarization: Diarization, params: Params, registry: Registry, learn: Learn) -> Casting:
    """A voice for every speaker of a lesson: their own where it is granted, else a stock voice.

    Raises ConsentRefused where the manifest requires consent and a named person's is missing, EngineUnavailable where
    there is no stock voice for the language.
    """
    reasons = {speaker.label: _reason(speaker.label, params, registry) for speaker in diarization.speakers}
    own: dict[str, Voice] = {}
    for person in sorted({params.person(label) or "" for label, reason in reasons.items() if reason is None}):
        labels = frozenset(label for label in reasons if params.person(label) == person)
        try:
            voice = learn(person, labels)
        except (InputError, EngineUnavailable) as error:
            reasons |= dict.fromkeys(labels, f"consent granted, but {error.message}")
        else:
            own |= dict.fromkeys(labels, voice)
    others = [speaker for speaker in diarization.speakers if speaker.label not in own]
    told = {label: reason or "" for label, reason in reasons.items()}
    return Casting(params.language, own | stock_voices(params.language, others, told))


def stock_voices(language: str, speakers: Sequence[Speaker], reasons: Mapping[str, str]) -> dict[str, Voice]:
    """Voices that belong to nobody: low for a low speaker, another one for each, near each speaker's own pitch."""
    base = espeak.voice_of(language)
    if base is None:
        raise EngineUnavailable(
            f"espeak-ng has no voice for {language}.", remedy=f"It has: {', '.join(espeak.languages())}."
        )
    stands_in = base.split("-")[0] != language.split("-", maxsplit=1)[0]
    voices: dict[str, Voice] = {}
    used: dict[str, int] = {}
    pitches = spread_pitches(speakers)
    for speaker in speakers:
        fitting = [name for name in espeak.STOCK if name.startswith("m" if _is_low(speaker) else "f")]
        variant = min(fitting, key=lambda name: (used.get(name, 0), fitting.index(name)))
        used[variant] = used.get(variant, 0) + 1
        reason = reasons[speaker.label] + (
            f"; espeak-ng has no {language} voice, its {base} reads" if stands_in else ""
        )
        voices[speaker.label] = Voice(
            kind="stock",
            engine="espeak-ng",
            name=f"{base}+{variant}",
            pitch=espeak.pitch_setting(variant, pitches[speaker.label]),
            reason=reason,
        )
    return voices


def spread_pitches(speakers: Sequence[Speaker]) -> dict[str, float]:
    """A pitch in Hz for each speaker's voice: as near to their own as lets no two of them sound alike.

    Among the low speakers, and among the high ones, neighbours lie two semitones apart, or as much as leaves a crowd of
    one pitch within a fifth of it; the sum of squared moves is the least (isotonic regression).
    """
    from scipy.optimize import isotonic_regression

    pitches: dict[str, float] = {}
    for low in (True, False):
        own = sorted((s.pitch_hz or _UNMEASURED_HZ, s.label) for s in speakers if _is_low(s) == low)
        group = [(math.log2(hz), label) for hz, label in own]
        if not group:
            continue
        step = min(_APART_OCTAVES, 2 * _NEAR_OCTAVES / max(1, len(group) - 1))
        # Without their steps the pitches need only not fall; none of n moves more than (n - 1) / 2 steps.
        levels = isotonic_regression([own - rank * step for rank, (own, _) in enumerate(group)]).x
        for rank, ((_, label), level) in enumerate(zip(group, levels, strict=True)):
            pitches[label] = 2 ** (float(level) + rank * step)
    return pitches


def _is_low(speaker: Speaker) -> bool:
    """Whether a low voice speaks for them; it does where nothing was measured."""
    return (speaker.pitch_hz or _UNMEASURED_HZ) < espeak.BETWEEN_HZ


def _reason(label: str, params: Params, registry: Registry) -> str | None:
    """Why a speaker is not heard in their own voice, or None where they may be.

    Raises ConsentRefused where the manifest wants it so.
    """
    person = params.person(label)
    if person is None:
        if params.named(label) == STOCK:
            return f"the manifest gives {label} a stock voice"
        return f"no person is named for {label}"
    try:
        params.grant(person, registry)
    except ConsentRefused as refusal:
        if params.require_consent:
            raise
        return refusal.message
    return None


def params(job: Job) -> Params:
    course = job.course
    people = _named_people(job)
    consents = {
        name: consent
        for name in set(people.values())
        if name in course.people and (consent := course.people[name].consent) is not None
    }
    return Params(
        language=job.language or "",
        course=course.course,
        purpose=course.purpose,
        commercial=course.commercial,
        require_consent=course.require_consent,
        require_statement=course.require_statement,
        people=people,
        consents=dict(sorted(consents.items())),
        registry=Registry.default().state_digest(sorted(consents.values())) if consents else "",
    )


def _named_people(job: Job) -> dict[str, str]:
    """Whom the manifest names: for single labels of this lesson, or one person throughout."""
    named = job.lesson.speakers if job.lesson.speakers is not None else job.course.speakers
    if isinstance(named, Speakers):
        return {"*": named.single} if named.single else {}
    return dict(named) if isinstance(named, dict) else {}


def check(job: Job) -> None:
    """Raises EngineUnavailable where no stock voice speaks the language, ConsentRefused where consent is required."""
    if espeak.voice_of(job.language or "") is None:
        stock_voices(job.language or "", (), {})
    values = params(job)
    if values.require_consent:
        for label in values.people:
            _reason(label, values, Registry.default())


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    registry = Registry.default()
    script = load(Script, inputs["transcribe/script.json"])

    def learn(person: str, labels: frozenset[str]) -> Voice:
        grant = params.grant(person, registry)
        workspaces.note(registry.root, bench.store.root.parent, person=person, consent=grant.consent)
        name = own_voice.learned(
            person,
            own_voice.clips(script, labels, inputs["split/programme.flac"]),
            script.language,
            params.language,
            bench,
            still=lambda: registry.renew(grant),
        )
        return Voice(kind="clone", engine=own_voice.ENGINE, name=name, person=person, consent=grant.consent)

    casting = cast(load(Diarization, inputs["diarize/turns.json"]), params, registry, learn)
    own = {voice for voice in casting.voices.values() if voice.kind == "clone"}
    return Made(
        {"casting.json": dump(casting, bench.scratch / "casting.json")},
        objects=tuple(sorted(voice.name for voice in own)),
        people=frozenset(voice.person or "" for voice in own),
    )


STAGE = Stage(
    name="clone",
    version=3,
    scope="target",
    needs=("diarize/turns.json", "transcribe/script.json", "split/programme.flac"),
    makes=("casting.json",),
    params=params,
    run=run,
    engine=lambda job: Engine("espeak-ng", espeak.version()),
    check=check,
)
