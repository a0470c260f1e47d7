"""Casting: whose voice speaks, on what permission, and which stock voice otherwise."""

from pathlib import Path

import pytest

from manifests.errors import ConsentRefused, EngineUnavailable
from manifests.script import Diarization, Speaker
from tasks.clone import NO_ENGINE, Params, cast, stock_voices
from tasks.engines import espeak
from voiceclone.application import Application
from voiceclone.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in which Amara agreed to speak Spanish in one course."""
    made = Registry(tmp_path / "consent", tmp_path / "keys")
    made.init()
    agreement = tmp_path / "agreement.pdf"
    agreement.write_bytes(b"%PDF-1.4 I agree.")
    made.add(
        Application(
            id="amara-2026",
            person="amara",
            languages=("es",),
            purposes=("training_video",),
            courses=("biology",),
            document=agreement,
        )
    )
    return made


def wanted(language: str = "es", *, require: bool = False, **people: str) -> Params:
    return Params(
        language=language,
        course="biology",
        purpose="training_video",
        commercial=False,
        require_consent=require,
        require_statement=False,
        people=people,
        consents={"amara": "amara-2026"},
    )


def lesson(*pitches: float | None) -> Diarization:
    speakers = tuple(Speaker(f"SPEAKER_{number:02}", hz, 10.0) for number, hz in enumerate(pitches))
    return Diarization(speakers, (), ())


def test_a_speaker_nobody_names_gets_a_stock_voice(registry: Registry) -> None:
    """The record says that nobody was named."""
    voice = cast(lesson(120.0), wanted(), registry).voices["SPEAKER_00"]
    assert (voice.kind, voice.person, voice.consent) == ("stock", None, None)
    assert voice.reason == "no person is named for SPEAKER_00"


def test_a_refused_consent_gives_its_reason_and_a_stock_voice(registry: Registry) -> None:
    """Amara agreed to Spanish, not to Catalan."""
    voice = cast(lesson(210.0), wanted("ca", SPEAKER_00="amara"), registry).voices["SPEAKER_00"]
    assert voice.kind == "stock"
    assert voice.reason == "amara-2026 does not cover ca"


def test_a_granted_consent_says_that_no_engine_clones_yet(registry: Registry) -> None:
    """The permission is there; what could use it is not."""
    voice = cast(lesson(210.0), wanted(SPEAKER_00="amara"), registry).voices["SPEAKER_00"]
    assert (voice.kind, voice.reason) == ("stock", NO_ENGINE)


def test_required_consent_blocks_the_target(registry: Registry) -> None:
    """Refused, revoked, or never asked for: no output then; a speaker whom nobody named stays a stock voice."""
    with pytest.raises(ConsentRefused, match="amara-2026 does not cover ca"):
        cast(lesson(210.0), wanted("ca", require=True, SPEAKER_00="amara"), registry)
    with pytest.raises(ConsentRefused, match="no consent for ben"):
        cast(lesson(210.0), wanted(require=True, SPEAKER_00="ben"), registry)
    registry.revoke("amara-2026", "she asked")
    with pytest.raises(ConsentRefused, match="revoked"):
        cast(lesson(210.0), wanted(require=True, SPEAKER_00="amara"), registry)
    assert cast(lesson(210.0), wanted(require=True), registry).voices["SPEAKER_00"].kind == "stock"


def test_low_and_high_speakers_get_low_and_high_voices() -> None:
    """The setting comes near each speaker's own fundamental."""
    voices = stock_voices("es", lesson(100.0, 210.0).speakers, dict.fromkeys(("SPEAKER_00", "SPEAKER_01"), "why"))
    assert voices["SPEAKER_00"].name.startswith("es+m")
    assert voices["SPEAKER_01"].name.startswith("es+f")


@pytest.mark.parametrize("hz", [None, 110.0, 118.0, 200.0])
def test_speakers_of_one_pitch_get_voices_of_their_own(hz: float | None) -> None:
    """Also where there are more of them than variants."""
    speakers = lesson(*[hz] * 9).speakers
    voices = stock_voices("es", speakers, {speaker.label: "why" for speaker in speakers}).values()
    assert len({(voice.name, voice.pitch) for voice in voices}) == 9
    assert len({voice.name for voice in list(voices)[:4]}) == 4


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


def test_a_language_without_a_voice_blocks_with_those_there_are() -> None:
    """Better no dub than one in a wrong language."""
    with pytest.raises(EngineUnavailable, match="no voice for xx") as missing:
        stock_voices("xx", (), {})
    assert "es-419" in missing.value.remedy
