"""A course on workers, with all that goes wrong in one night: a worker is killed, the server is restarted, a source is
missing. Everything is real: Prefect's server on PostgreSQL and Redis, its workers, its command line."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

BIN = Path(sys.executable).parent
LEASE_S = 15

ONE_CORE = str(min(os.sched_getaffinity(0)))
"""What every run of a lesson has: on another number of cores torch adds up in another order, and AAC rounds that."""

SAID = {
    "lesson-01": ("Plants turn the light of the sun into energy.", "It happens in the green leaves."),
    "lesson-02": ("Water rises from the roots to the crown.", "The wind takes it away again."),
    "lesson-03": ("Seeds sleep in the cold earth.", "In the spring they wake up again."),
}

SLOW = '''
import os
import time

from tasks.engines.espeak import Espeak


class SlowEspeak(Espeak):
    """espeak-ng that takes its time, and writes down what it says."""

    def speak(self, sayings, voice, wanted, *, cores):
        for saying in sayings:
            time.sleep(2)
            (said,) = super().speak([saying], voice, wanted, cores=1)
            with open(os.environ["DUB_TEST_SPOKEN"], "a") as spoken:
                spoken.write(f"{os.getpid()} {saying.text} | {saying.rate:.4f} | {voice.name}\\n")
            yield said
'''
"""It stands before the installed one, under the same name: what it makes is the same, and has the same keys."""


def until(true: Callable[[], Any], what: str, within_s: float = 240) -> Any:
    """Wait for something; its value."""
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {within_s:g} s for {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Background:
    """A program that runs beside the test, in a process group of its own; its children carry its mark."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> "Background":
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
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
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


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Address of an empty PostgreSQL cluster: host, port and user, as a URL has them."""
    programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
    if programs is None:
        pytest.skip("no PostgreSQL here: infra/bootstrap.sh --tests installs it")
    folder, port = Path(tempfile.mkdtemp(prefix="dub-pg-")), free_port()
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_postgres:
        shutil.chown(folder, "postgres")
    data, options = str(folder / "data"), f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    log = str(folder / "log")

    def run(program: str, *arguments: str, by: Sequence[str] = as_postgres) -> None:
        command = [*by, str(programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120, cwd="/")

    run("initdb", "-D", data, "-A", "trust", "-U", "postgres")
    run("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
    try:
        for name in ("prefect", "dub"):
            run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", name, by=())
        yield f"postgres@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a Redis server of our own."""
    if shutil.which("redis-server") is None:
        pytest.skip("no Redis here: infra/bootstrap.sh --tests installs it")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    server = Background(["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)], {}, folder / "log")
    server.start()
    until(lambda: _listens(port), "Redis", 30)
    yield port
    server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def server(postgres: str, redis: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """Prefect's server as infra/ sets it, but in one process."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DUB_"))}
    environment |= {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{postgres}/prefect",
        "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
        "PREFECT_REDIS_MESSAGING_PORT": str(redis),
        "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{redis}/1",
    }
    command = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    it = Background(command, environment, folder / "log").start()
    until(lambda: answers(port), "the Prefect server")
    yield it
    it.stop()


def answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=5).is_success
    return False


def port_of(server: Background) -> int:
    return int(server.command[server.command.index("--port") + 1])


@dataclass
class Course:
    """Three short lessons, and whatever is done with them."""

    folder: Path
    environment: dict[str, str]

    @property
    def manifest(self) -> Path:
        return self.folder / "course.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "out/leaves"

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command; programs of ours are those of this environment."""
        return subprocess.run(
            [str(BIN / each) if each in ("dub", "prefect") else each for each in command],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def made(self) -> dict[str, Any]:
        """What a run made: of each record all but places and times, of each video its decoded sound and picture."""
        found: dict[str, Any] = {}
        for path in sorted(self.out.rglob("*")):
            if path.name.endswith(".dub.json"):
                record = json.loads(path.read_text(encoding="utf-8"))
                found[path.name] = {name: record[name] for name in ("state", "lines", "timing", "loudness", "problems")}
            elif path.suffix == ".mp4":
                command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-map", "0:a"]
                done = subprocess.run(
                    [*command, "-f", "streamhash", "-"], capture_output=True, check=True, text=True, timeout=60
                )
                assert done.stderr == ""
                found[path.name] = done.stdout.splitlines()
            elif path.is_file():
                found[path.name] = path.read_bytes()
        return found


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lessons' videos."""
    folder = tmp_path_factory.mktemp("media")
    for name, sentences in SAID.items():
        inputs = ["-f", "lavfi", "-t", "9", "-i", "color=c=0x20374c:s=160x90:r=25"]
        for number, text in enumerate(sentences):
            wave = folder / f"{name}.{number}.wav"
            subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(wave)], check=True, timeout=60)
            inputs += ["-i", str(wave)]
        sound = "[1]apad=pad_dur=1.2[first];[first][2]concat=v=0:a=1,apad=whole_dur=9[sound]"
        picture = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
        mapped = ["-filter_complex", sound, "-map", "0", "-map", "[sound]", "-t", "9"]
        command = ["ffmpeg", "-v", "error", *inputs, *mapped, *picture, "-c:a", "aac", str(folder / f"{name}.mp4")]
        subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def make_course(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Course]:
    keys = tmp_path_factory.mktemp("keys")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DUB_"))}
    plain |= {
        "DUB_KEYS": str(keys / "keys"),
        "DUB_CONSENT": str(keys / "consent"),
    }

    def make(name: str, *without: str, **environment: str) -> Course:
        folder = tmp_path_factory.mktemp(name)
        for lesson in SAID:
            if lesson not in without:
                shutil.copyfile(media / f"{lesson}.mp4", folder / f"{lesson}.mp4")
        course = Course(folder, plain | {"PREFECT_HOME": str(folder / "prefect")} | environment)
        lessons = "".join(f"  - media: {lesson}.mp4\n" for lesson in SAID)
        course.manifest.write_text(
            f"course: leaves\nsource_language: en\ntargets: [es]\nspeakers: {{num_speakers: 1}}\nlessons:\n{lessons}",
            encoding="utf-8",
        )
        return course

    return make


@pytest.fixture(scope="module")
def undisturbed(make_course: Callable[..., Course]) -> dict[str, Any]:
    """What `dub run` makes of the course."""
    course = make_course("undisturbed")
    done = course.run("taskset", "--cpu-list", ONE_CORE, "dub", "run", "course.yaml")
    assert done.returncode == 0, done.stderr
    return course.made()


@dataclass
class Night:
    """A course on a server with two workers."""

    course: Course
    server: Background
    workers: dict[str, Background]
    spoken_file: Path

    def spoken(self) -> list[tuple[int, str]]:
        """Every line that was spoken: by which process, and what."""
        rows = self.spoken_file.read_text(encoding="utf-8").splitlines() if self.spoken_file.exists() else []
        return [(int(row.split(" ", 1)[0]), row.split(" ", 1)[1]) for row in rows]

    def read(self, run: str) -> Any:
        """What the server knows of a flow run. Raises httpx.HTTPError."""
        url = f"http://127.0.0.1:{port_of(self.server)}/api/flow_runs/{run}"
        return httpx.get(url, timeout=30).raise_for_status().json()

    def state(self, run: str) -> str:
        try:
            return str(self.read(run)["state"]["type"])
        except httpx.HTTPError:
            return "unknown"

    def ends(self, run: str) -> str:
        """The state in which a run ends."""
        final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        return until(lambda: state if (state := self.state(run)) in final else None, "the course's run", 400)

    def start(self) -> str:
        """Start the course; its run's id."""
        done = self.course.run("prefect", "deployment", "run", "dispatch-course/leaves", "-p", f"lease_s={LEASE_S}")
        assert done.returncode == 0, done.stderr
        found = re.search(r"UUID: ([0-9a-f-]{36})", done.stdout)
        assert found, done.stdout
        return found[1]

    def lessons_of(self, worker: str) -> set[str]:
        """The lessons that a worker's processes hold."""
        theirs = set(self.workers[worker].processes())
        held: set[str] = set()
        for claim in (self.course.folder / ".dub/store/claims/leaves").glob("*/*.json"):
            told = json.loads(claim.read_text(encoding="utf-8"))
            if not told.get("released") and int(re.findall(r"\d+", told["holder"])[-1]) in theirs:
                held.add(claim.parent.name)
        return held

    def logs(self) -> str:
        return "\n".join(f"== {name}\n{each.log.read_text()}" for name, each in self.workers.items())


@pytest.fixture(scope="module")
def night(
    server: Background, make_course: Callable[..., Course], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("workers")
    info = folder / "slow_espeak-1.0.dist-info"
    info.mkdir()
    (folder / "slow_espeak.py").write_text(SLOW, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-espeak\nVersion: 1.0\n", encoding="utf-8")
    entry = "[dubflow.synthesizers]\nespeak-ng = slow_espeak:SlowEspeak\n"
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    course = make_course(
        "night",
        "lesson-03",
        PREFECT_API_URL=f"http://127.0.0.1:{port_of(server)}/api",
        PREFECT_WORKER_QUERY_SECONDS="2",
        PYTHONPATH=os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        DUB_TEST_SPOKEN=str(folder / "spoken"),
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
    )
    deployed = course.run("dub", "deploy", "course.yaml", "--shard", "1")
    assert deployed.returncode == 0, deployed.stderr
    alone = {"survivor": ONE_CORE, "victim": str(max(os.sched_getaffinity(0)))}
    command = [str(BIN / "prefect"), "worker", "start", "--type", "process", "--limit", "1"]
    workers = {
        name: Background(
            ["taskset", "--cpu-list", core, *command, "--name", name, "--pool", "courses" if name == "courses" else "cpu"],
            course.environment,
            folder / f"{name}.log",
        )
        for name, core in (alone | {"courses": ONE_CORE}).items()
    }
    it = Night(course, server, workers, folder / "spoken")
    yield it
    for worker in workers.values():
        worker.stop()


@pytest.fixture(scope="module")
def disturbed(night: Night) -> str:
    """The run of the course in which everything goes wrong; its id."""
    night.workers["courses"].start()
    night.workers["survivor"].start()
    run = night.start()
    until(lambda: night.state(run) == "RUNNING", "the course's run to begin")
    night.workers["victim"].start()
    (theirs,) = until(lambda: night.lessons_of("victim"), "the second worker to take a lesson")
    victims = set(night.workers["victim"].processes())
    until(lambda: victims & {process for process, _ in night.spoken()}, "its first line")
    time.sleep(0.5)  # it is kept, and the second is begun
    night.workers["victim"].kill()
    assert night.lessons_of("survivor").isdisjoint({theirs})
    night.server.stop()
    night.server.start()
    until(lambda: answers(port_of(night.server)), "the Prefect server, again")
    return run


def test_a_night_of_failures_ends_with_all_done_but_what_has_no_source(night: Night, disturbed: str) -> None:
    """A run is never green over a lesson that failed, and says which it is."""
    assert night.ends(disturbed) == "FAILED", night.logs()
    status = json.loads(night.course.run("dub", "status", "course.yaml", "--json").stdout)
    states = {target["lesson"]: target["state"] for target in status["targets"]}
    assert states == {"lesson-01": "done", "lesson-02": "done", "lesson-03": "failed"}, night.logs()
    message = night.read(disturbed)["state"]["message"]
    assert message == "dub leaves: 1 failed, 2 done"


def test_a_retried_run_does_only_what_was_missing_and_all_is_as_if_nothing_had_happened(
    night: Night, disturbed: str, media: Path, undisturbed: dict[str, Any]
) -> None:
    """Prefect's own retry goes on by key; nothing is spoken twice; the files are those of an undisturbed run."""
    assert night.ends(disturbed) == "FAILED"
    before = [what for _, what in night.spoken()]
    assert len(before) >= 4
    shutil.copyfile(media / "lesson-03.mp4", night.course.folder / "lesson-03.mp4")
    retried = night.course.run("prefect", "flow-run", "retry", disturbed)
    assert retried.returncode == 0, retried.stdout + retried.stderr
    until(lambda: night.state(disturbed) not in ("FAILED", "unknown"), "the retry")
    assert night.ends(disturbed) == "COMPLETED", night.logs()
    after = [what for _, what in night.spoken()]
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert Counter(after) == Counter(set(after))
    assert night.course.made() == undisturbed
