"""Clone: decide which voice speaks for each speaker, and ask for every permission that takes.

A person's own voice is used only where the speaker is that person (`tasks.identity`) and the consent registry grants
it. It is trained from the person's enrolment, once for the whole course, or learned from what they say in the lesson
where there is none; a speaker without such a grant, or with too little speech to learn from, gets a stock voice, and
the record says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manifests.engines import chosen
from manifests.errors import ConsentRefused, EngineUnavailable, InputError, StageFailed
from manifests.model import Job, Speakers
from manifests.rules import STOCK
from manifests.script import Casting, Diarization, Script, Speaker, Voice, dump, load
from tasks import own_voice
from tasks.engines import catalogue
from tasks.engines.protocols import Hearing, Voicing
from tasks.identity import EVERYONE, Identity, Named, identify
from tasks.reference import Reference
from tasks.speech_file import read
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.stock_voices import stock_voices
from voiceclone import workspaces
from voiceclone.enrolment import Enrolment
from voiceclone.enrolments import VOICES, Enrolments
from voiceclone.grant import Grant
from voiceclone.permission import permitted
from voiceclone.quality import Recording
from voiceclone.registry import Registry

if TYPE_CHECKING:
    from voiceclone.cloner.training import Clip

Learn = Callable[[str, frozenset[str]], Voice]
"""Gives the voice of a person who says what these speaker labels say. Raises InputError where there is too little."""


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


def cast(
    diarization: Diarization, who: Mapping[str, Identity], params: Params, registry: Registry, learn: Learn
) -> Casting:
    """A voice for every speaker of a lesson: their own where it is granted, else a stock voice.

    `who` says of every label who that is. Raises ConsentRefused where the manifest requires consent and a person's is
    missing, or it names somebody whose voice it is not; EngineUnavailable where there is no stock voice for the
    language.
    """
    reasons = {label: _reason(identity, params, registry) for label, identity in who.items()}
    own: dict[str, Voice] = {}
    for person in sorted({who[label].person or "" for label, reason in reasons.items() if reason is None}):
        labels = frozenset(label for label in reasons if who[label].person == person)
        try:
            voice = learn(person, labels)
        except (InputError, EngineUnavailable) as error:
            reasons |= dict.fromkeys(labels, f"consent granted, but {error.message}")
        else:
            own |= dict.fromkeys(labels, voice)
    others = [speaker for speaker in diarization.speakers if speaker.label not in own]
    told = {label: reason or "" for label, reason in reasons.items()}
    return Casting(params.language, own | _stock(others, told, params.wanted))


def _stock(speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
    """Voices that belong to nobody: the chosen engine's own, else espeak-ng's, and the record says so."""
    engine = catalogue.synthesizer(wanted.engine)
    found = engine.cast(speakers, reasons, wanted)
    if found or not speakers:
        return found
    instead = f"{engine.name} has no voice that belongs to nobody, espeak-ng's speaks"
    return stock_voices(wanted.language, speakers, {label: _joined(why, instead) for label, why in reasons.items()})


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def _reason(identity: Identity, params: Params, registry: Registry) -> str | None:
    """Why a speaker is not heard in their own voice, or None where they may be.

    Raises ConsentRefused where the manifest wants it so.
    """
    if identity.refused and params.require_consent:
        raise ConsentRefused(identity.reason, remedy="Mend `speakers` in the manifest, or enrol the person anew.")
    if identity.person is None:
        return identity.reason
    try:
        params.grant(identity.person, registry)
    except ConsentRefused as refusal:
        if params.require_consent:
            raise
        return refusal.message
    return None


def params(job: Job) -> Params:
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
    return Params(
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
    return replace(asked, hearing=_hearing(job)) if draws else asked


def _hearing(job: Job) -> Hearing | None:
    """Who can hear whether a take says its text: the course's recognizer, where it understands the target language."""
    choice = chosen(job.course, "transcribe")
    asked = Hearing(job.language or "", choice.name, choice.model, options=dict(choice.options))
    try:
        catalogue.transcriber(choice.name).check(asked)
    except (EngineUnavailable, InputError):
        return None
    return asked


def terms(job: Job) -> Params | None:
    """What a grant is asked for wherever a voice of the job's is used; None where no voice can be anybody's."""
    asked = params(job)
    if not asked.consents:
        return None
    return replace(asked, people={}, by_voice=False, unknown="", enrolments={}, gathered={})


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
    asked = Params(
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
    voices = Enrolments(job.workspace / VOICES) if job.workspace else None
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


def check(job: Job) -> None:
    """Raises EngineUnavailable where no stock voice speaks the language, ConsentRefused where consent is required.

    Where speakers are told by voice, anybody among the people may speak, so everybody's consent is required then.
    """
    asked = wanted(job)
    catalogue.synthesizer(asked.engine).check(asked)
    if job.course.require_consent:
        values, registry = params(job), Registry.default()
        _, by_voice = named_people(job)
        for person in sorted(job.course.people) if by_voice else values.people.values():
            if person != STOCK:
                values.grant(person, registry)


def changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is different, for a plan: a person's enrolment, or what the registry says; empty for anything else."""
    before, after = was.get("enrolments", {}), now["enrolments"]
    for person in sorted({*before, *after}):
        if before.get(person) != after.get(person):
            if person not in after:
                return f"{person} is no longer enrolled"
            return f"the enrolment of {person} changed" if person in before else f"{person} is enrolled now"
    if was.get("consents") == now["consents"] and was.get("registry") != now["registry"]:
        return "what the consent registry says changed"
    return ""


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    registry, voices = Registry.default(), Enrolments(bench.store.root.parent / VOICES)
    found, script = load(Diarization, inputs["diarize/turns.json"]), load(Script, inputs["transcribe/script.json"])
    enrolled = {person: _unchanged(voices, person, digest) for person, digest in params.enrolments.items()}
    prints = {person: voices.voice_print(person) for person in enrolled}
    who = identify(found, params.named, prints, partial(read, inputs["split/speech.wav"]))
    trained_from: dict[str, str] = {}

    def learn(person: str, labels: frozenset[str]) -> Voice:
        grant = params.grant(person, registry)
        workspaces.note(registry.root, bench.store.root.parent, person=person, consent=grant.consent)
        engine = catalogue.synthesizer(params.cloning.engine)
        from_lesson = _from_lesson(person, labels, script, inputs["split/programme.flac"], registry, grant, bench)
        enrolment = enrolled.get(person)
        from_enrolled = from_enrolment(voices, enrolment) if enrolment else None
        for where, reference in (("enrolment", from_enrolled), ("lesson", from_lesson)):
            if reference is None:
                continue
            trained_from[person] = where
            try:
                name, use = engine.learn(reference, params.cloning, grant, registry, bench)
            except (InputError, EngineUnavailable):
                if where == "lesson":
                    raise
            else:
                return Voice("clone", engine.name, name, person, grant.consent, use=use)
        raise InputError("there is nothing to learn the voice from")

    casting = cast(found, who, params, registry, learn)
    own = {voice for voice in casting.voices.values() if voice.kind == "clone"}
    return Made(
        {"casting.json": dump(casting, bench.scratch / "casting.json")},
        objects=tuple(sorted(voice.name for voice in own)),
        people=frozenset(voice.person or "" for voice in own),
        notes={"trained_from": trained_from} if trained_from else {},
    )


def from_enrolment(voices: Enrolments, enrolment: Enrolment) -> Reference:
    """What a person was enrolled with."""
    person = enrolment.person

    def clips() -> Sequence[Clip]:
        from voiceclone.cloner.training import Clip

        return [Clip(each.samples, each.rate, each.text) for each in voices.recordings(person)]

    return Reference(person, enrolment.language, clips, lambda: voices.voice_print(person), (voices, enrolment))


def _from_lesson(
    person: str,
    labels: frozenset[str],
    script: Script,
    programme: Path,
    registry: Registry,
    grant: Grant,
    bench: Workbench,
) -> Reference:
    """What a person says in the lesson; asked for, it is heard whether that is one voice, and the right one."""

    @cache
    def clips() -> Sequence[Clip]:
        found = own_voice.clips(script, labels, programme)
        _sound(registry, grant.consent, found, bench)
        return found

    return Reference(person, script.language, clips, lambda: own_voice.print_of(clips()))


def _sound(registry: Registry, consent: str, clips: Sequence[Clip], bench: Workbench) -> None:
    """Raises InputError where a lesson's clips are not one person's own speech, or not the voice of the statement.

    An enrolment was asked all this when it was made.
    """
    from voiceclone import quality, vouching

    heard = [Recording(clip.text, clip.audio, clip.rate, clip.text) for clip in clips]
    for finding in quality.judge(quality.measure(heard)).findings:
        if finding.check in ("one speaker", "origin") and finding.verdict == "reject":
            raise InputError(f"{finding.reason} ({finding.measured})")
    if (statement := vouching.stated(registry, consent)) is not None:
        vouching.compared(statement, heard, vouching.folders(registry, [bench.store.root.parent]))


def _unchanged(voices: Enrolments, person: str, digest: str) -> Enrolment:
    """The enrolment that a key was made of. Raises StageFailed where it is another by now."""
    enrolment = voices.get(person)
    if enrolment.digest != digest:
        raise StageFailed(f"the enrolment of {person} changed meanwhile.", remedy="Run again.")
    return enrolment


def engine(job: Job) -> Engine:
    """Who speaks."""
    asked = wanted(job)
    return catalogue.synthesizer(asked.engine).identity(asked)


STAGE = Stage(
    name="clone",
    version=5,
    scope="target",
    needs=("diarize/turns.json", "transcribe/script.json", "split/speech.wav", "split/programme.flac"),
    makes=("casting.json",),
    params=params,
    run=run,
    engine=engine,
    check=check,
    changed=changed,
)
