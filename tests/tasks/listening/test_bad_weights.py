"""Weights that are not what they should be: named with the command, never a traceback of a library."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manifests.errors import EngineUnavailable
from manifests.spans import Span
from tasks.engines.protocols import Hearing
from tasks.engines.whisperx import WhisperX

pytestmark = pytest.mark.slow  # three small networks are trained first, once a session

MINE = Hearing("en", "whisperx", "mine", options={"aligner": "letters"})


@pytest.fixture
def folder(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's own models, `mine` and `letters`, to be spoilt."""
    shutil.copytree(models / "faster-whisper-large-v3", tmp_path / "mine")
    shutil.copytree(models / "wav2vec2-base-960h", tmp_path / "letters")
    monkeypatch.setenv("DUB_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def recognize(reader: Any, lecture: Callable[..., Any], tmp_path: Path) -> Callable[[Hearing], Any]:
    clip = reader.clip("Water moves through the stem.", np.random.default_rng(3))
    spans = lecture(tmp_path / "speech.wav", [clip])

    def run(wanted: Hearing) -> Any:
        parts = [Span.of_seconds(start, end) for start, end in spans]
        return WhisperX().recognize(tmp_path / "speech.wav", parts, wanted, cores=1, tell=lambda share: None)

    return run


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_operators_own_models_work(folder: Path, recognize: Callable[[Hearing], Any]) -> None:
    """Any folder below DUB_MODELS, by its name."""
    assert " ".join(word.text for word in recognize(MINE)) == "Water moves through the stem."


def test_half_a_whisper_is_named(folder: Path, recognize: Callable[[Hearing], Any]) -> None:
    """What it is called here, not only what the library says."""
    halve(folder / "mine" / "model.bin")
    with pytest.raises(EngineUnavailable, match=r"the model mine cannot be loaded .*dub models verify mine"):
        recognize(MINE)


def test_half_an_aligner_is_named(folder: Path, recognize: Callable[[Hearing], Any]) -> None:
    """The same for the other network."""
    halve(folder / "letters" / "model.safetensors")
    with pytest.raises(EngineUnavailable, match=r"the model letters cannot be loaded .*dub models pull letters"):
        recognize(MINE)


def test_another_network_in_whispers_place_is_refused(folder: Path, recognize: Callable[[Hearing], Any]) -> None:
    """Something that is no CTranslate2 model at all."""
    shutil.copyfile(folder / "letters" / "model.safetensors", folder / "mine" / "model.bin")
    with pytest.raises(EngineUnavailable, match="the model mine cannot be loaded"):
        recognize(MINE)


def test_an_aligner_without_its_last_layer_is_refused(folder: Path, recognize: Callable[[Hearing], Any]) -> None:
    """transformers would make one up, and words would lie anywhere."""
    from safetensors.torch import load_file, save_file

    path = folder / "letters" / "model.safetensors"
    weights = {name: part for name, part in load_file(path).items() if not name.startswith("lm_head.")}
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(EngineUnavailable, match=r"the model letters is no wav2vec 2\.0 network with a CTC head"):
        recognize(MINE)


def test_another_network_in_the_aligners_place_is_refused(folder: Path, recognize: Callable[[Hearing], Any]) -> None:
    """By what its own configuration says that it is."""
    path = folder / "letters" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": ["BertModel"]}), encoding="utf-8")
    with pytest.raises(EngineUnavailable, match=r"the model letters is no wav2vec 2\.0 network.* but BertModel"):
        recognize(MINE)


def test_a_whisper_without_its_tokenizer_is_never_completed_from_the_network(folder: Path) -> None:
    """faster-whisper would fetch one; `check` says what is missing instead."""
    (folder / "mine" / "tokenizer.json").unlink()
    with pytest.raises(EngineUnavailable, match=r"tokenizer\.json is missing.*dub models pull mine"):
        WhisperX().check(MINE)


def test_a_language_that_the_model_does_not_know_is_refused(folder: Path, recognize: Callable[[Hearing], Any]) -> None:
    """The tiny one knows English."""
    with pytest.raises(EngineUnavailable, match="the model mine does not know the language 'ca'"):
        recognize(replace(MINE, language="ca"))
