"""The command line as its users have it: real processes, one Prefect server for all of them, folders of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DUB = Path(sys.executable).with_name("dub")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Dub:
    """Runs `dub` with an environment of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(
        self, *arguments: object, cwd: Path | None = None, before: Sequence[str] = (), **environment: str
    ) -> Ran:
        """Run a command to its end; `before` stands before it on the command line."""
        done = subprocess.run(
            [*before, str(DUB), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=400,
            cwd=cwd,
            env=self.environment | environment,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(DUB), *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.environment,
        )


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect server for the runs of all tests: a run that finds one in PREFECT_API_URL starts none."""
    from flows.server import api

    before = dict(os.environ)
    os.environ.pop("PREFECT_API_URL", None)
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    with api(tmp_path_factory.mktemp("server")) as ready:
        ready()
        yield os.environ["PREFECT_API_URL"]
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def dub(prefect_url: str, tmp_path_factory: pytest.TempPathFactory) -> Dub:
    """The command, with consents, keys and Prefect's files in folders of the tests."""
    home = tmp_path_factory.mktemp("home")
    return Dub(
        {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DUB_"))}
        | {
            "PREFECT_API_URL": prefect_url,
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_LOGGING_LEVEL": "CRITICAL",
            "DUB_CONSENT": str(home / "consent"),
            "DUB_KEYS": str(home / "keys"),
            "COLUMNS": "200",
        }
    )


@pytest.fixture(scope="session")
def demo(dub: Dub, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The demo's folder after `dub demo`, and what that printed."""
    folder = tmp_path_factory.mktemp("demo") / "course"
    return folder, dub("demo", folder)
