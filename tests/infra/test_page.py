"""infra/README.md: every command on it is understood by its program, every file and link that it names is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.infra.conftest import BIN, INFRA, ROOT, require_known

PAGE = (INFRA / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if shlex.split(line, comments=True)
]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files that make-secrets.sh makes."""
    folder = tmp_path_factory.mktemp("secrets") / "made"
    subprocess.run([INFRA / "make-secrets.sh", folder], check=True, timeout=60)
    return {path.name for path in folder.iterdir()}


def require_flags(program: Path, words: list[str], commands: int) -> None:
    """Parse a command line by having its program show the help of that command: it refuses flags that it has not."""
    told = subprocess.run(
        [program, *words[:commands], "--help", *words[commands:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 0, told.stderr
    assert "Usage:" in told.stdout


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:60])
def test_every_command_is_understood_by_its_program(words: list[str], secrets: set[str]) -> None:
    """`dub` and `prefect` by their parsers, Docker Compose and kubectl by themselves; and what they name is there."""
    match words:
        case ["dub" | "prefect", *_]:
            require_known(words)
        case ["docker", "compose", *rest]:
            at = next(index for index, word in enumerate(rest) if word in {"up", "ps", "logs", "run", "exec", "cp"})
            assert all((ROOT / rest[index + 1]).is_file() for index, word in enumerate(rest[:at]) if word == "--file")
            require_flags(BIN / "docker-compose", rest, at + 1)
            if rest[at] == "run" and "dub" in rest:
                require_known(rest[rest.index("dub") :])
        case ["docker", "build", "--file", file, "--target", target, "--tag", tag, "."]:
            assert f" AS {target}\n" in (ROOT / file).read_text(encoding="utf-8")
            assert f"image: {tag}\n" in (INFRA / "compose.yaml").read_text(encoding="utf-8")
        case ["kubectl", *rest]:
            plain = [word for word in rest if not word.startswith("-") and word != "dubflow"]
            depth = 3 if plain[:2] == ["create", "secret"] else 2 if plain[:2] == ["create", "namespace"] else 1
            at = rest.index(plain[depth - 1])
            require_flags(BIN / "kubectl", rest, at + 1)
            for word in rest:
                if word.startswith("--from-file="):
                    assert word.rpartition("=")[2].removeprefix("infra/secrets/") in secrets
            if "--kustomize" in rest:
                assert (ROOT / rest[rest.index("--kustomize") + 1] / "kustomization.yaml").is_file()
        case ["infra/make-secrets.sh"] | ["mkdir" | "chown" | "export" | "sed", *_]:
            pass
        case _:
            raise AssertionError(f"nobody knows {words}")


def test_every_variable_that_it_exports_is_one_that_compose_reads() -> None:
    """And the command that changes the ledger's address changes it."""
    asked = "".join(path.read_text(encoding="utf-8") for path in INFRA.glob("compose*.yaml"))
    exported = {word.partition("=")[0] for words in COMMANDS if words[0] == "export" for word in words[1:]}
    assert {*re.findall(r"\$\{(\w+)", asked)} >= exported > {"SHARED_FOLDER"}
    [(_, _, change, _)] = [words for words in COMMANDS if words[0] == "sed"]
    _, old, new, _ = change.split("/")
    assert (old, new) == ("@postgres:", "@192.0.2.10:")
    assert old in (INFRA / "make-secrets.sh").read_text(encoding="utf-8")


def test_the_secrets_that_it_makes_are_those_that_pods_read() -> None:
    """Each of the three, with every key that a service of compose.yaml has."""
    made = {words[words.index("generic") + 1]: words for words in COMMANDS if "generic" in words}
    keys = {
        name: {word.split("=")[1].rpartition("/")[2] for word in words if word.startswith("--from-file=")}
        for name, words in made.items()
    }
    assert keys == {
        "server": {
            *("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_REDIS_MESSAGING_URL"),
            *("PREFECT_SERVER_DOCKET_URL", "PREFECT_SERVER_API_AUTH_STRING"),
        },
        "worker": {"PREFECT_API_AUTH_STRING", "dub_ledger", "aws_credentials"},
        "stores": {"postgres_password", "redis_conf", "redis_password", "s3_config"},
    }


def test_links_lead_somewhere() -> None:
    """To files that are there, and to headings of the page."""
    headings = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", PAGE, re.M)
    }
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert len(links) > 10
    for link in links:
        assert link.removeprefix("#") in headings if link.startswith("#") else (INFRA / link).exists(), link
