"""Word errors and onset errors of a recognizer against known text.

    .venv/bin/python benchmarks/transcription.py FOLDER [--engine whisperx] [--captions KIND] [--json FILE]

FOLDER holds `metadata.csv` as LJ Speech has it (`id|text|text as spoken`) and a sound file for each id. The clips that
have a text are joined to one lecture with quiet between them. Turns are the clips' own, with edges up to 0.1 s off, as
diarization's are: so this measures transcription alone. With `--captions right` the texts are given as captions;
with `untimed`, without times; with `other`, their words in reverse order, as if of another recording.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from manifests.cues import Cue
from manifests.script import Diarization, Script, Speaker, Turn
from manifests.spans import ANALYSIS_RATE, Span, merged
from tasks.engines.protocols import Hearing
from tasks.transcribe import transcribe

STEP = 3  # samples at 48 kHz to one at 16 kHz


@dataclass(frozen=True, slots=True)
class Clip:
    """What is said in a stretch of the lecture."""

    name: str
    text: str
    span: Span


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", re.sub(r"[-/]", " ", text.lower()))


def word_errors(said: list[str], heard: list[str]) -> int:
    """Least number of words to replace, add or leave out (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for count, one in enumerate(said, 1):
        corner, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            corner, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, corner + (one != other))
    return row[-1]


def sound_of(path: Path) -> np.ndarray:
    """Mono 16 kHz s16."""
    command = ["ffmpeg", "-v", "error", "-i", f"file:{path}", "-ac", "1", "-ar", str(ANALYSIS_RATE), "-f", "s16le", "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout, "<i2")


def lecture(folder: Path, gap_s: float, speech: Path) -> list[Clip]:
    """Join the clips of a folder that have a text, and write the sound."""
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as table:
        texts = {row[0]: row[-1] for row in csv.reader(table, delimiter="|", quoting=csv.QUOTE_NONE) if row}
    gap = np.random.default_rng(0).normal(0, 3, round(gap_s * ANALYSIS_RATE)).astype("<i2")
    parts, clips, at = [gap], [], len(gap)
    for name, text in texts.items():
        path = next(iter(sorted(folder.glob(f"{name}.*"))), None)
        if path is None:
            raise SystemExit(f"There is no sound file for {name} in {folder}.")
        sound = sound_of(path)
        clips.append(Clip(name, text, Span(at * STEP, (at + len(sound)) * STEP)))
        parts += [sound, gap]
        at += len(sound) + len(gap)
    with wave.open(str(speech), "wb") as out:
        out.setparams((1, 2, ANALYSIS_RATE, 0, "NONE", ""))
        out.writeframes(np.concatenate(parts).tobytes())
    return clips


def diarized(clips: list[Clip]) -> Diarization:
    draw = np.random.default_rng(1)
    off = draw.uniform(-0.1, 0.1, (len(clips), 2))
    turns = tuple(
        Turn("SPEAKER_00", Span.of_seconds(max(0.0, clip.span.start_s + early), clip.span.end_s + late))
        for clip, (early, late) in zip(clips, off, strict=True)
    )
    return Diarization((Speaker("SPEAKER_00", None, 0.0),), turns, merged(turn.span for turn in turns))


def captioned(clips: list[Clip], kind: str) -> list[Cue]:
    """The texts as captions of a kind."""
    if kind == "none":
        return []
    texts = [" ".join(reversed(clip.text.split())) if kind == "other" else clip.text for clip in clips]
    times = [(None, None) if kind == "untimed" else (clip.span.start_s, clip.span.end_s) for clip in clips]
    return [Cue(*time, (text,), None, at) for at, (time, text) in enumerate(zip(times, texts, strict=True), 1)]


def measured(script: Script, clips: list[Clip]) -> pd.DataFrame:
    """One row a clip: its words, how many are wrong, and how far the nearest utterance edges are from its own."""
    heard = [word for one in script.utterances for word in one.words]
    rows = []
    for clip in clips:
        near = clip.span.padded(STEP * ANALYSIS_RATE // 4)
        inside = [word.text for word in heard if near.start <= (word.span.start + word.span.end) // 2 < near.end]
        said = words(clip.text)
        rows.append(
            {
                "clip": clip.name,
                "words": len(said),
                "wrong": word_errors(said, [part for text in inside for part in words(text)]),
                "onset_s": min(abs(one.span.start_s - clip.span.start_s) for one in script.utterances),
                "end_s": min(abs(one.span.end_s - clip.span.end_s) for one in script.utterances),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gap", type=float, default=0.6, help="seconds of quiet between clips")
    parser.add_argument("--captions", choices=["none", "right", "untimed", "other"], default="none")
    parser.add_argument("--engine", default="pocketsphinx", help="which transcriber; `dub doctor` names them")
    parser.add_argument("--model", help="which of its models")
    parser.add_argument("--language", default="en", help="what is spoken, as a BCP-47 tag")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the totals here too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        speech = Path(scratch) / "speech.wav"
        clips = lecture(asked.folder, asked.gap, speech)
        cues = captioned(clips, asked.captions)
        began = time.perf_counter()
        wanted = Hearing(asked.language, asked.engine, asked.model)
        script = transcribe(speech, diarized(clips), wanted, captions=cues, cores=asked.cores)
        took = time.perf_counter() - began
    if not script.utterances:
        raise SystemExit("No word was recognized.")
    table = measured(script, clips)
    starts = [min(abs(one.span.start_s - clip.span.start_s) for clip in clips) for one in script.utterances]
    totals = {
        "engine": asked.engine,
        "words": int(table["words"].sum()),
        "word_error_rate": round(float(table["wrong"].sum() / table["words"].sum()), 3),
        "utterances": len(script.utterances),
        "onset_error_p50_s": round(float(table["onset_s"].median()), 3),
        "onset_error_p90_s": round(float(table["onset_s"].quantile(0.9)), 3),
        "end_error_p50_s": round(float(table["end_s"].median()), 3),
        "start_to_true_start_p50_s": round(float(np.median(starts)), 3),
        "seconds": round(took, 1),
        "of_real_time": round(took / (clips[-1].span.end_s + asked.gap), 3),
        "cores": asked.cores,
    }
    print(table.round(3).to_string(index=False))
    print("\n".join(f"{name:28} {value}" for name, value in totals.items()))
    if asked.json:
        asked.json.write_text(json.dumps(totals, indent=1))


if __name__ == "__main__":
    main()
