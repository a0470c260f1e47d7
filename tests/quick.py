"""Engines that answer at once, and stages that wait where a test says so, for whole runs of the command line.

What they hear is decided here; everything else is real. A course asks for them: `engines: {diarize: quick, …}`.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from benchmarks.other_stages import leave

MANIFEST = """\
course: leaves
source_language: en
targets: [es]
engines: {diarize: quick, transcribe: quick}
lessons: [{media: one.mp4}]
"""

ENGINES = '''
import os

import numpy as np

from manifests.script import Word
from manifests.spans import Span
from tasks.engines.espeak import Espeak
from tasks.engines.protocols import Heard
from tasks.stage import Engine


class Diarizer:
    """One voice, wherever it is not silent."""

    name, stretch_s, same_voice = "quick", 600.0, 0.7

    def check(self, wanted):
        pass

    def identity(self, wanted):
        return Engine("quick", "1", "")

    def hear(self, wave, wanted, *, least, most, cores, tell):
        loud = [float(np.sqrt(np.mean(part**2))) > 0.003 for part in np.array_split(wave, max(1, len(wave) // 1600))]
        turns, since = [], None
        for at, now in enumerate([*loud, *[False] * 4]):
            if now and since is None:
                since = at
            elif since is not None and not any(loud[at : at + 4]):
                turns.append((0, since / 10, min(at / 10, len(wave) / 16000)))
                since = None
        activity = np.repeat(np.array(loud, np.float32), 10)
        return Heard(tuple(turns), np.array([[1.0, 0.0]], np.float32), activity, 0.01)


class Transcriber:
    """Words in the order in which they stand in DUB_TEST_WORDS, four for every part."""

    name, longest_s, writes = "quick", 15.0, True

    def check(self, wanted):
        pass

    def identity(self, wanted):
        return Engine("quick", "1", "")

    def recognize(self, speech, parts, wanted, *, cores, tell):
        text, words = iter(os.environ.get("DUB_TEST_WORDS", "Plants need the sun. ").split() * 99), []
        for part in parts:
            step = part.length // 4
            words += [Word(next(text), Span(part.start + n * step, part.start + (n + 1) * step), 0.9) for n in range(4)]
        return tuple(words)

    def align(self, speech, parts, wanted, *, cores, tell):
        return tuple(None for _ in parts)


class Counting(Espeak):
    """espeak-ng that writes down what it says."""

    def speak(self, sayings, voice, wanted, *, cores):
        for saying, said in zip(sayings, super().speak(sayings, voice, wanted, cores=cores), strict=True):
            with open(os.environ["DUB_TEST_SPOKEN"], "a") as spoken:
                spoken.write(f"{saying.text}\\n")
            yield said
'''

ENTRIES = """\
[dubflow.diarizers]
quick = quick_engines:Diarizer
[dubflow.transcribers]
quick = quick_engines:Transcriber
[dubflow.synthesizers]
espeak-ng = quick_engines:Counting
"""

GATES = '''
import os
import time
from dataclasses import replace
from pathlib import Path


def changed(stage):
    """The stage, which waits where it has made everything and committed nothing, as long as a file says so."""

    def run(params, inputs, bench):
        made = stage.run(params, inputs, bench)
        gates = Path(os.environ["DUB_TEST_GATES"])
        if (gates / stage.name).exists():
            (gates / f"{stage.name}.reached").touch()
            while (gates / stage.name).exists():
                time.sleep(0.02)
        return made

    return replace(stage, run=run)
'''


class Gates:
    """What the runs of a test see: where they wait, and what they said."""

    def __init__(self, folder: Path) -> None:
        """Put engines and gates into a folder of their own; runs find them by `environment`."""
        self.folder = folder
        info = folder / "quick_engines-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "gates").mkdir()
        (folder / "quick_engines.py").write_text(ENGINES, encoding="utf-8")
        leave(folder, GATES)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quick-engines\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(ENTRIES, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "DUB_TEST_GATES": str(self.folder / "gates"),
            "DUB_TEST_SPOKEN": str(self.folder / "spoken"),
        }

    def close(self, stage: str) -> None:
        """Whoever comes to the end of this stage from now on waits there."""
        (self.folder / "gates" / f"{stage}.reached").unlink(missing_ok=True)
        (self.folder / "gates" / stage).touch()

    def open(self, stage: str) -> None:
        (self.folder / "gates" / stage).unlink()

    def reached(self, stage: str, run: subprocess.Popen[str], within_s: float = 120) -> None:
        """Wait until a run waits at a gate."""
        limit = time.monotonic() + within_s
        while not (self.folder / "gates" / f"{stage}.reached").exists():
            assert run.poll() is None, f"the run ended before {stage}"
            assert time.monotonic() < limit, f"the run did not come to {stage}"
            time.sleep(0.02)

    def spoken(self) -> list[str]:
        """Every text that was said since this was last asked."""
        path = self.folder / "spoken"
        said = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return said


def talk(path: Path, texts: tuple[str, ...], voice: str = "slt") -> None:
    """A video of flite's voice: a text every four seconds, on one colour."""
    inputs = ["-f", "lavfi", "-t", str(4 * len(texts)), "-i", "color=c=0x20374c:s=160x90:r=25"]
    for number, text in enumerate(texts):
        wave = path.with_name(f"{path.stem}.{number}.wav")
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wave)], check=True, timeout=60)
        inputs += ["-i", str(wave)]
    padded = "".join(f"[{n}]aresample=16000,apad=whole_dur=4,atrim=0:4[p{n}];" for n in range(1, len(texts) + 1))
    joined = "".join(f"[p{n}]" for n in range(1, len(texts) + 1))
    graph = f"{padded}{joined}concat=n={len(texts)}:v=0:a=1[sound]"
    encoding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", graph, "-map", "0:v", "-map", "[sound]"]
    subprocess.run([*command, *encoding, str(path)], check=True, timeout=60)
