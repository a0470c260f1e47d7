"""Speaker encoders: which are used, and that a checkpoint from elsewhere is data and no code."""

from __future__ import annotations

import os
import pickle
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manifests.errors import EngineUnavailable
from voiceclone import encoders, wespeaker
from voiceclone.encoders import Ge2e, SpeakerEncoder, installed

FILE = "pyannote/wespeaker-voxceleb-resnet34-LM/pytorch_model.bin"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models, with the encoder's folder in it and nothing in that."""
    monkeypatch.setenv("DUB_MODELS", str(tmp_path / "models"))
    (tmp_path / "models" / FILE).parent.mkdir(parents=True)
    return tmp_path / "models"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint as pyannote.audio publishes them, of the real network with random weights."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
        from pyannote.audio.core.task import Problem, Resolution, Specifications
        from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34

    torch.manual_seed(3)
    network = WeSpeakerResNet34()
    network.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=3.0, classes=["a", "b"]
    )
    made: dict[str, Any] = {"state_dict": network.state_dict(), "hyper_parameters": dict(network.hparams)}
    network.on_save_checkpoint(made)
    made["pyannote.audio"]["versions"]["torch"] = torch.__version__
    path = tmp_path_factory.mktemp("checkpoint") / "made.bin"
    torch.save(made, path)
    return path.read_bytes()


def test_the_encoder_inside_a_package_is_always_there(models: Path) -> None:
    """And alone where nothing was added."""
    [encoder] = installed()
    assert isinstance(encoder, Ge2e)
    assert isinstance(encoder, SpeakerEncoder)


@pytest.mark.parametrize("file", wespeaker.FILES)
def test_a_checkpoint_among_the_models_is_used_too(models: Path, checkpoint: bytes, file: str) -> None:
    """Prints have length 1, do not hear the level, and differ between sounds; the weights are named by their hash."""
    (models / file).parent.mkdir(parents=True, exist_ok=True)
    (models / file).write_bytes(checkpoint)
    ge2e, found = installed()
    assert (ge2e.name, found.name) == ("ge2e-resemblyzer", "wespeaker-resnet34")
    sound = np.random.default_rng(3).normal(0, 0.05, (2, 32_000)).astype(np.float32)
    prints = found.prints([sound[0], sound[0] * np.float32(0.1), sound[1][:24_000]])
    assert prints.shape == (3, 256)
    assert np.linalg.norm(prints, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert prints[0] @ prints[1] == pytest.approx(1.0, abs=1e-4)
    assert prints[0] @ prints[2] < 0.9999
    assert len(found.weights_sha256) == 64


class Code:
    """Runs a command where somebody unpickles it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("kind", ["code", "nothing", "other"])
def test_a_checkpoint_that_is_code_or_damaged_is_an_error_and_not_run(models: Path, kind: str, tmp_path: Path) -> None:
    """Nor does it count as not being there: the operator hears of it."""
    import torch

    trace = tmp_path / "it-ran"
    if kind == "code":
        torch.save({"state_dict": {}, "more": Code(trace)}, models / FILE)
    elif kind == "other":
        torch.save({"state_dict": {"resnet.weight": torch.zeros(1)}}, models / FILE)
    else:
        (models / FILE).write_bytes(pickle.dumps(Code(trace)))
    with pytest.raises(EngineUnavailable, match="damaged, or not WeSpeaker"):
        installed()
    assert not trace.exists()


def given(monkeypatch: pytest.MonkeyPatch, made: object) -> None:
    """As if a package were installed whose entry point gives this."""
    entry = EntryPoint("third", "package:make", encoders.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: lambda: made)
    monkeypatch.setattr(encoders, "entry_points", lambda group: EntryPoints([entry] if group == encoders.GROUP else []))


def test_a_package_adds_an_encoder(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an entry point; without its weights it is left out, and one of an unknown make is an error."""

    class Third(Ge2e):
        name = "third"

    given(monkeypatch, Third())
    assert [encoder.name for encoder in installed()] == ["ge2e-resemblyzer", "third"]
    given(monkeypatch, None)
    assert [encoder.name for encoder in installed()] == ["ge2e-resemblyzer"]
    given(monkeypatch, object())
    with pytest.raises(EngineUnavailable, match="third is none that this version can use"):
        installed()


def test_no_package_takes_the_place_of_the_encoder_that_is_always_there(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that calls itself by the same name says nothing."""

    class Yes(Ge2e):
        pass

    given(monkeypatch, Yes())
    assert [type(encoder) for encoder in installed()] == [Ge2e]
