"""How surely speech is found again in another cut of a lesson, and how rarely other speech is taken for it.

    python benchmarks/recut.py FILE...

Takes sound files with speech, joins them, prints stretches of 0.7 to 6 s, and looks for them in cuts that begin seven
seconds earlier and are encoded anew; then for those of the first half in the second, where none of them is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from manifests.spans import RATE, Span, samples
from tasks import sound_print
from tasks.sound_print import Recording, found_in, prints, whole

CODECS = {
    "AAC 64 kbit/s": ("m4a", "-c:a", "aac", "-b:a", "64k"),
    "AAC 32 kbit/s, 8 dB quieter": ("m4a", "-af", "volume=-8dB", "-c:a", "aac", "-b:a", "32k"),
    "Opus 24 kbit/s": ("ogg", "-c:a", "libopus", "-b:a", "24k"),
    "MP3 48 kbit/s, 22 kHz": ("mp3", "-ar", "22050", "-b:a", "48k"),
}
BEFORE_S = 7.0023


def main(files: list[str]) -> None:
    """Print misses, errors of place and false matches."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        speech = np.concatenate([_mono(Path(file), folder) for file in files])
        rng = np.random.default_rng(1)
        spans: list[Span] = []
        at = samples(0.1)
        while at < 3 * len(speech) - samples(8):
            spans.append(Span(at, at + samples(rng.uniform(0.7, 6))))
            at = spans[-1].end + samples(rng.uniform(0.2, 1))
        soundfile.write(folder / "old.wav", speech, 16_000, "PCM_16")
        sounds = [(span, prints(folder / "old.wav", span)) for span in spans]
        before = round(BEFORE_S * 16_000)
        soundfile.write(folder / "new.wav", np.concatenate([speech[-before:], speech]), 16_000, "PCM_16")
        for name, (suffix, *arguments) in CODECS.items():
            coded, again = folder / f"coded.{suffix}", folder / "again.wav"
            _ffmpeg(folder / "new.wav", coded, *arguments)
            _ffmpeg(coded, again, "-ac", "1", "-ar", "16000")
            places = found_in(sounds, Recording(prints(again, whole(again))))
            found = [(place, span) for place, (span, _) in zip(places, sounds, strict=True) if place is not None]
            off = [abs(place[0].start - span.start - 3 * before) / RATE * 1000 for place, span in found]
            print(f"{name}: {len(spans) - len(found)} of {len(spans)} missed, at most {max(off):.1f} ms off")
        half = len(speech) // 2
        soundfile.write(folder / "other.wav", speech[half:], 16_000, "PCM_16")
        recording = Recording(prints(folder / "other.wav", whole(folder / "other.wav")))
        first = [(span, sound) for span, sound in sounds if span.end < 3 * half]
        wrong = sum(place is not None for place in found_in(first, recording))
        print(f"other speech at {sound_print.SAME}: {wrong} of {len(first)} taken for the same")


def _mono(path: Path, folder: Path) -> np.ndarray:
    out = folder / "mono.wav"
    _ffmpeg(path, out, "-ac", "1", "-ar", "16000")
    return soundfile.read(out, dtype="float32")[0]


def _ffmpeg(source: Path, out: Path, *arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(source), *arguments, str(out)], check=True, timeout=600)


if __name__ == "__main__":
    main(sys.argv[1:])
