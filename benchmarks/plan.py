"""What a plan of a library that nobody has opened yet costs.

    .venv/bin/python benchmarks/plan.py [--lessons 10000] [--json FILE]

Sparse files of a few hundred MB stand for lessons, five languages each. `dub plan --json` runs as a process of its own:
CPU and wall seconds, peak memory, and bytes read from the media (there should be none).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def measured(manifest: Path) -> dict[str, float]:
    """One `dub plan --json`."""
    dub = Path(sys.executable).with_name("dub")
    started = time.monotonic()
    ran = subprocess.run([dub, "plan", manifest, "--json"], stdout=subprocess.PIPE, check=True)
    wall = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    targets = json.loads(ran.stdout)["targets"]
    return {
        "targets": len(targets),
        "guessed": sum(target["media_seconds_guessed"] for target in targets),
        "wall_s": round(wall, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": round(used.ru_maxrss / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lessons", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DUB_WORKSPACE"] = f"{folder}/workspace"
        figures = measured(library(Path(folder), asked.lessons))
    for name, value in figures.items():
        print(f"{name:10} {value}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
