"""The registry: what is recorded, how it fails closed, and that many may use it at once."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifests.errors import ConsentRefused, InputError
from manifests.store import file_sha256
from voiceclone import private
from voiceclone.application import Application
from voiceclone.consent import Record, Statement, VoiceMatch
from voiceclone.grant import Clock
from voiceclone.private import RegistryError
from voiceclone.records import LARGEST_FILE
from voiceclone.registry import Registry

Apply = Callable[..., Application]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def version(registry: Registry, number: int = 1) -> Path:
    return registry.root / "amara-2026" / f"{number:06d}.json"


def document(registry: Registry) -> Path:
    return next((registry.root / "amara-2026").glob("*.pdf"))


def refused(registry: Registry, use: dict[str, Any]) -> str:
    with pytest.raises(ConsentRefused) as caught:
        registry.grant(**use)
    return caught.value.message


def test_a_registry_can_be_begun_twice_and_stays_one(registry: Registry, amara: Record) -> None:
    """`init` makes what is missing, and nothing over what is there."""
    before = registry.epoch()
    registry.init()
    assert registry.epoch() == before
    assert registry.show("amara-2026") == amara


def test_a_new_key_is_not_made_for_an_old_registry(registry: Registry, amara: Record) -> None:
    """It would turn every consent into a forgery; restoring the key is the mend."""
    (registry.key_folder / "operator.key").unlink()
    (registry.key_folder / "operator.pub").unlink()
    with pytest.raises(RegistryError, match="Restore the key"):
        registry.init()


def test_everything_is_closed_to_others(registry: Registry, amara: Record) -> None:
    """Folders are 0700, files 0600, also under a generous umask."""
    registry.revoke("amara-2026", "asked")
    paths = [registry.root, registry.key_folder, *registry.root.rglob("*"), *registry.key_folder.rglob("*")]
    assert len(paths) > 9
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_nothing_personal_is_kept_but_in_the_copied_document(registry: Registry, amara: Record) -> None:
    """Neither the agreement's words nor its file name appear elsewhere; the reason of a revocation has its own file."""
    registry.revoke("amara-2026", "Amara Example wrote from amara@example.org")
    holding = [path for path in registry.root.rglob("*") if path.is_file() and b"Amara" in path.read_bytes()]
    assert sorted(path.suffix for path in holding) == [".pdf", ".txt"]
    assert not [path for path in registry.root.rglob("*") if "Example" in path.name]
    assert registry.reason("amara-2026") == "Amara Example wrote from amara@example.org"


def test_each_change_of_status_is_a_version_and_none_is_overwritten(registry: Registry, amara: Record) -> None:
    """Three changes leave three files, each naming the one before, and one entry of the log for each."""
    first = version(registry).read_bytes()
    registry.suspend("amara-2026")
    registry.resume("amara-2026")
    registry.revoke("amara-2026", "asked")
    assert version(registry).read_bytes() == first
    assert registry.show("amara-2026").version == 4
    assert [entry.action for entry in registry.entries()] == ["init", "add", "suspend", "resume", "revoke"]
    assert registry.verify("amara-2026").sound
    assert registry.audit().sound


def test_a_change_that_changes_nothing_leaves_no_trace(registry: Registry, amara: Record) -> None:
    """Suspending the suspended or revoking the revoked is no second event."""
    registry.suspend("amara-2026")
    registry.suspend("amara-2026")
    registry.revoke("amara-2026", "asked")
    assert registry.revoke("amara-2026", "asked again").version == 3
    with pytest.raises(InputError, match="is revoked and cannot become active"):
        registry.resume("amara-2026")


def test_the_term_is_a_year_where_none_is_given(registry: Registry, application: Apply) -> None:
    """Twelve months from the begin."""
    record = registry.add(application(expires=None))
    assert record.validity.expires_at - record.validity.not_before == timedelta(days=365)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"expires": date(2036, 6, 3)}, "ten years at most"),
        ({"expires": date(2026, 5, 1)}, "cannot end before it begins"),
        ({"document": None}, "without a written agreement"),
        ({"subject": {"adult": False}}, "guardian"),
    ],
)
def test_what_is_no_consent_is_not_recorded(
    registry: Registry, application: Apply, fields: dict[str, Any], message: str
) -> None:
    """The operator hears why, and nothing is left behind."""
    with pytest.raises(InputError, match=message):
        registry.add(application(**fields))
    assert registry.list() == ()
    assert registry.audit().entries == 1


def test_an_agreement_that_is_no_file_is_refused(registry: Registry, application: Apply, tmp_path: Path) -> None:
    """Missing, empty, a folder, a link, a device, a pipe or far too large: nothing of it is copied, nothing waits."""
    (tmp_path / "empty.pdf").touch()
    (tmp_path / "secret.pdf").write_bytes(b"another's")
    (tmp_path / "link.pdf").symlink_to(tmp_path / "secret.pdf")
    os.mkfifo(tmp_path / "pipe.pdf")
    with (tmp_path / "huge.pdf").open("wb") as stream:
        stream.truncate(LARGEST_FILE + 1)
    for path, why in (
        (tmp_path / "none.pdf", "cannot be read: No such file"),
        (tmp_path / "empty.pdf", "is empty"),
        (tmp_path, "is a folder, not a file"),
        (tmp_path / "link.pdf", "is a link"),
        (Path("/dev/zero"), "is not a file"),
        (tmp_path / "pipe.pdf", "is not a file"),
        (tmp_path / "huge.pdf", "is larger than 256 MiB"),
    ):
        with pytest.raises(InputError, match=why):
            registry.add(application(document=path))
    assert registry.list() == ()
    assert not list(registry.root.glob("amara-2026/*.pdf"))


def test_a_folder_that_was_there_and_open_is_closed(tmp_path: Path, application: Apply) -> None:
    """The registry's and a record's, whatever umask made them."""
    root = tmp_path / "open"
    (root / "amara-2026").mkdir(parents=True)
    for folder in (root, root / "amara-2026"):
        folder.chmod(0o755)
    before = os.umask(0)
    try:
        with pytest.raises(RegistryError, match="no audit log"):
            Registry(root, tmp_path / "keys").init()
        (root / "amara-2026").rmdir()
        registry = Registry(root, tmp_path / "keys")
        registry.init()
        registry.add(application(expires=None))
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.lstat().st_mode) for path in [root, *root.rglob("*")]}
    assert modes == {0o700, 0o600}


def test_an_id_is_given_once(registry: Registry, application: Apply, amara: Record) -> None:
    """Also after a revocation: an id means one consent for good."""
    registry.revoke("amara-2026", "asked")
    with pytest.raises(InputError, match="already"):
        registry.add(application())


@pytest.mark.parametrize("name", ["..", "../keys", "/etc", "a/b", ".lock", "audit.jsonl", "", "a\0b", "\udc80"])
def test_no_id_leads_out_of_the_folder(registry: Registry, amara: Record, use: dict[str, Any], name: str) -> None:
    """Every door that takes an id refuses it."""
    for call in (registry.show, registry.verify, registry.suspend, registry.resume, registry.reason):
        with pytest.raises(InputError):
            call(name)
    with pytest.raises(InputError):
        registry.revoke(name, "asked")
    with pytest.raises(ConsentRefused):
        registry.grant(**use | {"consent": name})
    assert len(registry.state_digest([name])) == 64


def test_links_in_the_registry_are_refused(registry: Registry, amara: Record, use: dict[str, Any]) -> None:
    """A record, a document or a folder behind a link is somebody else's."""
    for path in (version(registry), document(registry), registry.root / "amara-2026"):
        moved = registry.root.parent / "moved"
        path.rename(moved)
        path.symlink_to(moved)
        assert "cannot be relied on" in refused(registry, use)
        path.unlink()
        moved.rename(path)
        registry.grant(**use)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_byte_changed_in_a_record_or_its_document_is_refused(
    registry: Registry, application: Apply, use: dict[str, Any], data: st.DataObject
) -> None:
    """Whichever byte of the record, its signature or the agreement: no grant, and `verify` says so."""
    if not registry.list():
        registry.add(application())
    path = data.draw(st.sampled_from([version(registry), document(registry)]))
    original = path.read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != original[position]))
    try:
        path.write_bytes(original[:position] + bytes([byte]) + original[position + 1 :])
        assert "amara-2026 cannot be relied on" in refused(registry, use)
        assert not registry.verify("amara-2026").sound
        assert registry.list()[0].problems
    finally:
        path.write_bytes(original)


def test_what_is_missing_is_refused_with_a_reason(registry: Registry, amara: Record, use: dict[str, Any]) -> None:
    """Each lack has its own sentence; put back, the answer is yes again."""
    for path, reason in (
        (document(registry), "the agreement of amara-2026 is missing"),
        (version(registry), "version 1 of amara-2026 is missing"),
        (registry.root / "audit.jsonl", "No such file"),
        (registry.root / "audit.head.json", "No such file"),
        (registry.root / ".lock", "there is no consent registry"),
        (registry.key_folder, "there is no operator's key"),
    ):
        away = path.with_name("away")
        path.rename(away)
        assert reason in refused(registry, use)
        away.rename(path)
    registry.grant(**use)


def test_a_revocation_cannot_be_taken_back_by_removing_its_files(
    registry: Registry, amara: Record, use: dict[str, Any]
) -> None:
    """The log pins the version: without the revoked one there is none, whatever the older file says."""
    registry.revoke("amara-2026", "asked")
    version(registry, 2).unlink()
    assert refused(registry, use) == "amara-2026 cannot be relied on: version 2 of amara-2026 is missing"
    assert registry.audit().fault == "version 2 of amara-2026 is missing"


def test_an_older_version_in_the_place_of_a_newer_one_is_found(
    registry: Registry, amara: Record, use: dict[str, Any]
) -> None:
    """Genuine, but not the one that counts."""
    registry.suspend("amara-2026")
    version(registry, 2).write_bytes(version(registry).read_bytes())
    assert "is another record's" in refused(registry, use)
    assert not registry.audit().sound


def test_a_record_of_the_same_name_and_key_from_elsewhere_is_found(
    registry: Registry, application: Apply, amara: Record, use: dict[str, Any], tmp_path: Path
) -> None:
    """Signed by the same operator, but never entered into this log: neither current nor as history."""
    other = Registry(tmp_path / "other", registry.key_folder, clock=registry.clock)
    other.init()
    other.add(application(courses="any"))
    own = version(registry).read_bytes()
    version(registry).write_bytes(version(other).read_bytes())
    assert "is not the version that the audit log names" in refused(registry, use)
    version(registry).write_bytes(own)
    registry.suspend("amara-2026")
    version(registry).write_bytes(version(other).read_bytes())
    assert registry.verify("amara-2026").problems == ("version 1 of amara-2026 is not the one that was followed",)
    assert registry.audit().fault == "version 1 of amara-2026 is not the one that was followed"


def test_a_record_under_another_id_is_found(registry: Registry, application: Apply, use: dict[str, Any]) -> None:
    """A signed record says which it is; its folder does not."""
    registry.add(application())
    registry.add(application(id="amara-all", courses="any"))
    version(registry).write_bytes((registry.root / "amara-all" / "000001.json").read_bytes())
    assert "is another record's" in refused(registry, use)


def test_the_whole_registry_put_back_to_an_older_copy_is_noticed_by_who_saw_the_newer(
    registry: Registry, amara: Record, use: dict[str, Any]
) -> None:
    """A process that knew of the revocation does not forget it."""
    files = {path: path.read_bytes() for path in registry.root.rglob("*") if path.is_file()}
    registry.revoke("amara-2026", "asked")
    version(registry, 2).unlink()
    for path, data in files.items():
        path.write_bytes(data)
    assert "an older copy was put in the consent registry's place" in refused(registry, use)
    assert not registry.audit().sound


def test_without_a_registry_every_answer_is_no(tmp_path: Path, use: dict[str, Any]) -> None:
    """And the remedy is the command that makes one."""
    nowhere = Registry(tmp_path / "none", tmp_path / "none")
    with pytest.raises(ConsentRefused, match="dub consent init"):
        nowhere.grant(**use)
    with pytest.raises(ConsentRefused):
        nowhere.epoch()
    assert not (tmp_path / "none").exists()


def test_a_registry_that_cannot_be_read_is_a_no(registry: Registry, amara: Record, use: dict[str, Any]) -> None:
    """A folder where the log should be stands for any reading that fails, for a superuser too."""
    log = registry.root / "audit.jsonl"
    log.rename(registry.root.parent / "away")
    log.mkdir()
    assert "amara-2026 cannot be relied on" in refused(registry, use)


def test_a_clock_that_was_set_back_revives_nothing(
    registry: Registry, application: Apply, hands: Any, use: dict[str, Any]
) -> None:
    """An expired consent stays expired while the registry remembers a later day; a withdrawal still works."""
    registry.add(application())
    hands.wall = datetime(2027, 6, 1, tzinfo=UTC)
    assert refused(registry, use) == "amara-2026 expired on 2027-05-01"
    registry.add(application(id="later", expires=None))
    hands.wall = NOON
    assert "clock is behind" in refused(registry, use)
    registry.revoke("later", "asked")
    assert registry.show("later").status == "revoked"


def test_it_begins_when_it_says(registry: Registry, application: Apply, hands: Any, use: dict[str, Any]) -> None:
    """Before its first day there is no grant."""
    registry.add(application(begins=date(2026, 7, 1)))
    assert refused(registry, use) == "amara-2026 begins on 2026-07-01"
    hands.wall = datetime(2026, 7, 1, tzinfo=UTC)
    registry.grant(**use)


def statement_of(audio: Path, sha256: str) -> Statement:
    return Statement.model_validate(
        {
            "template": "statement-1",
            "locale": "en",
            "text_sha256": "0" * 64,
            "audio_sha256": sha256,
            "suffix": audio.suffix,
            "duration_s": 9.5,
            "recognizer": "pocketsphinx",
            "word_error_rate": 0.0,
            "verdict": "matched",
            "at": NOON,
        }
    )


MATCH = VoiceMatch(encoder="resemblyzer", weights_sha256="0" * 64, score=0.9, threshold=0.8, verdict="matched")


def test_a_required_statement_must_be_there_verified_and_unchanged(
    registry: Registry, amara: Record, use: dict[str, Any], tmp_path: Path
) -> None:
    """Asked for, the statement counts; its audio is copied in, and missing audio is a no."""
    strict = use | {"require_statement": True}
    assert refused(registry, strict) == "amara-2026 has no verified spoken statement"
    audio = tmp_path / "statement.wav"
    audio.write_bytes(b"RIFF....WAVE")
    with pytest.raises(InputError, match="another audio file"):
        registry.amend("amara-2026", statement=statement_of(audio, "1" * 64), statement_audio=audio)
    spoken = statement_of(audio, file_sha256(audio))
    with pytest.raises(InputError, match="belong together"):
        registry.amend("amara-2026", statement=spoken)
    registry.amend("amara-2026", statement=spoken, statement_audio=audio, voice_match=[MATCH])
    registry.grant(**strict)
    whole = registry.state_digest(["amara-2026"])
    next((registry.root / "amara-2026").glob("*.wav")).unlink()
    assert registry.state_digest(["amara-2026"]) != whole
    assert registry.verify("amara-2026").problems == ("the statement of amara-2026 is missing",)
    assert "the statement of amara-2026 is missing" in refused(registry, strict)
    registry.grant(**use)


def test_a_consent_under_verification_holds_once_it_is_activated(
    registry: Registry, application: Apply, use: dict[str, Any]
) -> None:
    """Not before, and only from there."""
    registry.add(application(), status="pending_verification")
    assert refused(registry, use) == "amara-2026 is not verified yet"
    registry.amend("amara-2026", activate=True)
    registry.grant(**use)
    with pytest.raises(InputError, match="is active"):
        registry.amend("amara-2026", activate=True)


def test_the_state_digest_changes_when_an_answer_could(
    registry: Registry, application: Apply, hands: Any, tmp_path: Path
) -> None:
    """Status, end, damage and absence each give another digest; time alone, repetition and order do not."""
    ids = ["amara-2026", "bruno-2026"]
    seen = [registry.state_digest(ids)]
    registry.add(application())
    seen.append(registry.state_digest(ids))
    registry.add(application(id="bruno-2026", person="bruno"))
    seen.append(registry.state_digest(ids))
    hands.pass_seconds(86_400)
    registry.add(application(id="carla-2026", person="carla"))
    assert registry.state_digest([*reversed(ids), *ids]) == seen[-1]
    registry.suspend("amara-2026")
    seen.append(registry.state_digest(ids))
    registry.resume("amara-2026")
    seen.append(registry.state_digest(ids))
    whole = document(registry).read_bytes()
    document(registry).write_bytes(b"")
    seen.append(registry.state_digest(ids))
    document(registry).write_bytes(whole)
    assert registry.state_digest(ids) == seen[-2]
    hands.wall = datetime(2027, 5, 1, tzinfo=UTC)
    seen.append(registry.state_digest(ids))
    (registry.root / ".lock").unlink()
    seen.append(registry.state_digest(ids))
    assert len(set(seen)) == len(seen)


def test_the_epoch_counts_changes_and_nothing_else(registry: Registry, amara: Record, use: dict[str, Any]) -> None:
    """A grant, a check or a note is no change; a suspension and a revocation are."""
    before = registry.epoch()
    grant = registry.grant(**use)
    registry.check(grant, person="amara", language="es")
    registry.note("erase", "amara-2026", objects=0)
    assert registry.epoch() == before
    registry.suspend("amara-2026")
    registry.revoke("amara-2026", "asked")
    assert registry.epoch() == before + 2


def test_verify_tells_what_others_can_read(registry: Registry, amara: Record) -> None:
    """Open permissions are a problem with a mend, though nothing was changed."""
    document(registry).chmod(0o644)
    assert "chmod -R go=" in registry.verify("amara-2026").problems[0]


def test_verify_tells_apart_what_is_wrong_and_what_is_over(registry: Registry, amara: Record, hands: Any) -> None:
    """An expired record is in perfect order, and covers nothing."""
    hands.wall = datetime(2027, 5, 2, tzinfo=UTC)
    checked = registry.verify("amara-2026")
    assert checked.sound
    assert (checked.status, checked.standing) == ("expired", "amara-2026 expired on 2027-05-01")


def test_a_version_without_its_entry_is_refused_and_settled_by_the_next_change(
    registry: Registry, amara: Record, use: dict[str, Any]
) -> None:
    """A crash between writing a revocation and logging it: nothing is granted, and the revocation stands."""
    log, head = (registry.root / name for name in ("audit.jsonl", "audit.head.json"))
    before = log.read_bytes(), head.read_bytes()
    Registry(registry.root, registry.key_folder, clock=registry.clock).revoke("amara-2026", "asked")
    log.write_bytes(before[0])
    head.write_bytes(before[1])
    script = (
        "import sys; from pathlib import Path; from voiceclone.registry import Registry\n"
        "registry = Registry(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(registry.verify('amara-2026').problems)\n"
        "print(registry.revoke('amara-2026', 'asked again').version)\n"
        "print([entry.action for entry in registry.entries()], registry.audit().sound)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, registry.root, registry.key_folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.splitlines() == [
        "('a change of amara-2026 was interrupted',)",
        "2",
        "['init', 'add', 'recover'] True",
    ]


WRITER = """
import sys
from pathlib import Path
from voiceclone.application import Application
from voiceclone.registry import Registry
root, key_folder, document, name, count = sys.argv[1:]
registry = Registry(Path(root), Path(key_folder))
for number in range(int(count)):
    registry.add(Application(id=f"{name}-{number}", person=name, languages=("es",), purposes=("training_video",),
                             courses="any", document=Path(document)))
    print(number, flush=True)
"""


def writer(registry: Registry, agreement: Path, name: str, count: int) -> subprocess.Popen[str]:
    arguments = [str(each) for each in (registry.root, registry.key_folder, agreement, name, count)]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True)


def test_processes_and_threads_that_write_at_once_keep_one_chain(tmp_path: Path, agreement: Path) -> None:
    """Two processes and two threads add consents at the same time; none is lost and the chain holds."""
    registry = Registry(tmp_path / "shared", tmp_path / "keys")
    registry.init()
    processes = [writer(registry, agreement, name, 8) for name in ("one", "two")]

    def add(name: str) -> None:
        for number in range(4):
            registry.add(
                Application(
                    id=f"{name}-{number}",
                    person=name,
                    languages=("es",),
                    purposes=("training_video",),
                    courses="any",
                    document=agreement,
                )
            )

    threads = [threading.Thread(target=add, args=(name,)) for name in ("three", "four")]
    for thread in threads:
        thread.start()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    for thread in threads:
        thread.join()
    assert (registry.audit().entries, registry.audit().fault) == (1 + 2 * 8 + 2 * 4, None)
    assert all(checked.sound for checked in registry.list())
    assert len(registry.list()) == 24


def test_a_writer_that_is_killed_leaves_a_registry_that_goes_on(tmp_path: Path, agreement: Path) -> None:
    """Killed at three arbitrary moments, nothing that was confirmed is lost and nothing is called tampering."""
    registry = Registry(tmp_path / "shared", tmp_path / "keys")
    registry.init()
    confirmed = 0
    for attempt, delay in enumerate((0.0, 0.013, 0.031)):
        process = writer(registry, agreement, f"w{attempt}", 1000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        confirmed += 1 + len(process.stdout.readlines())
        process.wait(timeout=30)
        process.stdout.close()
        assert registry.audit().sound
        assert len(registry.list()) >= confirmed
    registry.add(
        Application(
            id="after",
            person="amara",
            languages=("es",),
            purposes=("training_video",),
            courses="any",
            document=agreement,
        )
    )
    assert registry.audit().sound


def test_drafts_that_a_crash_left_are_swept_by_the_next_change(registry: Registry, amara: Record) -> None:
    """A draft may hold a whole agreement."""
    left = [registry.root / "amara-2026" / ".x.pdf.0123.tmp", registry.root / ".audit.head.json.0123.tmp"]
    for draft in left:
        draft.write_bytes(b"Amara Example")
    registry.suspend("amara-2026")
    assert not any(draft.exists() for draft in left)


def test_a_full_disk_leaves_the_log_as_it_was(registry: Registry, amara: Record, use: dict[str, Any]) -> None:
    """The write that did not fit is an error; the change is refused until it is made again, then it counts."""
    for _ in range(3):
        registry.suspend("amara-2026")
        registry.resume("amara-2026")
    log = (registry.root / "audit.jsonl").read_bytes()
    script = (
        "import resource, sys; from pathlib import Path; from voiceclone.registry import Registry\n"
        "registry = Registry(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(log) + 100}, {len(log) + 100}))\n"
        "try: registry.revoke('amara-2026', 'asked')\n"
        "except Exception as error: print(type(error).__name__, error.message)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, registry.root, registry.key_folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.startswith("RegistryError cannot write the audit log")
    assert (registry.root / "audit.jsonl").read_bytes() == log
    assert "interrupted" in refused(registry, use)
    registry.revoke("amara-2026", "asked")
    assert refused(registry, use).startswith("amara-2026 was revoked on ")
    assert registry.audit().sound


def test_the_registry_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`DUB_CONSENT` wins; else it is in the user's data folder."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "c"))
    assert Registry.default().root == tmp_path / "c"
    monkeypatch.delenv("DUB_CONSENT")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Registry.default().root.name == "consent"


def test_a_machine_without_the_private_key_can_ask_but_not_change(
    registry: Registry, amara: Record, use: dict[str, Any]
) -> None:
    """A worker grants on what the operator signed."""
    (registry.key_folder / "operator.key").unlink()
    worker = Registry(registry.root, registry.key_folder, clock=Clock(registry.clock.wall))
    worker.grant(**use)
    with pytest.raises(RegistryError, match="private key is not here"):
        worker.revoke("amara-2026", "asked")
    assert worker.show("amara-2026").status == "active"


@pytest.mark.usefixtures("amara")
def test_nobody_withdraws_while_something_is_put_away(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revocation waits for the block's end, and so erases what was kept in it; after it the block is refused."""
    monkeypatch.setattr(private, "LOCK_PATIENCE_S", 0.05)
    with (
        registry.agreed(["amara-2026", "amara-2026"]),
        pytest.raises(RegistryError, match="in use by another process"),
    ):
        registry.revoke("amara-2026", "asked")
    registry.revoke("amara-2026", "asked")
    for consent, why in (("amara-2026", "was revoked"), ("nobody", "there is no consent"), ("", "cannot be the id")):
        with pytest.raises(ConsentRefused, match=why), registry.agreed([consent]):
            raise AssertionError
