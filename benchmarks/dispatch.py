"""What it costs to have a course done by workers: a library is dispatched to them, and its stages answer at once.

    python benchmarks/dispatch.py [TARGETS…] [--workers 4] [--shard 50]

One short lesson is dubbed for real. Then a library of so many lessons is dispatched whose stages hand out what they
made of that one, each under the key of its own media: what remains is keys, commits, claims, the ledger, Prefect's
server and its workers. Processor time and memory are the kernel's, of whole process trees. The library is dispatched
twice; the second time there is nothing to do. Of several sizes each is measured by itself, in a column of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from other_stages import leave

BIN = Path(sys.executable).parent

TEN_LESSONS_S = 10 * 600 * 0.20
"""Engine seconds of ten 10-minute lessons in one language, on two cores (benchmarks/lesson.py)."""

AT_ONCE = '''
"""Stages that answer at once, with what they made of the one lesson."""

import json
import os
from dataclasses import replace
from functools import lru_cache


def changed(stage):
    def run(params, inputs, bench):
        from tasks.stage import Made

        outputs, objects, notes = template()[stage.name]
        return Made({name: bench.store.get(ref) for name, ref in outputs.items()}, objects=tuple(objects), notes=notes)

    return replace(stage, run=run, check=lambda job: None)


@lru_cache
def template():
    with open(os.environ["DUB_BENCHMARK_TEMPLATE"]) as file:
        return json.load(file)
'''


@dataclass(frozen=True)
class Used:
    """What a process and all that it started took."""

    cpu_s: float
    peak_mb: float


class Program:
    """A program beside the benchmark."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        with (folder / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)

    def cpu_s(self) -> float:
        """Processor time up to now, with that of children which have ended."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> Used:
        """End it, in a minute at most: a worker of Prefect's may hang when it is told to end."""
        self.process.terminate()
        limit = time.monotonic() + 60
        ended, _, usage = os.wait4(self.process.pid, os.WNOHANG)
        while not ended and time.monotonic() < limit:
            time.sleep(0.2)
            ended, _, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not ended:
            self.process.kill()
            _, _, usage = os.wait4(self.process.pid, 0)
        return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", type=int, default=[2000])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--shard", type=int, default=50)
    asked = parser.parse_args()
    columns: list[dict[str, Any]] = []
    for targets in asked.targets:
        with tempfile.TemporaryDirectory(prefix="dub-dispatch-") as folder:
            columns.append(measured(Path(folder), targets, asked.workers, asked.shard))
        print(f"{targets} targets: done", file=sys.stderr)
    for name in columns[0]:
        cells = [f"{each[name]:10.3f}" if isinstance(each[name], float) else f"{each[name]:>10}" for each in columns]
        print(f"{name:58}", *cells)


def measured(folder: Path, targets: int, workers: int, shard: int) -> dict[str, Any]:
    """The table: what the library took, each target's share of it, and what is left on the disk."""
    environment = prepared(folder)
    for number in range(targets):
        (folder / f"lesson-{number:05}.mp4").write_text(f"lesson {number}", encoding="utf-8")
    manifest = folder / "library.yaml"
    manifest.write_text("course: library\ntargets: [es]\nlessons: [{media: 'lesson-*.mp4'}]\n", encoding="utf-8")
    port = free_port()
    environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    prefect = str(BIN / "prefect")
    server = Program(
        "server",
        [prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
        environment,
        folder,
    )
    wait_for(environment["PREFECT_API_URL"])
    run([str(BIN / "dub"), "deploy", str(manifest), "--shard", str(shard)], environment)
    start = [prefect, "worker", "start", "--type", "process", "--limit", "1", "--pool"]
    crew = [Program("courses", [*start, "courses"], environment, folder)]
    crew += [Program(f"worker-{number}", [*start, "cpu"], environment, folder) for number in range(workers)]
    store_before = size(folder / ".dub/store")
    first_s = dispatched(environment)
    recorded_s = wait_for_rows(environment["PREFECT_API_URL"], targets)
    first_cpu_s, first_served_s = sum(each.cpu_s() for each in crew), server.cpu_s()
    database = size(folder / "prefect")
    second_s = dispatched(environment)
    second_cpu_s, second_served_s = sum(each.cpu_s() for each in crew) - first_cpu_s, server.cpu_s() - first_served_s
    used = [program.stop() for program in crew]
    served = server.stop()
    done = json.loads(run([str(BIN / "dub"), "status", str(manifest), "--json"], environment))["counts"]
    return {
        "targets": targets,
        "done, as the ledger says": done.get("done", 0),
        "workers": workers,
        "lessons in a shard": shard,
        "first run, wall s": first_s,
        "until the server had every row, s more": recorded_s,
        "workers, CPU s": first_cpu_s,
        "Prefect's server, CPU s": first_served_s,
        "wall for each target, s": first_s / targets,
        "CPU for each target, workers, s": first_cpu_s / targets,
        "CPU for each target, server, s": first_served_s / targets,
        "second run, nothing to do, wall s": second_s,
        "second run, workers, CPU s": second_cpu_s,
        "second run, Prefect's server, CPU s": second_served_s,
        "largest process, MB": max(each.peak_mb for each in used),
        "Prefect's server, MB": served.peak_mb,
        "ledger, kB for each target": size(folder / ".dub/ledger.sqlite") / 1000 / targets,
        "store, kB for each target": (size(folder / ".dub/store") - store_before) / 1000 / targets,
        "Prefect's database, kB for each target": database / 1000 / targets,
        "share of ten 10-minute lessons' engine time, %": 100
        * 10
        * (first_cpu_s + first_served_s)
        / targets
        / TEN_LESSONS_S,
    }


def prepared(folder: Path) -> dict[str, str]:
    """Dub one lesson for real, and keep what each stage made of it; the environment of everything that follows."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DUB_"))}
    environment = plain | {
        "DUB_WORKSPACE": str(folder / ".dub"),
        "DUB_KEYS": str(folder / "keys"),
        "DUB_CONSENT": str(folder / "consent"),
        "DUB_BENCHMARK_TEMPLATE": str(folder / "template.json"),
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }
    said = "Plants turn the light of the sun into energy. It happens in the green leaves."
    wave, media = folder / "said.wav", folder / "template/template.mp4"
    media.parent.mkdir()
    run(["flite", "-voice", "slt", "-t", said, "-o", str(wave)], environment)
    picture = ["-f", "lavfi", "-i", "color=s=160x90:r=25", "-i", str(wave), "-shortest", "-pix_fmt", "yuv420p"]
    run(["ffmpeg", "-v", "error", *picture, str(media)], environment)
    manifest = folder / "template/course.yaml"
    manifest.write_text("course: template\ntargets: [es]\nlessons: [{media: template.mp4}]\n", encoding="utf-8")
    run([str(BIN / "dub"), "run", str(manifest)], {**environment, "PREFECT_HOME": str(folder / "own")})
    made: dict[str, Any] = {}
    for path in (folder / ".dub/store/commits").glob("*/*.json"):
        commit = json.loads(path.read_text(encoding="utf-8"))
        if commit["notes"].get("lesson") == "template":
            own = ("course", "lesson", "language", "made_from")
            notes = {name: value for name, value in commit["notes"].items() if name not in own}
            made[commit["stage"]] = (commit["outputs"], commit["objects"], notes)
    Path(environment["DUB_BENCHMARK_TEMPLATE"]).write_text(json.dumps(made), encoding="utf-8")
    (folder / "hook").mkdir()
    leave(folder / "hook", AT_ONCE)
    return environment | {"PYTHONPATH": os.pathsep.join([str(folder / "hook"), os.environ.get("PYTHONPATH", "")])}


def dispatched(environment: dict[str, str]) -> float:
    """Run the course once; seconds from the order to its end."""
    begun = time.monotonic()
    said = run([str(BIN / "prefect"), "deployment", "run", "dispatch-course/library"], environment)
    found = re.search(r"UUID: ([0-9a-f-]{36})", said)
    if not found:
        raise SystemExit(said)
    while True:
        state = ask(environment["PREFECT_API_URL"], f"flow_runs/{found[1]}")["state"]
        if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            if state["type"] != "COMPLETED":
                raise SystemExit(f"the library's run ended as {state}")
            return time.monotonic() - begun
        time.sleep(0.5)


def wait_for_rows(url: str, targets: int) -> float:
    """Seconds until the server has written every task run down, ten minutes at most."""
    begun = time.monotonic()
    while time.monotonic() - begun < 600:
        if ask(url, "task_runs/count", {"task_runs": {"name": {"like_": "lesson-"}}}) >= targets:
            break
        time.sleep(1)
    return time.monotonic() - begun


def run(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def ask(url: str, path: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{url}/{path}", data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  (our own server, on loopback)
        return json.load(answer)


def wait_for(url: str) -> None:
    for _ in range(240):
        try:
            ask(url, "health")
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit("the Prefect server does not come up")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def size(path: Path) -> int:
    """Bytes of a file, or of all below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


if __name__ == "__main__":
    main()
