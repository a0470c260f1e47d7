"""A separated background, by the real network: with small random weights, saved and loaded as real ones are."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchaudio.models import HDemucs

from manifests.errors import EngineUnavailable
from manifests.model import Course, Job, Lesson
from manifests.spans import RATE, Span
from tasks import mix
from tasks.engines import hdemucs, resident
from tasks.engines.hdemucs import FILES, MODEL, Separator
from tasks.engines.models import sha256_of
from tasks.separation import Separation

Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def net() -> HDemucs:
    """Four sources as the published ones have, a twelfth of their width, two octaves lower."""
    torch.manual_seed(0)
    return HDemucs(["drums", "bass", "other", "vocals"], channels=4, nfft=1024, depth=5).eval()


@pytest.fixture(scope="module")
def models(net: HDemucs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that DUB_MODELS names, with the network's weights in it."""
    folder = tmp_path_factory.mktemp("models")
    (folder / MODEL.name).mkdir()
    torch.save(net.state_dict(), folder / MODEL.name / FILES[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUB_MODELS", str(folder))
        yield folder


def programme(seconds: float, channels: int = 2) -> Sound:
    at = np.arange(round(seconds * RATE)) / RATE
    tones = [0.1 * np.sin(2 * np.pi * 330 * (channel + 1) * at * (1 + 0.01 * at)) for channel in range(channels)]
    return np.stack(tones, axis=1).astype(np.float32)


def reader(sound: Sound):
    def read(start: int, count: int) -> Sound:
        part = sound[start : start + count]
        return np.concatenate([part, np.zeros((count - len(part), sound.shape[1]), np.float32)])

    return read


def test_the_background_is_all_sources_but_the_voice(net: HDemucs, models: Path) -> None:
    """What the network itself says, sizes read off the file; silence stays silence."""
    path = hdemucs.weights()
    assert path is not None
    assert path == models / MODEL.name / FILES[0]
    sounds = np.stack([programme(1).T, np.zeros((2, RATE), np.float32)])
    with torch.inference_mode():
        sources = net(torch.from_numpy(sounds))
    heard = Separator.load(path).background(sounds)
    np.testing.assert_allclose(heard[0], sources[0, :3].sum(dim=0).numpy(), atol=1e-4)
    assert not heard[1].any()


@pytest.mark.parametrize("content", [b"not weights", pickle.dumps(print), b""])
def test_a_file_that_holds_no_weights_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whatever it holds is never run: code in a pickle is not weights."""
    path = tmp_path / FILES[0]
    path.write_bytes(content)
    with pytest.raises(EngineUnavailable, match="holds no weights of Hybrid Demucs"):
        Separator.load(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """They load as tensors, and do not fit."""
    torch.save({"weight": torch.zeros(3)}, tmp_path / FILES[0])
    with pytest.raises(EngineUnavailable, match="holds no weights of Hybrid Demucs"):
        Separator.load(tmp_path / FILES[0])


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_windows_lead_over_to_each_other_without_a_seam(channels: int, tmp_path: Path) -> None:
    """A separator that leaves all as it is gives the original back, across windows and to the programme's end."""
    sound = programme(19, channels)
    span = Span(RATE // 2, 19 * RATE)
    separation = Separation(lambda x: x, hdemucs.RATE, reader(sound), channels, len(sound), tmp_path)
    heard = separation.under(span).read(span.length)
    inner = slice(RATE, span.length - RATE)
    error = heard[inner] - sound[span.start :][inner]
    assert 20 * np.log10(error.std() / sound.std()) < -60


def test_the_same_in_pieces_of_any_size_and_again(models: Path, tmp_path: Path) -> None:
    """A separated span is made once, read in any pieces, and the same from the same input."""
    sound = programme(11)
    span = Span(RATE, 10 * RATE)
    separator = Separator.load(models / MODEL.name / FILES[0])
    made = list[Sound]()
    for number, size in enumerate((span.length, 100_003)):
        folder = tmp_path / str(number)
        folder.mkdir()
        separation = Separation(separator.background, hdemucs.RATE, reader(sound), 2, len(sound), folder)
        under = separation.under(span)
        pieces = [under.read(min(size, span.length - at)) for at in range(0, span.length, size)]
        made.append(np.concatenate(pieces))
        assert np.array_equal(separation.under(span).read(1000), made[-1][:1000])
    np.testing.assert_array_equal(made[0], made[1])
    assert made[0].shape == (span.length, 2)
    assert made[0].std() > 0


def job(background: str) -> Job:
    delivery = {"background": background}
    course = Course.model_validate(
        {"course": "c", "targets": ["es"], "delivery": delivery, "lessons": [{"media": "a"}]}
    )
    where = Path("/nowhere")
    lesson = Lesson(media="a")
    return Job(manifest=where, course=course, lesson=lesson, lesson_id="a", media=where, out=where, language="es")


def test_separate_is_blocked_without_weights_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` goes on without them."""
    monkeypatch.delenv("DUB_MODELS", raising=False)
    with pytest.raises(EngineUnavailable, match="dub models pull hdemucs"):
        mix.STAGE.check(job("separate"))
    mix.STAGE.check(job("auto"))
    assert mix.STAGE.engine(job("auto")) is None


def test_weights_are_part_of_what_a_mix_depends_on(models: Path) -> None:
    """With other weights the same lesson is mixed anew; where nothing may be separated they do not matter."""
    for background in ("auto", "separate"):
        mix.STAGE.check(job(background))
        engine = mix.STAGE.engine(job(background))
        assert engine is not None
        assert (engine.name, engine.weights_sha256) == ("hdemucs", sha256_of(models / MODEL.name / FILES[0]))
    assert mix.STAGE.engine(job("room_tone")) is None


def test_where_the_memory_of_a_gpu_runs_out_fewer_channels_are_separated_at_once(
    models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Three pairs do not fit, one does: a warning says so, and the background is the same."""
    separator = Separator.load(models / MODEL.name / FILES[0])
    sounds = np.random.default_rng(0).normal(0, 0.1, (3, 2, 22_050)).astype(np.float32)
    whole = separator.background(sounds)
    usual = hdemucs.others

    def scarce(net: object, some: Sound) -> Sound:
        if len(some) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return usual(net, some)

    monkeypatch.setattr(hdemucs, "others", scarce)
    np.testing.assert_allclose(separator.background(sounds), whole, atol=1e-5)
    assert "separate the background: the GPU's memory is full at 3 parts at a time; going on with 1" in caplog.text


def test_the_network_leaves_memory_when_another_stage_wants_its_own(models: Path) -> None:
    """As every model does; the next window loads it again."""
    separator = Separator.load(models / MODEL.name / FILES[0])
    sounds = np.random.default_rng(0).normal(0, 0.1, (1, 2, 22_050)).astype(np.float32)
    before = separator.background(sounds)
    resident.release()
    assert np.array_equal(separator.background(sounds), before)
