"""Clone: decide which voice speaks for each speaker, and ask for every permission that takes.

A person's own voice is used only where the speaker is that person (`tasks.identity`) and the consent registry grants
it. It is trained from the person's enrolment, once for the whole course, or learned from what they say in the lesson
where there is none; a speaker without such a grant, or with too little speech to learn from, gets a stock voice, and
the record says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manifests.errors import ConsentRefused, EngineUnavailable, InputError, StageFailed
from manifests.model import Job
from manifests.rules import STOCK
from manifests.script import Casting, Diarization, Script, Speaker, Voice, dump, load
from tasks import own_voice
from tasks.engines import catalogue
from tasks.engines.protocols import Voicing
from tasks.identity import Identity, identify
from tasks.reference import Reference
from tasks.speech_file import read
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.stock_voices import stock_voices
from tasks.voice_terms import VoiceTerms, named_people, params, wanted
from voiceclone import workspaces
from voiceclone.enrolment import Enrolment
from voiceclone.enrolments import Enrolments
from voiceclone.grant import Grant
from voiceclone.quality import Recording
from voiceclone.registry import Registry

if TYPE_CHECKING:
    from voiceclone.cloner.clips import Clip

Learn = Callable[[str, frozenset[str]], Voice]
"""Gives the voice of a person who says what these speaker labels say. Raises InputError where there is too little."""


def cast(
    diarization: Diarization, who: Mapping[str, Identity], params: VoiceTerms, registry: Registry, learn: Learn
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


def _reason(identity: Identity, params: VoiceTerms, registry: Registry) -> str | None:
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
    """What changed, as a plan says it: a person's enrolment, or what the registry says; empty for anything else."""
    before, after = was.get("enrolments", {}), now["enrolments"]
    for person in sorted({*before, *after}):
        if before.get(person) != after.get(person):
            if person not in after:
                return f"{person} is no longer enrolled"
            return f"the enrolment of {person} changed" if person in before else f"{person} is enrolled now"
    if was.get("consents") == now["consents"] and was.get("registry") != now["registry"]:
        names = sorted(set(now["consents"].values()))
        return f"what the consent registry says of {', '.join(names)} changed" if names else ""
    return ""


def run(params: VoiceTerms, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    registry, voices = Registry.default(), Enrolments.of(bench.store.root.parent)
    found, script = load(Diarization, inputs["diarize/turns.json"]), load(Script, inputs["transcribe/script.json"])
    found = replace(
        found,
        speakers=tuple(
            replace(each, pitch_hz=script.pitch_hz.get(each.label, each.pitch_hz)) for each in found.speakers
        ),
    )
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
        from voiceclone.cloner.clips import Clip

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
    """What a person says in the lesson. When it is asked for, it is checked to be one voice, and the right one."""

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
    """The enrolment that a key was made of. Raises StageFailed where it was replaced since."""
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
