"""Diarization error on recordings with known truth, against hearing one speaker wherever there is speech.

usage: python benchmarks/diarization.py FOLDER [--engine pyannote-community-1] [--out diarization.json]
       python benchmarks/diarization.py --media FOLDER [--group "held out"]

FOLDER holds audio files with an `.rttm` beside each; of `--media` lectures, interviews, panels, questions from the room
and interruptions are mixed (`conversations.py`). Prints one row a file and a total, and writes the same as JSON.
DER: pyannote.metrics, collar 0.25 s (and 0), overlapped speech scored.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import conversations
import soundfile

from manifests.quiet import settle
from manifests.script import Diarization
from manifests.spans import Span
from tasks.diarize import diarize
from tasks.engines.protocols import Listening

COLLAR = 0.25
PARTS = ("missed detection", "false alarm", "confusion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="recordings with an .rttm beside each")
    parser.add_argument("--media", type=Path, help="real voices to mix recordings of")
    parser.add_argument("--group", choices=list(conversations.VOICES), default="held out", help="whose voices")
    parser.add_argument("--out", type=Path, default=Path("diarization.json"))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--engine", default="pyannote", help="which diarizer; `dub doctor` names them")
    options = parser.parse_args()
    settle()
    with tempfile.TemporaryDirectory() as scratch:
        if options.media:
            mixed(options.media, options.group, Path(scratch))
        folder = Path(scratch) if options.media else options.folder
        if folder is None:
            parser.error("name a FOLDER, or --media FOLDER")
        rows: list[dict[str, Any]] = []
        for truth in sorted(folder.glob("*.rttm")):
            media = next(path for path in sorted(folder.glob(f"{truth.stem}.*")) if path != truth)
            rows.append(measure(media, truth, options.engine, options.cores))
    total: dict[str, Any] = {
        key: sum(row[key] for row in rows)
        for key in (*PARTS, "total", "baseline errors", "errors, no collar", "total, no collar")
    }
    total["der"] = sum(total[part] for part in PARTS) / total["total"]
    total["der, no collar"] = total["errors, no collar"] / total["total, no collar"]
    single = [row for row in rows if row["speakers"] == 1]
    total["one speaker split"] = f"{sum(row['found'] > 1 for row in single)} of {len(single)}"
    several = [row for row in rows if row["speakers"] > 1]
    total["several counted right"] = f"{sum(row['found'] == row['speakers'] for row in several)} of {len(several)}"
    total["baseline der"] = total["baseline errors"] / total["total"]
    print(
        f"{'file':28} {'DER':>6} {'one speaker':>12} {'missed':>7} {'false':>6} {'confused':>9} {'speakers':>9} "
        f"{'x real time':>12}"
    )
    for row in rows:
        print(
            f"{row['file']:28} {row['der']:6.3f} {row['baseline der']:12.3f} {row['missed detection']:7.2f} "
            f"{row['false alarm']:6.2f} {row['confusion']:9.2f} {row['found']:>4} of {row['speakers']:<2} "
            f"{row['x real time']:12.3f}"
        )
    print(f"{'total':28} {total['der']:6.3f} {total['baseline der']:12.3f}")
    for key in ("der, no collar", "one speaker split", "several counted right"):
        print(f"{key:28} {total[key] if isinstance(total[key], str) else round(total[key], 3)}")
    options.out.write_text(
        json.dumps({"engine": options.engine, "collar": COLLAR, "files": rows, "total": total}, indent=1)
    )


def mixed(media: Path, group: str, folder: Path) -> None:
    """Write the recordings of a group and the truth of each."""
    for one in conversations.recordings(media, group):
        name = one.name.replace(", ", "-").replace(" ", "-")
        soundfile.write(folder / f"{name}.wav", one.sound, conversations.RATE, subtype="PCM_16")
        lines = [f"SPEAKER {name} 1 {at:.3f} {end - at:.3f} <NA> <NA> {who} <NA> <NA>\n" for who, at, end in one.turns]
        (folder / f"{name}.rttm").write_text("".join(lines))


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
    sharp = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    edges: dict[str, float] = sharp(reference, annotation(found), uem=heard, detailed=True)
    return {
        "file": media.name,
        "der": sum(parts[part] for part in PARTS) / parts["total"],
        "baseline der": errors / plain["total"],
        "baseline errors": errors,
        **{key: parts[key] for key in (*PARTS, "total")},
        "errors, no collar": sum(edges[part] for part in PARTS),
        "total, no collar": edges["total"],
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
