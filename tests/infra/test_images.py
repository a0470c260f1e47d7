"""The Dockerfile: its linter's judgement, and that it makes images of exactly what the lock and bootstrap say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.infra.conftest import BIN, INFRA, ROOT

DOCKERFILE = (INFRA / "Dockerfile").read_text(encoding="utf-8")


def test_its_linter_has_nothing_to_say() -> None:
    """Every rule, warnings and style included."""
    told = subprocess.run(
        [BIN / "hadolint", "--failure-threshold", "style", INFRA / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stdout) == (0, "")


def test_python_packages_come_by_the_hashes_of_the_lock() -> None:
    """Every install names the lock, for what is built too; and versions that are written out are the lock's."""
    installs = re.findall(r"uv pip install (.+)$", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 4
    for line in installs:
        assert "--require-hashes --constraint requirements.lock" in line or (
            "--no-deps --build-constraint requirements.lock" in line
        )
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, version in re.findall(r" ([\w-]+)==([\d.]+)", " ".join(installs)):
        assert f"\n{name}=={version} \\\n" in lock
    assert "\nhatchling==" in lock  # what builds the package
    assert "://" not in DOCKERFILE


def test_no_image_runs_as_root() -> None:
    """Each target that is run ends as user 10001, by number, as Kubernetes wants it."""
    stages = re.split(r"^FROM \S+ AS ", DOCKERFILE, flags=re.MULTILINE)[1:]
    final = {stage.split("\n")[0]: stage for stage in stages if "\nCMD " in stage}
    assert set(final) == {"server", "cpu", "cuda"}
    assert all(stage.index("\nUSER 10001\n") < stage.index("\nCMD ") for stage in final.values())


def test_the_server_writes_its_ui_where_its_user_may() -> None:
    """Prefect unpacks it at every start; without a folder to write to there would be an API and no UI."""
    server = DOCKERFILE[DOCKERFILE.index(" AS server\n") : DOCKERFILE.index(" AS programs\n")]
    assert "\nENV PREFECT_SERVER_UI_STATIC_DIRECTORY=/tmp/" in server


def test_debian_packages_are_those_of_bootstrap_alone(tmp_path: Path) -> None:
    """`--packages` installs them and stops there; the image adds none but a compiler that is left behind."""
    assert re.findall(r"apt-get install [^\n]*?recommends ([^&]*?) &&", DOCKERFILE) == ["g++"]
    assert "RUN infra/bootstrap.sh --packages &&" in DOCKERFILE
    (tmp_path / "infra").mkdir()
    script = tmp_path / "infra" / "bootstrap.sh"
    script.write_text((INFRA / "bootstrap.sh").read_text(encoding="utf-8"), encoding="utf-8")
    subprocess.run(["bash", script, "--packages"], check=True, timeout=600)
    assert [path.name for path in tmp_path.rglob("*")] == ["infra", "bootstrap.sh"]


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    """Each source of a COPY is in the repository and let through by the list beside the Dockerfile."""
    let_through = re.findall(r"^!(\S+)$", (INFRA / "Dockerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in let_through, source


@pytest.mark.parametrize("script", sorted(path.name for path in INFRA.glob("*.sh")))
def test_shell_scripts_can_be_read(script: str) -> None:
    """By the shell that they name."""
    shell = (INFRA / script).read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("#!").split()
    subprocess.run([*shell, "-n", INFRA / script], check=True, timeout=60)
