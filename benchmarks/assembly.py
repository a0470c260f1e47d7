"""Assemble the same prepared takes with `dub assemble` and with its peers on PyPI, on this machine, in this run.

    .venv/bin/python benchmarks/assembly.py [--lines 60 300] [--without open-dubbing] [--work DIR] [--json FILE]

Each peer gets an environment of its own (uv, PyPI) and runs its own code from finished takes to the finished file
(`benchmarks/peers/`). 60 lines are a talk of 272 s, 300 lines one of 1,372 s. The floor is ffmpeg's AAC encoder alone
with as many samples at the same bit rate, as it comes (`of_floor`); told beside it: the same in two halves, and
with the coder that dubflow tells it to use.

What is told of each: wall time, as multiple of the floor; CPU time; the largest process; seconds in which two takes
sound at once; seconds of takes that are not played (pauses that were cut out of them count); takes played faster than
1.25x, and the fastest; how much later the dub ends than the picture; rate and channels; loudness and true peak; whether
the picture's packets are the source's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from prepared import Talk, talk

from tasks.containers import AAC_OPTIONS

SECONDS = {60: 272.0, 300: 1372.0}
BIT_RATE = "128k"
PEERS = Path(__file__).with_name("peers")
UV = shutil.which("uv") or str(PEERS.parents[1] / ".tools" / "bin" / "uv")
"""The one that the set-up used: its own, where the machine has none."""
PACKAGES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "videopython": (("videopython==0.62.2", "pyloudnorm"), ()),
    "open-dubbing": (
        ("moviepy==2.2.1", "iso639-lang", "psutil", "numpy", "pydub"),
        ("open-dubbing==0.2.3",),  # without what it recognizes and separates with
    ),
}
PATIENCE_S = 7200


@dataclass(frozen=True, slots=True)
class Run:
    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Played:
    """A take as it is played."""

    start: float
    end: float
    rate: float


def measured(command: list[str], log: Path) -> Run:
    """Run a command; its peak is that of its largest process."""
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed:\n{log.read_text('utf-8', 'replace')[-2000:]}")
    return Run(time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def floors(of: Talk, work: Path) -> tuple[Run, Run, Run]:
    """Encoding as much sound alone: as ffmpeg does, in two halves side by side, and with dubflow's coder."""

    def encode(number: int, *cut: str, coder: tuple[str, ...] = ()) -> list[str]:
        to = str(work / f"floor-{number}.m4a")
        sound = str(of.media.with_suffix(".wav"))
        command = ["ffmpeg", "-v", "error", "-y", "-nostdin", *cut, "-i", sound, "-c:a", "aac", "-b:a", BIT_RATE]
        return [*command, *coder, to]

    whole = measured(encode(0), work / "floor.log")
    coder = tuple(word for name, value in AAC_OPTIONS for word in (f"-{name}", value))
    own = measured(encode(3, coder=coder), work / "floor-3.log")
    half = str(of.seconds / 2)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        halves = list(
            pool.map(
                lambda given: measured(encode(*given), work / f"floor-{given[0]}.log"),
                [(1, "-t", half), (2, "-ss", half)],
            )
        )
    both = Run(time.monotonic() - started, sum(run.cpu_s for run in halves), max(run.peak_mb for run in halves))
    return whole, both, own


def ours(of: Talk, work: Path) -> tuple[Run, Path, list[Played]]:
    out = work / "dubflow.mp4"
    command = [str(Path(sys.executable).with_name("dub")), "assemble", str(of.cues)]
    run = measured([*command, "--media", str(of.media), "--out", str(out)], work / "dubflow.log")
    record = json.loads(out.with_suffix(".dub.json").read_text("utf-8"))
    placed = [
        Played(line["placed"]["start"], line["placed"]["end"], line["placed"]["rate"])
        for line in record["lines"]
        if "placed" in line
    ]
    return run, out, placed


def peer(name: str, of: Talk, work: Path) -> tuple[Run, Path, list[Played]]:
    out, plan = work / f"{name}.mp4", work / f"{name}.json"
    program = PEERS / f"run_{name.replace('-', '_')}.py"
    facts = of.media.with_name("talk.json")
    run = measured(
        [str(environment(name, work.parent)), str(program), str(facts), str(of.media), str(out), str(plan)],
        work / f"{name}.log",
    )
    placed = [Played(**placed) for placed in json.loads(plan.read_text("utf-8"))["placed"]]
    return run, out, sorted(placed, key=lambda take: take.start)


def environment(name: str, work: Path) -> Path:
    """The Python of a peer's environment; made once."""
    folder = work / f"{name}-environment"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([UV, "venv", "-q", "--python", "3.11", str(folder)], check=True, timeout=600)
        with_needs, alone = PACKAGES[name]
        install = [UV, "pip", "install", "-q", "--python", str(python)]
        subprocess.run([*install, *with_needs], check=True, timeout=1800)
        if alone:
            subprocess.run([*install, "--no-deps", *alone], check=True, timeout=1800)
    return python


def judged(run: Run, out: Path, placed: list[Played], of: Talk, floor: Run) -> dict[str, Any]:
    streams = probed(out)["streams"]
    sounds = [stream for stream in streams if stream["codec_type"] == "audio"]
    number = next((at for at, stream in enumerate(sounds) if stream["disposition"]["default"]), 0)
    sound = sounds[number]
    picture = next(stream for stream in streams if stream["codec_type"] == "video")
    level, peak = loudness(out, number)
    takes = sum(line.take_seconds for line in of.lines)
    return {
        "wall_s": round(run.wall_s, 1),
        "of_floor": round(run.wall_s / floor.wall_s, 2),
        "cpu_s": round(run.cpu_s, 1),
        "peak_mb": round(run.peak_mb),
        "overlap_s": round(sum(max(0.0, a.end - b.start) for a, b in pairwise(placed)), 2),
        "not_played_s": round(takes - sum((line.end - line.start) * line.rate for line in placed), 2),
        "faster_than_1.25": sum(line.rate > 1.255 for line in placed),
        "fastest": round(max(line.rate for line in placed), 2),
        "end_difference_s": round(end_of(sound) - end_of(picture), 3),
        "rate_hz": int(sound["sample_rate"]),
        "channels": sound["channels"],
        "lufs": level,
        "true_peak_dbtp": peak,
        "picture_identical": packets(out) == packets(of.media),
    }


def probed(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)


def end_of(stream: Mapping[str, Any]) -> float:
    return float(stream.get("start_time", 0)) + float(stream["duration"])


def loudness(path: Path, track: int) -> tuple[float, float]:
    """Integrated loudness and true peak, by ffmpeg's meter."""
    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), "-map", f"0:a:{track}"]
    command += ["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stderr
    level, peak = (
        re.findall(rf"{name}\s+(-?[\d.]+) {unit}", said)[-1] for name, unit in (("I:", "LUFS"), ("Peak:", "dBFS"))
    )
    return float(level), float(peak)


def packets(path: Path) -> str:
    """A digest of the picture's packets."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "hash", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout


def show(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """One column a system, one row a figure."""
    print(f"\n{title}")
    print(f"{'':20}" + "".join(f"{name:>16}" for name in rows))
    for figure in next(iter(rows.values())):
        print(f"{figure:20}" + "".join(f"{row[figure]!s:>16}" for row in rows.values()))


def compared(count: int, work: Path, peers: Iterable[str]) -> dict[str, Any]:
    of = talk(count, SECONDS.get(count, count * 4.55), work / f"talk-{count}")
    folder = work / f"made-{count}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in peers:
        environment(name, work)
    whole, halves, own = floors(of, folder)
    made = {"dubflow": ours(of, folder), **{name: peer(name, of, folder) for name in peers}}
    rows = {name: judged(run, out, placed, of, whole) for name, (run, out, placed) in made.items()}
    show(f"{count} lines, {of.seconds:g} s", rows)
    print(f"floor: {whole.wall_s:.1f} s ({whole.cpu_s:.1f} s CPU) in one process, {halves.wall_s:.1f} s in two halves")
    print(f"with dubflow's coder, in one process: {own.wall_s:.1f} s ({own.cpu_s:.1f} s CPU)")
    for name in peers:
        print(f"dubflow is {made[name][0].wall_s / made['dubflow'][0].wall_s:.1f} times as fast as {name}")
    return {
        "lines": count,
        "seconds": of.seconds,
        "floor": asdict(whole),
        "floor_in_halves": asdict(halves),
        "floor_with_our_coder": asdict(own),
        "systems": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="+", default=[60, 300])
    parser.add_argument("--without", action="append", default=[], choices=list(PACKAGES))
    parser.add_argument("--work", type=Path, help="folder for talks and environments, kept for the next run")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    peers = [name for name in PACKAGES if name not in asked.without]
    with tempfile.TemporaryDirectory() as temporary:
        work = (asked.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        results = [compared(count, work, peers) for count in asked.lines]
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
