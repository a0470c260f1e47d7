"""A person's voice as engines keep it that learn from a sample: a stretch of their speech, and what is said in it.

One safetensors file in the store, which carries the person's name there: a revocation erases it, and whatever was made
from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from manifests.errors import InputError
from tasks.reference import Reference
from tasks.stage import Workbench, digest

if TYPE_CHECKING:
    from voiceclone.cloner.clips import Clip

VERSION = 1
"""Changes when the same speech would give another sample."""

RATE = 24_000
LEAST_S, MOST_S = 3.0, 15.0
"""Of a sample with its text: engines are made for so much."""
MOST_SPEECH_S = 30.0
"""Of speech without its text."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Mono speech at `RATE`, and its text; without a text, several utterances in a row."""

    sound: NDArray[np.float32]
    text: str
    language: str

    def save(self, folder: Path) -> Path:
        from safetensors.numpy import save_file

        path = folder / "sample.safetensors"
        facts = {"text": self.text, "language": self.language}
        save_file({"sound": self.sound}, path, metadata={"sample": json.dumps(facts, ensure_ascii=False)})
        return path

    @classmethod
    def load(cls, path: Path) -> Sample:
        from safetensors import safe_open

        with safe_open(str(path), framework="numpy") as file:
            opened = cast("Any", file)
            facts = json.loads(opened.metadata()["sample"])
            return cls(opened.get_tensor("sound"), facts["text"], facts["language"])


def sampled(reference: Reference, with_text: bool) -> Sample:
    """The sample that a person is known by: the longest utterance with its text, or as many as fit in.

    Raises InputError where there is too little.
    """
    clips = reference.clips()
    if with_text:
        fitting = [clip for clip in clips if clip.text.strip() and LEAST_S <= _seconds(clip) <= MOST_S]
        if not fitting or not reference.language:
            raise InputError(f"there is no utterance of {LEAST_S:.0f} to {MOST_S:.0f} s whose text is known")
        longest = max(fitting, key=_seconds)
        return Sample(_resampled(longest), longest.text.strip(), reference.language)
    speech = np.concatenate([_resampled(clip) for clip in clips])[: round(MOST_SPEECH_S * RATE)]
    if len(speech) < LEAST_S * RATE:
        raise InputError(f"there are {len(speech) / RATE:.1f} s of their speech, and {LEAST_S:.0f} s are needed")
    return Sample(speech, "", reference.language or "")


def kept(samples: Sequence[Sample], reference: Reference, bench: Workbench) -> list[str]:
    """Names of the store objects that hold these samples, each with how the person sounds beside it."""
    from tasks import own_voice

    names: list[str] = []
    for sample in samples:
        key = digest({"version": VERSION, "sound": _sha256(sample), "text": sample.text, "language": sample.language})
        names.append(bench.store.made("voice", key, sample.save, people=(reference.person,)).name)
        own_voice.keep_print(names[-1], reference.person, reference.voice_print, bench)
    return names


def wav(sample: Sample) -> bytes:
    """The sample as a WAV file, for engines elsewhere."""
    import io

    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, sample.sound, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _seconds(clip: Clip) -> float:
    return len(clip.audio) / clip.rate


def _resampled(clip: Clip) -> NDArray[np.float32]:
    import soxr

    return np.asarray(soxr.resample(clip.audio, clip.rate, RATE), np.float32)


def _sha256(sample: Sample) -> str:
    import hashlib

    return hashlib.sha256(sample.sound.tobytes()).hexdigest()
