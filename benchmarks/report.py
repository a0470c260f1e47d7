"""How long `dub report` takes over a library, how much memory, and how large the page is.

usage: report.py DEMO [--lessons 1000] [--lines 100]

DEMO is the folder of a finished `dub demo`; its first lesson stands for all of them, with its lines said over and over.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from manifests.target_row import TargetRow
from manifests.workspace import Workspace

LANGUAGES = ("es", "ca")
STATES = ("done", "done", "done", "done", "done", "done", "partial", "review", "failed", "blocked")


def library(folder: Path, demo: Path, lessons: int, lines: int) -> Path:
    media = folder / "media"
    media.mkdir()
    out = folder / "out/library"
    out.mkdir(parents=True)
    ledger = Workspace.open(folder / ".dub").ledger
    rows = []
    for number in range(lessons):
        lesson = f"lesson-{number:04d}"
        (media / f"{lesson}.mp4").hardlink_to(demo / "media/lesson-01-water.mp4")
        for place, language in enumerate(LANGUAGES):
            state = STATES[(number + place) % len(STATES)]
            stem = f"{lesson}.{language}"
            row = TargetRow("library", lesson, language, state)
            if state in ("failed", "blocked"):
                row = TargetRow("library", lesson, language, state, stage="mix", message="The disk was full.")
            else:
                (out / f"{stem}.mp4").hardlink_to(demo / f"out/demo/lesson-01-water.{language}.mp4")
                text = (demo / f"out/demo/lesson-01-water.{language}.dub.json").read_text(encoding="utf-8")
                (out / f"{stem}.dub.json").write_text(grown(json.loads(text), lesson, state, lines), encoding="utf-8")
                row = TargetRow("library", lesson, language, state, output=str(out / f"{stem}.mp4"))
            rows.append(row)
    for row in rows:
        ledger.record(row)
    manifest = folder / "course.yaml"
    manifest.write_text(f"course: library\ntargets: [{', '.join(LANGUAGES)}]\nlessons: [{{media: media/*.mp4}}]\n")
    return manifest


def grown(record: dict, lesson: str, state: str, lines: int) -> str:
    known = record["lines"]
    for number in range(len(known), lines):
        known.append(known[number % 9] | {"id": str(number + 1), "flags": ["late 0.80 s"] * (number % 25 == 0)})
    return json.dumps(record | {"lesson": lesson, "course": "library", "state": state}, indent=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--lessons", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.demo) as name:
        manifest = library(Path(name), asked.demo, asked.lessons, asked.lines)
        began = time.monotonic()
        subprocess.run([str(Path(sys.executable).with_name("dub")), "report", str(manifest)], check=True, timeout=3600)
        took = time.monotonic() - began
        size = (Path(name) / "out/library/report.html").stat().st_size
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{asked.lessons} lessons, {asked.lessons * len(LANGUAGES)} targets of {asked.lines} lines")
    print(f"{took:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of them at work in all processes")
    print(f"peak {used.ru_maxrss / 1024:.0f} MB in any process, page of {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
