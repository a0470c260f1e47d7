"""Draw a finished dub: a frame with its subtitle, and where each line lies against the source's.

usage: picture.py OUTPUT.es.mp4 PICTURE.png [--at SECONDS]
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

RATE = 8000
SPEAKERS = {"SPEAKER_00": "#2f6f9f", "SPEAKER_01": "#b0632d"}


def sound(video: Path, track: int) -> np.ndarray:
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-map", f"0:a:{track}", "-ac", "1", "-ar", str(RATE)]
    raw = subprocess.run([*command, "-f", "s16le", "-"], check=True, capture_output=True, timeout=120).stdout
    return np.frombuffer(raw, dtype="<i2") / 32768


def frame(video: Path, at: float, folder: Path) -> np.ndarray:
    subtitles = folder / "shown.srt"
    subtitles.write_bytes(video.with_suffix(".srt").read_bytes())
    made = folder / "frame.png"
    style = "force_style='Fontsize=22,MarginV=28'"
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(video), "-vf", f"subtitles={subtitles}:{style}"]
    subprocess.run([*command, "-ss", str(at), "-frames:v", "1", str(made)], check=True, timeout=120)
    return plt.imread(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--at", type=float, default=9.0)
    asked = parser.parse_args()
    record = json.loads(asked.output.with_suffix(".dub.json").read_text(encoding="utf-8"))
    figure, axes = plt.subplots(3, 1, figsize=(11, 9), height_ratios=[5, 1.1, 1.1], layout="constrained")
    with tempfile.TemporaryDirectory() as folder:
        axes[0].imshow(frame(asked.output, asked.at, Path(folder)))
    axes[0].axis("off")
    for axis, track, which, title in ((axes[1], 0, "source", "original"), (axes[2], 1, "placed", "dub")):
        wave = sound(asked.output, track)
        axis.plot(np.arange(len(wave)) / RATE, wave, color="#9a9a9a", linewidth=0.3)
        for line in record["lines"]:
            span = line[which]
            axis.axvspan(span["start"], span["end"], color=SPEAKERS.get(line["speaker"], "#666"), alpha=0.25, lw=0)
            note = line["id"] if which == "source" else f"{line['id']}\n{span['rate']:.2f}x"
            axis.text((span["start"] + span["end"]) / 2, 1.05, note, ha="center", va="center", fontsize=8)
        axis.set(xlim=(0, len(wave) / RATE), ylim=(-0.8, 1.4), yticks=[], ylabel=title)
    axes[2].set_xlabel("seconds; each colour is a speaker, below each line's number its rate")
    figure.savefig(asked.picture, dpi=80)


if __name__ == "__main__":
    main()
