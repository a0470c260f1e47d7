"""pocket-tts through the library's own loading and generating, on a tiny network with random weights made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manifests.errors import ConsentRefused, EngineUnavailable
from manifests.script import Speaker, Voice
from manifests.store import Store
from tasks.engines import catalogue, learned, pocket_speaker, resident
from tasks.engines.protocols import Voicing
from tasks.reference import Reference
from tasks.stage import Workbench
from voiceclone.application import Application
from voiceclone.cloner.training import Clip
from voiceclone.registry import Registry
from voiceclone.saying import Saying

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries

WANTED = Voicing("es", "pocket-tts")


def tiny(folder: Path) -> Path:
    """A folder of models with Spanish ones of some hundred kilobytes, of the library's own classes."""
    import safetensors.torch
    import torch
    import yaml
    from pocket_tts import TTSModel
    from pocket_tts.models.model_state import export_model_state
    from pocket_tts.utils.config import CONFIGS_DIR
    from tokenizers import Tokenizer, models, pre_tokenizers

    from tasks.engines.pocket import HIGH, LOW

    torch.manual_seed(0)
    weights = folder / "pocket-tts-spanish"
    voices = folder / "pocket-tts-spanish-voices" / "languages" / "spanish"
    (weights / "languages" / "spanish").mkdir(parents=True)
    (voices / "embeddings").mkdir(parents=True)
    letters = {letter: number for number, letter in enumerate("▁abcdefghijklmnopqrstuvwxyzáéíóúñ.,ABCDEFGHIJKLMNO?")}
    tokenizer = Tokenizer(models.BPE(vocab=letters | {"<unk>": len(letters)}, merges=[], unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.save(str(voices / "tokenizer.json"))
    config: dict[str, Any] = yaml.safe_load((CONFIGS_DIR / "spanish.yaml").read_text("utf-8"))
    config |= {"weights_path": None, "weights_path_without_voice_cloning": None}
    lm, mimi = config["flow_lm"], config["mimi"]
    lm["flow"] |= {"depth": 1, "dim": 16}
    lm["transformer"] |= {"d_model": 32, "num_heads": 2, "num_layers": 1, "hidden_scale": 2}
    lm["lookup_table"] |= {"dim": 32, "n_bins": len(letters) + 1, "tokenizer_path": str(voices / "tokenizer.json")}
    mimi |= {"inner_dim": 8, "outer_dim": 32}
    mimi["seanet"] |= {"dimension": 32, "n_filters": 4}
    mimi["transformer"] |= {
        "d_model": 32,
        "num_heads": 2,
        "num_layers": 1,
        "dim_feedforward": 32,
        "input_dimension": 32,
        "output_dimensions": [32],
    }
    mimi["quantizer"] |= {"dimension": 8, "output_dimension": 32}
    (weights / "config.yaml").write_text(yaml.safe_dump(config))
    model = TTSModel.load_model(config=weights / "config.yaml")
    with torch.no_grad():
        for weight in model.state_dict().values():
            if weight.is_floating_point() and not weight.isfinite().all():
                weight.normal_(0, 0.1)
        model.flow_lm.speaker_proj_weight.normal_(0, 0.1)
    safetensors.torch.save_file(model.state_dict(), str(weights / "languages" / "spanish" / "model.safetensors"))
    state = model.get_state_for_audio_prompt(torch.randn(1, 24_000) / 10)
    for name in (*LOW, *HIGH):
        export_model_state(state, voices / "embeddings" / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def models_folder(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUB_MODELS", str(weights))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "consent", tmp_path / "keys")
    registry.init()
    (tmp_path / "agreement.pdf").write_bytes(b"agreed")
    registry.add(
        Application(
            id="amara-2026",
            person="amara",
            languages=("es",),
            purposes=("training_video",),
            courses=("biology",),
            document=tmp_path / "agreement.pdf",
        )
    )
    return registry


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Workbench(Store(tmp_path / "store"), scratch, cores=1)


def known() -> Reference:
    clip = Clip(np.random.default_rng(1).normal(0, 0.1, 4 * 24_000).astype(np.float32), 24_000, "What she says.")
    return Reference("amara", "en", lambda: [clip], lambda: np.ones(256, np.float32) / 16)


def test_its_own_voices_belong_to_nobody_and_a_seed_is_a_take() -> None:
    """Low ones for low speakers; the same seed is the same take, another one another."""
    engine = catalogue.synthesizer("pocket-tts")
    engine.check(WANTED)
    speakers = [Speaker("SPEAKER_00", 110.0, 9.0), Speaker("SPEAKER_01", 210.0, 9.0), Speaker("SPEAKER_02", 90.0, 9.0)]
    cast = engine.cast(speakers, dict.fromkeys((each.label for each in speakers), "nobody is named"), WANTED)
    assert [(voice.kind, voice.name) for voice in cast.values()] == [
        ("stock", "charles"),
        ("stock", "anna"),
        ("stock", "paul"),
    ]
    sayings = [Saying("Hola a todos.", seed=seed) for seed in (1, 1, 2)]
    first, again, other = engine.speak(sayings, cast["SPEAKER_01"], WANTED, cores=1)
    assert first is not None and again is not None and other is not None
    assert first.rate == 24_000 and not first.silent
    np.testing.assert_array_equal(first.audio, again.audio)
    assert len(first.audio) != len(other.audio) or not np.allclose(first.audio, other.audio)


def test_a_persons_voice_speaks_behind_a_grant_alone(registry: Registry, bench: Workbench) -> None:
    """From the sample in the store; called around the grant, it refuses."""
    grant = registry.grant(
        consent="amara-2026",
        person="amara",
        language="es",
        course="biology",
        purpose="training_video",
        commercial=False,
    )
    engine = catalogue.synthesizer("pocket-tts")
    name, _ = engine.learn(known(), WANTED, grant, registry, bench)
    with engine.speaker(Voice("clone", "pocket-tts", name, "amara", "amara-2026"), WANTED, registry, bench) as cloner:
        with pytest.raises(ConsentRefused, match="without a grant"):
            cloner._synthesize("amara", "es", [Saying("Hola.")])
        [said] = cloner.synthesize(grant, [Saying("Hola.", seed=1)], person="amara", language="es")
        assert said.rate == 24_000 and not said.silent


def test_weights_without_voice_cloning_are_refused(
    weights: Path, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library itself would go on, in nobody's voice."""
    import torch

    grant = registry.grant(
        consent="amara-2026",
        person="amara",
        language="es",
        course="biology",
        purpose="training_video",
        commercial=False,
    )
    [voice] = learned.kept([learned.sampled(known(), with_text=False)], known(), bench)
    engine = catalogue.synthesizer("pocket-tts")
    with pocket_speaker.loaded(engine.models(WANTED), "spanish") as model:  # pyright: ignore[reportAttributeAccessIssue]
        kept = model.flow_lm.speaker_proj_weight.clone()
        with torch.no_grad():
            model.flow_lm.speaker_proj_weight.zero_()
    cloner = engine.speaker(Voice("clone", "pocket-tts", voice, "amara", "amara-2026"), WANTED, registry, bench)
    with pytest.raises(EngineUnavailable, match="cannot speak in a person's voice"):
        list(cloner.synthesize(grant, [Saying("Hola.")], person="amara", language="es"))
    with pocket_speaker.loaded(engine.models(WANTED), "spanish") as model, torch.no_grad():  # pyright: ignore[reportAttributeAccessIssue]
        model.flow_lm.speaker_proj_weight.copy_(kept)


def test_a_language_or_weights_that_are_not_there_are_told(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to type; half a file is told too."""
    engine = catalogue.synthesizer("pocket-tts")
    with pytest.raises(EngineUnavailable, match="does not speak ja; it speaks en, fr"):
        engine.check(Voicing("ja", "pocket-tts"))
    with pytest.raises(EngineUnavailable, match="dub models pull pocket-tts-french"):
        engine.check(Voicing("fr", "pocket-tts"))
    file = weights / "pocket-tts-spanish" / "languages" / "spanish" / "model.safetensors"
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(EngineUnavailable, match="pocket-tts-spanish cannot be loaded"):
            list(engine.speak([Saying("Hola.")], Voice("stock", "pocket-tts", "anna"), WANTED, cores=1))
    finally:
        file.write_bytes(whole)
        resident.release()
