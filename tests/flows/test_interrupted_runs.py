"""Runs that are killed, interrupted or told to end: what is finished is kept, the rest is done by the next run.

The undisturbed run that the others are compared with is also watched: whom it talks to, and what it leaves at home.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

LISTENER = """
import os, sys
def _hear(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        where = arguments[0] if event in ("socket.getaddrinfo", "socket.gethostbyname") else arguments[1]
        where = where[0] if isinstance(where, tuple) else where
        with open(os.environ["HEARD"], "a") as heard:
            heard.write(f"{event} {where if isinstance(where, str) else os.fsdecode(where or b'')}\\n")
sys.addaudithook(_hear)
"""
"""A sitecustomize module: every Python process of the run writes down whom it calls."""


@dataclass
class Run:
    """A `dub run` under way, in a process group of its own as a shell starts it; its children carry its mark."""

    process: subprocess.Popen[str]
    mark: str
    said: list[str] = field(default_factory=list)

    def until(self, text: str) -> None:
        """Wait for a line on stderr that holds the text."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line)
            if text in line:
                return
        raise AssertionError(f"{text!r} was never said:\n{''.join(self.said)}")

    def rest(self) -> str:
        """Everything on stderr, once the run has ended."""
        assert self.process.stderr
        with self.process.stderr as rest:
            self.said += rest.readlines()
        self.process.wait(timeout=60)
        return "".join(self.said)

    def processes(self) -> dict[int, str]:
        """The run's processes that are alive: process id to command."""
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if command:
                        found[int(folder.name)] = command
            except OSError:
                continue  # it ended, or belongs to somebody else
        return found

    def left_behind(self, within_s: float = 20) -> list[str]:
        """Commands of processes that outlive the run by more than the time given: Prefect's server takes its leave."""
        limit = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < limit:
            time.sleep(0.05)
        return list(left.values())


class Lesson:
    """The lecture as a course of one lesson, and runs of it that have no Prefect server but their own."""

    def __init__(self, folder: Path, media: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.manifest = folder / "course.yaml"
        self.out = folder / "out/leaves"
        self.environment = {name: value for name, value in environment.items() if not name.startswith("PREFECT_")}
        folder.mkdir(exist_ok=True)
        shutil.copyfile(media, folder / "lesson.mp4")
        self.manifest.write_text(
            "course: leaves\nsource_language: en\ntargets: [es]\nlessons: [{media: lesson.mp4}]\n", encoding="utf-8"
        )

    def start(self, **environment: str) -> Run:
        mark = uuid.uuid4().hex
        command = [str(Path(sys.executable).with_name("dub")), "run", str(self.manifest)]
        process = subprocess.Popen(
            command,
            env=self.environment | environment | {"DUB_TEST_MARK": mark},
            start_new_session=True,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return Run(process, mark)

    def visible(self) -> list[Path]:
        """The finished files, as anybody sees them who looks into the folder now."""
        return sorted(path for path in self.out.glob("*") if not path.name.startswith("."))

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.out / "lesson.es.dub.json").read_text(encoding="utf-8"))

    @property
    def dub_track(self) -> str:
        """Digest of the Spanish track, decoded."""
        command = ["ffmpeg", "-v", "error", "-i", str(self.out / "lesson.es.mp4"), "-map", "0:a:1", "-f", "hash", "-"]
        return subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout


@dataclass(frozen=True)
class Watched:
    lesson: Lesson
    said: str
    heard: list[str]
    home: Path
    left_behind: list[str]


@pytest.fixture(scope="module")
def undisturbed(lecture, dub, tmp_path_factory) -> Watched:
    """A run from nothing to the end, with a home of its own, every call of every Python process written down."""
    folder = tmp_path_factory.mktemp("undisturbed")
    home, hook = folder / "home", folder / "hook"
    home.mkdir()
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(LISTENER)
    environment = {
        name: value for name, value in dub.environment.items() if not name.startswith(("XDG_", "DUB_", "MPL"))
    }
    lesson = Lesson(folder / "course", lecture.path, environment)
    run = lesson.start(HOME=str(home), PYTHONPATH=str(hook), HEARD=str(folder / "heard"))
    said = run.rest()
    assert run.process.returncode == 0, said
    return Watched(lesson, said, (folder / "heard").read_text().splitlines(), home, run.left_behind())


def test_a_run_calls_nobody_outside_this_machine(undisturbed):
    """It talks to its own Prefect server on loopback, and to nobody else; not even a name is looked up."""
    places = {line.split(" ", 1)[1] for line in undisturbed.heard}
    assert "127.0.0.1" in places
    assert places <= {"127.0.0.1", "localhost", "::1"}


def test_a_run_leaves_nothing_in_the_users_home_but_what_belongs_there(undisturbed):
    """The user's key, and what two libraries keep there: no identity that somebody reports home with."""
    found = {"/".join(path.relative_to(undisturbed.home).parts[:2]) for path in undisturbed.home.glob("*/*")}
    assert found <= {
        ".config/dubflow",  # the key that signs finished files (DUB_KEYS)
        ".config/matplotlib",  # which pyannote.audio loads: its settings,
        ".cache/matplotlib",  # and the fonts it found
        ".config/pulse",  # espeak-ng's sound library, though no sound is played
    }
    assert {path.name for path in undisturbed.home.iterdir()} <= {".config", ".cache"}


def test_a_run_takes_its_prefect_server_with_it(undisturbed):
    """No process of the run outlives it."""
    assert undisturbed.left_behind == []


def test_a_run_that_is_killed_goes_on_where_it_was(undisturbed, lecture, dub, tmp_path):
    """Killed in transcribe, mix and remux: nothing outlives it, no half file is seen, the result is the same."""
    lesson = Lesson(tmp_path / "course", lecture.path, dub.environment)
    moments: list[tuple[str, Callable[[Run], bool]]] = [
        ("  diarize  ", lambda run: any("spawn_main" in command for command in run.processes().values())),
        ("  place  ", lambda run: any((lesson.folder / ".dub/store/tmp").glob("*/*"))),
        ("  mix  ", lambda run: any(lesson.out.parent.rglob(".*.part"))),
    ]
    for line, begun in moments:
        run = lesson.start()
        run.until(line)
        limit = time.monotonic() + 20
        while not begun(run):
            assert time.monotonic() < limit
            time.sleep(0.002)
        run.process.kill()
        assert "failed" not in run.rest()
        assert run.left_behind() == []
        assert lesson.visible() == []
    run = lesson.start()
    said = run.rest()
    assert run.process.returncode == 0, said
    cached = [row.split("  ")[-2] for row in said.splitlines() if row.endswith("  cached")]
    assert cached == ["split", "diarize", "transcribe", "translate", "clone", "synthesize", "place", "mix"]
    assert [path.name for path in sorted(lesson.out.iterdir())] == [path.name for path in lesson.visible()]
    assert comparable(lesson.record) == comparable(undisturbed.lesson.record)
    assert lesson.dub_track == undisturbed.lesson.dub_track


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_says_how_to_go_on(lecture, dub, tmp_path, sent):
    """Ctrl-C reaches the whole process group, SIGTERM the run: exit code 130, one sentence, nothing left behind."""
    lesson = Lesson(tmp_path / "course", lecture.path, dub.environment)
    run = lesson.start()
    run.until("  split  ")
    (os.killpg if sent == signal.SIGINT else os.kill)(run.process.pid, sent)
    told = time.monotonic()
    said = run.rest()
    assert run.process.returncode == 130, said
    assert time.monotonic() - told < 10
    assert said.splitlines()[-1] == f"Interrupted. What is finished is kept; go on with: dub run {lesson.manifest}"
    assert "Traceback" not in said
    assert "failed" not in said
    assert run.left_behind() == []
    assert lesson.visible() == []


def test_a_program_that_we_run_ends_when_we_are_killed(tmp_path):
    """Else it would write on into a file that the next run begins anew."""
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv here: this promise needs it")
    mark = uuid.uuid4().hex
    code = "from tasks.process import run_program; run_program(['sleep', '300'], 400)"
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"DUB_TEST_MARK": mark})
    run = Run(process, mark)
    while not any(command.startswith("sleep") for command in run.processes().values()):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert run.left_behind(within_s=2) == []


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on how often a run was disturbed: all but the source's place and what took how long."""
    return {name: record[name] for name in ("state", "lines", "timing", "loudness", "problems")}
