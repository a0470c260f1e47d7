"""Folders of random weights in the sizes of the models that the studio profile takes, or of a few layers.

What random networks say means nothing; how long they take and what they hold in memory is what the real ones do. The
sizes are those that the models' own configurations publish.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

TEXT_TOKENS = 100
"""After which the Whisper made here ends: what half a minute of lecture has."""


def qwen3(folder: Path, size: str) -> Path:
    """Qwen3-TTS of the size `0.6B`, `1.7B` or `tiny`; it never ends before the longest that a text may have."""
    from tiny import qwen3

    return qwen3.make(folder, real=size != "tiny", ends="never", large=size == "1.7B")


def aligner(folder: Path, real: bool) -> Path:
    """A wav2vec 2.0 with a CTC head, as large as the XLSR ones that align most languages."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]
    layers = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    few = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 128}
    config = Wav2Vec2Config(
        vocab_size=len(letters), feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True, pad_token_id=0,
        apply_spec_augment=False, **(layers if real else few),
    )  # fmt: skip
    Wav2Vec2ForCTC(config).eval().save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({letter: at for at, letter in enumerate(letters)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return folder


def community(folder: Path) -> Path:
    """pyannote's community pipeline: whisperx's segmentation as it is, WeSpeaker's ResNet34 and PLDA at random."""
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    from manifests.checkpoints import SEGMENTATION
    from tiny.community import save

    for part in ("segmentation", "embedding", "plda"):
        (folder / part).mkdir(parents=True)
    shutil.copyfile(SEGMENTATION.path(), folder / "segmentation" / "pytorch_model.bin")
    torch.manual_seed(0)
    net = WeSpeakerResNet34().eval()
    net.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    save(net, folder)
    return folder


def whisper(folder: Path, real: bool) -> Path:
    """A Whisper of large-v3-turbo's sizes in CTranslate2's format, which ends after `TEXT_TOKENS` tokens."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    torch.manual_seed(0)
    size = 51_866 if real else 400
    special = ["endoftext", "startoftranscript", "en", "es", "translate", "transcribe", "startoflm", "startofprev"]
    special = [f"<|{name}|>" for name in (*special, "nospeech", "notimestamps")]
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = [*bytes_, *(f"word{at}" for at in range(size - len(bytes_) - len(special)))]
    tokenizer = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(known)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in special])
    end, start = (tokenizer.token_to_id(name) for name in special[:2])
    sizes: dict[str, Any] = {"d_model": 64, "encoder_layers": 1, "encoder_ffn_dim": 64, "encoder_attention_heads": 2}
    sizes |= {"decoder_layers": 1, "decoder_ffn_dim": 128, "decoder_attention_heads": 2, "num_mel_bins": 80}
    if real:
        sizes = {"d_model": 1280, "encoder_layers": 32, "encoder_ffn_dim": 5120, "encoder_attention_heads": 20}
        sizes |= {"decoder_layers": 4, "decoder_ffn_dim": 5120, "decoder_attention_heads": 20, "num_mel_bins": 128}
    config = WhisperConfig(
        vocab_size=size, pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start,
        suppress_tokens=None, begin_suppress_tokens=None, **sizes,
    )  # fmt: skip
    net = WhisperForConditionalGeneration(config).eval()
    _ending(net, end)
    net.generation_config = GenerationConfig(
        suppress_tokens=[], begin_suppress_tokens=[], alignment_heads=[[0, 0]], decoder_start_token_id=start,
        lang_to_id={name: tokenizer.token_to_id(name) for name in ("<|en|>", "<|es|>")},
        bos_token_id=end, eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    hub = folder.with_name(f"hub-{folder.name}")
    net.save_pretrained(hub)
    WhisperFeatureExtractor(feature_size=sizes["num_mel_bins"]).save_pretrained(hub)
    names = {f"{kind}_token": special[0] for kind in ("unk", "bos", "eos", "pad")}
    WhisperTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=special[1:], **names).save_pretrained(
        hub
    )
    TransformersConverter(str(hub), copy_files=["preprocessor_config.json"]).convert(
        str(folder), quantization="float16" if real else None
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    shutil.rmtree(hub)
    return folder


def _ending(net: Any, end: int) -> None:
    """From a position on, the end is all that it says, and before that never: one direction of its space says which."""
    import torch

    decoder = net.model.decoder
    with torch.no_grad():
        direction = torch.ones(decoder.embed_positions.weight.shape[1])
        direction[::2] = -1.0
        decoder.embed_positions.weight[: 4 + TEXT_TOKENS] -= 200.0 * direction
        decoder.embed_positions.weight[4 + TEXT_TOKENS :] += 200.0 * direction
        decoder.embed_tokens.weight[end] = 0.5 * direction / direction.norm()


def pocket(folder: Path, real: bool) -> Path:
    """Folders of pocket-tts for Spanish: the library's own sizes, or the tests'."""
    from tiny import pocket

    return pocket.make(folder, real=real)


def separator(path: Path, real: bool) -> Path:
    """Hybrid Demucs in the sizes of torchaudio's `HDEMUCS_HIGH_MUSDB_PLUS`."""
    import torch
    from torchaudio.models import HDemucs

    torch.manual_seed(0)
    shape = {"channels": 48, "nfft": 4096, "depth": 6} if real else {"channels": 4, "nfft": 1024, "depth": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(HDemucs(["drums", "bass", "other", "vocals"], **shape).state_dict(), path)
    return path
