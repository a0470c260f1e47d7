"""Assemble a talk of three hours and one of an hour: time should grow with the length, memory should not.

    .venv/bin/python benchmarks/length.py [--hours 1 3] [--work DIR] [--json FILE]

Three hours are 2,500 lines; forty different lines and takes come again and again. Told are the wall and CPU time, the
largest process, and what of both a third hour costs more than the first.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from assembly import end_of, ours, probed
from prepared import talk

LINES_AN_HOUR = 2500 / 3
DISTINCT = 40


def assembled(hours: float, work: Path) -> dict[str, Any]:
    """Figures of one talk."""
    count = round(LINES_AN_HOUR * hours)
    of = talk(count, 3600.0 * hours, work / f"hours-{hours:g}", distinct=DISTINCT)
    run, out, placed = ours(of, work)
    sound, picture = (
        next(stream for stream in probed(out)["streams"] if stream["codec_type"] == kind) for kind in ("audio", "video")
    )
    return {
        "hours": hours,
        "lines": count,
        "spoken": len(placed),
        "wall_s": round(run.wall_s, 1),
        "cpu_s": round(run.cpu_s, 1),
        "cpu_s_an_hour": round(run.cpu_s / hours, 1),
        "peak_mb": round(run.peak_mb),
        "end_difference_s": round(end_of(sound) - end_of(picture), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 3])
    parser.add_argument("--work", type=Path, help="folder for the talks, kept for the next run")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (asked.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        results = [assembled(hours, work) for hours in asked.hours]
    for figure in results[0]:
        print(f"{figure:20}" + "".join(f"{row[figure]!s:>12}" for row in results))
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
