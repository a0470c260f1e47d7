"""What a plan of a library costs that nobody has opened yet, or that is finished; and a run with nothing to do.

    .venv/bin/python benchmarks/plan.py [--lessons 10000] [--finished] [--json FILE]

Sparse files of a few hundred MB stand for lessons, five languages each. `dub plan --json` runs as a process of its own:
CPU and wall seconds, and peak memory. With `--finished` every stage of every target has its commit, its objects (of a
few bytes) and its finished files: the library is planned once as whoever comes after the first night plans it, then
again, and then `dub run` finds nothing to do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manifests.model import Job
    from manifests.workspace import Workspace
    from tasks.perform import Products
    from tasks.stage import Stage

MEDIA = json.dumps(
    {
        "suffix": ".mp4",
        "format": "mov,mp4,m4a,3gp,3g2,mj2",
        "start_s": 0.0,
        "duration": 600 * 48_000,
        "streams": [],
        "chapters": 0,
        "tags": {},
        "sound": None,
    }
)
"""As `tasks.split` describes the media, as far as a plan looks at it."""

MANIFEST = """course: library
source_language: en
targets: [es, ca, gl, fr, it]
lessons: [{media: "media/*.mp4"}]
"""


def library(folder: Path, lessons: int) -> Path:
    """A manifest and its lessons: holes of 100 to 400 MB."""
    (folder / "media").mkdir()
    for number in range(lessons):
        with (folder / f"media/lesson-{number:05d}.mp4").open("wb") as file:
            file.truncate((100 + number % 300) * 1_000_000)
    manifest = folder / "course.yaml"
    manifest.write_text(MANIFEST, encoding="utf-8")
    return manifest


def finish(manifest: Path) -> None:
    """Give every stage of every target what a run leaves: commits, objects, finished files, and rows of the ledger."""
    from flows.order import Order
    from flows.standing import finished
    from flows.wanted import wanted
    from manifests import store
    from manifests.workspace import Workspace
    from tasks.perform import Products
    from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
    from tasks.plan import Walk
    from voiceclone.chain import signer

    signer()  # as a run does first: what is signed depends on who signs
    # A library of bytes that nobody would miss need not reach the disk.
    store._flush = lambda path: None  # pyright: ignore[reportPrivateUsage]
    root = Path(os.environ["DUB_WORKSPACE"])
    space = Workspace.open(root)
    for item in wanted(Order(manifest=manifest, workspace=root)).lessons:
        digest = hashlib.sha256(item.job.lesson_id.encode()).hexdigest()
        # Nobody reads terabytes of holes.
        space.digests._remember(item.job.media.stat(), digest)  # pyright: ignore[reportPrivateUsage]
        products = Products()
        for stage in LESSON_STAGES:
            products = _made(stage, item.job, products, space)
        for target in item.targets:
            made = products
            for stage in TARGET_STAGES:
                made = _made(stage, target, made, space)
            space.ledger.record(finished(target, made))
        for stage, joined in joint_stages(item.job, Walk((), products), space):
            _made(stage, item.job, joined, space)


def _made(stage: Stage, job: Job, products: Products, space: Workspace) -> Products:
    """A stage's commit, as `tasks.perform` writes it, with next to nothing in it."""
    from manifests.store import Commit
    from tasks.perform import Outcome, key_of

    key, digests = key_of(stage, job, products, space)
    name = f"{job.lesson_id}.{job.language or 'multi'}"
    with space.store.scratch() as scratch:
        outputs: dict[str, str] = {}
        for output in stage.makes:
            file = scratch / output
            file.parent.mkdir(parents=True, exist_ok=True)
            media = stage.name == "split" and output == "media.json"
            file.write_text(MEDIA if media else f"{stage.name} {output} of {name}", encoding="utf-8")
            outputs[output] = space.store.put(file).name
    delivered: dict[str, str] = {}
    for suffix in {"remux": (".mp4", ".srt"), "multi": (".mp4",), "verify": (".dub.json",)}.get(stage.name, ()):
        path = job.out / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{stage.name} {name}", encoding="utf-8")
        os.utime(path, (1e9, 1e9))
        delivered[str(path)] = space.digests.of(path)
    notes = {"course": job.course.course, "lesson": job.lesson_id, "language": job.language or ""}
    notes |= {"state": "done", "problems": [], "duration_s": 600.0}
    notes |= {"made_from": {"version": stage.version, "params": {}, "inputs": digests}}
    engine = stage.engine(job)
    commit = Commit(
        stage.name,
        key,
        outputs,
        delivered=delivered,
        engine=engine.as_dict() if engine else {},
        notes=notes,
        seconds=2.0,
    )
    space.store.commit(commit)
    with space.ledger.running(job.course.course, job.lesson_id, job.language, stage.name, key) as row:
        row.state, row.seconds, row.media_seconds = "done", 2.0, 600.0
    return products.plus(Outcome(stage.name, commit, False, 2.0))


def measured(command: str, manifest: Path) -> dict[str, float]:
    """One `dub plan --json`, or `dub run --json` with nothing to do."""
    dub = Path(sys.executable).with_name("dub")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    ran = subprocess.run([dub, command, manifest, "--json"], stdout=subprocess.PIPE, check=True)
    wall = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    targets = json.loads(ran.stdout)["targets"]
    return {
        "targets": len(targets),
        "guessed": sum(target.get("media_seconds_guessed", False) for target in targets),
        "cached": sum(target["state"] in ("cached", "done") for target in targets),
        "wall_s": round(wall, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 2),
        "peak_mb": round(used.ru_maxrss / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lessons", type=int, default=10_000)
    parser.add_argument("--finished", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DUB_WORKSPACE"] = f"{folder}/workspace"
        os.environ |= {"DUB_KEYS": f"{folder}/keys", "DUB_CONSENT": f"{folder}/consent"}
        manifest = library(Path(folder), asked.lessons)
        if asked.finished:
            finish(manifest)
        commands = {"first plan": "plan", "plan": "plan", "run": "run"} if asked.finished else {"plan": "plan"}
        figures = {name: measured(command, manifest) for name, command in commands.items()}
    for name, facts in figures.items():
        print(name, *(f"{what} {value}" for what, value in facts.items()), sep="  ")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
