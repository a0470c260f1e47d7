"""Diarization error on recordings with known truth, against hearing one speaker wherever there is speech.

usage: python benchmarks/diarization.py FOLDER [--engine pyannote-community-1] [--out diarization.json]

FOLDER holds audio files with an `.rttm` beside each. Prints one row a file and a total, and writes the same as JSON.
DER: pyannote.metrics, collar 0.25 s, overlapped speech scored.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from manifests.quiet import settle
from manifests.script import Diarization
from manifests.spans import Span
from tasks.diarize import diarize
from tasks.engines.protocols import Listening

COLLAR = 0.25
PARTS = ("missed detection", "false alarm", "confusion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("diarization.json"))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--engine", default="pyannote", help="which diarizer; `dub doctor` names them")
    options = parser.parse_args()
    settle()
    rows: list[dict[str, Any]] = []
    for truth in sorted(options.folder.glob("*.rttm")):
        media = next(path for path in sorted(options.folder.glob(f"{truth.stem}.*")) if path != truth)
        rows.append(measure(media, truth, options.engine, options.cores))
    total: dict[str, Any] = {key: sum(row[key] for row in rows) for key in (*PARTS, "total", "baseline errors")}
    total["der"] = sum(total[part] for part in PARTS) / total["total"]
    total["baseline der"] = total["baseline errors"] / total["total"]
    print(
        f"{'file':24} {'DER':>6} {'one speaker':>12} {'missed':>7} {'false':>6} {'confused':>9} {'speakers':>9} "
        f"{'x real time':>12}"
    )
    for row in rows:
        print(
            f"{row['file']:24} {row['der']:6.3f} {row['baseline der']:12.3f} {row['missed detection']:7.2f} "
            f"{row['false alarm']:6.2f} {row['confusion']:9.2f} {row['found']:>4} of {row['speakers']:<2} "
            f"{row['x real time']:12.3f}"
        )
    print(f"{'total':24} {total['der']:6.3f} {total['baseline der']:12.3f}")
    options.out.write_text(
        json.dumps({"engine": options.engine, "collar": COLLAR, "files": rows, "total": total}, indent=1)
    )


def measure(media: Path, truth: Path, engine: str, cores: int) -> dict[str, Any]:
    from pyannote.core import Segment, Timeline
    from pyannote.database.util import load_rttm
    from pyannote.metrics.diarization import DiarizationErrorRate

    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        command = ["ffmpeg", "-v", "error", "-i", str(media.resolve()), "-ac", "1", "-ar", "16000", str(speech)]
        subprocess.run(command, check=True, timeout=600)
        length = (speech.stat().st_size - 44) // 2 * 3
        began = time.perf_counter()
        found = diarize(speech, (Span(0, length),), Listening(engine), cores=cores)
        took = time.perf_counter() - began
        alone = diarize(speech, (Span(0, length),), Listening(engine, 1, 1), cores=cores)
    reference = next(iter(load_rttm(truth).values()))
    heard = Timeline([Segment(0, length / 48_000)])
    metric = DiarizationErrorRate(collar=COLLAR, skip_overlap=False)
    parts: dict[str, float] = metric(reference, annotation(found), uem=heard, detailed=True)
    plain: dict[str, float] = metric(reference, annotation(alone), uem=heard, detailed=True)
    errors = sum(plain[part] for part in PARTS)
    return {
        "file": media.name,
        "der": sum(parts[part] for part in PARTS) / parts["total"],
        "baseline der": errors / plain["total"],
        "baseline errors": errors,
        **{key: parts[key] for key in (*PARTS, "total")},
        "speakers": len(reference.labels()),
        "found": len(found.speakers),
        "x real time": took / (length / 48_000),
    }


def annotation(found: Diarization) -> Any:
    from pyannote.core import Annotation, Segment

    out = Annotation()
    for number, turn in enumerate(found.turns):
        out[Segment(turn.span.start_s, turn.span.end_s), number] = turn.speaker
    return out


if __name__ == "__main__":
    main()
