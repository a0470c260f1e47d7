"""pyannote's community pipeline from a folder: real segmentation, real networks, PLDA and VBx."""

from __future__ import annotations

import logging
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from manifests.errors import EngineUnavailable, InputError
from manifests.script import Diarization
from manifests.spans import Span
from tasks.diarize import diarize
from tasks.engines.community import Community
from tasks.engines.protocols import Listening

pytestmark = pytest.mark.slow  # three small networks are trained first, once a session

RATE = 16_000
LINES = (
    "Welcome to the second lesson on cell biology. Today we look at how membranes work.",
    "A membrane is a thin layer around the cell. It lets some molecules pass and stops others.",
    "Water moves through small channels in the wall. Salt needs a pump and energy to cross.",
)
WANTED = Listening("pyannote-community-1")


class Dialogue:
    """A woman (slt) and a man (rms) in turns, and who speaks when."""

    def __init__(self, path: Path, say: Any) -> None:
        parts, at = [np.zeros(RATE, np.float32)], 1.0
        self.truth: list[tuple[str, float, float]] = []
        for number, line in enumerate(LINES):
            name = ("slt", "rms")[number % 2]
            sound = say(path.parent, name, line)
            self.truth.append((name, at, at + len(sound) / RATE))
            parts += [sound, np.zeros(RATE // 2, np.float32)]
            at += len(sound) / RATE + 0.5
        whole = np.concatenate(parts)
        soundfile.write(path, whole, RATE, subtype="PCM_16")
        self.path, self.pieces, self.sound = path, (Span(0, len(whole) * 3),), whole


@pytest.fixture(scope="module")
def dialogue(flite: Any, tmp_path_factory: pytest.TempPathFactory) -> Dialogue:
    return Dialogue(tmp_path_factory.mktemp("dialogue") / "speech.wav", flite)


@pytest.fixture(scope="module")
def found(dialogue: Dialogue, models: Path) -> Diarization:
    return diarize(dialogue.path, dialogue.pieces, WANTED, cores=2)


def test_two_voices_are_parted_and_a_voice_that_comes_again_is_the_same(found: Diarization, dialogue: Dialogue) -> None:
    """Nine tenths of what is told of each sentence is one speaker's: hers the first and the third, his the second."""
    whose: list[str] = []
    for _, start, end in dialogue.truth:
        shares: dict[str, int] = {}
        for turn in found.turns:
            shares[turn.speaker] = shares.get(turn.speaker, 0) + turn.span.overlap(Span.of_seconds(start, end))
        whose.append(max(shares, key=lambda speaker: shares[speaker]))
        assert max(shares.values()) > 0.9 * sum(shares.values())
    assert whose == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]
    assert len(found.speakers) == 2


def test_exclusive_turns_never_overlap(found: Diarization, dialogue: Dialogue) -> None:
    """They are by the same people, where these speak, and decide whose a word is."""
    assert found.exclusive
    assert all(one.span.end <= other.span.start for one, other in pairwise(found.exclusive))
    for turn in found.exclusive:
        theirs = [other.span for other in found.turns if other.speaker == turn.speaker]
        assert sum(turn.span.overlap(span) for span in theirs) >= 0.99 * turn.span.length


def test_speech_is_found_where_it_is(found: Diarization, dialogue: Dialogue) -> None:
    """Nine tenths of each sentence, and next to nothing of the pauses."""
    said = [Span.of_seconds(start, end) for _, start, end in dialogue.truth]
    inside = sum(span.overlap(one) for span in said for one in found.speech)
    assert inside > 0.9 * sum(span.length for span in said)
    assert sum(one.length for one in found.speech) - inside < 0.15 * inside


def test_a_known_number_of_speakers_is_honoured(dialogue: Dialogue, models: Path) -> None:
    """Told that one speaks, it finds one."""
    assert len(diarize(dialogue.path, dialogue.pieces, Listening(WANTED.engine, 1, 1), cores=2).speakers) == 1


def test_a_full_gpu_halves_the_batch_says_so_and_goes_on(
    found: Diarization,
    dialogue: Dialogue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The embedding network runs out of memory at more than four windows: who speaks when is the same in the end."""
    from pyannote.audio.pipelines.speaker_verification import PyannoteAudioPretrainedSpeakerEmbedding

    real = PyannoteAudioPretrainedSpeakerEmbedding.__call__

    def call(self: Any, waveforms: torch.Tensor, masks: torch.Tensor | None = None) -> Any:
        if len(waveforms) > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.54 GiB.")
        return real(self, waveforms, masks=masks)

    monkeypatch.setattr(PyannoteAudioPretrainedSpeakerEmbedding, "__call__", call)
    with caplog.at_level(logging.WARNING):
        again = diarize(dialogue.path, dialogue.pieces, WANTED, cores=2)
    assert "diarize: the GPU's memory is full at 8 parts at a time; going on with 4" in caplog.text
    assert again.turns == found.turns


def test_silence_has_no_speakers(tmp_path: Path) -> None:
    """And is no fault."""
    path = tmp_path / "speech.wav"
    soundfile.write(path, np.zeros(RATE * 8, np.float32), RATE, subtype="PCM_16")
    assert diarize(path, (Span(0, RATE * 24),), WANTED).turns == ()


def another(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(models / "speaker-diarization-community-1", tmp_path / "mine")
    monkeypatch.setenv("DUB_MODELS", str(tmp_path))
    return tmp_path / "mine"


MINE = Listening("pyannote-community-1", model="mine")


def test_half_a_file_is_named_with_the_command(
    dialogue: Dialogue, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a copy that broke off: the model, what the library says, and what to type."""
    path = another(models, tmp_path, monkeypatch) / "embedding" / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(EngineUnavailable, match=r"the model mine cannot be loaded .* dub models pull mine"):
        diarize(dialogue.path, dialogue.pieces, MINE)


def test_another_pipeline_is_refused_before_it_is_imported(
    dialogue: Dialogue, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder's configuration names a class; only a speaker diarization is made."""
    folder = another(models, tmp_path, monkeypatch)
    said = (folder / "config.yaml").read_text(encoding="utf-8")
    changed = said.replace("pyannote.audio.pipelines.SpeakerDiarization", "this.module.Imports")
    (folder / "config.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(EngineUnavailable, match=r"is no speaker diarization of pyannote.audio, but this\.module"):
        diarize(dialogue.path, dialogue.pieces, MINE)


def test_a_missing_part_is_named_before_any_work(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` looks, and loads nothing."""
    (another(models, tmp_path, monkeypatch) / "plda" / "plda.npz").unlink()
    with pytest.raises(EngineUnavailable, match=r"plda/plda\.npz is missing"):
        Community().check(MINE)


def test_options_are_refused() -> None:
    """It has none."""
    with pytest.raises(InputError, match="has no options"):
        Community().check(Listening("pyannote-community-1", options={"threshold": 0.5}))
