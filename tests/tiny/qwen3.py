"""A Qwen3-TTS folder of the library's own classes; its weights are random, so nothing that it says is understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_bos>", "<tts_eos>"]


def make(folder: Path, *, real: bool = False, large: bool = False, ends: str = "always") -> Path:
    """A Qwen3-TTS folder of some hundred kilobytes, of the library's own classes; `real`: of the 0.6B model's sizes,
    and `large` beside it: of the 1.7B model's.

    It `ends` after two and a half seconds of noise `always`, or `sometimes`, or `never`; of real size it draws as
    random weights do.
    """
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
    wide = shape | ({"hidden_size": 2048} if real and large else {})
    vocabulary_size = books + 1024  # the last 1024 are no sounds
    talker = {
        **wide,
        "vocab_size": vocabulary_size,
        "intermediate_size": 6144 if real and large else inner,
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
        speaker = {"enc_dim": wide["hidden_size"]}
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
    network = Qwen3TTSForConditionalGeneration(config)
    if not real:
        _counting(network.talker, books, ends)
    network.save_pretrained(folder)
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
        if not real:
            _sounding(sound.decoder)
    sound.save_pretrained(folder / "speech_tokenizer")
    EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000).save_pretrained(folder / "speech_tokenizer")
    return folder


def _sounding(decoder: Any) -> None:
    """Weights that keep a signal's level through all layers: noise, where small ones leave one constant value."""
    parts = {name: part for name, part in decoder.named_parameters() if "quantizer" not in name}
    for name, part in parts.items():
        if part.ndim == 3:
            part.normal_(0, (part.shape[1] * part.shape[2]) ** -0.5)
        elif name.endswith(".bias"):
            part.zero_()
    last = [part for part in parts.values() if part.ndim == 3][-1]
    last.mul_(0.2)


def _counting(talker: Any, books: int, ends: str) -> None:
    """After each code comes the next one, after the last of them the end, or the first one, or either."""
    import torch

    known, head = talker.get_input_embeddings().weight, talker.codec_head.weight
    end, begin = books, books + 6
    sure = 0.5 if ends == "sometimes" else 4.0
    with torch.no_grad():
        known[: books + 7].normal_()
        for before, after in [(begin, 0), *((code, code + 1) for code in range(books))]:
            head[after] = sure * known[before]
        if ends != "always":
            head[0] = sure * (known[begin] + known[books - 1])
            head[end] = head[0] if ends == "sometimes" else 0.0  # never at once: it says two codes at least
