"""Casting: whose voice speaks, on what permission, and which stock voice otherwise."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from courses import job
from manifests.errors import ConsentRefused, EngineUnavailable, InputError
from manifests.model import Job
from manifests.script import Casting, Diarization, Script, Speaker, Voice, dump, load
from manifests.spans import Span
from manifests.store import Store
from tasks.clone import STAGE, Learn, cast
from tasks.engines import espeak
from tasks.identity import identify
from tasks.stage import Workbench
from tasks.stock_voices import spread_pitches, stock_voices
from tasks.voice_terms import VoiceTerms, unspoken
from voiceclone.registry import Registry

AMARA = {"amara": {"consent": "amara-2026"}}
NOT_ENROLLED = "amara is not enrolled: dub voices enrol amara FILE... --consent amara-2026"
TOO_LITTLE = "consent granted, but the lesson holds 0.0 s of their speech alone, and 10 s are needed"


def unheard(person: str, labels: frozenset[str]) -> Voice:
    """Learns nobody's voice: there is nothing to hear."""
    raise InputError("there is nothing to hear")


def wanted(language: str = "es", *, require: bool = False, **people: str) -> VoiceTerms:
    return VoiceTerms(
        language=language,
        course="biology",
        purpose="training_video",
        commercial=False,
        require_consent=require,
        require_statement=False,
        people=people,
        consents={"amara": "amara-2026"},
    )


def cast_of(found: Diarization, params: VoiceTerms, registry: Registry, learn: Learn = unheard) -> Casting:
    """The casting where nobody is enrolled."""
    return cast(found, identify(found, params.named, {}, silence), params, registry, learn)


def silence(span: Span) -> NDArray[np.float32]:
    """What is heard where nobody speaks."""
    return np.zeros(span.length // 3, np.float32)


def lesson(*pitches: float | None) -> Diarization:
    speakers = tuple(Speaker(f"SPEAKER_{number:02}", hz, 10.0) for number, hz in enumerate(pitches))
    return Diarization(speakers, (), ())


def casting_of(target: Job, tmp_path: Path, *pitches: float | None) -> Casting:
    """What the stage casts for a target."""
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    turns = dump(lesson(*pitches), scratch / "turns.json")
    script = dump(Script("en", ()), scratch / "script.json")
    inputs = {"diarize/turns.json": turns, "transcribe/script.json": script}
    inputs |= {"split/speech.wav": scratch / "none", "split/programme.flac": scratch / "none"}
    made = STAGE.run(STAGE.params(target), inputs, Workbench(Store(tmp_path / "store"), scratch))
    assert not made.people
    return load(Casting, made.outputs["casting.json"])


def key_of(target: Job) -> str:
    return STAGE.key(target, dict.fromkeys(STAGE.needs, "0" * 64))


def test_a_speaker_nobody_names_gets_a_stock_voice(registry: Registry) -> None:
    """The record says that nobody was named."""
    voice = cast_of(lesson(120.0), wanted(), registry).voices["SPEAKER_00"]
    assert (voice.kind, voice.person, voice.consent) == ("stock", None, None)
    assert voice.reason == "no person is named for SPEAKER_00"


def test_under_auto_nobody_is_guessed_at_and_the_reason_says_what_to_type(registry: Registry, tmp_path: Path) -> None:
    """Also where the course has a consented person, and where consent is required."""
    target = job(tmp_path, people=AMARA, speakers="auto", require_consent=True)
    STAGE.check(target)
    voices = casting_of(target, tmp_path, 105.0, 210.0).voices
    assert {label: (voice.kind, voice.reason) for label, voice in voices.items()} == {
        "SPEAKER_00": ("stock", NOT_ENROLLED),
        "SPEAKER_01": ("stock", NOT_ENROLLED),
    }


def test_a_person_without_a_consent_gets_a_stock_voice(registry: Registry, tmp_path: Path) -> None:
    """Named in the manifest, but with no agreement; nothing is asked of the registry."""
    target = job(tmp_path, people={"ben": {}}, speakers={"single": "ben"})
    voice = casting_of(target, tmp_path, 105.0).voices["SPEAKER_00"]
    assert (voice.kind, voice.reason) == ("stock", "the manifest names no consent for ben")


def test_a_manifest_can_want_a_stock_voice(registry: Registry, tmp_path: Path) -> None:
    """For one label of one lesson, whatever others there have."""
    target = job(tmp_path, people=AMARA, lesson={"speakers": {"SPEAKER_00": "amara", "SPEAKER_01": "stock"}})
    voices = casting_of(target, tmp_path, 205.0, 100.0).voices
    assert voices["SPEAKER_00"].reason == TOO_LITTLE
    assert voices["SPEAKER_01"].reason == "the manifest gives SPEAKER_01 a stock voice"


def test_a_granted_voice_with_too_little_to_learn_from_is_stock_and_says_so(registry: Registry, tmp_path: Path) -> None:
    """The permission is there, the speech is not, and nobody is named as the owner of a stock voice."""
    target = job(tmp_path, people=AMARA, speakers={"single": "amara"})
    voice = casting_of(target, tmp_path, 205.0).voices["SPEAKER_00"]
    assert (voice.kind, voice.person, voice.reason) == ("stock", None, TOO_LITTLE)


def test_a_granted_voice_speaks_for_all_labels_of_its_person(registry: Registry) -> None:
    """Two labels of one person share the voice; a third speaker has another."""

    def learn(person: str, labels: frozenset[str]) -> Voice:
        return Voice("clone", "adaptive", "+".join(sorted(labels)), person=person, consent="amara-2026")

    people = {"SPEAKER_00": "amara", "SPEAKER_02": "amara"}
    voices = cast_of(lesson(210.0, 100.0, 205.0), wanted(**people), registry, learn).voices
    assert [(voices[label].kind, voices[label].person) for label in sorted(voices)] == [
        ("clone", "amara"),
        ("stock", None),
        ("clone", "amara"),
    ]
    assert voices["SPEAKER_00"].name == voices["SPEAKER_02"].name == "SPEAKER_00+SPEAKER_02"


def test_a_refused_consent_gives_its_reason_and_a_stock_voice(registry: Registry) -> None:
    """Amara agreed to Spanish, not to Catalan."""
    voice = cast_of(lesson(210.0), wanted("ca", SPEAKER_00="amara"), registry).voices["SPEAKER_00"]
    assert (voice.kind, voice.reason) == ("stock", "amara-2026 does not cover ca")


def test_one_persons_consent_does_not_cover_another(registry: Registry, tmp_path: Path) -> None:
    """A manifest that gives Ben Amara's consent gets no grant for him."""
    target = job(tmp_path, people={"ben": {"consent": "amara-2026"}}, speakers={"single": "ben"})
    reason = casting_of(target, tmp_path, 105.0).voices["SPEAKER_00"].reason
    assert reason != TOO_LITTLE
    assert "ben" in (reason or "")


def test_a_revocation_changes_the_key_and_the_reason(registry: Registry, tmp_path: Path) -> None:
    """So the stage runs again by itself; what does not name the person keeps its key."""
    target = job(tmp_path, people=AMARA, speakers={"single": "amara"})
    other = job(tmp_path, people=AMARA)
    before, untouched = key_of(target), key_of(other)
    assert key_of(target) == before
    registry.suspend("amara-2026")
    suspended = key_of(target)
    registry.resume("amara-2026")
    registry.revoke("amara-2026", "she asked")
    assert len({before, suspended, key_of(target)}) == 3
    assert key_of(other) == untouched
    voice = casting_of(target, tmp_path, 205.0).voices["SPEAKER_00"]
    assert voice.kind == "stock"
    assert "revoked" in (voice.reason or "")


def test_without_a_registry_there_is_a_stock_voice_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail closed: a manifest from another machine names a consent that this one has never seen."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "none"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "no-keys"))
    target = job(tmp_path, people=AMARA, speakers={"single": "amara"})
    assert len(key_of(target)) == 64
    voice = casting_of(target, tmp_path, 205.0).voices["SPEAKER_00"]
    assert voice.kind == "stock"
    assert voice.reason not in (None, "", TOO_LITTLE)
    assert not (tmp_path / "none").exists()


def test_required_consent_blocks_the_target(registry: Registry) -> None:
    """Refused, revoked, or never asked for: no output then; a speaker whom nobody named stays a stock voice."""
    with pytest.raises(ConsentRefused, match="amara-2026 does not cover ca"):
        cast_of(lesson(210.0), wanted("ca", require=True, SPEAKER_00="amara"), registry)
    with pytest.raises(ConsentRefused, match="no consent for ben"):
        cast_of(lesson(210.0), wanted(require=True, SPEAKER_00="ben"), registry)
    registry.revoke("amara-2026", "she asked")
    with pytest.raises(ConsentRefused, match="revoked"):
        cast_of(lesson(210.0), wanted(require=True, SPEAKER_00="amara"), registry)
    assert cast_of(lesson(210.0), wanted(require=True), registry).voices["SPEAKER_00"].kind == "stock"


def test_required_consent_is_known_before_anything_runs(registry: Registry, tmp_path: Path) -> None:
    """`check` blocks the target; a granted one passes, and says so before diarization has heard a word."""
    target = job(tmp_path, people=AMARA, speakers={"single": "amara"}, require_consent=True)
    STAGE.check(target)
    registry.revoke("amara-2026", "she asked")
    with pytest.raises(ConsentRefused, match="revoked"):
        STAGE.check(target)
    unnamed = job(tmp_path, people={"ben": {}}, speakers={"single": "ben"}, require_consent=True)
    with pytest.raises(ConsentRefused, match="no consent for ben") as refused:
        STAGE.check(unnamed)
    assert "consent: ID" in refused.value.remedy


@pytest.mark.parametrize(
    ("speakers", "language", "expected"),
    [
        ({"single": "amara"}, "es", {}),
        ({"single": "amara"}, "fr", {"amara": "amara-2026 does not cover fr"}),
        ({"single": "ben"}, "es", {"ben": "there is no consent ben-2026"}),
        ("auto", "es", {"ben": "there is no consent ben-2026", "cleo": "the manifest names no consent for cleo"}),
    ],
)
def test_whose_own_voice_may_not_speak_is_known_before_anything_runs(
    registry: Registry, tmp_path: Path, speakers: object, language: str, expected: dict[str, str]
) -> None:
    """Of those whom the manifest names, or everybody where voices tell; with the registry's reason."""
    people = AMARA | {"ben": {"consent": "ben-2026"}, "cleo": {}}
    assert unspoken(job(tmp_path, language, people=people, speakers=speakers)) == expected
    registry.suspend("amara-2026")
    assert unspoken(job(tmp_path, people=AMARA)) == {"amara": "amara-2026 is suspended"}


def test_low_and_high_speakers_get_low_and_high_voices() -> None:
    """A speaker of whom nothing was measured gets a low one."""
    voices = stock_voices("es", lesson(100.0, 210.0, None).speakers, {f"SPEAKER_0{at}": "why" for at in range(3)})
    assert [voice.name[:4] for voice in voices.values()] == ["es+m", "es+f", "es+m"]


@pytest.mark.parametrize("hz", [None, 110.0, 118.0, 200.0])
def test_speakers_of_one_pitch_get_voices_of_their_own(hz: float | None) -> None:
    """Also where there are more of them than variants."""
    speakers = lesson(*[hz] * 9).speakers
    voices = stock_voices("es", speakers, {speaker.label: "why" for speaker in speakers}).values()
    assert len({(voice.name, voice.pitch) for voice in voices}) == 9
    assert len({voice.name for voice in list(voices)[:4]}) == 4


@given(st.lists(st.one_of(st.none(), st.floats(60, 400)), max_size=12))
def test_voices_lie_apart_and_near_their_speakers(pitches: list[float | None]) -> None:
    """Each within a fifth of its speaker; up to four in a register two semitones from each other, in the same order."""
    speakers = lesson(*pitches).speakers
    placed = spread_pitches(speakers)
    assert set(placed) == {speaker.label for speaker in speakers}
    for low in (True, False):
        group = sorted(
            (speaker.pitch_hz or 106.0, placed[speaker.label])
            for speaker in speakers
            if ((speaker.pitch_hz or 106.0) < 145.0) == low
        )
        voices = [voice for _, voice in group]
        assert all(1 / 1.2001 < voice / own < 1.2001 for own, voice in group)
        if len(group) <= 4:
            gaps = [math.log2(above / below) * 12 for below, above in pairwise(voices)]
            assert all(gap > 1.999 for gap in gaps)


def test_speakers_who_differ_already_are_not_moved() -> None:
    """Two semitones and more apart, each voice is asked for at its speaker's own pitch."""
    placed = spread_pitches(lesson(100.0, 120.0, 190.0, 230.0).speakers)
    assert list(placed.values()) == pytest.approx([100.0, 120.0, 190.0, 230.0])


@pytest.mark.parametrize(
    ("language", "voice"),
    [("es", "es"), ("es-MX", "es-419"), ("es-ES", "es"), ("pt-BR", "pt-br"), ("pt", "pt"), ("ca-valencia", "ca")],
)
def test_languages_lead_to_espeaks_voices(language: str, voice: str) -> None:
    """The very variety where there is one."""
    assert espeak.voice_of(language) == voice


def test_a_neighbouring_voice_is_named_in_the_record() -> None:
    """espeak-ng has no Galician."""
    voice = stock_voices("gl", lesson(100.0).speakers, {"SPEAKER_00": "why"})["SPEAKER_00"]
    assert voice.name.startswith("an+")
    assert voice.reason == "why; espeak-ng has no gl voice, its an reads"


def test_a_language_without_a_voice_blocks_with_those_there_are(tmp_path: Path) -> None:
    """Better no dub than one in a wrong language; known before anything runs."""
    for ask in (lambda: stock_voices("tlh", (), {}), lambda: STAGE.check(job(tmp_path, "tlh"))):
        with pytest.raises(EngineUnavailable, match="no voice for tlh") as missing:
            ask()
        assert "es-419" in missing.value.remedy
