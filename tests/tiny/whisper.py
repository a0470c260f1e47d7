"""A Whisper that says a handful of English sentences when it hears them, in CTranslate2's format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tiny.speech import ENGLISH, Clip, Reader, Sound

HOTWORDS = ("", "stem, river", "", "light", "", "river, stem")
"""What it is told to expect: a glossary's terms."""

_NAMES = ("endoftext", "startoftranscript", "en", "es", "translate", "transcribe", "startoflm", "startofprev")
SPECIAL = [f"<|{name}|>" for name in (*_NAMES, "nospeech", "notimestamps")]


def make(reader: Reader, folder: Path) -> None:
    """Train a Whisper until it says the sentences, and convert it to CTranslate2's format."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from whisperx.audio import N_SAMPLES, log_mel_spectrogram

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([f" {text}" for text in ENGLISH], trainer)
    tokenizer.add_special_tokens(SPECIAL)
    end, start = token(tokenizer, "<|endoftext|>"), token(tokenizer, "<|startoftranscript|>")
    torch.manual_seed(0)
    net = network(tokenizer)
    layers, net.model.encoder.layers = net.model.encoder.layers, torch.nn.ModuleList([])
    draw = np.random.default_rng(0)
    batches = [
        [_lesson(tokenizer, reader.clip(text, draw), HOTWORDS[at % len(HOTWORDS)]) for text in ENGLISH]
        for at in range(6)
    ]
    sounds = [
        torch.stack([log_mel_spectrogram(sound, 80, padding=N_SAMPLES - len(sound)) for sound, _ in batch])
        for batch in batches
    ]
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(300):
        at = step % len(batches)
        longest = max(len(said) for _, said in batches[at])
        inputs = [said[:-1] + [end] * (longest - len(said)) for _, said in batches[at]]
        labels = [_learned(said, start) + [-100] * (longest - len(said)) for _, said in batches[at]]
        found = net(input_features=sounds[at], decoder_input_ids=torch.tensor(inputs), labels=torch.tensor(labels))
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
        if float(found.loss.detach()) < 0.01:
            break
    net.model.encoder.layers = layers
    save(net, tokenizer, folder)


def token(tokenizer: Any, name: str) -> int:
    return int(tokenizer.token_to_id(name))


def network(tokenizer: Any) -> Any:
    """A network of this vocabulary whose encoder adds nothing: attention over half a minute is not trained in seconds.

    Take its encoder's layers out while it is trained.
    """
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    end, start = token(tokenizer, "<|endoftext|>"), token(tokenizer, "<|startoftranscript|>")
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(), num_mel_bins=80, d_model=64, encoder_layers=1, encoder_ffn_dim=64,
        encoder_attention_heads=2, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=128, dropout=0.0,
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start, suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    net = WhisperForConditionalGeneration(config)
    for layer in net.model.encoder.layers:
        for part in (layer.self_attn.out_proj, layer.fc2):
            torch.nn.init.zeros_(part.weight)
            torch.nn.init.zeros_(part.bias)
    return net


def save(net: Any, tokenizer: Any, folder: Path) -> None:
    """Convert it to CTranslate2's format."""
    from ctranslate2.converters import TransformersConverter
    from transformers import GenerationConfig, WhisperFeatureExtractor, WhisperTokenizerFast

    end, start = token(tokenizer, "<|endoftext|>"), token(tokenizer, "<|startoftranscript|>")
    net.generation_config = GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[],
        alignment_heads=[[0, 0]],
        lang_to_id={name: token(tokenizer, name) for name in ("<|en|>", "<|es|>")},
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    hub = folder.with_name(f"hub-{folder.name}")
    net.save_pretrained(hub)
    WhisperFeatureExtractor().save_pretrained(hub)
    names = {f"{kind}_token": SPECIAL[0] for kind in ("unk", "bos", "eos", "pad")}
    WhisperTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=SPECIAL[1:], **names).save_pretrained(
        hub
    )
    TransformersConverter(str(hub), copy_files=["preprocessor_config.json"]).convert(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    shutil.rmtree(hub)


def _lesson(tokenizer: Any, clip: Clip, hotwords: str) -> tuple[Sound, list[int]]:
    """What Whisper hears and what it then says, after the words that it is told to expect."""
    expected = [tokenizer.token_to_id("<|startofprev|>"), *tokenizer.encode(f" {hotwords}").ids] if hotwords else []
    prompt = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    text = tokenizer.encode(f" {clip.text}").ids
    return clip.sound, [*expected, *map(tokenizer.token_to_id, prompt), *text, tokenizer.token_to_id("<|endoftext|>")]


def _learned(said: list[int], start: int) -> list[int]:
    """What comes after the prompt, each token where the one before it is read."""
    first = said.index(start) + 4
    return [-100] * (first - 1) + said[first:]
