"""The command line as its users have it: real processes, one Prefect server for all of them, folders of their own."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

    @contextmanager
    def under_way(self, log: Path, *arguments: object, **environment: str) -> "Iterator[UnderWay]":
        """A command in a process group of its own, as a shell starts it; what it says goes to a file. It does not
        outlive the block."""
        mark = uuid.uuid4().hex
        with log.open("w") as said:
            process = subprocess.Popen(
                [str(DUB), *map(str, arguments)],
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
                env=self.environment | environment | {"DUB_TEST_MARK": mark},
            )
        try:
            yield UnderWay(process, mark, log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass(frozen=True)
class UnderWay:
    """A command that was started; its children carry its mark."""

    process: subprocess.Popen[str]
    mark: str
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def until(self, text: str, within_s: float = 180) -> None:
        """Wait until it has said something."""
        limit = time.monotonic() + within_s
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < limit, self.said
            time.sleep(0.05)

    def ends(self, within_s: float = 300) -> int:
        """Its exit code."""
        return self.process.wait(timeout=within_s)

    def left_behind(self, within_s: float = 20) -> list[str]:
        """Commands of its processes that live on for longer than that after its end."""
        limit = time.monotonic() + within_s
        while (left := self._processes()) and time.monotonic() < limit:
            time.sleep(0.05)
        return left

    def _processes(self) -> list[str]:
        found: list[str] = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found += [command] if command else []
            except OSError:
                continue  # it ended, or belongs to somebody else
        return found


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
