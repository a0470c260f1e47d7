"""`dub consent`: what each command says, does and exits with, as a terminal and as a program see it."""

from __future__ import annotations

import fcntl
import json
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from manifests.commits import Commit
from manifests.store import Store
from manifests.workspace import Workspace
from voiceclone import workspaces
from voiceclone.private import RegistryError

COMMANDS = ("init", "add", "list", "show", "verify", "statement", "suspend", "resume", "revoke", "audit")


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Consent = Callable[..., Said]


@pytest.fixture
def consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Consent:
    """Runs `dub consent …` in this process, in a folder with a registry and keys of its own."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "registry"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DUB_WORKSPACE", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("agreement.pdf").write_bytes(b"%PDF-1.4 I agree")

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["dub", "consent", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code
        assert "Traceback" not in err
        return Said(code if isinstance(code, int) else 0, out, err)

    return run


@pytest.fixture
def amara(consent: Consent) -> None:
    consent("init")
    assert add(consent).code == 0


def add(consent: Consent, *more: object, **replaced: str) -> Said:
    flags = {
        "--person": "amara",
        "--languages": "es,ca",
        "--purpose": "training_video",
        "--course": "intro-biology",
        "--document": "agreement.pdf",
        "--expires": "2099-05-01",
        "--begins": "2090-01-01",
    } | {f"--{name}": value for name, value in replaced.items()}
    return consent("add", "amara-2026", *(part for flag in flags.items() for part in flag), *more)


def took(workspace: Path, *people: str, delivered: dict[str, str] | None = None) -> Store:
    """A workspace with one take and one mix in these people's voices, and something that is nobody's."""
    store = Store(workspace / "store")
    for stage, files in (("synthesize", {}), ("remux", delivered or {})):
        store.made(stage, "k1", lambda folder, stage=stage: written(folder, stage), people=people, delivered=files)
    store.made("split", "k1", lambda folder: written(folder, "nobody"))
    return store


def written(folder: Path, text: str) -> Path:
    path = folder / "it.wav"
    path.write_text(text)
    return path


def holds(store: Store) -> set[str]:
    return {path.read_text() for path in (store.root / "objects").rglob("*.wav")}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(consent: Consent, command: str) -> None:
    """`--help` exits 0 and shows how the command is typed."""
    said = consent(command, "--help")
    assert said.code == 0
    assert f"dub consent {command}" in " ".join(said.out.split("Example", maxsplit=1)[1].split())


def test_a_consent_from_flags_is_listed_shown_and_verified(consent: Consent, tmp_path: Path) -> None:
    """Keys and registry are made for the owner alone; what was entered is what is reported."""
    begun = consent("init", "--json").json
    assert begun["registry"] == str(tmp_path / "registry")
    assert stat.S_IMODE((tmp_path / "keys" / "operator.key").stat().st_mode) == 0o600
    added = add(consent, "--json").json["consent"]
    assert (added["status"], added["scope"]["languages"]) == ("active", ["es", "ca"])
    assert added["validity"]["expires_at"] == "2099-05-01T00:00:00Z"
    (row,) = consent("list", "--json").json["consents"]
    assert (row["id"], row["person"], row["courses"]) == ("amara-2026", "amara", ["intro-biology"])
    assert row["standing"] == "amara-2026 begins on 2090-01-01"
    shown = consent("show", "amara-2026", "--json").json
    assert (shown["consent"]["subject"]["person"], shown["reason"]) == ("amara", None)
    assert consent("verify", "amara-2026", "--json").json["consents"][0]["problems"] == []
    assert "amara-2026" in consent("list").out
    assert "agreement: sha256 " in consent("show", "amara-2026").out
    assert consent("verify").out == "amara-2026: sound, amara-2026 begins on 2090-01-01\n"


def test_a_consent_from_a_file(consent: Consent) -> None:
    """The document lies beside the file; a fault is named by file and line."""
    consent("init")
    Path("amara.yaml").write_text(
        "id: amara-2026\nperson: amara\nlanguages: [es]\npurposes: [training_video]\n"
        "courses: any\ndocument: agreement.pdf\n"
    )
    assert consent("add", "--file", "amara.yaml", "--json").json["consent"]["scope"]["courses"] == "any"
    Path("wrong.yaml").write_text("id: wrong\nperson: amara\nlanguages: [no language]\ncourses: any\n")
    said = consent("add", "--file", "wrong.yaml")
    assert said.code == 2
    assert "wrong.yaml:3: languages.0: " in said.err


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"person": "Amara Example"}, "person: String should match pattern"),
        ({"languages": "spanish!"}, "'spanish!' is not a language tag"),
        ({"expires": "soon"}, "expires"),
        ({"expires": "2120-01-01"}, "a consent lasts ten years at most"),
        ({"expires": "2080-01-01"}, "a consent cannot end before it begins"),
        ({"document": "nothing.pdf"}, "nothing.pdf cannot be read"),
        ({"course": "any,intro-biology"}, "--course any covers every course"),
        ({"reviewed-by": "ines"}, "are about a --statement"),
    ],
)
def test_a_users_mistake_is_explained_and_changes_nothing(
    consent: Consent, replaced: dict[str, str], message: str
) -> None:
    """Exit code 2, one message, and no record."""
    consent("init")
    said = add(consent, **replaced)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert consent("list", "--json").json == {"consents": []}


def test_what_is_missing_or_there_already_is_a_users_mistake_too(consent: Consent) -> None:
    """Nothing to record without the needed flags; no id twice; no answer about what is not there."""
    consent("init")
    assert "a consent needs ID, --person, --languages" in consent("add", "--purpose", "news").err
    Path("amara.yaml").write_text("id: amara-2026\n")
    assert "not from both" in consent("add", "amara-2026", "--file", "amara.yaml").err
    add(consent)
    said = add(consent)
    assert (said.code, said.err.strip()) == (2, "dub: there is a consent amara-2026 already. Choose another id.")
    for command in ("show", "verify", "suspend", "resume"):
        assert consent(command, "nobody").code == 2
    assert consent("revoke", "nobody", "--reason", "asked").code == 2
    assert consent("revoke", "amara-2026").code == 2
    assert consent("revoke", "amara-2026", "--reason", " ").code == 2
    assert consent("show", "amara-2026", "--json").json["consent"]["status"] == "active"


def test_without_a_registry_the_message_says_how_to_make_one(consent: Consent) -> None:
    """The operator's to mend: exit code 3 and the command."""
    said = consent("list")
    assert said.code == 3
    assert "`dub consent init`" in said.err


@pytest.mark.usefixtures("amara")
def test_suspended_consents_hold_again_and_revoked_ones_never(consent: Consent) -> None:
    """Each change is in the record at once."""
    assert consent("suspend", "amara-2026", "--json").json["consent"]["status"] == "suspended"
    assert consent("resume", "amara-2026").out.startswith("amara-2026: active, amara, es, ca")
    consent("revoke", "amara-2026", "--reason", "asked by letter")
    assert consent("resume", "amara-2026").code == 2
    assert consent("show", "amara-2026", "--json").json["reason"] == "asked by letter"
    assert consent("list", "--json").json["consents"][0]["status"] == "revoked"


@pytest.mark.usefixtures("amara")
def test_a_changed_log_is_found_and_its_entry_named(consent: Consent, tmp_path: Path) -> None:
    """`audit --verify` exits 0 on what was written, 3 on anything else."""
    assert [entry["action"] for entry in consent("audit", "--json").json["entries"]] == ["init", "add"]
    assert consent("audit", "--verify", "--json").json["sound"] is True
    log = tmp_path / "registry" / "audit.jsonl"
    first, second = log.read_bytes().splitlines()
    log.write_bytes(first + b"\n" + second.replace(b"active", b"acting") + b"\n")
    found = consent("audit", "--verify", "--json")
    assert (found.code, found.json["fault"]) == (3, "entry 2 was changed")
    assert "entry 2 was changed" in consent("audit", "--verify").out


@pytest.mark.usefixtures("amara")
def test_an_exchanged_agreement_is_found(consent: Consent, tmp_path: Path) -> None:
    """`verify` exits 3 and says which."""
    (agreement,) = (tmp_path / "registry" / "amara-2026").glob("*.pdf")
    agreement.write_bytes(b"another")
    said = consent("verify")
    assert (said.code, said.out) == (3, "amara-2026: the agreement of amara-2026 was changed\n")
    assert "damaged" in consent("list").out


@pytest.mark.usefixtures("amara")
def test_a_revocation_lists_the_outputs_and_erases_the_voice_wherever_it_was_used(
    consent: Consent, tmp_path: Path
) -> None:
    """In a workspace that the registry knows, a named one and the folder's own; a gone one does not matter."""
    video = tmp_path / "out" / "lesson 1.es.mp4"
    known = took(tmp_path / "known", "amara", delivered={str(video): "1" * 64})
    named = took(tmp_path / "named", "amara", "ben", delivered={str(tmp_path / "b.mp4"): "2" * 64})
    own = took(Path.cwd() / ".dub", "amara")
    others = took(tmp_path / "others", "ben")
    (tmp_path / "known" / "voices" / "amara").mkdir(parents=True)
    for folder, person in (("known", "amara"), ("gone", "amara"), ("others", "ben")):
        workspaces.note(tmp_path / "registry", tmp_path / folder, person=person, consent=f"{person}-2026")
    said = consent("revoke", "amara-2026", "--reason", "asked", "--workspace", tmp_path / "named")
    assert (said.code, said.out) == (0, f"{video}\n{tmp_path / 'b.mp4'}\n")
    assert holds(known) == holds(named) == holds(own) == {"nobody"}
    assert holds(others) == {"synthesize", "remux", "nobody"}
    assert not (tmp_path / "known" / "voices" / "amara").exists()
    assert f"{tmp_path / 'known'}: erased 2 objects of 2 results, and {tmp_path / 'known/voices/amara'}." in said.err
    assert "amara-2026 is revoked; 2 finished files used the voice of amara." in said.err
    assert consent("audit", "--verify").code == 0


@pytest.mark.usefixtures("amara")
def test_a_revocation_as_json(consent: Consent, tmp_path: Path) -> None:
    """One document: each output with its hash and whether it is there, and what was erased."""
    video = tmp_path / "lesson.es.mp4"
    video.write_bytes(b"video")
    took(tmp_path / "work", "amara", delivered={str(video): "1" * 64})
    told = consent("revoke", "amara-2026", "--reason", "asked", "--workspace", tmp_path / "work", "--json").json
    assert told["status"] == "revoked"
    assert told["outputs"] == [
        {"path": str(video), "sha256": "1" * 64, "there": True, "workspace": str(tmp_path / "work")}
    ]
    (erased,) = told["erased"]
    assert (erased["commits"], erased["objects"], told["problems"]) == (2, 2, [])
    assert video.read_bytes() == b"video"


@pytest.mark.usefixtures("amara")
def test_what_a_running_run_has_in_hand_is_said(consent: Consent, tmp_path: Path) -> None:
    """The voice is erased at once, and the exit code says that it must be revoked again."""
    store = took(tmp_path / "work", "amara")
    arguments = ("revoke", "amara-2026", "--reason", "asked", "--workspace", tmp_path / "work")
    with (tmp_path / "work" / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = consent(*arguments)
    assert said.code == 3
    assert "a run is at work there" in said.err
    assert holds(store) == {"nobody"}
    said = consent(*arguments)
    assert said.code == 0
    assert "amara-2026 was revoked before; 0 further finished files used the voice of amara." in said.err


@pytest.mark.usefixtures("consent")
def test_check_and_plan_say_for_whom_a_stock_voice_will_speak(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], make_media: Callable[..., Path]
) -> None:
    """No fault of the manifest, and nothing that would keep it from running; but known before the night."""
    media = make_media("one.wav", "-f", "lavfi", "-i", "sine=d=1")
    Path("course.yaml").write_text(
        f"course: intro-biology\nsource_language: en\ntargets: [es]\npeople: {{amara: {{consent: amara-2026}}}}\n"
        f"lessons: [{{media: {media}}}]\n"
    )
    told: dict[str, Any] = {}
    for command in ("check", "plan"):
        monkeypatch.setattr(sys, "argv", ["dub", command, "course.yaml", "--json"])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        told[command] = json.loads(capfd.readouterr().out)
    why = "amara-2026 cannot be relied on: there is no consent registry"
    assert told["check"]["findings"] == told["check"]["blocked"] == []
    assert told["check"]["consents_missing"] == [f"es: a stock voice speaks for amara: {why}"]
    assert told["plan"]["targets"][0]["consents_missing"] == [{"person": "amara", "why": why}]


@pytest.mark.usefixtures("amara")
def test_one_unreadable_workspace_does_not_save_the_voice_in_another(consent: Consent, tmp_path: Path) -> None:
    """The revocation counts, the other workspace is cleared, and the exit code is 3."""
    broken, whole = tmp_path / "a-broken", took(tmp_path / "whole", "amara")
    took(broken, "amara")
    (broken / "store" / "commits" / "remux" / "k1.json").write_text("{")
    said = consent("revoke", "amara-2026", "--reason", "asked", "--workspace", broken, "--workspace", whole.root.parent)
    assert said.code == 3
    assert f"{broken}: a commit in {broken / 'store'} cannot be read" in said.err
    assert holds(whole) == {"nobody"}
    assert consent("show", "amara-2026", "--json").json["consent"]["status"] == "revoked"


@pytest.mark.usefixtures("amara")
def test_a_folder_that_is_no_workspace_is_refused_before_anything_is_revoked(consent: Consent, tmp_path: Path) -> None:
    """A mistyped folder would leave the voice where it is."""
    said = consent("revoke", "amara-2026", "--reason", "asked", "--workspace", tmp_path / "typo")
    assert (said.code, "is not a workspace" in said.err) == (2, True)
    assert consent("show", "amara-2026", "--json").json["consent"]["status"] == "active"


def test_workspaces_are_remembered_once_each_and_a_torn_line_is_counted(tmp_path: Path) -> None:
    """The list is the owner's alone, survives a crash within a write, and is never written through a link."""
    for _ in range(2):
        workspaces.note(tmp_path, tmp_path / "b", person="amara", consent="amara-2026")
    path = tmp_path / "workspaces.jsonl"
    assert len(path.read_bytes().splitlines()) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open("ab") as stream:
        stream.write(b'{"person": "ama')
    workspaces.note(tmp_path, tmp_path / "a", person="amara", consent="amara-2026")
    workspaces.note(tmp_path, tmp_path / "c", person="ben", consent="ben-2026")
    assert workspaces.known(tmp_path, "amara") == workspaces.Known((tmp_path / "a", tmp_path / "b"), 1)
    assert workspaces.known(tmp_path / "a", "amara") == workspaces.Known((), 0)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RegistryError):
        workspaces.note(tmp_path, tmp_path / "b", person="amara", consent="amara-2026")


def test_services_that_may_have_the_voice_are_named_one_by_one(consent: Consent) -> None:
    """`--third-party` says which; without it none may, and `show` says so by not naming any."""
    consent("init")
    assert add(consent, "--third-party", "elevenlabs", "--third-party", "minimax").code == 0
    assert "third parties: elevenlabs, minimax" in consent("show", "amara-2026").out
    scope = consent("show", "amara-2026", "--json").json["consent"]["scope"]
    assert scope["third_parties"] == ["elevenlabs", "minimax"]


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_a_revocation_reaches_the_shared_store(
    consent: Consent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The store that the settings name loses the voice, and so do the copies that this machine's workspaces have."""
    consent("init")
    assert add(consent, "--json").code == 0
    monkeypatch.setenv("DUB_STORE", str(tmp_path / "shared") if place == "folder" else f"memory://{tmp_path.name}")
    monkeypatch.setenv("DUB_VOICES", str(tmp_path / "voices"))
    (tmp_path / "voices" / "amara").mkdir(parents=True)
    one, other = (Workspace.open(tmp_path / name).store for name in ("one", "other"))
    said = written(tmp_path / "here", "amara's")
    voice = one.put(said)
    one.commit(Commit("synthesize", "ab", {"it": voice.name}, people=("amara",), delivered={"/out/a.es.mp4": "0" * 64}))
    assert other.get(voice.name).read_text() == "amara's"
    for name in ("one", "other"):
        workspaces.note(tmp_path / "registry", tmp_path / name, person="amara", consent="amara-2026")
    revoked = consent("revoke", "amara-2026", "--reason", "asked", "--json").json
    assert [each["path"] for each in revoked["outputs"]] == ["/out/a.es.mp4"]
    shared = revoked["erased"][0]
    assert (shared["workspace"], shared["objects"]) == (one.place, 1)
    assert shared["folders"] == [str(tmp_path / "voices" / "amara")]
    assert revoked["problems"] == []
    again = Workspace.open(tmp_path / "one").store
    assert list(again.commits()) == []
    assert not again.has(voice)
    assert not other.path(voice).exists()
