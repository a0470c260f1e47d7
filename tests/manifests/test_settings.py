"""Settings: which source wins, and that a mistake in a file is named by its line."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from manifests import settings
from manifests.errors import ManifestError
from manifests.settings import Settings
from manifests.workspace import locate
from voiceclone import chain, keys, registry


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's own file would be; nothing is set in the environment, and the current folder holds nothing."""
    for name in settings.ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config" / "dubflow").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return settings.personal_file()


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The folder of a manifest, two below the one in which a project's file would be."""
    folder = tmp_path / "library" / "biology"
    folder.mkdir(parents=True)
    return folder


def project(course: Path, text: str) -> Path:
    path = course.parent / "dubflow.toml"
    path.write_text(text)
    return path


def findings(folder: Path) -> list[tuple[str, int, str]]:
    with pytest.raises(ManifestError) as caught:
        settings.of(folder)
    return [(Path(each.file).name, each.line, each.message) for each in caught.value.findings]


def test_without_a_file_the_defaults_hold(own: Path, course: Path) -> None:
    """Nothing set: each user of a setting takes its own default."""
    assert settings.of(course) == settings.Settings()
    assert settings.files(course) == ()
    assert locate(course / "course.yaml") == course / ".dub"


def test_later_wins_over_earlier(own: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own file, the nearest one upward, the environment, the flag; key by key."""
    own.write_text('workspace = "of-the-user"\nmodels = "~/models"\n')
    assert locate(course / "course.yaml") == own.parent / "of-the-user"
    path = project(course, 'workspace = "of-the-library"\n')
    assert locate(course / "course.yaml") == path.parent / "of-the-library"
    assert settings.of(course).models == tmp_path / "models"
    (course / "dubflow.toml").write_text('profile = "embedded"\n')
    assert locate(course / "course.yaml") == own.parent / "of-the-user"  # the nearest file is the one that counts
    monkeypatch.setenv("DUB_WORKSPACE", "of-the-environment")
    assert locate(course / "course.yaml") == tmp_path / "empty" / "of-the-environment"
    assert locate(course / "course.yaml", Path("/flag")) == Path("/flag")
    assert settings.files(course) == (own, course / "dubflow.toml")


def test_the_current_folder_counts_where_the_manifests_has_nothing(
    own: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's settings are found from where one works too."""
    (tmp_path / "work" / "deep").mkdir(parents=True)
    (tmp_path / "work" / "dubflow.toml").write_text('workspace = "here"\n')
    monkeypatch.chdir(tmp_path / "work" / "deep")
    assert locate(course / "course.yaml") == tmp_path / "work" / "here"
    assert settings.of().workspace == tmp_path / "work" / "here"


def test_a_changed_file_is_read_again(own: Path, course: Path) -> None:
    """No restart is needed."""
    own.write_text("[statement]\nminutes = 5\n")
    assert settings.of(course).statement.minutes == 5
    own.write_text("[statement]\nminutes = 10\n")
    assert settings.of(course).statement.minutes == 10


def test_keys_registry_and_signer_come_from_the_users_own_file(
    own: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Names are relative to the file; a variable wins over it."""
    own.write_text('keys = "k"\nconsent = "/srv/consent"\n[signing]\nchain = "chain.pem"\nkey = "key.pem"\n')
    assert keys.default_folder() == own.parent / "k"
    assert registry.default_folder() == Path("/srv/consent")
    with pytest.raises(chain.RegistryError, match=str(own.parent / "chain.pem")):
        chain.signer()
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "other"))
    monkeypatch.setenv("DUB_CONSENT", "")
    assert keys.default_folder() == tmp_path / "other"
    assert registry.default_folder() == Path("/srv/consent")


def test_a_folder_from_elsewhere_brings_no_registry_key_signer_or_threshold(own: Path, course: Path) -> None:
    """Otherwise an unpacked archive could answer for people's consent and vouch for its own signatures."""
    project(
        course,
        'consent = "mine"\nkeys = "mine"\n\n[signing]\nchain = "mine.pem"\n[statement]\nwords_match = 0.3\n',
    )
    assert [(line, message.split(";")[0]) for _, line, message in findings(course)] == [
        (1, "`consent` says whom this machine believes"),
        (2, "`keys` says whom this machine believes"),
        (4, "`signing` says whom this machine believes"),
        (6, "`statement` says whom this machine believes"),
    ]
    assert registry.default_folder().name == "consent"  # commands that need no project's settings go on without it


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('# mine\nworkspce = "x"\n', 2, "unknown key `workspce`; did you mean `workspace`?"),
        ("workspace = 3\n", 1, "`workspace` is 3; it is text in quotes."),
        ('profile = "studo"\n', 1, '`profile` is "studo"; did you mean `studio`?'),
        ("signing = 3\n", 1, "`signing` is 3; it is a table of keys."),
        ('[signing]\nchian = "x"\n', 2, "unknown key `chian`; did you mean `chain`?"),
        ('signing.chian = "x"\n', 1, "unknown key `chian`; did you mean `chain`?"),
        ("[statement]\n\nminutes = 2.5\n", 3, "`minutes` is 2.5; it is a whole number."),
        ('[statement]\nminutes = "5"\n', 2, '`minutes` is "5"; it is a whole number.'),
        ("[statement]\nminutes = 0\n", 2, "`minutes` is 0; it is at least 1."),
        ("[statement]\nwords_match = 0.9\n", 2, "`words_match` is 0.9; it is at most 0.3."),
        ("[statement]\nfalse_accept = 0.0\n", 2, "`false_accept` is 0.0; it is more than 0."),
        ("[statement]\nfalse_accept = nan\n", 2, "`false_accept` is NaN; it is a number."),
        ("[statement.encoders.ge2e]\nmatch = 0.9\n", 1, "`review` is missing."),
        (
            '[statement.encoders."ge2e"]\nmatch = 0.5\nreview = 0.6\n',
            1,
            "`review` is above `match`: nothing would be left to a human.",
        ),
        ('log_format = "xml"\n', 1, '`log_format` is "xml"; '),
        ('[notify]\nto = ["mailto://me:geheim@there", 3]\n', 2, "`to` is a list of addresses, each in quotes."),
        ("workspace = \n", 1, "this is not TOML: Invalid value."),
        ('workspace = "x"\n[[', 2, "this is not TOML: "),
        ('workspace = "x"\nworkspace = "y"\n', 2, "this is not TOML: Cannot overwrite a value."),
    ],
)
def test_a_mistake_is_named_by_its_line(own: Path, course: Path, text: str, line: int, message: str) -> None:
    """What is wrong, and what would be right."""
    own.write_text(text)
    [(name, at, said)] = findings(course)
    assert (name, at, said.startswith(message)) == ("dubflow.toml", line, True), said


def test_all_mistakes_are_told_at_once(own: Path, course: Path) -> None:
    """In the order of their lines."""
    own.write_text('workspace = 1\n[statement]\nminute = 3\ncohort_least = "few"\n')
    assert [line for _, line, _ in findings(course)] == [1, 3, 4]


def test_what_is_no_text_or_too_large_is_said(own: Path, course: Path) -> None:
    """A file that is something else ends no command in a traceback."""
    own.write_bytes(b'workspace = "\xff"\n')
    assert findings(course) == [("dubflow.toml", 1, "this is not text in UTF-8; save it as UTF-8.")]
    own.write_text("#" * (2 << 20))
    assert findings(course) == [("dubflow.toml", 1, "this is far too large for settings.")]


def test_whom_to_tell_stands_in_the_users_own_file_or_the_environment(
    own: Path, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder from elsewhere does not have the runs told about; a faulty address is never shown, for its password."""
    own.write_text('[notify]\nto = ["json://one/"]\nwhen = "trouble"\n')
    assert settings.of(course).notify == settings.Notify(to=("json://one/",), when="trouble")
    monkeypatch.setenv("DUB_NOTIFY", " json://two/ mailto://three ")
    assert settings.of(course).notify.to == ("json://two/", "mailto://three")
    own.write_text('[notify]\nto = "mailto://me:geheim@there"\n')
    assert findings(course) == [("dubflow.toml", 2, "`to` is a list of addresses, each in quotes.")]
    own.write_text("")
    project(course, '[notify]\nto = ["json://theirs/"]\n')
    assert [message.split(";")[0] for *_, message in findings(course)] == ["`notify` says whom this machine tells"]


def test_store_and_ledger_are_the_users_own(own: Path, course: Path) -> None:
    """A folder that came from elsewhere cannot have takes sent away: only the user's file says where they are kept."""
    own.write_text('store = "s3://bucket/dub"\nledger = "postgresql+psycopg://dub:secret@db/dub"\nvoices = "voices"\n')
    known = settings.personal()
    assert (known.store, known.voices) == ("s3://bucket/dub", own.parent / "voices")
    assert known.ledger == "postgresql+psycopg://dub:secret@db/dub"
    assert "secret" not in repr(known)
    project(course, '\nstore = "s3://elsewhere"\n')
    assert findings(course) == [
        ("dubflow.toml", 2, f"`store` says where this machine keeps what it makes; it stands in {own} alone.")
    ]


def test_a_store_that_is_a_folder_is_relative_to_its_file(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an address in the environment wins over it as it is."""
    own.write_text('store = "shared"\n')
    assert settings.personal().store == str(own.parent / "shared")
    monkeypatch.setenv("DUB_STORE", "memory://shared")
    assert settings.personal().store == "memory://shared"
    monkeypatch.setenv("DUB_STORE", "~/shared")
    assert settings.personal().store == str(tmp_path / "shared")


def test_a_ledgers_address_comes_from_a_file_too(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As secrets do in containers; the variable that holds the address itself wins, and a missing file is named."""
    secret = tmp_path / "ledger-url"
    monkeypatch.setenv("DUB_LEDGER_FILE", str(secret))
    with pytest.raises(ManifestError, match=r"ledger-url:1: cannot be read, and DUB_LEDGER_FILE names it"):
        settings.personal()
    secret.write_text("\n")
    with pytest.raises(ManifestError, match="is empty"):
        settings.personal()
    secret.write_text("postgresql+psycopg://dub@db/dub\n")
    assert settings.personal().ledger == "postgresql+psycopg://dub@db/dub"
    monkeypatch.setenv("DUB_LEDGER", "sqlite:///other.sqlite")
    assert settings.personal().ledger == "sqlite:///other.sqlite"


def test_the_example_names_every_setting_with_its_default() -> None:
    """As it lies there it sets nothing; with its signs taken away it is a file that is understood."""
    text = (Path(__file__).parents[2] / "infra/dubflow.toml.example").read_text(encoding="utf-8")
    assert set(tomllib.loads(text)) == {"signing", "statement", "notify"}
    assert not any(tomllib.loads(text).values())
    told = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))
    assert set(told) == set(Settings.model_fields)
    usual = Settings().model_dump(mode="json")
    for table in ("signing", "statement", "notify"):
        assert set(told[table]) == set(usual[table])
        assert {name: told[table][name] for name, value in usual[table].items() if value is not None} == {
            name: value for name, value in usual[table].items() if value is not None
        }
    assert told["cache_gb"] == usual["cache_gb"]
    Settings.model_validate_json(json.dumps(told), strict=True)
