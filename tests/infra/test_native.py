"""The server of compose.yaml for real: its own command lines, secrets and health checks, run as processes on loopback
by Debian's PostgreSQL and Redis, SeaweedFS from its wheel and the locked Prefect."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.infra.conftest import BIN, INFRA, ROOT
from tests.services import LACKING, POSTGRES, Postgres, free_port, until

PATIENCE_S = 300.0
"""How long a part may take to be well, on a busy machine."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(POSTGRES is None or shutil.which("redis-server") is None, reason=LACKING),
]


class Stack:
    """The services of compose.yaml as processes: hosts become loopback, ports are free ones, paths this machine's."""

    def __init__(self, services: dict[str, dict[str, Any]], folder: Path, ends: ExitStack) -> None:
        self.services, self.folder, self.ends = services, folder, ends
        self.ports = {name: free_port() for name in ("postgres", "redis", "api", "worker")}
        self.ports |= {name: free_port(10000) for name in ("objects", "master", "volume", "filer")}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        subprocess.run([INFRA / "make-secrets.sh", folder / "secrets"], check=True, timeout=60)
        for secret in (folder / "secrets").iterdir():
            secret.write_text(self.here(secret.read_text()))

    def here(self, text: str) -> str:
        for name, port in (("postgres", 5432), ("redis", 6379), ("objects", 8333), ("api", 4200)):
            text = text.replace(f"//{name}:{port}", f"//127.0.0.1:{self.ports[name]}")
            text = re.sub(rf"@{name}:{port}", f"@127.0.0.1:{self.ports[name]}", text)
        text = re.sub(r"127\.0\.0\.1:4200", f"127.0.0.1:{self.ports['api']}", text)
        text = re.sub(r"127\.0\.0\.1:8080", f"127.0.0.1:{self.ports['worker']}", text)
        return text.replace("/opt/dubflow", str(ROOT)).replace("/srv/dub", str(self.folder / "shared"))

    def environment(self, name: str) -> dict[str, str]:
        """What a container of the service has, its secrets in a folder of its own, and a port for its health."""
        secrets = self.folder / f"secrets of {name}"
        if not secrets.exists():  # what runs reads them: they are written once
            secrets.mkdir()
            for secret in self.services[name].get("secrets", []):
                shutil.copyfile(self.folder / "secrets" / secret["source"], secrets / Path(secret["target"]).name)
        given = self.services[name].get("environment", {})
        return {
            **{key: self.here(value).replace("/run/secrets", str(secrets)) for key, value in given.items()},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "SECRETS": str(secrets),
            "HOME": str(self.folder),
            "PREFECT_HOME": str(self.folder / name),
            "PREFECT_WORKER_WEBSERVER_PORT": str(self.ports["worker"]),
            "DUB_WORKSPACE": str(self.folder / "workspace"),
            "TMPDIR": str(self.folder / "tmp"),
        }

    def command(self, name: str) -> list[str]:
        """What a container runs, through the image's entry point where the image is ours."""
        entry = [str(INFRA / "with-secrets.sh")] if self.services[name]["image"].startswith("dubflow/") else []
        told = [self.here(word) for word in self.services[name]["command"]]
        told = [word.replace("/run/secrets", str(self.folder / "secrets")) for word in told]
        return [*entry, *(str(self.ports["api"]) if word == "4200" else word for word in told)]

    def start(self, name: str, command: list[str] | None = None) -> None:
        log = self.ends.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            command or self.command(name), env=self.environment(name), stdout=log, stderr=log, cwd=self.folder
        )
        self.running[name] = process
        self.ends.callback(self.stop, name)

    def stop(self, name: str) -> None:
        process = self.running.pop(name, None)
        if process is None:
            return
        if name in {"redis", "objects"}:
            process.kill()  # what they hold is thrown away
        else:
            process.send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ask(self, name: str) -> tuple[int, str]:
        """The health check of a service, as Docker would run it."""
        [kind, *check] = [self.here(word) for word in self.services[name]["healthcheck"]["test"]]
        command = ["sh", "-c", check[0].replace("$$", "$")] if kind == "CMD-SHELL" else check
        told = subprocess.run(
            self.natively(name, command),
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return told.returncode, told.stderr

    def natively(self, name: str, command: list[str]) -> list[str]:
        """A health check with this machine's programs and ports in it."""
        match name:
            case "postgres":
                return [f"{POSTGRES}/{command[0]}", *command[1:], f"--port={self.ports['postgres']}"]
            case "redis":
                text = command[-1].replace("valkey-cli", f"redis-cli -p {self.ports['redis']}")
                return ["sh", "-c", text.replace("/run/secrets", str(self.folder / "secrets"))]
            case "objects":
                text = command[-1].replace(
                    "wget -q -O /dev/null", "python -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1])'"
                )
                for port, part in (("8333", "objects"), ("9333", "master"), ("8080", "volume")):
                    text = text.replace(f"{port}/", f"{self.ports[part]}/")
                return ["sh", "-c", text]
        return command

    def wait(self, *names: str) -> None:
        """Until all of them are well by their own checks. A part that ends before is told with its log."""
        limit, missing = time.monotonic() + PATIENCE_S, set(names)
        while missing:
            for name in sorted(missing):
                code, said = self.ask(name)
                if code == 0:
                    missing.remove(name)
                elif self.running[name].poll() is not None or time.monotonic() > limit:
                    log = (self.folder / f"{name}.log").read_text(errors="replace")
                    pytest.fail(f"{name} is not well: {said}\n{log[-3000:]}")
            time.sleep(0.5)

    def run(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Something in a container of a service, to its end."""
        line = [str(INFRA / "with-secrets.sh"), *command]
        return subprocess.run(
            line,
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            cwd=self.folder,
        )


def start_postgres(stack: Stack) -> None:
    """As PostgreSQL's image does at its first start: data, user and password, databases.sql; then the server."""
    given = stack.services["postgres"]["environment"]
    user, password = given["POSTGRES_USER"], (stack.folder / "secrets" / "postgres_password").read_text()
    made = Postgres(user, password)
    stack.ends.callback(shutil.rmtree, made.folder, ignore_errors=True)
    arguments = [*stack.command("postgres")[1:], "-D", made.data, "-p", stack.ports["postgres"], "-k", ""]
    stack.start("postgres", made.command("postgres", *arguments))
    reach = ["-h", "127.0.0.1", "-p", stack.ports["postgres"], "-U", user]
    ready = made.command("pg_isready", *reach, "-d", "postgres")
    until(
        lambda: not subprocess.run(ready, stdout=subprocess.DEVNULL, check=False, timeout=60).returncode,
        "PostgreSQL",
        PATIENCE_S,
    )
    made.run("createdb", *reach, given["POSTGRES_DB"], password=password)
    shutil.copyfile(INFRA / "databases.sql", made.folder / "databases.sql")
    made.run("psql", *reach, "-q", "-d", "postgres", "-f", made.folder / "databases.sql", password=password)


@pytest.fixture
def stack(composed: dict[str, Any], tmp_path: Path) -> Iterator[Stack]:
    """The stores, running and well."""
    with ExitStack() as ends:
        made = Stack(composed["services"], tmp_path, ends)
        for folder in ("shared", "redis data", "objects data"):
            (tmp_path / folder).mkdir()
        start_postgres(made)
        redis = made.command("redis")[1:]
        redis += ["--port", str(made.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(tmp_path / "redis data")]
        made.start("redis", ["redis-server", *redis])
        kept = [word for word in made.command("objects") if not word.startswith(("-dir", "-s3.port=", "-s3.ip.bind"))]
        ports = [
            f"-{part}.port={made.ports[name]}"
            for part, name in (("s3", "objects"), ("master", "master"), ("volume", "volume"), ("filer", "filer"))
        ]
        made.start(
            "objects", [str(BIN / "weed"), *kept, f"-dir={tmp_path / 'objects data'}", "-s3.ip.bind=127.0.0.1", *ports]
        )
        made.wait("postgres", "redis", "objects")
        yield made


def status(url: str, auth: str = "") -> int:
    """What a POST to loopback is answered with."""
    headers = {"Content-Type": "application/json"}
    if auth:
        headers["Authorization"] = f"Basic {b64encode(auth.encode()).decode()}"
    return httpx.post(url, json={}, headers=headers, timeout=60).status_code


def test_the_server_of_compose_works_and_its_health_checks_tell_the_truth(stack: Stack) -> None:
    """Database, API, services, pools, worker: each is ill before it runs, well when it does, and ill again when it
    has ended; nobody gets in without the password; and `dub` finds store and ledger by the worker's settings."""
    assert [stack.ask(name)[0] for name in ("api", "services", "worker-cpu")] == [1, 1, 1]
    made = stack.run("database", str(INFRA / "set-up.sh"), "database")
    assert made.returncode == 0, made.stderr

    stack.start("api")
    stack.start("services")
    stack.wait("api", "services")
    pools = f"http://127.0.0.1:{stack.ports['api']}/api/work_pools/filter"
    auth = (stack.folder / "secrets" / "prefect_auth").read_text()
    assert (status(pools), status(pools, "operator:wrong"), status(pools, auth)) == (401, 401, 200)

    for _ in range(2):
        made = stack.run("set-up", str(INFRA / "set-up.sh"), "pools", "process")
        assert made.returncode == 0, made.stderr
    stack.start("worker-cpu")
    stack.wait("worker-cpu")

    course = stack.folder / "shared" / "course.yaml"
    course.write_text("course: biology\ntargets: [es]\nlessons: [{media: lesson.wav}]\n")
    course.with_name("lesson.wav").write_bytes(b"RIFF")
    planned = stack.run("worker-cpu", "dub", "plan", str(course), "--json")
    assert planned.returncode == 0, planned.stderr
    assert '"biology"' in planned.stdout
    kept = stack.run("worker-cpu", "python", "-c", KEEP)
    assert (kept.returncode, kept.stdout) == (0, "one\n['stage_runs', 'targets', 'versions']\n"), kept.stderr
    assert httpx.get(f"http://127.0.0.1:{stack.ports['objects']}/dubflow/store/one", timeout=60).status_code == 403

    for name in ("worker-cpu", "services", "api"):
        stack.stop(name)
    limit = time.monotonic() + PATIENCE_S  # services are missed half a minute after their last word
    while [stack.ask(name)[0] for name in ("worker-cpu", "services", "api")] != [1, 1, 1]:
        assert time.monotonic() < limit
        time.sleep(2)


KEEP = """
import os
from pathlib import Path
import fsspec
from sqlalchemy import create_engine, inspect
with fsspec.open(os.environ["DUB_STORE"] + "/one", "wb") as written: written.write(b"one")
with fsspec.open(os.environ["DUB_STORE"] + "/one") as kept: print(kept.read().decode())
print(sorted(inspect(create_engine(Path(os.environ["DUB_LEDGER_FILE"]).read_text())).get_table_names()))
"""
