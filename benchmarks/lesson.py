"""Time `dub run` on one long lesson: wall time against playing time, and the peak memory of any process.

usage: lesson.py [CLIP ...] [--minutes 10] [--json FILE]

The lesson repeats the given clips of speech, or sentences of flite's voices where none are given, with 0.6 s between
them. Stock voices, English to Spanish, a fresh workspace.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

from pydub import AudioSegment

TEXTS = (
    "Every day the sun heats the water of the sea, and a part of this water rises into the air.",
    "When the drops are heavy, they fall to the ground, and we call it rain.",
    "A piece of glass can divide the light, and then you see red, yellow, green and blue.",
)


def speech(clips: list[Path], minutes: float, folder: Path) -> AudioSegment:
    """Clips one after the other, until the time is full."""
    if not clips:
        for number, text in enumerate(TEXTS):
            clips.append(folder / f"{number}.wav")
            subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(clips[-1])], check=True, timeout=60)
    sound = AudioSegment.silent(600, frame_rate=48_000)
    for clip in cycle(clips):
        if len(sound) >= minutes * 60_000:
            return sound
        sound += AudioSegment.from_file(clip).set_frame_rate(48_000).set_channels(1) + AudioSegment.silent(600, 48_000)
    return sound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = speech(asked.clips, asked.minutes, folder)
        sound.export(folder / "speech.wav", format="wav")
        subprocess.run(
            [
                *("ffmpeg", "-v", "error", "-i", str(folder / "speech.wav"), "-f", "lavfi"),
                *("-i", f"color=c=0x20374c:s=1280x720:r=25:d={len(sound) / 1000}", "-map", "1:v", "-map", "0:a"),
                *("-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-shortest", str(folder / "lesson.mp4")),
            ],
            check=True,
            timeout=900,
        )
        manifest = folder / "course.yaml"
        manifest.write_text("course: bench\ntargets: [es]\nlessons: [{media: lesson.mp4}]\n", encoding="utf-8")
        started = time.monotonic()
        ran = subprocess.run(
            [str(Path(sys.executable).with_name("dub")), "run", str(manifest), "--json"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=3600,
        )
        took = time.monotonic() - started
        started = time.monotonic()
        subprocess.run(
            [str(Path(sys.executable).with_name("dub")), "run", str(manifest)], stdout=subprocess.DEVNULL, check=True
        )
        again = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    target = json.loads(ran.stdout)["targets"][0]
    result = {
        "playing_s": len(sound) / 1000,
        "wall_s": round(took, 1),
        "share": round(took / (len(sound) / 1000), 3),
        "second_run_s": round(again, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb_of_any_process": round(used.ru_maxrss / 1024),
        "cores": os.cpu_count(),
        "stages": {stage: facts["seconds"] for stage, facts in target["stages"].items()},
    }
    for name, value in result.items():
        print(f"{name:24}{value}")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
