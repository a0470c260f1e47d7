"""Programs that run beside tests, on loopback and in folders of their own: PostgreSQL, Redis, whatever else."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
"""Where PostgreSQL's programs are; None where it is not installed."""

LACKING = "PostgreSQL or Redis is not installed: infra/bootstrap.sh --tests"


def free_port(also: int = 0) -> int:
    """A port that is free here, and so is the one that many above it, where another one is asked for."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + also if also else 0))
            except (OSError, OverflowError):
                continue
            return port


def until(true: Callable[[], Any], what: str, within_s: float = 240) -> Any:
    """Wait for something; its value."""
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {within_s:g} s for {what}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Background:
    """A program that runs beside the test, in a process group of its own; its children carry its mark."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    mark: str = field(default_factory=lambda: uuid4().hex)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Background:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment | {"DUB_TEST_MARK": self.mark},
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                start_new_session=True,
            )
        return self

    def stop(self, within_s: float = 60) -> None:
        """Tell it to end, and wait; what is left of it then is killed."""
        if self.process is None:
            return
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(within_s)
        self.kill()

    def kill(self) -> None:
        """End it and all its children as a power failure does."""
        for _ in range(3):  # a child that was just being started is seen the next time
            for process in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(30)

    def processes(self) -> list[int]:
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended, or belongs to somebody else
        return found


class Postgres:
    """A PostgreSQL server of the tests' own, on a port of loopback; as root, run by another user, as it has to be.

    Everybody on the machine is let in, unless a password is named.
    """

    def __init__(self, user: str = "dub", password: str = "") -> None:
        assert POSTGRES is not None, LACKING
        self._programs = POSTGRES
        # Not below pytest's own folder, which only its user may enter.
        self.folder = Path(tempfile.mkdtemp(prefix="dub-pg-"))
        self.data = self.folder / "data"
        self.user, self.port = user, free_port()
        self._by: list[str] = []
        if os.geteuid() == 0:
            owner = "postgres" if "postgres" in {each.pw_name for each in pwd.getpwall()} else "nobody"
            shutil.chown(self.folder, owner)
            self._by = ["setpriv", f"--reuid={owner}", "--clear-groups", "--"]
        asks: list[str | Path] = ["-A", "trust"]
        if password:
            secret = self.folder / "password"
            secret.write_text(password, encoding="utf-8")
            secret.chmod(0o644)
            asks = ["-A", "scram-sha-256", f"--pwfile={secret}"]
        self.run("initdb", "-D", self.data, "-U", user, *asks, "--no-sync", "-E", "UTF8")

    def command(self, program: str, *arguments: object) -> list[str]:
        """A program of PostgreSQL's, to be run as the owner of its data."""
        return [*self._by, str(self._programs / program), *map(str, arguments)]

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories={self.folder}"
        self.run("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-o", options, "-w", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def database(self) -> str:
        """Where a new, empty database is: `user@host:port/name`, for a URL."""
        import psycopg

        name = f"dub_{uuid4().hex}"
        where = {"host": "127.0.0.1", "port": self.port, "user": self.user, "dbname": "postgres"}
        with psycopg.connect(**where, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{self.user}@127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, program: str, *arguments: object, password: str = "") -> None:
        """One of its programs, to its end."""
        subprocess.run(
            self.command(program, *arguments),
            check=True,
            timeout=120,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | ({"PGPASSWORD": password} if password else {}),
        )
