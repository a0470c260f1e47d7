"""A course on workers, with all that goes wrong in one night: a worker is killed, the server is restarted, the network
to the store fails, an object in it is damaged, a worker is told to end, a source is missing. Everything is real:
Prefect's server on PostgreSQL and Redis, its workers, its command line, an S3 server, the ledger on PostgreSQL."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import Wire, ffmpeg
from tests.flows.test_metering import Receiver
from tests.quick import Gates
from tests.services import LACKING, Background, Postgres, free_port, listens, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BIN = Path(sys.executable).parent
LEASE_S = 15
OUTAGE_S = 10

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
            time.sleep(3)
            (said,) = super().speak([saying], voice, wanted, cores=1)
            with open(os.environ["DUB_TEST_SPOKEN"], "a") as spoken:
                spoken.write(f"{os.getpid()} {saying.text} | {saying.rate:.4f} | {voice.name}\\n")
            yield said
'''
"""It stands before the installed one, under the same name: what it makes is the same, and has the same keys."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a Redis server of our own."""
    if shutil.which("redis-server") is None:
        pytest.skip(LACKING)
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    server = Background(["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)], {}, folder / "log")
    server.start()
    until(lambda: listens(port), "Redis", 30)
    yield port
    server.stop()


@pytest.fixture(scope="module")
def server(postgres: Postgres, redis: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
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
        "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{postgres.database()}",
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
            timeout=900,
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
            elif path.is_file() and path.name != "report.html":
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
    """A course on a server with workers that share a ledger on PostgreSQL, and at an S3 server a store and the address
    of the outputs: of the course's folder they only read."""

    course: Course
    server: Background
    workers: dict[str, Background]
    spoken_file: Path
    bucket: Any
    prefix: str
    wire: Wire
    """The way to the S3 server: it can be cut."""

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
        return until(lambda: state if (state := self.state(run)) in final else None, "the course's run", 600)

    def start(self) -> str:
        """Start the course; its run's id."""
        done = self.course.run("prefect", "deployment", "run", "dispatch-course/leaves", "-p", f"lease_s={LEASE_S}")
        assert done.returncode == 0, done.stderr
        found = re.search(r"UUID: ([0-9a-f-]{36})", done.stdout)
        assert found, done.stdout
        return found[1]

    def stored(self, folder: str) -> dict[str, Any]:
        """What lies below a folder of the store, by name; seen past the wire."""
        below = f"{self.prefix}/{folder}/"
        return {each.key.removeprefix(below): each for each in self.bucket.objects.filter(Prefix=below)}

    def lessons_of(self, worker: str) -> set[str]:
        """The lessons that a worker's processes hold."""
        theirs = set(self.workers[worker].processes())
        return {lesson for lesson, process in self.holders().items() if process in theirs}

    def holders(self) -> dict[str, int]:
        """Lessons that are claimed, and by which process."""
        held: dict[str, int] = {}
        for name, claim in self.stored("claims/leaves").items():
            told = json.loads(claim.get()["Body"].read())
            if not told.get("released"):
                held[name.partition("/")[0]] = int(re.findall(r"\d+", told["holder"])[-1])
        return held

    def damage(self, lesson: str, output: str) -> str:
        """Change what a lesson's `split` made, where it lies; the object's name."""
        for commit in self.stored("commits/split").values():
            made = json.loads(commit.get()["Body"].read())
            if made["notes"]["lesson"] == lesson:
                name = made["outputs"][output]
                self.bucket.put_object(Key=f"{self.prefix}/objects/{name[:2]}/{name}", Body=b"what a broken disk gives")
                return name
        raise AssertionError(f"{lesson} was not split")

    def made(self) -> dict[str, Any]:
        """What was delivered to the address; nothing lies in the course's folder, nor waits on a worker."""
        assert not self.course.out.parent.exists()
        mirrors = [worker.log.parent / name / "outputs" for name, worker in self.workers.items()]
        assert [path for mirror in mirrors for path in mirror.rglob("*") if path.is_file()] == []
        below = f"{self.prefix}-out/"
        for each in self.bucket.objects.filter(Prefix=below):
            path = self.course.out.parent / each.key.removeprefix(below)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(each.get()["Body"].read())
        return self.course.made()

    def logs(self) -> str:
        return "\n".join(f"== {name}\n{each.log.read_text()}" for name, each in self.workers.items())


@pytest.fixture(scope="module")
def night(
    server: Background,
    postgres: Postgres,
    s3: Any,
    make_course: Callable[..., Course],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Night]:
    import boto3

    folder, prefix, wire = tmp_path_factory.mktemp("workers"), f"night-{uuid4().hex}", Wire(s3.port)
    info = folder / "slow_espeak-1.0.dist-info"
    info.mkdir()
    (folder / "slow_espeak.py").write_text(SLOW, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-espeak\nVersion: 1.0\n", encoding="utf-8")
    entry = "[dubflow.synthesizers]\nespeak-ng = slow_espeak:SlowEspeak\n"
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    course = make_course(
        "night",
        "lesson-03",
        **s3.environment
        | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}",
            "DUB_STORE": f"s3://dub/{prefix}",
            "DUB_LEDGER": f"postgresql+psycopg://{postgres.database()}",
            "PREFECT_API_URL": f"http://127.0.0.1:{port_of(server)}/api",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "DUB_TEST_SPOKEN": str(folder / "spoken"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        },
    )
    with course.manifest.open("a", encoding="utf-8") as manifest:
        manifest.write(f"out: s3://dub/{prefix}-out/\n")
    deployed = course.run("dub", "deploy", "course.yaml", "--shard", "1")
    assert deployed.returncode == 0, deployed.stderr
    command = [str(BIN / "prefect"), "worker", "start", "--type", "process", "--limit", "1"]
    workers = {
        name: Background(
            ["taskset", "--cpu-list", core, *command, "--name", name, "--pool", pool],
            course.environment | {"DUB_WORKSPACE": str(folder / name)},
            folder / f"{name}.log",
        )
        for name, pool, core in (
            ("courses", "courses", ONE_CORE),
            ("survivor", "cpu", ONE_CORE),
            ("victim", "cpu", str(max(os.sched_getaffinity(0)))),
        )
    }
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    bucket = boto3.resource("s3", endpoint_url=s3.environment["AWS_ENDPOINT_URL"], **keys).Bucket("dub")
    yield Night(course, server, workers, folder / "spoken", bucket, prefix, wire)
    for worker in workers.values():
        worker.stop()
    wire.close()


@dataclass(frozen=True)
class Disturbed:
    """The run of the course in which everything goes wrong."""

    run: str
    lesson: str
    """Whose worker was killed."""
    damaged: str
    """The object of it that was damaged meanwhile."""


def mend(wire: Wire) -> None:
    """End an outage that was long enough, and that somebody noticed: on a fast machine nobody may ask for a while."""
    time.sleep(OUTAGE_S)
    try:
        until(lambda: wire.dropped, "somebody to ask for the store")
    finally:
        wire.mend()


@pytest.fixture(scope="module")
def disturbed(night: Night) -> Disturbed:
    night.workers["courses"].start()
    night.workers["survivor"].start()
    run = night.start()
    until(lambda: night.lessons_of("survivor"), "the first worker to take a lesson")
    night.workers["victim"].start()
    (theirs,) = until(lambda: night.lessons_of("victim"), "the second worker to take a lesson")
    victims = set(night.workers["victim"].processes())
    until(lambda: victims & {process for process, _ in night.spoken()}, "its first line")
    time.sleep(1)  # it is kept, and the second is begun
    night.workers["victim"].kill()
    assert night.lessons_of("survivor").isdisjoint({theirs})
    damaged = night.damage(theirs, "programme.flac")
    night.wire.cut()
    back = threading.Thread(target=mend, args=(night.wire,))
    back.start()
    night.server.stop()
    night.server.start()
    until(lambda: answers(port_of(night.server)), "the Prefect server, again")
    back.join()
    return Disturbed(run, theirs, damaged)


def test_a_night_of_failures_ends_with_all_done_but_what_has_no_source(night: Night, disturbed: Disturbed) -> None:
    """A run is never green over a lesson that failed, and says which it is; what was damaged was found, set aside and
    made again, and somebody asked for the store while it was away."""
    assert night.ends(disturbed.run) == "FAILED", night.logs()
    status = json.loads(night.course.run("dub", "status", "course.yaml", "--json").stdout)
    states = {target["lesson"]: target["state"] for target in status["targets"]}
    assert states == {"lesson-01": "done", "lesson-02": "done", "lesson-03": "failed"}, night.logs()
    assert night.read(disturbed.run)["state"]["message"] == "dub leaves: 1 failed, 2 done"
    assert night.wire.dropped > 0
    assert set(night.stored("quarantine")) == {disturbed.damaged}, night.logs()
    assert disturbed.damaged in {name.partition("/")[2] for name in night.stored("objects")}


def test_a_retried_run_does_only_what_was_missing_and_all_is_as_if_nothing_had_happened(
    night: Night, disturbed: Disturbed, media: Path, undisturbed: dict[str, Any]
) -> None:
    """Prefect's own retry goes on by key; nothing is spoken twice; the files are those of an undisturbed run."""
    assert night.ends(disturbed.run) == "FAILED"
    before = [what for _, what in night.spoken()]
    assert len(before) >= 4
    shutil.copyfile(media / "lesson-03.mp4", night.course.folder / "lesson-03.mp4")
    retried = night.course.run("prefect", "flow-run", "retry", disturbed.run)
    assert retried.returncode == 0, retried.stdout + retried.stderr
    until(lambda: night.state(disturbed.run) not in ("FAILED", "unknown"), "the retry")
    assert night.ends(disturbed.run) == "COMPLETED", night.logs()
    after = [what for _, what in night.spoken()]
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert Counter(after) == Counter(set(after))
    assert night.made() == undisturbed


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A monitoring system."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@dataclass
class Crew(Course):
    """Three courses, of which somebody speaks in the last, and workers that seem to be on a machine each: none sees the
    other's processes."""

    workers: dict[str, Background]
    gates: Gates

    def holder(self, name: str) -> tuple[str, dict[str, Any]] | None:
        """The last claim on a name, as it stands in the store; None where there was none."""
        claims = sorted((self.folder / f".dub/store/claims/{name}").glob("*.json"))
        return (claims[-1].name, json.loads(claims[-1].read_text(encoding="utf-8"))) if claims else None

    def waits_at(self, stage: str) -> int:
        """Wait until a process waits at a gate; which one holds the lesson."""
        reached = self.gates.folder / f"gates/{stage}.reached"
        until(reached.exists, f"a worker at {stage}")
        reached.unlink()
        held = self.holder("three/lesson-01")
        assert held is not None
        return int(re.findall(r"\d+", held[1]["holder"])[-1])


@pytest.fixture(scope="module")
def crew(server: Background, make_course: Callable[..., Course], receiver: Receiver) -> Iterator[Crew]:
    """A folder with three courses, a worker for the pool `waiting` and two for `working`, of which one is not there
    yet, each with one place; they tell their numbers to the receiver."""
    quick = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_WORKER_QUERY_SECONDS": "2"}
    course = make_course(
        "crew", "lesson-02", "lesson-03", PREFECT_API_URL=f"http://127.0.0.1:{port_of(server)}/api", **quick
    )
    sources = ["-f", "lavfi", "-i", "color=s=160x90:r=25", "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo"]
    ffmpeg(*sources, "-t", "2", str(course.folder / "silence.mp4"))
    for name, media in (("one", "silence"), ("two", "silence"), ("three", "lesson-01")):
        manifest = f"course: {name}\nsource_language: en\ntargets: [es]\nlessons: [{{media: {media}.mp4}}]\n"
        (course.folder / f"{name}.yaml").write_text(manifest, encoding="utf-8")
    files = ("one.yaml", "two.yaml", "three.yaml")
    made = course.run("dub", "deploy", *files, "--course-pool", "waiting", "--pool", "working")
    assert made.returncode == 0, made.stderr
    gates = Gates(course.folder / "gates")
    told = course.environment | gates.environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address}
    command = [str(BIN / "prefect"), "worker", "start", "--type", "process", "--limit", "1", "--pool"]
    workers: dict[str, Background] = {}
    for name, pool in (("course", "waiting"), ("first", "working"), ("second", "working")):
        machine = course.folder / name
        machine.mkdir()
        own = {"TMPDIR": str(machine)}
        workers[name] = Background([*command, pool, "--name", name], told | own, course.folder / f"{name}.log")
    for name in ("course", "first"):
        workers[name].start()
    yield Crew(course.folder, course.environment, workers, gates)
    for worker in workers.values():
        worker.stop()


def test_more_courses_than_places_do_not_wait_for_each_other(crew: Crew, receiver: Receiver) -> None:
    """Two at once, where there is one place for a course and one for a shard: each is done in its turn, leaves its
    report, and tells a monitoring system how it left its targets."""
    for name in ("one", "two"):
        assert crew.run("prefect", "deployment", "run", f"dispatch-course/{name}").returncode == 0
    for name in ("one", "two"):
        output = crew.folder / f"out/{name}/silence.es.mp4"
        until(output.exists, f"the course {name}", 600)
        until(output.with_name("report.html").exists, f"the report of {name}", 60)
        counts = until(lambda name=name: told(receiver, name), f"the numbers of {name}", 60)
        assert counts == {"done": 1, "partial": 0, "failed": 0, "blocked": 0, "review": 0}


def test_a_shard_that_is_told_to_end_and_one_whose_worker_is_give_their_lessons_back(crew: Crew) -> None:
    """In the middle of synthesis, the shard by SIGTERM, as Kubernetes sends it, then its worker, which kills the next
    shard: nobody waits for the lease, of a minute, to end, and a worker on another machine does the lesson. A fault
    that is written into the manifest meanwhile is the next run's."""
    crew.gates.close("synthesize")
    started = crew.run("prefect", "deployment", "run", "dispatch-course/three")
    assert started.returncode == 0, started.stderr
    first = crew.waits_at("synthesize")
    manifest = crew.folder / "three.yaml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("[es]", "[es"), encoding="utf-8")
    os.kill(first, signal.SIGTERM)
    second = crew.waits_at("synthesize")
    assert second != first
    worker = crew.workers["first"]
    assert worker.process is not None
    worker.process.send_signal(signal.SIGTERM)

    def claim() -> dict[str, Any]:
        found = crew.holder("three/lesson-01")
        assert found is not None
        return found[1]

    until(lambda: claim().get("released"), "the lesson to be given back", 30)
    assert claim()["died"] is True
    assert claim()["holder"].endswith(f"(process {second})")
    crew.gates.open("synthesize")
    crew.workers["second"].start()
    until((crew.folder / "out/three/lesson-01.es.mp4").exists, "the lesson", 600)
    run = re.search(r"UUID: ([0-9a-f-]{36})", started.stdout)
    assert run, started.stdout
    state = f"{crew.environment['PREFECT_API_URL']}/flow_runs/{run[1]}"
    until(lambda: httpx.get(state, timeout=30).json()["state"]["type"] == "COMPLETED", "the course's run", 120)
    assert (crew.folder / "out/three/report.html").exists()
    assert crew.run("dub", "status", "three.yaml", "--json").returncode == 2
    manifest.write_text(text, encoding="utf-8")
    rows = json.loads(crew.run("dub", "status", "three.yaml", "--json").stdout)["targets"]
    assert [row["state"] for row in rows] == ["done"]


WITHOUT_A_WORKER = """
import runpy, sys
from pathlib import Path
from flows import cancelling
cancelling.ASK_S = 0.5
if sys.argv[1].endswith(".yaml"):
    from flows.dispatch import dispatch_course
    dispatch_course(Path(sys.argv[1]), pool="nobody")
else:
    runpy.run_module("prefect.engine", run_name="__main__")
"""
"""A course, or the run of a shard, in a process that no worker of Prefect's watches over."""


def test_a_cancel_after_the_server_was_away_ends_a_course_and_its_shards(
    server: Background, make_course: Callable[..., Course]
) -> None:
    """Prefect's own watch has given up by then, as if there were none: a course ends by itself, and so does its shard,
    in the middle of a lesson, which is given back."""
    url = f"http://127.0.0.1:{port_of(server)}/api"
    course = make_course("cancelled", PREFECT_API_URL=url, PREFECT_SERVER_ANALYTICS_ENABLED="false")
    gates = Gates(course.folder / "gates")
    gates.close("split")
    deployed = course.run("dub", "deploy", "course.yaml", "--course-pool", "nowhere", "--pool", "nobody")
    assert deployed.returncode == 0, deployed.stderr
    environment = course.environment | gates.environment

    def process(what: str) -> Background:
        command = [sys.executable, "-c", WITHOUT_A_WORKER, what]
        return Background(command, environment, course.folder / f"{Path(what).stem}.log").start()

    def runs(flow: str) -> dict[str, str]:
        asked = {"flows": {"name": {"any_": [flow]}}, "flow_runs": {"state": {"name": {"not_any_": ["Completed"]}}}}
        found = httpx.post(f"{url}/flow_runs/filter", json=asked, timeout=30).raise_for_status().json()
        return {run["id"]: run["state"]["type"] for run in found if run["name"].startswith(("course", "leaves lesson"))}

    whole = process(str(course.manifest))
    try:
        shards = until(lambda: [run for run, state in runs("dub-shard").items() if state == "SCHEDULED"], "its shard")
        part = process(shards[0])
        until((gates.folder / "gates/split.reached").exists, "a lesson to be under way")
        server.stop()
        server.start()
        until(lambda: answers(port_of(server)), "the Prefect server, again")
        (run,) = [run for run, state in runs("dispatch-course").items() if state == "RUNNING"]
        state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        httpx.post(f"{url}/flow_runs/{run}/set_state", json=state, timeout=30).raise_for_status()
        for each in (whole, part):
            assert each.process is not None
            assert each.process.wait(120) == 0, each.log.read_text(encoding="utf-8")
    finally:
        gates.open("split")
        whole.kill()
    assert (runs("dispatch-course")[run], runs("dub-shard")[shards[0]]) == ("CANCELLED", "CANCELLED")
    claims = [json.loads(path.read_bytes()) for path in (course.folder / ".dub/store/claims").rglob("*.json")]
    assert [(each["released"], each.get("died")) for each in claims] == [(True, None)] * len(claims)
    assert len(claims) > 1


def told(receiver: Receiver, course: str) -> dict[str, int]:
    """How many targets of a course stand where, as a monitoring system knows it."""
    points = receiver.points().get("dubflow.targets", {})
    return {about.split()[1]: count for about, count in points.items() if about.split()[0] == course}


def test_a_run_whose_heartbeats_end_is_set_to_crashed(server: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the automation that `dub deploy` makes, with shorter times; one whose heartbeats go on stays as it is."""
    from prefect.client.orchestration import get_client
    from prefect.events import emit_event
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.states import Running

    from flows import deployments
    from flows.shard import dub_shard

    monkeypatch.setattr(deployments, "USUAL_HEARTBEAT_S", 4)
    url = f"http://127.0.0.1:{port_of(server)}/api"
    shorter = temporary_settings({PREFECT_API_URL: url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with shorter, get_client(sync_client=True) as client:
        deployments.register(client, {}, course_pool="courses", pool="cpu", gpu_pool="gpu", shard=20, flags={})
        dead, living = (client.create_flow_run(dub_shard, state=Running()).id for _ in range(2))

        def beat(run: object) -> None:
            emit_event("prefect.flow-run.heartbeat", resource={"prefect.resource.id": f"prefect.flow-run.{run}"})

        def crashed() -> bool:
            beat(living)
            state = client.read_flow_run(dead).state
            return state is not None and state.is_crashed()

        for _ in range(3):
            beat(dead)
            time.sleep(2)
        until(crashed, "the automation", 240)
        state = client.read_flow_run(living).state
        assert state is not None
        assert state.is_running()
