"""Qwen3-TTS through the library's own loading and generating, on a tiny network with random weights made here.

Random weights say nothing that can be understood, so what is asked is shape, determinism, batches and faults.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manifests.errors import ConsentRefused, EngineUnavailable, InputError
from manifests.script import Voice
from manifests.store import Store
from tasks.engines import catalogue, learned, resident
from tasks.engines.protocols import Voicing
from tasks.engines.qwen3_speaker import Qwen3Speaker, load, most_codes
from tasks.reference import Reference
from tasks.stage import Workbench
from voiceclone.application import Application
from voiceclone.cloner.training import Clip
from voiceclone.erasure import erase
from voiceclone.grant import Grant
from voiceclone.registry import Registry
from voiceclone.saying import Said, Saying

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries: transformers, librosa, torch

NAME = "tiny-qwen3"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_bos>", "<tts_eos>"]


def tiny(folder: Path, *, real: bool = False) -> Path:
    """A Qwen3-TTS folder of some hundred kilobytes, of the library's own classes; `real`: of the 0.6B model's sizes."""
    import torch
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration
    from qwen_tts.core.models.processing_qwen3_tts import Qwen3TTSProcessor
    from qwen_tts.core.tokenizer_12hz.configuration_qwen3_tts_tokenizer_v2 import Qwen3TTSTokenizerV2Config
    from qwen_tts.core.tokenizer_12hz.modeling_qwen3_tts_tokenizer_v2 import Qwen3TTSTokenizerV2Model
    from transformers import EncodecFeatureExtractor, Qwen2Tokenizer

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.json"
    letters = [chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]] + [
        chr(256 + extra) for extra in range(68)
    ]
    vocabulary.write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = Qwen2Tokenizer(str(vocabulary), str(folder / "merges.txt"), pad_token=SPECIAL[0])
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL[1:]})
    Qwen3TTSProcessor(tokenizer).save_pretrained(folder)
    ids: list[int] = tokenizer.convert_tokens_to_ids(SPECIAL)
    groups, books, languages = 16 if real else 4, 2048 if real else 32, ("english", "spanish", "french")
    shape = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "hidden_size": 32}
    heads, inner, sections = 16, 64, [4, 2, 2]
    if real:
        shape = {"num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "hidden_size": 1024}
        heads, inner, sections = 128, 3072, [24, 20, 20]
    vocabulary_size = books + 1024  # the last 1024 are no sounds
    talker = {
        **shape,
        "vocab_size": vocabulary_size,
        "intermediate_size": inner,
        "head_dim": heads,
        "text_hidden_size": 2048 if real else 32,
        "text_vocab_size": 151_936 if real else len(tokenizer),
        "num_code_groups": groups,
        "rope_scaling": {"rope_type": "default", "mrope_section": sections, "interleaved": True},
        "code_predictor_config": {
            **shape,
            "num_hidden_layers": 5 if real else 1,
            "vocab_size": books,
            "intermediate_size": inner,
            "head_dim": heads,
            "num_code_groups": groups,
        },
        "codec_eos_token_id": books,
        "codec_think_id": books + 1,
        "codec_nothink_id": books + 2,
        "codec_think_bos_id": books + 3,
        "codec_think_eos_id": books + 4,
        "codec_pad_id": books + 5,
        "codec_bos_id": books + 6,
        "spk_id": {},
        "spk_is_dialect": {},
        "codec_language_id": {name: books + 7 + at for at, name in enumerate(languages)},
    }
    speaker = {
        "enc_dim": 32,
        "enc_channels": [16, 16, 16, 16, 48],
        "enc_attention_channels": 8,
        "enc_res2net_scale": 2,
        "enc_se_channels": 8,
    }
    if real:
        speaker = {"enc_dim": 1024}
    config = Qwen3TTSConfig(
        talker_config=talker,
        speaker_encoder_config=speaker,
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size="tiny",
        tts_model_type="base",
        im_start_token_id=ids[1],
        im_end_token_id=ids[2],
        tts_pad_token_id=ids[3],
        tts_bos_token_id=ids[4],
        tts_eos_token_id=ids[5],
    )
    Qwen3TTSForConditionalGeneration(config).save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(written | {"speaker_encoder_config": speaker}))
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.9, "top_k": 20}))
    whole = {"num_quantizers": 32, "codebook_size": books, "frame_rate": 12.5, "sampling_rate": 24_000}
    codec = Qwen3TTSTokenizerV2Config(
        encoder_config=whole
        if real
        else {
            "hidden_size": 32,
            "num_filters": 4,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "intermediate_size": 32,
            "codebook_size": books,
            "codebook_dim": 16,
            "vector_quantization_hidden_dimension": 16,
            "num_quantizers": groups,
            "num_semantic_quantizers": 1,
            "upsample_groups": 32,
            "upsampling_ratios": [8, 6, 5, 4],
            "sampling_rate": 24_000,
            "frame_rate": 12.5,
        },
        decoder_config={"codebook_dim": 512, "head_dim": 64}
        if real
        else {
            "codebook_size": books,
            "codebook_dim": 16,
            "hidden_size": 32,
            "latent_dim": 16,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_quantizers": groups,
            "decoder_dim": 64,
        },
        encoder_valid_num_quantizers=groups,
    )
    sound = Qwen3TTSTokenizerV2Model(codec)
    with torch.no_grad():
        for weight in (*sound.parameters(), *sound.buffers()):
            if weight.is_floating_point() and not weight.any():
                weight.normal_(0, 0.3)  # codebooks start as nothing, and nothing would be heard
    sound.save_pretrained(folder / "speech_tokenizer")
    EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000).save_pretrained(folder / "speech_tokenizer")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("models") / NAME)


@pytest.fixture(autouse=True)
def models_folder(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUB_MODELS", str(weights.parent))


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
def grant(registry: Registry) -> Grant:
    return registry.grant(
        consent="amara-2026",
        person="amara",
        language="es",
        course="biology",
        purpose="training_video",
        commercial=False,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Workbench(Store(tmp_path / "store"), scratch, cores=1)


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


def test_nothing_is_said_around_the_grant(registry: Registry, bench: Workbench, weights: Path) -> None:
    """Not with a voice in the store either."""
    [voice] = learned.kept([learned.sampled(known(), with_text=False)], known(), bench)
    with pytest.raises(ConsentRefused, match="without a grant"):
        Qwen3Speaker(registry, bench, voice, weights)._synthesize("amara", "es", [Saying("Hola.")])


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
    weights: Path, tmp_path: Path, spoil: Any, told: str
) -> None:
    """Never a traceback of the library's."""
    folder = tmp_path / NAME
    shutil.copytree(weights, folder)
    spoil(folder)
    with pytest.raises(EngineUnavailable, match=told):
        load(folder)
    resident.release()
