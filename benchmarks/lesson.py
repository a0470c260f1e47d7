"""Time `dub run` on one long lesson, or some: wall time against playing time, and the peak memory of any process.

usage: lesson.py [CLIP ...] [--minutes 10] [--lessons 1] [--cores N] [--json FILE]

A lesson repeats the given clips of speech, or sentences of flite's voices where none are given, with 0.6 s between
them; each of several begins with another one. Stock voices, English to Spanish, a fresh workspace. On one core, where
one stage follows the other, it is also told what processor time no stage took: Prefect and its server, keys, claims,
the store, the ledger and the start of the program.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

from other_stages import leave
from pydub import AudioSegment

TEXTS = (
    "Every day the sun heats the water of the sea, and a part of this water rises into the air.",
    "When the drops are heavy, they fall to the ground, and we call it rain.",
    "A piece of glass can divide the light, and then you see red, yellow, green and blue.",
)


COUNTED = '''
"""Stages that write down the processor time of this process, and of all that it started but its server, meanwhile."""

import os
from contextlib import suppress
from dataclasses import replace

import psutil


def spent():
    total = sum(os.times()[:4])
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "uvicorn" not in child.cmdline():
                total += sum(child.cpu_times()[:4])
    return total


def changed(stage):
    def run(params, inputs, bench):
        before = spent()
        try:
            return stage.run(params, inputs, bench)
        finally:
            with open(os.environ["DUB_BENCHMARK_STAGES"], "a") as seen:
                seen.write(f"{spent() - before:.2f}\\n")

    return replace(stage, run=run)
'''


def sentences(folder: Path) -> list[Path]:
    """Clips of flite's voice."""
    clips = [folder / f"{number}.wav" for number in range(len(TEXTS))]
    for clip, text in zip(clips, TEXTS, strict=True):
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(clip)], check=True, timeout=60)
    return clips


def speech(clips: list[Path], minutes: float, number: int) -> AudioSegment:
    """Clips one after the other, until the time is full; lessons differ in where they begin, and when."""
    first = number % len(clips)
    sound = AudioSegment.silent(600 + 40 * number, frame_rate=48_000)
    for clip in cycle(clips[first:] + clips[:first]):
        if len(sound) >= minutes * 60_000:
            return sound
        sound += AudioSegment.from_file(clip).set_frame_rate(48_000).set_channels(1) + AudioSegment.silent(600, 48_000)
    return sound


def make(folder: Path, number: int, sound: AudioSegment) -> float:
    """Write a lesson's video; seconds that it plays."""
    playing_s = len(sound) / 1000
    sound.export(folder / "speech.wav", format="wav")
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-i", str(folder / "speech.wav"), "-f", "lavfi"),
            *("-i", f"color=c=0x20374c:s=1280x720:r=25:d={playing_s}", "-map", "1:v", "-map", "0:a"),
            *("-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac", "-shortest"),
            str(folder / f"lesson-{number:02}.mp4"),
        ],
        check=True,
        timeout=900,
    )
    return playing_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--lessons", type=int, default=1)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = asked.clips or sentences(folder)
        playing_s = sum(make(folder, number, speech(clips, asked.minutes, number)) for number in range(asked.lessons))
        (folder / "hook").mkdir()
        leave(folder / "hook", COUNTED)
        hooked = os.pathsep.join([str(folder / "hook"), os.environ.get("PYTHONPATH", "")])
        counted = {"PYTHONPATH": hooked, "DUB_BENCHMARK_STAGES": str(folder / "stages")} if asked.cores == 1 else {}
        manifest = folder / "course.yaml"
        manifest.write_text("course: bench\ntargets: [es]\nlessons: [{media: 'lesson-*.mp4'}]\n", encoding="utf-8")
        made = resource.getrusage(resource.RUSAGE_CHILDREN)
        made_s = made.ru_utime + made.ru_stime
        started = time.monotonic()
        ran = subprocess.run(
            [str(Path(sys.executable).with_name("dub")), "run", str(manifest), "--json"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=7200,
            env=os.environ | counted,
        )
        took = time.monotonic() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = used.ru_utime + used.ru_stime - made_s
        stages_cpu_s = sum(map(float, (folder / "stages").read_text(encoding="utf-8").split())) if counted else 0.0
        started = time.monotonic()
        subprocess.run(
            [str(Path(sys.executable).with_name("dub")), "run", str(manifest)], stdout=subprocess.DEVNULL, check=True
        )
        again = time.monotonic() - started
    stages: Counter[str] = Counter()
    for target in json.loads(ran.stdout)["targets"]:
        stages.update({stage: facts["seconds"] for stage, facts in target["stages"].items()})
    result = {
        "lessons": asked.lessons,
        "playing_s": playing_s,
        "wall_s": round(took, 1),
        "share": round(took / playing_s, 3),
        "second_run_s": round(again, 1),
        "cpu_s": round(cpu_s, 1),
        "peak_mb_of_any_process": round(used.ru_maxrss / 1024),
        "cores": asked.cores,
        "stages": {stage: round(seconds, 3) for stage, seconds in stages.items()},
    }
    if asked.cores == 1:
        beside = cpu_s - stages_cpu_s
        result |= {"cpu_beside_stages_s": round(beside, 1), "cpu_beside_share": round(beside / stages_cpu_s, 4)}
    for name, value in result.items():
        print(f"{name:24}{value}")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
