"""Weights that a course which is sold may not use, by stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from courses import job
from manifests.errors import EngineUnavailable
from manifests.model import Job
from tasks import diarize, synthesize, transcribe, translate

OWN: dict[str, tuple[Any, dict[str, Any]]] = {
    "my-whisper": (transcribe, {"transcribe": {"name": "whisperx", "model": "my-whisper"}}),
    "my-aligner": (transcribe, {"transcribe": {"name": "whisperx", "options": {"aligner": "my-aligner"}}}),
    "my-voices": (diarize, {"diarize": {"name": "pyannote-community-1", "model": "my-voices"}}),
    "argos/translate-en_es-9_9": (translate, {"translate": "argos"}),
    "my-qwen": (synthesize, {"synthesize": {"name": "qwen3-tts", "model": "my-qwen"}}),
}
"""A model of the operator's own, the stage that it is for, and how the manifest names it."""


@pytest.fixture(autouse=True)
def everything_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that any engine looks for, empty: `check` opens none."""
    monkeypatch.setenv("DUB_MODELS", str(tmp_path / "models"))
    for model in (*OWN, "faster-whisper-large-v3", "wav2vec2-base-960h", "speaker-diarization-community-1"):
        for name in (
            *("config.json", "model.bin", "tokenizer.json", "vocabulary.json", "preprocessor_config.json"),
            *("vocab.json", "model.safetensors", "config.yaml", "segmentation/pytorch_model.bin", "merges.txt"),
            *("embedding/pytorch_model.bin", "plda/plda.npz", "plda/xvec_transform.npz", "sentencepiece.model"),
            *("generation_config.json", "tokenizer_config.json", "speech_tokenizer/config.json"),
            *("speech_tokenizer/model.safetensors", "speech_tokenizer/preprocessor_config.json"),
            *("model/model.bin", "model/config.json", "model/shared_vocabulary.json"),
        ):
            path = tmp_path / "models" / model / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    facts = {"from_code": "en", "to_code": "es"}
    (tmp_path / "models/argos/translate-en_es-9_9/metadata.json").write_text(json.dumps(facts), encoding="utf-8")


def course(folder: Path, engines: dict[str, Any], *, sold: bool) -> Job:
    return job(folder, commercial=sold, engines=engines)


@pytest.mark.parametrize("name", OWN)
def test_weights_that_dubflow_does_not_know_are_refused_for_a_course_that_is_sold(tmp_path: Path, name: str) -> None:
    """Of every stage, with their name and what to write; a course that is not sold may use them."""
    stage, engines = OWN[name]
    stage.STAGE.check(course(tmp_path, engines, sold=False))
    with pytest.raises(EngineUnavailable) as refused:
        stage.STAGE.check(course(tmp_path, engines, sold=True))
    assert f"{name} (its licence: the operator's to know) may not be used for that" in refused.value.message
    assert "commercial: true, …}}`" in refused.value.remedy


@pytest.mark.parametrize("name", OWN)
def test_the_operators_word_is_enough(tmp_path: Path, name: str) -> None:
    """It is no part of what an engine is asked for: nothing is done again for it."""
    stage, engines = OWN[name]
    [(of, choice)] = engines.items()
    choice = {"name": choice} if isinstance(choice, str) else choice
    stage.STAGE.check(course(tmp_path, {of: choice | {"commercial": True}}, sold=True))
    told, untold = (course(tmp_path, {of: choice | said}, sold=True) for said in ({"commercial": True}, {}))
    assert stage.STAGE.params(told) == stage.STAGE.params(untold)


def test_what_dubflow_fetches_for_listening_may_be_used(tmp_path: Path) -> None:
    """Whisper's weights, the aligner's and pyannote's."""
    sold = course(tmp_path, {"transcribe": "whisperx", "diarize": "pyannote-community-1"}, sold=True)
    transcribe.STAGE.check(sold)
    diarize.STAGE.check(sold)
