"""Reading the files in which somebody gives us their voice."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from manifests.errors import EngineUnavailable, MediaError
from manifests.store import file_sha256
from voiceclone.quality import Recording

LONGEST_S = 1800
"""Seconds of one file: an enrolment is a minute or two, so a longer one is a mistake."""


def read(path: Path, text: str = "") -> Recording:
    """Decode a sound or video file to mono at its own rate: what soundfile reads as it is, the rest with ffmpeg.

    Raises MediaError where it is no file, holds no sound or plays too long, EngineUnavailable where ffmpeg is missing.
    """
    import soundfile

    if not path.is_file():
        raise MediaError(f"{path} is not a file.", remedy="Name a recording.")
    try:
        return _decoded(path, path, text)
    except soundfile.LibsndfileError:
        pass
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        wave = Path(folder) / "sound.wav"
        command = ["ffmpeg", "-nostdin", "-v", "error", "-t", str(LONGEST_S + 1), "-i", f"file:{path.absolute()}"]
        command += ["-map", "0:a:0", "-c:a", "pcm_f32le", f"file:{wave}"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=600, check=False, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise EngineUnavailable("ffmpeg is not installed.", remedy="Run `make setup`.") from error
        except subprocess.TimeoutExpired as error:
            raise MediaError(f"{path.name} took too long to decode.", remedy="Cut it to a minute or two.") from error
        if done.returncode != 0 or not wave.exists():
            raise MediaError(f"{path.name} holds no sound that can be read.", remedy="Give a sound file.")
        try:
            return _decoded(wave, path, text)
        except soundfile.LibsndfileError as error:
            raise MediaError(f"{path.name} holds no sound that can be read.", remedy="Give a sound file.") from error


def _decoded(path: Path, given: Path, text: str) -> Recording:
    import soundfile

    with soundfile.SoundFile(str(path)) as file:
        if file.frames > LONGEST_S * file.samplerate:
            raise MediaError(
                f"{given.name} plays longer than {LONGEST_S // 60} min.", remedy="Choose the best minute or two of it."
            )
        samples = np.asarray(file.read(dtype="float32", always_2d=True), np.float32).mean(axis=1)
        if not len(samples) or not np.isfinite(samples).all():
            raise MediaError(f"{given.name} holds no sound.", remedy="Give a sound file.")
    return Recording(given.name, samples, int(file.samplerate), text, file_sha256(given))
