"""A lesson that is in another language than its manifest says, heard by Whisper's own detection of languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from manifests.errors import InputError
from manifests.quiet import settle
from tasks.engines.whisper import Recognizer
from tiny import speech
from tiny.services import spanish

pytestmark = pytest.mark.slow  # small networks are trained first, once a session

MANIFEST = """\
course: leaves
source_language: {language}
targets: [{target}]
speakers: {{num_speakers: 1}}
engines: {{transcribe: {{name: whisperx, model: detector, options: {{aligner: wav2vec2-base-960h}}}}}}
lessons: [{{media: lesson.wav}}]
"""


@pytest.fixture(scope="module")
def detector(detecting_models: Path) -> Recognizer:
    settle()
    return Recognizer.load("detector", detecting_models / "detector", "cpu", "float32", 1)


def said_in_spanish(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    return soxr.resample(spanish(text), 24_000, speech.RATE).astype(np.float32)


def test_speech_in_another_language_is_told_with_what_to_write(detector: Recognizer, reader: speech.Reader) -> None:
    """Each of the two is taken for itself, and refused where the manifest says the other."""
    english = reader.clip(" ".join(speech.ENGLISH[:2]), np.random.default_rng(5)).sound
    other = said_in_spanish("Las plantas cambian la luz en energía. El agua sube por el tallo.")
    detector.check_language(english, "en")
    detector.check_language(other, "es-MX")
    with pytest.raises(InputError, match=r"the speech is in 'en' .*and not in 'es'.*Set `source_language: en`"):
        detector.check_language(english, "es")
    with pytest.raises(InputError, match=r"the speech is in 'es' .*Set `source_language: es`.*\{language: en\}"):
        detector.check_language(other, "en")


def test_a_lesson_in_another_language_fails_before_it_is_heard(
    dub: Any, reader: speech.Reader, detecting_models: Path, tmp_path: Path
) -> None:
    """Exit code 3: transcription says in which language it is, and nothing is translated from the wrong one."""
    draw = np.random.default_rng(8)
    speech.lecture(tmp_path / "lesson.wav", [reader.clip(text, draw) for text in speech.ENGLISH])
    manifest = tmp_path / "course.yaml"
    manifest.write_text(MANIFEST.format(language="es", target="en"), encoding="utf-8")
    ran = dub("run", manifest, "--json", DUB_MODELS=str(detecting_models))
    assert ran.code == 3, ran.err
    [target] = ran.json["targets"]
    assert target["state"] == "failed"
    assert target["stages"]["transcribe"]["state"] == "failed"
    [problem] = target["problems"]
    assert "the speech is in 'en'" in problem["message"] and "Set `source_language: en`" in problem["message"]
    assert not list((tmp_path / "out").rglob("*.wav"))
