"""What a plan of a library costs that nobody has opened yet, or that is finished; and a run with nothing to do.

    .venv/bin/python benchmarks/plan.py [--lessons 10000] [--finished [--lose 100]] [--json FILE]

Sparse files of a few hundred MB stand for lessons, five languages each. `dub plan --json` runs as a process of its own:
CPU and wall seconds, and peak memory. With `--finished` every stage of every target has its commit, its objects (of a
few bytes) and its finished files: the library is planned once as whoever comes after the first night plans it, then
again, and then `dub run` finds nothing to do. With `--lose N` one target in N then loses its subtitles, and the library
is planned twice more: what was found to be missing is looked at again the second time, and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

SCRIPT, LINES = json.dumps({"language": "en", "utterances": []}), json.dumps({"language": "es", "lines": []})
"""Of a lesson in which nothing is said."""

MANIFEST = """course: library
source_language: en
targets: [es, ca, gl, fr, it]
lessons: [{media: "media/*.mp4"}]
"""


LESSONS_AT_ONCE = 200


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
    from flows.wanted import wanted
    from manifests.workspace import Workspace
    from tasks.perform import Products
    from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
    from tasks.plan import Walk
    from voiceclone.chain import signer

    signer()  # as a run does first: what is signed depends on who signs
    root = Path(os.environ["DUB_WORKSPACE"])
    space = Workspace.open(root)
    lessons = wanted(Order(manifest=manifest, workspace=root)).lessons
    media = Leaving(space)
    for item in lessons:  # nobody reads terabytes of holes
        media.digest(item.job.media, hashlib.sha256(item.job.lesson_id.encode()).hexdigest())
    media.save()
    for first in range(0, len(lessons), LESSONS_AT_ONCE):
        leaving = Leaving(space)
        for item in lessons[first : first + LESSONS_AT_ONCE]:
            products = Products()
            for stage in LESSON_STAGES:
                products = leaving.made(stage, item.job, products)
            walks: dict[str, Walk] = {}
            for target in item.targets:
                made = products
                for stage in TARGET_STAGES:
                    made = leaving.made(stage, target, made)
                leaving.target(target, made)
                walks[target.language or ""] = Walk((), made)
            for stage, joined in joint_stages(item.job, Walk((), products), space, walks):
                leaving.made(stage, item.job, joined)
        leaving.save()


class Leaving:
    """What runs leave of some lessons: files at once, the rows of the databases together."""

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._digests: list[tuple[str, str, int, int, str]] = []
        self._runs: list[dict[str, Any]] = []
        self._targets: list[dict[str, Any]] = []

    def made(self, stage: Stage, job: Job, products: Products) -> Products:
        """A stage's commit, as `tasks.perform` writes it, with next to nothing in it."""
        from manifests.commits import COMMIT, Commit
        from manifests.ledger import now
        from tasks.perform import Outcome, key_of

        key, digests = key_of(stage, job, products, self._space)
        name = f"{job.lesson_id}.{job.language or 'multi'}"
        outputs: dict[str, str] = {}
        for output in stage.makes:
            known = {"media.json": MEDIA, "script.json": SCRIPT, "lines.json": LINES}
            content = known.get(output, f"{stage.name} {output} of {name}")
            outputs[output] = self._object(content, Path(output).suffix)
        delivered: dict[str, str] = {}
        for suffix in {"remux": (".mp4", ".srt"), "multi": (".mp4",), "verify": (".dub.json",)}.get(stage.name, ()):
            path, content = job.out / f"{name}{suffix}", f"{stage.name} {name}".encode()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (1e9, 1e9))
            delivered[str(path)] = hashlib.sha256(content).hexdigest()
            self.digest(path, delivered[str(path)])
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
        path = self._space.store.folder / "commits" / stage.name / f"{key}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(COMMIT.dump_json(commit, indent=1))
        row = {"course": job.course.course, "lesson": job.lesson_id, "language": job.language or "", "key": key}
        row |= {"stage": stage.name, "state": "done", "seconds": 2.0, "media_seconds": 600.0, "started": now()}
        self._runs.append(row)
        return products.plus(Outcome(stage.name, commit, False, 2.0))

    def digest(self, path: Path, sha256: str) -> None:
        """What a file's digest is, remembered."""
        facts = path.stat()
        self._digests.append((str(facts.st_dev), str(facts.st_ino), facts.st_size, facts.st_mtime_ns, sha256))

    def target(self, target: Job, made: Products) -> None:
        """Where a target stands."""
        from flows.standing import finished
        from manifests.ledger import now

        row = finished(target, made)
        self._targets.append({name: getattr(row, name) for name in row.__slots__} | {"updated": now()})

    def save(self) -> None:
        """Write the rows."""
        from sqlalchemy import insert

        from manifests.digests import Digests
        from manifests.ledger_tables import STAGE_RUNS, TARGETS

        space = self._space
        Digests(space.digests.cache).read()  # makes the table
        with closing(sqlite3.connect(space.digests.cache)) as cache, cache:
            cache.executemany("insert or replace into files values (?, ?, ?, ?, ?)", self._digests)
        space.digests.read()
        for table, rows in ((STAGE_RUNS, self._runs), (TARGETS, self._targets)):
            if rows:
                space.ledger._database.write(  # pyright: ignore[reportPrivateUsage]
                    lambda connection, table=table, rows=rows: connection.execute(insert(table), rows)
                )

    def _object(self, content: str, suffix: str) -> str:
        """An object of the store; it need not reach the disk, since nobody would miss it."""
        from manifests.commits import Ref

        data = content.encode()
        ref = Ref(hashlib.sha256(data).hexdigest(), suffix)
        path = self._space.store.path(ref)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return ref.name


def lose(manifest: Path, one_in: int) -> None:
    """Delete the subtitles of one target in so many."""
    for path in sorted((manifest.parent / "out/library").glob("*.srt"))[::one_in]:
        path.unlink()


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
    parser.add_argument("--lose", type=int, metavar="N")
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
        if asked.finished and asked.lose:
            lose(manifest, asked.lose)
            figures |= {name: measured("plan", manifest) for name in ("plan of the rest", "the same again")}
    for name, facts in figures.items():
        print(name, *(f"{what} {value}" for what, value in facts.items()), sep="  ")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
