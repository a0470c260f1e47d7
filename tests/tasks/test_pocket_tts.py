"""pocket-tts through the library's own loading and generating, on a tiny network with random weights made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manifests.errors import ConsentRefused, EngineUnavailable
from manifests.script import Speaker, Voice
from tasks.engines import catalogue, learned, pocket_speaker, resident
from tasks.engines.protocols import Voicing
from tasks.reference import Reference
from tasks.stage import Workbench
from voiceclone.cloner.clips import Clip
from voiceclone.grant import Grant
from voiceclone.registry import Registry
from voiceclone.saying import Saying

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries

WANTED = Voicing("es", "pocket-tts")


@pytest.fixture(autouse=True)
def models_folder(pocket_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUB_MODELS", str(pocket_models))


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


def test_a_persons_voice_speaks_behind_a_grant_alone(registry: Registry, grant: Grant, bench: Workbench) -> None:
    """From the sample in the store; called around the grant, it refuses."""
    engine = catalogue.synthesizer("pocket-tts")
    name, _ = engine.learn(known(), WANTED, grant, registry, bench)
    with engine.speaker(Voice("clone", "pocket-tts", name, "amara", "amara-2026"), WANTED, registry, bench) as cloner:
        with pytest.raises(ConsentRefused, match="without a grant"):
            cloner._synthesize("amara", "es", [Saying("Hola.")])
        [said] = cloner.synthesize(grant, [Saying("Hola.", seed=1)], person="amara", language="es")
        assert said.rate == 24_000 and not said.silent


def test_weights_without_voice_cloning_are_refused(registry: Registry, grant: Grant, bench: Workbench) -> None:
    """The library itself would go on, in nobody's voice."""
    import torch

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


def test_a_language_or_weights_that_are_not_there_are_told(
    pocket_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to type; half a file is told too."""
    engine = catalogue.synthesizer("pocket-tts")
    with pytest.raises(EngineUnavailable, match="does not speak ja; it speaks en, fr"):
        engine.check(Voicing("ja", "pocket-tts"))
    with pytest.raises(EngineUnavailable, match="dub models pull pocket-tts-french"):
        engine.check(Voicing("fr", "pocket-tts"))
    file = pocket_models / "pocket-tts-spanish" / "languages" / "spanish" / "model.safetensors"
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(EngineUnavailable, match="pocket-tts-spanish cannot be loaded"):
            list(engine.speak([Saying("Hola.")], Voice("stock", "pocket-tts", "anna"), WANTED, cores=1))
    finally:
        file.write_bytes(whole)
        resident.release()
