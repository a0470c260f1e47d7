"""A Whisper that tells English from Spanish, in CTranslate2's format, and knows no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr

from tiny import whisper
from tiny.argos import SPANISH
from tiny.services import spanish
from tiny.speech import ENGLISH, RATE, Reader, Sound

MULTILINGUAL = ""
"""The token by which CTranslate2 knows a multilingual model: only those have an empty one."""


def make(reader: Reader, folder: Path) -> None:
    """Train it for seconds, and convert it."""
    import torch
    from tokenizers import Tokenizer, models
    from whisperx.audio import N_SAMPLES, log_mel_spectrogram

    tokenizer = Tokenizer(models.BPE(vocab={MULTILINGUAL: 0}, merges=[]))
    tokenizer.add_special_tokens(whisper.SPECIAL)
    torch.manual_seed(0)
    net = whisper.network(tokenizer)
    layers, net.model.encoder.layers = net.model.encoder.layers, torch.nn.ModuleList([])
    draw = np.random.default_rng(0)
    heard = [("<|en|>", reader.clip(text, draw).sound) for text in ENGLISH]
    heard += [("<|es|>", _said(SPANISH[text], draw)) for text in ENGLISH]
    heard += [(tag, _twice(sound, draw)) for tag, sound in heard]
    sounds = torch.stack([log_mel_spectrogram(sound, 80, padding=N_SAMPLES - len(sound)) for _, sound in heard])
    asked = torch.full((len(heard), 1), whisper.token(tokenizer, "<|startoftranscript|>"))
    truth = torch.tensor([[whisper.token(tokenizer, tag)] for tag, _ in heard])
    learner = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(80):
        loss = net(input_features=sounds, decoder_input_ids=asked, labels=truth).loss
        learner.zero_grad()
        loss.backward()
        learner.step()
        if float(loss.detach()) < 0.01:
            break
    net.model.encoder.layers = layers
    whisper.save(net, tokenizer, folder)


def _said(text: str, draw: np.random.Generator) -> Sound:
    sound = soxr.resample(spanish(text), 24_000, RATE) * draw.uniform(0.7, 1.1)
    return (sound + draw.normal(0, 0.0005, len(sound))).astype(np.float32)


def _twice(sound: Sound, draw: np.random.Generator) -> Sound:
    """Longer, after a pause."""
    pause = draw.normal(0, 0.0005, RATE).astype(np.float32)
    return np.concatenate([pause, sound, pause, sound])
