"""Qwen3-TTS through the library's own loading and generating, on a tiny network with random weights made here.

Random weights say nothing that can be understood, so what is asked is shape, determinism, batches and faults.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manifests.errors import ConsentRefused, EngineUnavailable, InputError
from manifests.script import Voice
from tasks.engines import catalogue, learned, qwen3_speaker, resident
from tasks.engines.learned import Sample
from tasks.engines.protocols import Hearing, Voicing
from tasks.engines.qwen3_speaker import Qwen3Speaker, load, most_codes
from tasks.engines.qwen3_tts import Qwen3Tts
from tasks.reference import Reference
from tasks.stage import Workbench
from tiny import qwen3
from tiny.speech import voice_of
from voiceclone.application import Application
from voiceclone.cloner.clips import Clip
from voiceclone.engine import CloningEngine
from voiceclone.erasure import erase
from voiceclone.grant import Grant
from voiceclone.registry import Registry
from voiceclone.saying import Said, Saying

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries: transformers, librosa, torch

NAME = "tiny-qwen3"


@pytest.fixture(autouse=True)
def models_folder(qwen3_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUB_MODELS", str(qwen3_models))


def known(text: str = "What she says there.") -> Reference:
    rng = np.random.default_rng(1)
    clip = Clip(rng.normal(0, 0.1, 4 * 24_000).astype(np.float32), 24_000, text)
    return Reference("amara", "en", lambda: [clip], lambda: np.ones(256, np.float32) / 16)


def wanted(**options: Any) -> Voicing:
    return Voicing("es", "qwen3-tts", NAME, options)


def said(sayings: list[Saying], voice: Voice, registry: Registry, grant: Grant, bench: Workbench) -> list[Said]:
    with catalogue.synthesizer("qwen3-tts").speaker(voice, wanted(), registry, bench) as cloner:
        return list(cloner.synthesize(grant, sayings, person="amara", language="es"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["x-vector", "in-context"])
def test_a_line_sounds_the_same_alone_and_in_a_batch_and_another_seed_is_another_take(
    registry: Registry, grant: Grant, bench: Workbench, mode: str
) -> None:
    """Each row draws by its own seed; sound at 24 kHz, not silent, no longer than its text may be."""
    engine = catalogue.synthesizer("qwen3-tts")
    name, use = engine.learn(known(), wanted(mode=mode), grant, registry, bench)
    assert use == f"{mode}: the manifest says so"
    voice = Voice("clone", "qwen3-tts", name, "amara", "amara-2026")
    one, two = Saying("Sí.", seed=3), Saying("No, no.", seed=4)
    both = said([one, two], voice, registry, grant, bench)
    [alone] = said([two], voice, registry, grant, bench)
    [other] = said([Saying("No, no.", seed=5)], voice, registry, grant, bench)
    assert [each.rate for each in both] == [24_000] * 2
    for take, saying in zip(both, (one, two), strict=True):
        assert 0 < len(take.audio) <= most_codes(saying.text) * 1920
        assert not take.silent and np.abs(take.audio).max() <= 1
    np.testing.assert_allclose(alone.audio, both[1].audio, atol=1e-3)
    assert other.audio.shape != alone.audio.shape or not np.allclose(other.audio, alone.audio, atol=1e-3)
    prompts = [commit for commit in bench.store.commits() if commit.stage == "prompt"]
    assert [commit.people for commit in prompts] == [("amara",)]
    registry.revoke("amara-2026", "asked")
    erase("amara", store=bench.store, registry=registry, consents=["amara-2026"])
    assert not [*bench.store.commits()]


def test_without_a_recognizer_of_the_language_the_voice_alone_is_used_and_the_record_says_why(
    registry: Registry, grant: Grant, bench: Workbench
) -> None:
    """And where no utterance's text is known, that is why."""
    engine = catalogue.synthesizer("qwen3-tts")
    _, use = engine.learn(known(), wanted(), grant, registry, bench)
    assert use == "x-vector: nobody here understands es, so the modes cannot be compared"
    _, use = engine.learn(known(text=""), wanted(), grant, registry, bench)
    assert use == "x-vector: there is no utterance of 3 to 15 s whose text is known"


@pytest.fixture(scope="module")
def wavering(made_once: Any) -> Path:
    """A model that sometimes misses the end."""
    return made_once("qwen3-wavering", lambda folder: qwen3.make(folder, ends="sometimes"))


@pytest.mark.slow
def test_a_take_that_does_not_end_is_drawn_again(
    wavering: Path, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next seed, alone: the others of its batch stay as they are, and nobody hears a take that was cut off."""
    sayings = [Saying("Sí.", seed=seed, line=str(seed)) for seed in range(16)]
    drawn = said_by(wavering, sayings, registry, bench, monkeypatch, seeds=1)
    cut = [take.silent for take in drawn]
    assert True in cut and False in cut
    takes = said_by(wavering, sayings, registry, bench, monkeypatch, seeds=2)
    for at, saying in enumerate(sayings[:-1]):
        expected = drawn[at + 1] if cut[at] else drawn[at]
        assert len(takes[at].audio) == len(expected.audio), saying
        np.testing.assert_allclose(takes[at].audio, expected.audio, atol=1e-3)


@pytest.mark.slow
def test_a_line_that_never_ends_is_left_out_and_told(
    made_once: Any,
    registry: Registry,
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its number, and by how many seeds; its record names it as missing then, for it has no sound."""
    endless = made_once("qwen3-endless", lambda folder: qwen3.make(folder, ends="never"))
    [take] = said_by(endless, [Saying("Sí.", line="7")], registry, bench, monkeypatch, seeds=3)
    assert take.silent and not len(take.audio)
    assert "line 7: qwen3-tts talks on and on, by each of 3 seeds; it is left out" in caplog.text


def said_by(
    folder: Path,
    sayings: list[Saying],
    registry: Registry,
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    seeds: int,
) -> list[Said]:
    """Lines in Amara's voice by another model, drawn by so many seeds at the most."""
    monkeypatch.setattr(qwen3_speaker, "SEEDS", seeds)
    grant = registry.grant(
        consent="amara-2026",
        person="amara",
        language="es",
        course="biology",
        purpose="training_video",
        commercial=False,
    )
    [voice] = learned.kept([learned.sampled(known(), with_text=False)], known(), bench)
    speaker = Qwen3Speaker(registry, bench, voice, folder, batch=len(sayings))
    return list(speaker.synthesize(grant, sayings, person="amara", language="es"))


class Clear(CloningEngine[Saying, Said]):
    """In place of the network, whose words nobody could understand: flite, or a mumble, by the kind of the sample."""

    def __init__(self, registry: Registry, bench: Workbench, voice: str, clear_with_text: bool) -> None:
        super().__init__(registry)
        sample = Sample.load(bench.store.get(voice))
        self._clear, self._folder = bool(sample.text) == clear_with_text, bench.scratch

    def _synthesize(self, person: str, language: str, batch: Sequence[Saying]) -> Sequence[Said]:
        return [self._said(saying.text) for saying in batch]

    def _said(self, text: str) -> Said:
        words = text if self._clear else "mumble bumble humble rumble"
        sound = voice_of(self._folder, "slt", words)
        return Said(sound, 16_000)


@pytest.mark.slow
@pytest.mark.parametrize(("clear_with_text", "mode"), [(True, "in-context"), (False, "x-vector")])
def test_the_mode_that_is_understood_better_is_taken(
    registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch, clear_with_text: bool, mode: str
) -> None:
    """Both modes say a sentence and a recognizer hears them; how much of it was heard wrong is why."""
    registry.add(
        Application(
            id="amara-english",
            person="amara",
            languages=("en",),
            purposes=("training_video",),
            courses=("biology",),
            document=next((registry.root / "amara-2026").glob("*.pdf")),
        )
    )
    grant = registry.grant(
        consent="amara-english",
        person="amara",
        language="en",
        course="biology",
        purpose="training_video",
        commercial=False,
    )
    engine = Qwen3Tts()
    monkeypatch.setattr(
        Qwen3Tts,
        "speaker",
        lambda _, voice, _wanted, registry, bench: Clear(registry, bench, voice.name, clear_with_text),
    )
    hears = Voicing("en", "qwen3-tts", NAME, hearing=Hearing("en", "pocketsphinx"))
    name, use = engine.learn(known(), hears, grant, registry, bench)
    assert bool(Sample.load(bench.store.get(name)).text) == (mode == "in-context")
    assert (found := re.fullmatch(rf"{mode}: of a trial sentence (\d+)% .*, (\d+)% in the other mode", use))
    assert int(found[1]) < 50 < int(found[2])


def test_a_full_gpu_halves_the_batch_says_so_and_goes_on(
    registry: Registry,
    grant: Grant,
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The library's own network runs out of memory at more than one line: what is said is the same in the end."""
    import torch
    from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSTalkerForConditionalGeneration as Talker

    name, _ = Qwen3Tts().learn(known(), wanted(mode="x-vector"), grant, registry, bench)
    voice = Voice("clone", "qwen3-tts", name, "amara", "amara-2026")
    sayings = [Saying("Hola.", seed=1), Saying("Adiós a todos.", seed=2), Saying("Hasta mañana.", seed=3)]
    before = said(sayings, voice, registry, grant, bench)
    real = Talker.forward

    @wraps(real)  # the library looks at its signature
    def forward(self: Any, *given: Any, **named: Any) -> Any:
        shown = named.get("inputs_embeds")
        if shown is not None and len(shown) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(self, *given, **named)

    monkeypatch.setattr(Talker, "forward", forward)
    with caplog.at_level(logging.WARNING):
        after = said(sayings, voice, registry, grant, bench)
    assert "speak with qwen3-tts: the GPU's memory is full at 3 parts at a time; going on with 1" in caplog.text
    assert [len(each.audio) for each in after] == [len(each.audio) for each in before]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one.audio, other.audio, atol=1e-3)


def test_nothing_is_said_around_the_grant(registry: Registry, bench: Workbench, qwen3_models: Path) -> None:
    """Not with a voice in the store either."""
    [voice] = learned.kept([learned.sampled(known(), with_text=False)], known(), bench)
    with pytest.raises(ConsentRefused, match="without a grant"):
        Qwen3Speaker(registry, bench, voice, qwen3_models / NAME)._synthesize("amara", "es", [Saying("Hola.")])


def test_a_language_or_a_folder_that_is_not_there_is_told_with_what_to_type() -> None:
    """The model's own name in the command."""
    engine = catalogue.synthesizer("qwen3-tts")
    with pytest.raises(EngineUnavailable, match="does not speak ca; it speaks zh, en"):
        engine.check(Voicing("ca", "qwen3-tts", NAME))
    engine.check(wanted())
    with pytest.raises(EngineUnavailable, match=r"dub models pull Qwen3-TTS-12Hz-1\.7B-Base"):
        engine.check(Voicing("es", "qwen3-tts"))
    with pytest.raises(InputError, match="no option `temprature`"):
        engine.check(wanted(temprature=1))
    assert not engine.commercial(wanted())
    assert engine.commercial(Voicing("es", "qwen3-tts"))


def _cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def _another(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))


def _for_design(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tts_model_type": "voice_design"}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_cut, "cannot be loaded"),
        (_another, "is a bert, not Qwen3-TTS"),
        (_for_design, "for voice_design, which does not speak in a person's"),
    ],
)
def test_weights_that_are_cut_off_or_another_networks_are_told(
    qwen3_models: Path, tmp_path: Path, spoil: Any, told: str
) -> None:
    """Never a traceback of the library's."""
    folder = tmp_path / NAME
    shutil.copytree(qwen3_models / NAME, folder)
    spoil(folder)
    with pytest.raises(EngineUnavailable, match=told):
        load(folder)
    resident.release()


@pytest.mark.parametrize(("device", "options", "lines"), [("cuda", {}, 32), ("cpu", {}, 8), ("cuda", {"batch": 4}, 4)])
def test_a_gpu_says_more_lines_at_once(
    registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch, device: str, options: Any, lines: int
) -> None:
    """It takes about as long for many as for one; the manifest may say otherwise."""
    monkeypatch.setattr(qwen3_speaker.accelerator, "device", lambda: device)
    voice = Voice("clone", "qwen3-tts", "", "amara", "amara-2026")
    assert catalogue.synthesizer("qwen3-tts").speaker(voice, wanted(**options), registry, bench).batch_size == lines
