"""Enrolments: what is kept of a person's voice, on whose permission, and that it can all be taken away."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from manifests.errors import ConsentRefused, InputError, MediaError, StoreError
from manifests.store import Store
from voiceclone import quality, recordings, workspaces
from voiceclone.application import Application
from voiceclone.consent import Record, Statement
from voiceclone.enrolment import Origin, RecordingsRejected
from voiceclone.enrolments import Enrolments
from voiceclone.erasure import erase
from voiceclone.quality import Recording
from voiceclone.registry import Registry

Say = Callable[..., Recording]


@pytest.fixture
def enrolments(tmp_path: Path) -> Enrolments:
    return Enrolments(tmp_path / "workspace" / "voices")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("enrolled") / "amara"


@pytest.fixture
def enrolled(enrolments: Enrolments, registry: Registry, amara: Record, say: Say, pristine: Path) -> Enrolments:
    """With amara in it: enrolled once for all tests, and copied."""
    if not pristine.exists():
        enrolments.enrol("amara", [say("slt")], consent="amara-2026", registry=registry, language="en")
        shutil.copytree(enrolments.root / "amara", pristine)
    else:
        enrolments.root.mkdir(parents=True, mode=0o700)
        shutil.copytree(pristine, enrolments.root / "amara")
    return enrolments


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_enrolment_keeps_clips_print_and_report_for_its_owner_alone(
    enrolments: Enrolments, registry: Registry, amara: Record, say: Say
) -> None:
    """Mono 16-bit FLAC at the source's rate, folders 0700, files 0600; the registry knows the workspace."""
    made = enrolments.enrol("amara", [say("slt")], consent="amara-2026", registry=registry, language="en")
    folder = enrolments.root / "amara"
    assert sorted(everything(folder)) == [
        f"{made.digest[:16]}/01.flac",
        f"{made.digest[:16]}/print.npy",
        "enrolment.json",
    ]
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (enrolments.root, folder, folder / made.digest[:16])} == {0o700}
    kept = soundfile.info(str(folder / made.digest[:16] / "01.flac"))
    assert (kept.samplerate, kept.channels, kept.subtype) == (16_000, 1, "PCM_16")
    assert enrolments.get("amara") == made
    assert (made.consent, made.language, made.report.verdict) == ("amara-2026", "en", "warn")
    [clip] = enrolments.recordings("amara")
    assert np.abs(clip.samples - say("slt").samples).max() < 1 / 32_000
    assert np.linalg.norm(enrolments.voice_print("amara")) == pytest.approx(1.0)
    assert workspaces.known(registry.root, "amara").folders == (enrolments.root.parent,)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"person": "ben"}, "amara-2026 is not the consent of ben"),
        ({"consent": "ben-2026"}, "ben-2026"),
        ({"course": "chemistry"}, "does not cover the course chemistry"),
        ({"purpose": "advertising"}, "does not cover advertising"),
    ],
)
def test_without_consent_nothing_is_taken_in(
    enrolments: Enrolments, registry: Registry, amara: Record, say: Say, asked: dict[str, str], why: str
) -> None:
    """Another person, no record, another course or purpose: refused before anything is heard or written."""
    usual = {"person": "amara", "consent": "amara-2026"} | asked
    with pytest.raises(ConsentRefused, match=why):
        enrolments.enrol(usual.pop("person"), [say("slt")], registry=registry, **usual)
    assert not enrolments.root.exists()


def test_a_revocation_while_the_recordings_are_heard_keeps_them_out(
    enrolments: Enrolments, registry: Registry, amara: Record, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry is asked again before anything is published."""
    measure = quality.measure

    def slow(given: Any) -> quality.Measured:
        measured = measure(given)
        registry.revoke("amara-2026", "changed my mind")
        return measured

    monkeypatch.setattr(quality, "measure", slow)
    with pytest.raises(ConsentRefused, match="was revoked"):
        enrolments.enrol("amara", [say("slt")], consent="amara-2026", registry=registry)
    assert everything(enrolments.root) == {}
    assert enrolments.people() == ()


def test_bad_recordings_are_refused_with_the_report_and_leave_the_enrolment_as_it_was(
    enrolled: Enrolments, registry: Registry, say: Say
) -> None:
    """Telephone speech: the message names the fault and the mend."""
    before = everything(enrolled.root)
    with pytest.raises(RecordingsRejected, match=r"16 kHz.*Record at 48 kHz") as caught:
        enrolled.enrol("amara", [say("kal")], consent="amara-2026", registry=registry)
    assert caught.value.report.verdict == "reject"
    assert everything(enrolled.root) == before


def test_one_recording_given_twice_counts_once(enrolled: Enrolments, registry: Registry, say: Say) -> None:
    """Ten seconds twice are not twenty."""
    again = replace(say("slt"), name="copy.wav")
    with pytest.raises(InputError, match=r"copy\.wav is the same recording as slt\.wav"):
        enrolled.enrol("amara", [say("slt"), again], consent="amara-2026", registry=registry)


def test_the_spoken_statement_is_no_enrolment(
    enrolments: Enrolments, registry: Registry, application: Callable[..., Application], say: Say, tmp_path: Path
) -> None:
    """What proves a person's consent must not be what it is compared with."""
    spoken = tmp_path / "statement.wav"
    soundfile.write(str(spoken), say("slt").samples, 16_000)
    statement = Statement.model_validate(
        {
            "template": "voice-consent-1",
            "locale": "en",
            "text_sha256": "0" * 64,
            "audio_sha256": hashlib.sha256(spoken.read_bytes()).hexdigest(),
            "duration_s": 9.0,
            "recognizer": "pocketsphinx",
            "word_error_rate": 0.0,
            "verdict": "matched",
            "at": "2026-05-01T00:00:00Z",
        }
    )
    registry.add(application(), statement=statement, statement_audio=spoken)
    with pytest.raises(InputError, match="is the spoken statement of this consent"):
        enrolments.enrol("amara", [recordings.read(spoken)], consent="amara-2026", registry=registry)


@pytest.mark.parametrize("person", ["../amara", "..", "", "a/b", ".hidden", "/etc", "a" * 65, "a\0b"])
def test_no_id_leads_out_of_the_folder(enrolled: Enrolments, registry: Registry, say: Say, person: str) -> None:
    """Whatever is asked of such an id is refused before anything is touched."""
    for ask in (enrolled.get, enrolled.delete, enrolled.voice_print, enrolled.recordings):
        with pytest.raises(InputError, match="cannot be the id of a person"):
            ask(person)
    with pytest.raises(InputError, match="cannot be the id of a person"):
        enrolled.enrol(person, [say("slt")], consent="amara-2026", registry=registry)
    assert enrolled.people() == ("amara",)


def test_a_link_in_a_persons_place_is_not_followed(enrolled: Enrolments, tmp_path: Path) -> None:
    """Reading through it is refused; deleting removes the link and not what it leads to."""
    elsewhere = tmp_path / "elsewhere"
    shutil.move(enrolled.root / "amara", elsewhere)
    (enrolled.root / "amara").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="is not a folder"):
        enrolled.voice_print("amara")
    assert enrolled.delete("amara")
    assert (elsewhere / "enrolment.json").exists()
    assert enrolled.people() == ()


def test_a_changed_clip_or_manifest_is_noticed(enrolled: Enrolments) -> None:
    """Another voice slipped in, a name that leads elsewhere, a file cut short: none of them is used."""
    folder = enrolled.root / "amara"
    made = enrolled.get("amara")
    clip = folder / made.digest[:16] / "01.flac"
    manifest = (folder / "enrolment.json").read_text()
    soundfile.write(str(clip), np.zeros(16_000), 16_000, subtype="PCM_16")
    with pytest.raises(StoreError, match="changed or damaged"):
        enrolled.recordings("amara")
    for changed in (
        manifest.replace("01.flac", "../../01.flac"),
        manifest.replace(made.clips[0].sha256, "0" * 64),
        manifest.replace('"amara"', '"ben"'),
        manifest[:100],
    ):
        (folder / "enrolment.json").write_text(changed)
        with pytest.raises(StoreError, match="dub voices delete amara"):
            enrolled.get("amara")


def test_a_print_that_is_code_is_not_run(enrolled: Enrolments) -> None:
    """A pickle in the print's place is refused."""
    path = enrolled.root / "amara" / enrolled.get("amara").digest[:16] / "print.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(StoreError, match="changed or damaged"):
        enrolled.voice_print("amara")


def test_enrolling_again_replaces_all_and_drops_the_voices_trained_before(
    enrolled: Enrolments, registry: Registry, say: Say
) -> None:
    """A voice belongs to the recordings that it was trained from."""
    first = enrolled.get("amara")
    with enrolled.trained(first, "pt-br", 3) as old:
        old.write_bytes(b"a voice")
    assert old.name == f"pt-BR.3.{first.digest[:16]}.safetensors"
    assert enrolled.trained_languages(first) == ("pt-BR",)
    second = enrolled.enrol("amara", [say("awb")], consent="amara-2026", registry=registry)
    assert second.digest != first.digest
    assert not old.exists()
    assert enrolled.trained_languages(second) == ()
    assert sorted(path.name for path in (enrolled.root / "amara").iterdir()) == sorted(
        ["enrolment.json", "trained", second.digest[:16]]
    )


def test_what_was_gathered_from_lessons_never_replaces_what_was_enrolled_by_hand(
    enrolled: Enrolments, registry: Registry, say: Say
) -> None:
    """The recordings stay, and a gathered enrolment gives way to them."""
    by_hand = enrolled.get("amara")
    origin = Origin(course="c", lesson="one", source_sha256="0" * 64, label="SPEAKER_00", start=1.0, end=9.0)
    take = {"consent": "amara-2026", "registry": registry, "language": "en"}
    assert enrolled.enrol("amara", [say("awb")], origins=[origin], **take) == by_hand
    assert enrolled.get("amara") == by_hand
    enrolled.delete("amara")
    gathered = enrolled.enrol("amara", [say("awb")], origins=[origin], **take)
    assert gathered.gathered == (origin,)
    assert enrolled.enrol("amara", [say("slt")], **take).gathered == ()


def test_a_lesson_too_poor_for_a_voice_still_tells_who_somebody_is(
    enrolments: Enrolments, registry: Registry, amara: Record, say: Say
) -> None:
    """Telephone sound: refused when given by hand, kept without a voice when gathered; two speakers never."""
    origin = Origin(course="c", lesson="one", source_sha256="0" * 64, label="SPEAKER_00", start=1.0, end=9.0)
    take = {"consent": "amara-2026", "registry": registry}
    with pytest.raises(RecordingsRejected, match="8000 Hz"):
        enrolments.enrol("amara", [say("kal")], **take)
    kept = enrolments.enrol("amara", [say("kal")], origins=[origin], **take)
    assert kept.speaks is False
    assert np.linalg.norm(enrolments.voice_print("amara")) == pytest.approx(1.0)
    with pytest.raises(RecordingsRejected, match="one speaker"):
        enrolments.enrol("amara", [say("slt"), say("rms")], origins=[origin, origin], **take)


def test_deleting_leaves_nothing_and_says_whether_there_was_anything(enrolled: Enrolments) -> None:
    """Recordings, print and trained voices go together."""
    with enrolled.trained(enrolled.get("amara"), "es", 1) as path:
        path.write_bytes(b"a voice")
    assert enrolled.delete("amara") is True
    assert list(enrolled.root.iterdir()) == []
    assert enrolled.delete("amara") is False
    with pytest.raises(InputError, match="nobody called amara is enrolled"):
        enrolled.get("amara")


def test_erasing_a_revoked_voice_takes_its_enrolment_along(
    enrolled: Enrolments, registry: Registry, tmp_path: Path
) -> None:
    """What `dub consent revoke` does with a workspace."""
    registry.revoke("amara-2026", "changed my mind")
    erased = erase(
        "amara",
        store=Store(tmp_path / "workspace" / "store"),
        registry=registry,
        consents=["amara-2026"],
        enrolments=[enrolled.root],
    )
    assert erased.folders == (enrolled.root / "amara",)
    assert enrolled.list() == ()


def test_any_sound_or_video_file_can_be_given_and_nothing_else(make_media: Callable[..., Path], tmp_path: Path) -> None:
    """Stereo in a film is mixed to mono at its own rate; text, silence-less video and hours of sound are refused."""
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=44100")
    film = make_media("-a 'film'.m4a", *tone, "-ac", "2", "-c:a", "aac")
    read = recordings.read(film)
    assert (read.name, read.rate, read.samples.ndim) == ("-a 'film'.m4a", 44_100, 1)
    assert 0.9 < len(read.samples) / 44_100 < 1.2
    assert read.file_sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    text = tmp_path / "notes.txt"
    text.write_text(json.dumps({"a": 1}))
    picture = make_media("mute.mp4", "-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=1", "-pix_fmt", "yuv420p")
    for path in (text, picture):
        with pytest.raises(MediaError, match="holds no sound that can be read"):
            recordings.read(path)
    with pytest.raises(MediaError, match="is not a file"):
        recordings.read(tmp_path)
    long = tmp_path / "long.flac"
    soundfile.write(str(long), np.zeros(1801 * 8000, np.int16), 8000)
    with pytest.raises(MediaError, match="plays longer than 30 min"):
        recordings.read(long)
