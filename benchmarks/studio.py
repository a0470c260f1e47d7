"""How fast Qwen3-TTS speaks, in batches of 1, 8 and 32, and in how much memory.

    .venv/bin/python benchmarks/studio.py [--json FILE]

The weights are random, of the 0.6B model's sizes on a GPU: the work is the same, what is said is noise of the longest
length that its text may have. Without a GPU that would take hours: the tiny network of the tests runs then, which
says only what our own code and the library around it cost. x real time: seconds of speech for a second of work.
"""

from __future__ import annotations

import argparse
import json
import platform
import runpy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tasks.engines import accelerator
from tasks.engines.qwen3_speaker import load, spoken
from voiceclone.saying import Saying

SENTENCE = "Las plantas necesitan agua y luz para crecer bien."
BATCHES = (1, 8, 32)
SHORT = "Sí."
"""What is said, in batches of 1 and 8, where there is no GPU."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    asked = parser.parse_args()
    rows = measured()
    machine = rows[0]["machine"]
    print(f"Qwen3-TTS, {rows[0]['size']}, random weights, on {machine}")
    print("batch  x real time  GPU memory GB")
    for row in rows:
        print(f"{row['batch']:5}  {row['x_real_time']:11.2f}  {row['memory_gb'] or 0:13.1f}")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


def measured() -> list[dict[str, Any]]:
    """A row for each size of a batch."""
    import torch

    real = accelerator.device() == "cuda"
    machine = torch.cuda.get_device_name() if real else f"{platform.processor() or platform.machine()}, no GPU"
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        model = load(_made(Path(folder) / "qwen3", real))
        sound = np.random.default_rng(0).normal(0, 0.1, 10 * 24_000).astype(np.float32)
        [prompt] = model.create_voice_clone_prompt(ref_audio=(sound, 24_000), x_vector_only_mode=True)
        text, batches = (SENTENCE, BATCHES) if real else (SHORT, BATCHES[:2])
        spoken(model, [Saying(text)], "spanish", prompt)
        for batch in batches:
            if real:
                torch.cuda.reset_peak_memory_stats()
            begun = time.perf_counter()
            takes = spoken(model, [Saying(text, seed=seed) for seed in range(batch)], "spanish", prompt)
            took = time.perf_counter() - begun
            rows.append(
                {
                    "machine": machine,
                    "size": "0.6B" if real else "tiny",
                    "batch": batch,
                    "x_real_time": round(sum(len(take.audio) / take.rate for take in takes) / took, 3),
                    "memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2) if real else None,
                }
            )
    return rows


def _made(folder: Path, real: bool) -> Path:
    """The folder that the tests make."""
    tiny = Path(__file__).parent.parent / "tests" / "tiny" / "qwen3.py"
    return runpy.run_path(str(tiny))["make"](folder, real=real, ends="never")


if __name__ == "__main__":
    main()
