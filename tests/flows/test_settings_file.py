"""`dubflow.toml` as a user meets it: found, obeyed, and its mistakes named with exit code 2."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.cli import main
from manifests import settings

Run = Callable[..., tuple[int, str, str]]

MANIFEST = "course: biology\ntargets: [es]\n{profile}lessons: [{{media: lesson.wav}}]\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `dub …` in a folder with a manifest and a lesson of silence, without settings from outside."""
    for name in settings.ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "course").mkdir()
    monkeypatch.chdir(tmp_path / "course")
    Path("course.yaml").write_text(MANIFEST.format(profile=""))
    soundfile.write("lesson.wav", np.zeros(48_000), 48_000)

    def dub(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dub", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return (ended.value.code if isinstance(ended.value.code, int) else 0), out, err

    return dub


@pytest.mark.parametrize("command", ["run", "plan", "status"])
def test_a_mistake_in_the_settings_starts_nothing(run: Run, command: str) -> None:
    """Exit code 2 and `file:line: message`."""
    Path("dubflow.toml").write_text('\nworkspce = "x"\n')
    code, out, err = run(command, "course.yaml")
    assert (code, out) == (2, "")
    assert err.strip() == f"{Path.cwd() / 'dubflow.toml'}:2: unknown key `workspce`; did you mean `workspace`?"
    assert not Path(".dub").exists()


def test_check_lists_it_among_its_findings(run: Run) -> None:
    """Settings are a file that a person wrote, like the manifest."""
    Path("dubflow.toml").write_text("profile = 3\n")
    code, out, _ = run("check", "course.yaml", "--json")
    assert code == 2
    [finding] = json.loads(out)["findings"]
    assert (Path(finding["file"]).name, finding["line"]) == ("dubflow.toml", 1)


def test_the_workspace_of_the_settings_is_used(run: Run) -> None:
    """And none is made beside the manifest."""
    Path("dubflow.toml").write_text('workspace = "../elsewhere"\n')
    assert run("plan", "course.yaml")[0] == 0
    assert Path("../elsewhere/store").is_dir()
    assert not Path(".dub").exists()


def test_a_profile_is_the_flags_the_environments_the_manifests_or_the_settings(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order: only the studio asks for models, and a machine without them is blocked."""
    monkeypatch.delenv("DUB_MODELS", raising=False)
    Path("dubflow.toml").write_text('profile = "studio"\n')
    code, said, _ = run("check", "course.yaml")
    assert (code, "dub models pull" in said) == (4, True)
    assert run("check", "course.yaml", "--profile", "embedded")[0] == 0
    Path("course.yaml").write_text(MANIFEST.format(profile="profile: embedded\n"))
    assert run("check", "course.yaml")[0] == 0
    monkeypatch.setenv("DUB_PROFILE", "studio")
    assert run("check", "course.yaml")[0] == 4


def test_a_profile_that_there_is_not_is_named_with_those_there_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the settings with its line; from the environment without one."""
    Path("dubflow.toml").write_text('profile = "cinema"\n')
    code, said, _ = run("check", "course.yaml")
    assert (code, said.strip().partition("dubflow.toml")[2]) == (
        2,
        ':1: `profile` is "cinema"; known: `embedded`, `studio`.',
    )
    Path("dubflow.toml").unlink()
    monkeypatch.setenv("DUB_PROFILE", "cinema")
    assert run("check", "course.yaml")[2].strip() == "dub: there is no profile 'cinema'. There are: embedded, studio."


def test_doctor_says_which_settings_are_in_force(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files, and the variables that win over them; a mistake is one of its findings."""
    from flows import doctor

    path = Path("dubflow.toml").absolute()
    path.write_text('workspace = "x"\n')
    monkeypatch.setenv("DUB_KEYS", "/srv/keys")
    check = next(iter(doctor.examine()))
    assert (check.what, check.ok, check.found) == ("settings", True, f"{path}, DUB_KEYS")
    path.write_text("workspace = 1\n")
    check = next(iter(doctor.examine()))
    assert (check.ok, check.found) == (False, f"{path}:1: `workspace` is 1; it is text in quotes.")
