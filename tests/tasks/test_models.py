"""Weights in folders of their own: found whole, or named with the command that fetches them."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.errors import EngineUnavailable
from tasks.engines.models import Model, digest, loading, require

TINY = Model("tiny", ("config.json", "model.bin"), licence="Apache-2.0", commercial=True)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUB_MODELS", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_a_model_is_there_when_all_its_files_are(models: Path) -> None:
    """A copied folder is as good as a fetched one."""
    for name in TINY.files:
        put(models / "tiny", name, name)
    assert TINY.folder() == models / "tiny"


def test_a_missing_model_is_named_with_the_command_that_fetches_it(models: Path) -> None:
    """Where it should be, and what to type."""
    with pytest.raises(EngineUnavailable) as refused:
        TINY.folder()
    assert str(refused.value) == f"the model tiny is not in {models}. dub models pull tiny"


def test_a_model_that_is_not_whole_says_what_it_lacks(models: Path) -> None:
    """As after a copy that broke off."""
    put(models / "tiny", "config.json", "{}")
    with pytest.raises(EngineUnavailable, match=r"\(model\.bin is missing\)"):
        TINY.folder()


def test_without_a_folder_for_models_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who never set it learns its name."""
    monkeypatch.delenv("DUB_MODELS", raising=False)
    with pytest.raises(EngineUnavailable, match="DUB_MODELS names no folder"):
        TINY.folder()


def test_the_digest_knows_every_byte_and_every_name(tmp_path: Path) -> None:
    """Another weight, and the same weights under other names, are another model."""
    put(tmp_path / "a", "one", "1")
    first = digest(tmp_path / "a")
    assert first == digest(tmp_path / "a")
    put(tmp_path / "a", "one", "22")
    second = digest(tmp_path / "a")
    (tmp_path / "a" / "one").rename(tmp_path / "a" / "other")
    assert len({first, second, digest(tmp_path / "a")}) == 3


def test_one_of_two_files_is_enough_where_either_will_do(models: Path) -> None:
    """Weights come as safetensors or as pickles; which one is the source's choice."""
    either = Model("either", ("config.json", "model.safetensors|pytorch_model.bin"), licence="MIT", commercial=True)
    put(models / "either", "config.json", "{}")
    with pytest.raises(EngineUnavailable, match=r"\(model\.safetensors or pytorch_model\.bin is missing\)"):
        either.folder()
    put(models / "either", "pytorch_model.bin", "weights")
    assert either.folder() == models / "either"


def test_notes_of_whoever_fetched_a_model_are_no_part_of_it(tmp_path: Path) -> None:
    """The same weights are the same model on every machine, copied or fetched."""
    put(tmp_path / "a", "one", "1")
    first = digest(tmp_path / "a")
    put(tmp_path / "a" / ".cache", "when", "today")
    put(tmp_path / "a", ".receipt", "from there")
    assert digest(tmp_path / "a") == first


def test_everything_that_is_missing_is_named_at_once(models: Path) -> None:
    """One message, one command; what is there is not in it."""
    for name in TINY.files:
        put(models / "tiny", name, name)
    put(models / "half", "a", "")
    others = (Model("half", ("a", "b"), "MIT", commercial=True), Model("whole", ("a",), "MIT", commercial=True))
    with pytest.raises(EngineUnavailable) as refused:
        require((TINY, *others))
    assert str(refused.value) == (
        f"the models half (b is missing) and whole are not in {models}. dub models pull half whole"
    )
    require((TINY,))


def test_a_gpu_that_is_too_small_for_a_model_is_not_told_as_a_broken_file() -> None:
    """Neither as torch says it nor as CTranslate2 does; to fetch it again would not help."""
    import torch

    for error in (torch.cuda.OutOfMemoryError("CUDA out of memory."), RuntimeError("CUDA failed: out of memory")):
        told = r"too little memory to load the model tiny.*a smaller model"
        with pytest.raises(EngineUnavailable, match=told), loading("tiny"):
            raise error
    with pytest.raises(EngineUnavailable, match="dub models verify tiny"), loading("tiny"):
        raise RuntimeError("unexpected end of file")
