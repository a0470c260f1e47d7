"""A wav2vec 2.0 that spells the words of those sentences frame by frame, as transformers saves it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tiny.speech import ENGLISH, SPOKEN, Clip, Reader, Sound

LETTERS = ["<pad>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]


def make(reader: Reader, folder: Path) -> None:
    """Train a wav2vec 2.0 network to spell the words frame by frame, and save it as transformers does."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    folder.mkdir()
    config = Wav2Vec2Config(
        vocab_size=len(LETTERS), hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=128,
        conv_dim=(16, 24, 32, 48, 48, 48, 48), conv_bias=True, feat_extract_norm="layer", num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4, hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
        feat_proj_dropout=0.0, final_dropout=0.0, layerdrop=0.0, apply_spec_augment=False, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    net = Wav2Vec2ForCTC(config).train()
    draw = np.random.default_rng(1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    words = sorted({word for text in ENGLISH for word in SPOKEN[text].split()})
    for _ in range(220):
        clips = [reader.clip(" ".join(draw.permutation(words)[:5]), draw) for _ in range(4)]
        length = max(len(clip.sound) for clip in clips)
        waves = np.stack([np.pad(_levelled(clip.sound), (0, length - len(clip.sound))) for clip in clips])
        scores = net(torch.from_numpy(waves)).logits
        truth = torch.tensor([_spelled(clip, scores.shape[1]) for clip in clips])
        loss = torch.nn.functional.cross_entropy(scores.transpose(1, 2), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if float(loss.detach()) < 0.12:
            break
    net.eval().save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({letter: at for at, letter in enumerate(LETTERS)}), encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), bos_token=None, eos_token=None)
    tokenizer.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)


def _levelled(sound: Sound) -> Sound:
    return ((sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)).astype(np.float32)


def _spelled(clip: Clip, frames: int) -> list[int]:
    """The letter of each frame of 20 ms: a word's in equal shares of its time, `|` between words, blank around them."""
    out = np.zeros(frames, int)
    edges = [(round(start * 50), round(end * 50)) for start, end in clip.times]
    out[edges[0][0] : edges[-1][1]] = LETTERS.index("|")
    for word, (first, last) in zip(SPOKEN.get(clip.text, clip.text).split(), edges, strict=True):
        for at in range(first, min(last, frames)):
            out[at] = LETTERS.index(word[(at - first) * len(word) // (last - first)])
    return out.tolist()
