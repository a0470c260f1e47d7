"""How fast the studio profile's engines work, in batches of 1, 8 and 32, and in how much GPU memory.

    .venv/bin/python benchmarks/studio.py [ENGINE ...] [--speech FILE] [--markdown FILE]

Each engine runs through our own code on random weights of the real sizes where there is a GPU (`weights.py`): the work
is the same, what is said is noise, of the longest length that its text may have. Without a GPU that would take hours:
networks of a layer or two run then, which say only what our code and the libraries cost. x real time: seconds of sound
for a second of work. Where there is a GPU, its memory is limited at the end: the batch must be halved and all lines be
said, and what the models held must be given back.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import weights

from manifests.quiet import settle
from manifests.spans import ANALYSIS_RATE, RATE, Span

BATCHES = (1, 8, 32)
SENTENCE = "Las plantas necesitan agua y luz para crecer bien."
SHORT = "Sí."
"""What is said where there is no GPU, and before anything is timed."""

LECTURE = (
    "Plants need water and light to grow. Their roots take up water from the ground, and the stem carries it to the"
    " leaves. There sunlight turns water and air into sugar, which feeds the whole plant. At night it rests."
)
VOICES = ("en-us+f3", "en-us+m3")
STRETCH_S = 28


@dataclass(frozen=True)
class Row:
    """One measurement."""

    engine: str
    size: str
    batch: int
    x_real_time: float
    memory_gb: float | None
    """The most that was taken while it worked, its weights included; None without a GPU."""


@dataclass(frozen=True)
class Bench:
    """What is measured on, and with."""

    models: Path
    speech: np.ndarray[tuple[int], np.dtype[np.float32]]
    """Mono, 16 kHz; two voices that take turns."""
    real: bool
    cores: int

    def wave(self, seconds: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """So much of the speech, over and over."""
        return np.resize(self.speech, seconds * ANALYSIS_RATE)

    def row(self, engine: str, size: str, batch: int, work: Callable[[], float]) -> Row:
        """What `work` says that it made, in seconds of sound, by the time it took."""
        free = _free_gb(reset=True)
        begun = time.perf_counter()
        made = work()
        took = time.perf_counter() - begun
        row = Row(engine, size, batch, round(made / took, 2), None if size.endswith("CPU") else _taken_gb(free))
        memory = "" if row.memory_gb is None else f"{row.memory_gb:.1f}"
        print(f"{row.engine:22} {row.size:14} {row.batch:5} {row.x_real_time:12.2f} {memory:>14}", flush=True)
        return row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(MEASURED)}; all by default")
    parser.add_argument("--speech", type=Path, help="a mono 16 kHz file to hear, in place of espeak-ng's voices")
    parser.add_argument("--markdown", type=Path, help="add the table to this file too")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no further engine after so long")
    asked = parser.parse_args()
    if unknown := [name for name in asked.engines if name not in MEASURED]:
        parser.error(f"no such engine: {', '.join(unknown)}")
    settle()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    import torch

    from tasks.engines import resident

    real = torch.cuda.is_available()
    cores = len(os.sched_getaffinity(0))
    machine = (
        f"{torch.cuda.get_device_name()}, {cores} cores" if real else f"{platform.machine()}, {cores} cores, no GPU"
    )
    print(f"random weights on {machine}; torch {torch.__version__}")
    print(f"{'engine':22} {'size':14} {'batch':>5} {'x real time':>12} {'GPU memory GB':>14}")
    rows: list[Row] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        os.environ["DUB_MODELS"] = folder
        bench = Bench(Path(folder), _speech(asked.speech, Path(folder)), real, cores)
        for name in asked.engines or MEASURED:
            if time.monotonic() - begun > asked.seconds:
                print(f"{name}: no time left")
                continue
            rows += MEASURED[name](bench)
            resident.release()
            if real:
                print(f"{name}: {torch.cuda.memory_allocated() / 1e9:.2f} GB of tensors left when it was given back")
    if asked.markdown:
        with asked.markdown.open("a", encoding="utf-8") as file:
            file.write(f"\n## {machine}\n\n{_markdown(rows)}")


def qwen3(bench: Bench) -> Iterator[Row]:
    """Both models, through the engine's own loading and batches, in a voice made of noise."""
    from tasks.engines import accelerator
    from tasks.engines.qwen3_speaker import load, spoken
    from tasks.engines.resident import resident
    from voiceclone.saying import Saying

    for size in ("0.6B", "1.7B") if bench.real else ("tiny",):
        folder = weights.qwen3(bench.models / f"qwen3-{size}", size)
        with resident(("qwen3-tts", size), lambda folder=folder: load(folder)) as model:
            sound = np.random.default_rng(0).normal(0, 0.1, 10 * 24_000).astype(np.float32)
            [prompt] = model.create_voice_clone_prompt(ref_audio=(sound, 24_000), x_vector_only_mode=True)
            text, batches = (SENTENCE, BATCHES) if bench.real else (SHORT, BATCHES[:2])

            def say(batch: int, text: str = text, model: Any = model, prompt: Any = prompt) -> float:
                takes = accelerator.in_batches(
                    [Saying(text, seed=seed) for seed in range(batch)],
                    batch,
                    lambda part: spoken(model, part, "spanish", prompt),
                    what="speak with qwen3-tts",
                )
                return sum(len(take.audio) / take.rate for take in takes)

            say(1, SHORT)
            for batch in batches:
                yield bench.row("qwen3-tts", size, batch, lambda batch=batch: say(batch))
            if bench.real and size == "0.6B":
                _scarce(lambda: say(BATCHES[-1], SHORT))


def diarizer(bench: Bench) -> Iterator[Row]:
    """pyannote's community pipeline: half an hour, as long a stretch as the engine gives it."""
    from tasks.engines import community_pyannote
    from tasks.engines.listening_models import COMMUNITY
    from tasks.engines.models import digest
    from tasks.engines.resident import resident

    folder = weights.community(bench.models / COMMUNITY.name)
    seconds = 1800 if bench.real else 30
    device = "cuda" if bench.real else "cpu"
    community_pyannote.hear(bench.wave(20), COMMUNITY, cores=bench.cores)
    key = (folder, digest(folder), device)
    for batch in BATCHES:
        with resident(key, lambda: community_pyannote.load(COMMUNITY.name, folder, device)) as pipeline:
            pipeline.embedding_batch_size = batch

        def hear() -> float:
            community_pyannote.hear(bench.wave(seconds), COMMUNITY, cores=bench.cores)
            return seconds

        yield bench.row(COMMUNITY.name[20:], "real" if bench.real else "real, CPU", batch, hear)


def aligner(bench: Bench) -> Iterator[Row]:
    """Words of half a minute each; one stretch at a time is how the engine works."""
    import soundfile

    from tasks.engines.listening_models import aligner as named
    from tasks.engines.protocols import Hearing
    from tasks.engines.whisper_words import align

    weights.aligner(bench.models / "aligner", bench.real)
    speech = bench.models / "aligned.flac"
    count = 32 if bench.real else 2
    soundfile.write(speech, bench.wave(count * STRETCH_S), ANALYSIS_RATE)
    words = LECTURE.lower().replace(".", "").replace(",", "").split() * 2
    parts = [(Span(at * STRETCH_S * RATE, (at + 1) * STRETCH_S * RATE), words) for at in range(count)]
    hearing = Hearing("en", "whisperx", options={"aligner": "aligner"})

    def place(parts: list[tuple[Span, list[str]]]) -> float:
        found = align(speech, parts, hearing, named("aligner"), cores=bench.cores)
        return sum(places is not None for places in found) * STRETCH_S

    place(parts[:1])
    yield bench.row("aligner", "wav2vec2 large" if bench.real else "tiny", 1, lambda: place(parts))


def whisper(bench: Bench) -> Iterator[Row]:
    """large-v3-turbo on stretches of 28 seconds, each answered by as many words as a lecture has."""
    from tasks.engines import accelerator
    from tasks.engines.resident import resident
    from tasks.engines.whisper import Recognizer

    folder = weights.whisper(bench.models / "whisper", bench.real)
    device = accelerator.device()
    precision = accelerator.precision(device)
    count = 64 if bench.real else 4
    pieces = [bench.wave(STRETCH_S)] * count
    load = Recognizer.load
    with resident(("whisper",), lambda: load("whisper", folder, device, precision, bench.cores)) as recognizer:
        recognizer.hear(pieces[:1], "en")
        for batch in BATCHES:

            def hear(batch: int = batch) -> float:
                said = accelerator.in_batches(
                    pieces[: max(16, batch) if batch < 32 else count],
                    batch,
                    lambda part: recognizer.hear(part, "en"),
                    what="transcribe",
                )
                return len(said) * STRETCH_S

            yield bench.row("whisper", f"turbo, {precision}" if bench.real else "tiny", batch, hear)


def pocket(bench: Bench) -> Iterator[Row]:
    """On the processor, one line at a time: its library knows no batches."""
    from tasks.engines.pocket import voices
    from tasks.engines.pocket import weights as taught
    from tasks.engines.pocket_speaker import said_by_nobody
    from voiceclone.saying import Saying

    weights.pocket(bench.models, bench.real)
    needed = (taught("spanish"), voices("spanish"))

    def say(count: int) -> float:
        takes = list(said_by_nobody([Saying(SENTENCE, seed=at) for at in range(count)], "anna", needed, "spanish"))
        return sum(len(take.audio) / take.rate for take in takes)

    say(1)
    yield bench.row("pocket-tts", "real, CPU" if bench.real else "tiny", 1, lambda: say(4))


def separator(bench: Bench) -> Iterator[Row]:
    """Hybrid Demucs on windows of eight seconds, one at a time, as the mix asks for them."""
    from tasks.engines.hdemucs import FILES, Separator
    from tasks.engines.hdemucs import RATE as heard_at

    separator = Separator.load(weights.separator(bench.models / FILES[0], bench.real))
    sound = np.random.default_rng(0).normal(0, 0.1, (1, 2, 8 * heard_at)).astype(np.float32)
    windows = 20 if bench.real else 1

    def separate() -> float:
        for _ in range(windows):
            separator.background(sound)
        return windows * 8.0

    separator.background(sound)
    yield bench.row("hdemucs", "real" if bench.real else "tiny", 1, separate)


MEASURED: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "qwen3-tts": qwen3,
    "pyannote": diarizer,
    "aligner": aligner,
    "hdemucs": separator,
    "pocket-tts": pocket,
    "whisper": whisper,
}
"""The name on the command line, and what measures it."""


def _scarce(work: Callable[[], float]) -> None:
    """Do it once, and again with a third of that memory: the warnings that halve the batch come on stderr."""
    import torch

    total = torch.cuda.get_device_properties(0).total_memory / 1e9
    least = torch.cuda.memory_allocated() / 1e9
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    work()
    most = torch.cuda.max_memory_reserved() / 1e9
    torch.cuda.empty_cache()
    allowed = least + (most - least) / 3
    torch.cuda.set_per_process_memory_fraction(allowed / total)
    try:
        made = work()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    print(f"with {allowed:.1f} GB in place of {most:.1f}: {made:.0f} s of sound all the same", flush=True)


def _speech(given: Path | None, scratch: Path) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    import soundfile
    import soxr

    if given is not None:
        return np.asarray(soundfile.read(given, dtype="float32")[0], np.float32)
    out: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    for voice in VOICES:
        path = scratch / "lecture.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", str(path), LECTURE], check=True, timeout=60)
        sound, rate = soundfile.read(path, dtype="float32")
        out.append(np.asarray(soxr.resample(sound, rate, ANALYSIS_RATE), np.float32))
    return np.concatenate(out)


def _free_gb(*, reset: bool) -> float:
    """What is free on the whole device: CTranslate2 does not take its memory from torch."""
    import torch

    if not torch.cuda.is_available():
        return 0.0
    if reset:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return torch.cuda.mem_get_info()[0] / 1e9


def _taken_gb(free: float) -> float | None:
    """The most that torch held, or where another library did the work, what is taken now."""
    import torch

    if not torch.cuda.is_available():
        return None
    torch.cuda.synchronize()
    everything = (torch.cuda.get_device_properties(0).total_memory / 1e9) - _free_gb(reset=False)
    held = torch.cuda.max_memory_allocated() / 1e9
    return round(held if held > 0.5 else everything, 1)


def _markdown(rows: list[Row]) -> str:
    lines = ["| engine | size | batch | x real time | GPU memory, GB |", "|---|---|---|---|---|"]
    for row in rows:
        memory = "" if row.memory_gb is None else row.memory_gb
        lines.append(f"| {row.engine} | {row.size} | {row.batch} | {row.x_real_time} | {memory} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
