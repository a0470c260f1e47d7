"""Enrolled people in runs: whose voice the clone stage gives whom, on what terms, and when it changes its mind."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from manifests.errors import ConsentRefused, StoreError
from manifests.model import Course, Job
from manifests.script import (
    Casting,
    Diarization,
    Line,
    Lines,
    Script,
    Speaker,
    Turn,
    Utterance,
    Voice,
    Word,
    dump,
    load,
)
from manifests.spans import Span, merged, samples
from manifests.store import Store
from tasks import own_voice, synthesize
from tasks.clone import STAGE, changed
from tasks.stage import Workbench
from tasks.voice_terms import terms
from voiceclone.application import Application
from voiceclone.cloner.clips import Clip
from voiceclone.cloner.training import train
from voiceclone.enrolments import Enrolments
from voiceclone.erasure import erase
from voiceclone.quality import Recording
from voiceclone.registry import Registry
from voiceclone.voiceprint import Mono

ENROLLED = (
    "Every day the sun heats the water of the sea. A part of this water rises into the air, and we can not see it. "
    "Many small drops together make a white cloud."
)
LESSON = "When the drops are heavy they fall to the ground, and we call it rain. Then the water runs to the sea."
VOICES = {"amara": "slt", "ben": "rms", "stranger": "awb"}


@pytest.fixture(scope="module")
def say(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Mono]:
    """Somebody of `VOICES` saying a text, mono at 16 kHz."""
    folder = tmp_path_factory.mktemp("said")

    @lru_cache
    def said(who: str, text: str) -> Mono:
        path = folder / f"{len(list(folder.iterdir()))}.wav"
        subprocess.run(["flite", "-voice", VOICES[who], "-t", text, "-o", str(path)], check=True, timeout=60)
        sound, _ = soundfile.read(str(path), dtype="float32")
        return np.asarray(sound, np.float32)

    return said


Say = Callable[[str, str], Mono]


def agree(registry: Registry, person: str, folder: Path) -> None:
    agreement = folder / "agreement.pdf"
    agreement.write_bytes(b"%PDF-1.4 I agree.")
    registry.add(
        Application(
            id=f"{person}-2026",
            person=person,
            languages=("es",),
            purposes=("training_video",),
            courses="any",
            document=agreement,
        )
    )


class Place:
    """A workspace in which Amara is enrolled and trained for Spanish, and a registry in which she and Ben agreed."""

    def __init__(self, folder: Path, registry: Registry, say: Say) -> None:
        self.folder, self.registry, self.say = folder, registry, say
        self.voices = Enrolments(folder / ".dub" / "voices")
        self.store = Store(folder / ".dub" / "store")

    def enrol(self, person: str, text: str = ENROLLED) -> None:
        recording = Recording(f"{person}.wav", self.say(person, text), 16_000, text)
        self.voices.enrol(person, [recording], consent=f"{person}-2026", registry=self.registry, language="en")

    def job(self, **course: Any) -> Job:
        """A target of a course with Amara and Ben among its people; `lesson` holds further keys of its lesson."""
        entry = {"media": "one.mp4"} | course.pop("lesson", {})
        people = {name: {"consent": f"{name}-2026"} for name in ("amara", "ben")}
        made = Course.model_validate(
            {"course": "c", "targets": ["es"], "people": people, "lessons": [entry]} | course,
        )
        return Job(
            manifest=self.folder / "course.yaml",
            course=made,
            lesson=made.lessons[0],
            lesson_id="one",
            media=self.folder / "one.mp4",
            out=self.folder / "out",
            workspace=self.folder / ".dub",
            language="es",
        )

    def cast(self, job: Job, *people: str) -> dict[str, Voice]:
        """What the stage casts for a lesson in which these people speak, each under the next label."""
        STAGE.check(job)
        casting = load(Casting, self.ran(job, *people))
        return casting.voices

    def ran(self, job: Job, *people: str) -> Path:
        scratch = self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        at, turns, sound = 0, [], []
        for number, who in enumerate(people):
            said = self.say(who, LESSON)
            turns.append(Turn(f"SPEAKER_{number:02}", Span(at * 3, (at + len(said)) * 3)))
            sound += [said, np.zeros(16_000, np.float32)]
            at += len(said) + 16_000
        speakers = tuple(Speaker(turn.speaker, 150.0, turn.span.length_s) for turn in turns)
        script = Script(
            "en",
            tuple(
                Utterance(str(number), turn.speaker, turn.span, LESSON, (Word("When", turn.span, 0.9),), 0.9)
                for number, turn in enumerate(turns, 1)
            ),
        )
        whole = np.concatenate(sound)
        soundfile.write(scratch / "speech.wav", whole, 16_000)
        soundfile.write(scratch / "programme.flac", whole.repeat(3), 48_000)
        inputs = {
            "diarize/turns.json": dump(
                Diarization(speakers, tuple(turns), merged(turn.span for turn in turns)), scratch / "turns.json"
            ),
            "transcribe/script.json": dump(script, scratch / "script.json"),
            "split/speech.wav": scratch / "speech.wav",
            "split/programme.flac": scratch / "programme.flac",
        }
        made = STAGE.run(STAGE.params(job), inputs, Workbench(self.store, scratch, cores=1))
        return made.outputs["casting.json"]

    def key(self, job: Job) -> str:
        return STAGE.key(job, dict.fromkeys(STAGE.needs, "0" * 64))


def agreed(folder: Path) -> Registry:
    """A registry in which Amara and Ben agreed to Spanish."""
    registry = Registry(folder / "consent", folder / "keys")
    registry.init()
    for person in ("amara", "ben"):
        agree(registry, person, folder)
    return registry


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory, say: Say) -> Path:
    """The folder of voices, made once for all tests, which work on copies."""
    folder = tmp_path_factory.mktemp("enrolled")
    place = Place(folder, agreed(folder), say)
    place.enrol("amara")
    spanish = ("Hoy hace mucho frío en la montaña.", "El perro corre por el jardín verde.", "Llueve cada jueves.")
    with place.voices.trained(place.voices.get("amara"), "es", own_voice.VERSION) as path:
        train([Clip(say("amara", ENROLLED), 16_000, ENROLLED)], "en", "es", steps=20, sentences=spanish).save(path)
    return place.voices.root


@pytest.fixture
def place(enrolled: Path, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "consent"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    place = Place(tmp_path, agreed(tmp_path), say)
    shutil.copytree(enrolled, place.voices.root)
    return place


def test_who_is_enrolled_is_known_by_voice_and_speaks_in_the_one_trained_voice(place: Place) -> None:
    """In two lessons and under whatever label; the others get stock voices with the reason, and what would help."""
    job = place.job()
    first = place.cast(job, "stranger", "amara")
    assert (first["SPEAKER_01"].kind, first["SPEAKER_01"].person, first["SPEAKER_01"].consent) == (
        "clone",
        "amara",
        "amara-2026",
    )
    assert first["SPEAKER_00"].kind == "stock"
    assert first["SPEAKER_00"].reason == (
        f"no one enrolled sounds like SPEAKER_00 ({_score(first['SPEAKER_00'])} at most, 0.85 is clear); "
        "ben is not enrolled: dub voices enrol ben FILE... --consent ben-2026"
    )
    assert place.cast(job, "amara")["SPEAKER_00"].name == first["SPEAKER_01"].name
    assert len(list((place.voices.root / "amara/trained").glob("*.safetensors"))) == 1


def _score(voice: Voice) -> str:
    return (voice.reason or "").split("(")[1][:4]


def test_an_enrolled_voice_whose_speaker_is_somebody_else_is_not_used(place: Place) -> None:
    """A stock voice that says so; blocked where consent is required."""
    voice = place.cast(place.job(speakers={"single": "amara"}), "ben")["SPEAKER_00"]
    assert (voice.kind, voice.person, voice.consent) == ("stock", None, None)
    assert "but the voice is somebody else's" in (voice.reason or "")
    assert (voice.reason or "").endswith("amara's voice is known from their enrolment")
    with pytest.raises(ConsentRefused, match="somebody else's") as refused:
        place.cast(place.job(speakers={"single": "amara"}, require_consent=True), "ben")
    assert "`speakers`" in refused.value.remedy


def test_a_label_is_never_an_identity(place: Place) -> None:
    """Labels the wrong way round: neither hears the other's words in their own voice."""
    job = place.job(lesson={"speakers": {"SPEAKER_00": "amara", "SPEAKER_01": "stock"}})
    assert place.cast(job, "amara", "ben")["SPEAKER_00"].person == "amara"
    assert {voice.kind for voice in place.cast(job, "ben", "amara").values()} == {"stock"}


def test_a_manifest_that_names_a_person_without_consent_gets_nobodys_voice(place: Place) -> None:
    """Also where the person is enrolled: by label, throughout, and by voice."""
    people = {"amara": {}}
    for course in ({"speakers": {"single": "amara"}}, {"lesson": {"speakers": {"SPEAKER_00": "amara"}}}, {}):
        voice = place.cast(place.job(people=people, **course), "amara")["SPEAKER_00"]
        assert voice.kind == "stock"
        assert "the manifest names no consent for amara" in (voice.reason or "")
        assert terms(place.job(people=people, **course)) is None


def test_a_consent_for_another_language_gives_a_stock_voice_to_whom_the_voice_is_known(place: Place) -> None:
    """Amara is told by her voice, and she agreed to Spanish only."""
    job = place.job(targets=["ca"]).model_copy(update={"language": "ca"})
    assert place.cast(job, "amara")["SPEAKER_00"].reason == "amara-2026 does not cover ca"


def test_the_key_follows_the_enrolments_that_matter_and_a_plan_says_which(place: Place) -> None:
    """A lesson of nobody's and one of Ben's keep theirs when Amara is enrolled anew."""
    auto, nobody = place.job(), place.job(people={})
    single, ben = place.job(speakers={"single": "amara"}), place.job(speakers={"single": "ben"})
    before = [place.key(job) for job in (auto, single, nobody, ben)]
    was = asdict(STAGE.params(single))
    place.enrol("amara", LESSON + " " + ENROLLED)
    after = [place.key(job) for job in (auto, single, nobody, ben)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True, True]
    assert changed(was, asdict(STAGE.params(single))) == "the enrolment of amara changed"
    place.voices.delete("amara")
    assert changed(was, asdict(STAGE.params(single))) == "amara is no longer enrolled"
    assert changed(asdict(STAGE.params(single)), was) == "amara is enrolled now"


def test_a_revocation_takes_the_enrolment_and_the_voice(place: Place) -> None:
    """Nothing of her is left; the next casting is a stock voice, or blocked where consent is required."""
    job = place.job()
    before = place.key(job)
    name = place.cast(job, "amara")["SPEAKER_00"].name
    assert place.store.get(name).exists()
    place.registry.revoke("amara-2026", "she asked")
    erase("amara", store=place.store, registry=place.registry, consents=["amara-2026"], enrolments=[place.voices.root])
    assert place.voices.people() == ()
    assert not list((place.store.root / "objects").glob("*/*.safetensors"))
    assert not list((place.store.root / "objects").glob("*/*.npy"))
    assert place.key(job) != before
    assert place.cast(job, "amara")["SPEAKER_00"].kind == "stock"
    with pytest.raises(ConsentRefused, match="revoked"):
        place.cast(place.job(require_consent=True), "amara")


def test_how_like_the_person_a_take_sounds_is_measured(place: Place) -> None:
    """On each take in a person's voice, against their own speech; a stock voice is like nobody."""
    job = place.job()
    casting = Casting("es", place.cast(job, "amara", "stranger"))
    script = load(Script, place.folder / "scratch" / "script.json")
    lines = Lines("es", (Line("1", "El agua vuelve al mar."), Line("2", "El agua vuelve al mar.")))
    bench = Workbench(place.store, place.folder / "scratch", cores=1)
    _, takes = synthesize.synthesize(lines, script, casting, samples(60), synthesize.STAGE.params(job), bench)
    own, stock = (take.voice.similarity for take in takes.takes)
    assert own is not None
    assert 0.5 < own < 1.0
    assert stock is None


def test_an_enrolment_too_poor_for_a_voice_leaves_the_lesson_to_learn_from(place: Place) -> None:
    """It tells who speaks; ten seconds of the lesson are too few here, so a stock voice says why."""
    place.voices.delete("amara")
    long = Recording("amara.wav", place.say("amara", ENROLLED), 16_000, ENROLLED)
    place.voices.enrol("amara", [long], consent="amara-2026", registry=place.registry)
    assert place.voices.get("amara").language is None
    voice = place.cast(place.job(), "amara")["SPEAKER_00"]
    assert voice.kind == "stock"
    assert (voice.reason or "").startswith("consent granted, but the lesson holds ")


def test_a_lesson_in_which_two_people_go_by_one_label_makes_nobodys_voice(place: Place) -> None:
    """Nobody is enrolled, and the label that the manifest gives Ben holds two voices: neither is learned."""

    def both(who: str, text: str) -> Mono:
        return np.concatenate([place.say("ben", ENROLLED + text), place.say("amara", ENROLLED + text)])

    mixed = Place(place.folder, place.registry, both)
    voice = mixed.cast(place.job(speakers={"single": "ben"}), "both")["SPEAKER_00"]
    assert voice.kind == "stock"
    assert (voice.reason or "").startswith("consent granted, but more than one person seems to speak")


def test_whoever_is_damaged_is_named(place: Place) -> None:
    """An enrolment that was changed by hand is not relied on."""
    path = place.voices.root / "amara" / "enrolment.json"
    path.write_text(path.read_text().replace('"language": "en"', '"language": "es"'))
    with pytest.raises(StoreError, match="the enrolment of amara was changed or damaged"):
        STAGE.params(place.job())
