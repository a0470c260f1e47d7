"""Voice terms: what a course says of whose voices may speak in it, and what a grant for them is asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

from manifests.engines import chosen
from manifests.errors import ConsentRefused
from manifests.looking import asked_once
from manifests.model import Job, Speakers
from manifests.rules import STOCK
from tasks import understanding
from tasks.engines import catalogue
from tasks.engines.protocols import Voicing
from tasks.identity import EVERYONE, Named
from voiceclone.enrolment import Enrolment
from voiceclone.enrolments import Enrolments
from voiceclone.grant import Grant
from voiceclone.permission import permitted
from voiceclone.registry import Registry


@dataclass(frozen=True, slots=True)
class VoiceTerms:
    """Everything that the choice of voices depends on beside the sound."""

    language: str
    course: str
    purpose: str
    commercial: bool
    require_consent: bool = False
    require_statement: bool = False
    people: dict[str, str] = field(default_factory=dict[str, str])
    """Speaker label to the person whom the manifest names for it; `*` for whoever speaks."""
    by_voice: bool = False
    """Whether speakers whom the manifest does not name are compared with the people who are enrolled."""
    unknown: str = ""
    """Why somebody of the course cannot be told by voice, and what to type."""
    enrolments: dict[str, str] = field(default_factory=dict[str, str])
    """Person to the digest of their enrolment, of those whom it matters for."""
    gathered: dict[str, str] = field(default_factory=dict[str, str])
    """Person to the lessons that their enrolment was gathered from."""
    consents: dict[str, str] = field(default_factory=dict[str, str])
    """Person to the id of their consent."""
    registry: str = ""
    """Digest of what the registry says of these consents: a revocation makes another key."""
    voicing: Voicing | None = None
    """The engine that was chosen; None for espeak-ng."""

    @property
    def wanted(self) -> Voicing:
        """What the chosen engine is asked for."""
        return self.voicing or Voicing(self.language, "espeak-ng")

    @property
    def cloning(self) -> Voicing:
        """What the engine is asked for that speaks in people's own voices."""
        wanted = self.wanted
        cloner = catalogue.synthesizer(wanted.engine).cloner
        return wanted if cloner == wanted.engine else Voicing(wanted.language, cloner, hearing=wanted.hearing)

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
            third_party=catalogue.synthesizer(self.cloning.engine).third_party(self.cloning),
            require_statement=self.require_statement,
        )

    @property
    def named(self) -> Named:
        """What the manifest says of who speaks."""
        known = {
            person: f"the lesson {self.gathered[person]}" if person in self.gathered else "their enrolment"
            for person in self.enrolments
        }
        return Named(self.people, known, self.by_voice, self.unknown)


def _question(job: Job) -> tuple[Hashable, ...]:
    """What the answers about a target's voices depend on, within one look at one course."""
    return job.manifest, job.course.course, job.workspace, job.language, repr(job.lesson.speakers)


@asked_once(_question)
def params(job: Job) -> VoiceTerms:
    """The terms of one target, with everything that the choice of its voices depends on."""
    course, registry = job.course, Registry.default()
    people, by_voice = named_people(job)
    names = sorted(course.people) if by_voice else sorted(set(people.values()) - {STOCK})
    consents = {
        name: consent
        for name in names
        if name in course.people and (consent := course.people[name].consent) is not None
    }
    enrolled, unknown = _enrolled(job, names, consents, registry)
    if by_voice and not course.require_consent:
        consents = {name: consent for name, consent in consents.items() if name in enrolled}
    asked = {*consents.values(), *(each.consent for each in enrolled.values())}
    return VoiceTerms(
        language=job.language or "",
        course=course.course,
        purpose=course.purpose,
        commercial=course.commercial,
        require_consent=course.require_consent,
        require_statement=course.require_statement,
        people=people,
        by_voice=by_voice and bool(enrolled),
        unknown=_told(unknown, job) if by_voice else "",
        enrolments={name: each.digest for name, each in enrolled.items()},
        gathered={name: _lessons(each) for name, each in enrolled.items() if each.gathered},
        consents=dict(sorted(consents.items())),
        registry=registry.state_digest(sorted(asked)) if asked else "",
        voicing=wanted(job),
    )


def wanted(job: Job) -> Voicing:
    """What the engine that the course chose is asked for."""
    choice = chosen(job.course, "synthesize")
    asked = Voicing(job.language or "", choice.name, choice.model, dict(choice.options))
    cloner = catalogue.synthesizer(choice.name).cloner
    draws = catalogue.synthesizer(choice.name).seeded or (cloner and catalogue.synthesizer(cloner).seeded)
    return replace(asked, hearing=understanding.reading(job)[0]) if draws else asked


def terms(job: Job) -> VoiceTerms | None:
    """What a grant is asked for wherever a voice of the job's is used; None where no voice can be anybody's."""
    asked = params(job)
    if not asked.consents:
        return None
    return replace(asked, people={}, by_voice=False, unknown="", enrolments={}, gathered={})


@asked_once(_question)
def unspoken(job: Job) -> dict[str, str]:
    """People who may speak in a lesson, and whose own voice may not in this language: each with the reason.

    They are those whom its speakers name, or all of the course where speakers are told by voice. Never raises for what
    is wrong with the registry: that is the reason then.
    """
    course = job.course
    named, by_voice = named_people(job)
    people = {name: each.consent for name, each in course.people.items() if by_voice or name in named.values()}
    if not people:
        return {}
    registry = Registry.default()
    asked = VoiceTerms(
        language=job.language or "",
        course=course.course,
        purpose=course.purpose,
        commercial=course.commercial,
        require_statement=course.require_statement,
        consents={name: consent for name, consent in people.items() if consent is not None},
        voicing=wanted(job),
    )
    reasons: dict[str, str] = {}
    for person in people:
        try:
            asked.grant(person, registry)
        except ConsentRefused as refusal:
            reasons[person] = refusal.message
    return reasons


def named_people(job: Job) -> tuple[dict[str, str], bool]:
    """Whom the manifest names: for single labels of this lesson, or one person throughout (`EVERYONE`).

    And whether whoever is not named is to be told by voice.
    """
    named = job.lesson.speakers if job.lesson.speakers is not None else job.course.speakers
    if isinstance(named, dict):
        return dict(named), False
    if isinstance(named, Speakers) and named.single:
        return {EVERYONE: named.single}, False
    return {}, True


def _enrolled(
    job: Job, names: list[str], consents: Mapping[str, str], registry: Registry
) -> tuple[dict[str, Enrolment], dict[str, str]]:
    """The enrolments of these people, and of everybody else why there is none to be used."""
    found: dict[str, Enrolment] = {}
    lacking: dict[str, str] = {}
    voices = Enrolments.of(job.workspace) if job.workspace else None
    there = voices.people() if voices else ()
    for name in names:
        if name not in consents:
            lacking[name] = f"the manifest names no consent for {name}"
        elif voices is None or name not in there:
            lacking[name] = ""
        else:
            enrolment = voices.get(name)
            try:
                permitted(registry, enrolment.consent, name)
            except ConsentRefused as refusal:
                lacking[name] = refusal.message
            else:
                found[name] = enrolment
    return found, lacking


def _told(lacking: Mapping[str, str], job: Job) -> str:
    """Why nobody, or not everybody, of a course can be told by voice; empty where there is nothing to say."""
    said = [f"{name} is not compared: {why}" for name, why in lacking.items() if why]
    missing = [name for name, why in lacking.items() if not why]
    if missing:
        consent = job.course.people[missing[0]].consent
        who = f"{missing[0]} is" if len(missing) == 1 else f"{', '.join(missing)} are"
        said.append(f"{who} not enrolled: dub voices enrol {missing[0]} FILE... --consent {consent}")
    return "; ".join(said)


def _lessons(enrolment: Enrolment) -> str:
    return ", ".join(dict.fromkeys(origin.lesson for origin in enrolment.gathered))
