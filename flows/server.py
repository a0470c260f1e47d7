"""A Prefect API for the length of one run.

With `PREFECT_API_URL` set, that server is used. Without, a server of our own listens on loopback while the run lasts,
its database in the workspace. Prefect could start one by itself; we start it so that it comes up while the engines
load, and so that it goes when we go, however we go: a run that is killed leaves no server behind.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from flows.saying import in_json
from manifests.errors import EngineUnavailable, StoreError

LEAST_BYTES = 4_000_000
"""Bytes that a server's empty database takes: one that did not start, and had less, had no room."""

START_LIMIT_S = 90
"""A first start makes the database; on a busy machine that takes its time."""

# Asks the kernel to end this process with its parent, then becomes the server.
_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # Without batches the recorder loses most task runs of a short-lived server (Prefect issue 21057).
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}


@contextmanager
def api(workspace: Path) -> Generator[Callable[[], None]]:
    """Make a Prefect API come up; yields a function that waits until it answers.

    To be entered before Prefect is imported. The waiting function raises EngineUnavailable where no server answers.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if in_json():
        # Prefect's own log would stand between the lines; it still goes to the server.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if os.environ.get("PREFECT_API_URL"):
        yield lambda: None
        return
    home = Path(os.environ.setdefault("PREFECT_HOME", str(workspace / ".prefect")))
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{_free_port()}/api"
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-c", _WITH_PARENT, "-m", "uvicorn"),
                *("--factory", "prefect.server.api.server:create_app"),
                *("--host", "127.0.0.1", "--port", url.split(":")[2].removesuffix("/api"), "--log-level", "error"),
            ],
            env={**os.environ, "PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            # Out of reach of the terminal's Ctrl-C: the run has to tell it how it ended.
            start_new_session=True,
        )
    os.environ["PREFECT_API_URL"] = url
    try:
        yield lambda: _wait(server, url, home)
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        server.terminate()
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], url: str, home: Path) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310  (http on loopback)
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    if shutil.disk_usage(home).free < LEAST_BYTES:
        raise StoreError(
            f"no space is left for the workspace {home.parent}.",
            remedy="Free some space, or choose another folder with --workspace.",
        )
    raise EngineUnavailable(
        f"the Prefect server of this run did not start; its log is {home / 'server.log'}.",
        remedy="Look there, or name a running server in PREFECT_API_URL.",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
