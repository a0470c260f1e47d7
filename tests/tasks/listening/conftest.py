"""Tiny models that have really learned something, made once a session: nothing is downloaded.

A Whisper that says a handful of English sentences when it hears them, a wav2vec 2.0 that spells their words, and a
pyannote pipeline that knows two voices; each in the format and the folder in which the real one comes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from manifests.checkpoints import SEGMENTATION
from manifests.quiet import settle
from tasks.engines.listening_models import ALIGNERS, COMMUNITY, WHISPERS

RATE = 16_000
ENGLISH = ("Plants turn light into energy.", "Water moves through the stem.", "In 1984 the river froze.")
SPOKEN = {
    "Plants turn light into energy.": "plants turn light into energy",
    "Water moves through the stem.": "water moves through the stem",
    "In 1984 the river froze.": "in nineteen eighty four the river froze",
}
"""What is written, and what is said."""

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A sentence, spoken word by word, and when each of its spoken words starts and ends in it, in seconds."""

    text: str
    sound: Sound
    times: tuple[tuple[float, float], ...]


class Reader:
    """espeak-ng, word by word, so that it is known where each word is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said: dict[str, Sound] = {}

    def word(self, word: str) -> Sound:
        """A word without the quiet around it."""
        if word not in self._said:
            path = self._folder / "word.wav"
            subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", str(path), word], check=True, timeout=30)
            sound, rate = soundfile.read(path, dtype="float32")
            sound = soxr.resample(sound, rate, RATE).astype(np.float32)
            loud = np.flatnonzero(np.abs(sound) > 0.01)
            self._said[word] = sound[loud[0] : loud[-1] + 1]
        return self._said[word]

    def clip(self, text: str, draw: np.random.Generator) -> Clip:
        """A sentence with pauses of 60 to 160 ms between its words and 0.2 to 0.4 s of faint noise around it."""
        parts = [np.zeros(int(draw.uniform(0.2, 0.4) * RATE), np.float32)]
        times: list[tuple[float, float]] = []
        for word in SPOKEN.get(text, text).split():
            start = sum(map(len, parts)) / RATE
            sound = self.word(word)
            times.append((start, start + len(sound) / RATE))
            parts += [sound, np.zeros(int(draw.uniform(0.06, 0.16) * RATE), np.float32)]
        parts.append(np.zeros(int(draw.uniform(0.2, 0.4) * RATE), np.float32))
        whole = np.concatenate(parts) * draw.uniform(0.7, 1.1)
        return Clip(text, (whole + draw.normal(0, 0.0005, len(whole))).astype(np.float32), tuple(times))


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    settle()
    return Reader(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="session")
def models(reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that DUB_MODELS names, with everything in it that the engines that listen take for English."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    folder = tmp_path_factory.mktemp("models")
    try:
        tiny_whisper(reader, folder / WHISPERS[0].name)
        tiny_aligner(reader, folder / ALIGNERS[0].name)
        tiny_community(folder / COMMUNITY.name)
    finally:
        torch.set_num_threads(before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUB_MODELS", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def their_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests in this folder find them; and nothing may be fetched."""
    monkeypatch.setenv("DUB_MODELS", str(models))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def tiny_whisper(reader: Reader, folder: Path) -> None:
    """Train a Whisper until it says the sentences, and convert it to CTranslate2's format."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )
    from whisperx.audio import N_SAMPLES, log_mel_spectrogram

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([f" {text}" for text in ENGLISH], trainer)
    special = ["endoftext", "startoftranscript", "en", "es", "translate", "transcribe", "startoflm", "startofprev"]
    special = [f"<|{name}|>" for name in (*special, "nospeech", "notimestamps")]
    tokenizer.add_special_tokens(special)
    end, start, *_ = (tokenizer.token_to_id(name) for name in special)
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(), num_mel_bins=80, d_model=64, encoder_layers=1, encoder_ffn_dim=64,
        encoder_attention_heads=2, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=128, dropout=0.0,
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start, suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    torch.manual_seed(0)
    net = WhisperForConditionalGeneration(config)
    layers = net.model.encoder.layers
    for layer in layers:  # it adds nothing: attention over half a minute is not trained in seconds
        for part in (layer.self_attn.out_proj, layer.fc2):
            torch.nn.init.zeros_(part.weight)
            torch.nn.init.zeros_(part.bias)
    net.model.encoder.layers = torch.nn.ModuleList([])
    draw = np.random.default_rng(0)
    batches = [[_lesson(tokenizer, reader.clip(text, draw)) for text in ENGLISH] for _ in range(6)]
    sounds = [
        torch.stack([log_mel_spectrogram(sound, 80, padding=N_SAMPLES - len(sound)) for sound, _ in batch])
        for batch in batches
    ]
    longest = max(len(said) for _, said in batches[0])
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(240):
        at = step % len(batches)
        inputs = [said[:-1] + [end] * (longest - len(said)) for _, said in batches[at]]
        labels = [[-100, *said[2:]] + [-100] * (longest - len(said)) for _, said in batches[at]]
        found = net(input_features=sounds[at], decoder_input_ids=torch.tensor(inputs), labels=torch.tensor(labels))
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
        if float(found.loss.detach()) < 0.01:
            break
    net.model.encoder.layers = layers
    net.generation_config = GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[],
        alignment_heads=[[0, 0]],
        lang_to_id={name: tokenizer.token_to_id(name) for name in ("<|en|>", "<|es|>")},
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    hub = folder.with_name("hub-whisper")
    net.save_pretrained(hub)
    WhisperFeatureExtractor().save_pretrained(hub)
    names = {f"{kind}_token": special[0] for kind in ("unk", "bos", "eos", "pad")}
    WhisperTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=special[1:], **names).save_pretrained(
        hub
    )
    TransformersConverter(str(hub), copy_files=["preprocessor_config.json"]).convert(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    shutil.rmtree(hub)


def _lesson(tokenizer: Any, clip: Clip) -> tuple[Sound, list[int]]:
    """What Whisper hears and what it then says, from its first token on."""
    prompt = ["<|startoftranscript|>", "<|notimestamps|>"]
    text = tokenizer.encode(f" {clip.text}").ids
    return clip.sound, [*map(tokenizer.token_to_id, prompt), *text, tokenizer.token_to_id("<|endoftext|>")]


LETTERS = ["<pad>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]


def tiny_aligner(reader: Reader, folder: Path) -> None:
    """Train a wav2vec 2.0 network to spell the words frame by frame, and save it as transformers does."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    folder.mkdir()
    config = Wav2Vec2Config(
        vocab_size=len(LETTERS), hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=128,
        conv_dim=(48,) * 7, conv_bias=True, feat_extract_norm="layer", num_conv_pos_embeddings=16,
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


def voice_of(folder: Path, name: str, text: str) -> Sound:
    """A sentence by a flite voice, 16 kHz, at an RMS of 0.05."""
    path = folder / "said.wav"
    subprocess.run(["flite", "-voice", name, "-t", text, "-o", str(path)], check=True, timeout=30)
    sound, rate = soundfile.read(path, dtype="float32")
    sound = soxr.resample(sound, rate, RATE)
    return (sound * (0.05 / np.sqrt(np.mean(sound**2)))).astype(np.float32)


@pytest.fixture(scope="session")
def flite() -> Callable[[Path, str, str], Sound]:
    """Say a sentence with a flite voice: a folder for the file, the voice, the text."""
    return voice_of


TAUGHT = (
    "The quick brown fox jumps over the lazy dog near the river bank today.",
    "She sells many sea shells by the shore and counts them in the evening.",
    "Every morning the old train leaves the station at a quarter past seven.",
)


def tiny_community(folder: Path) -> None:
    """pyannote's folder: whisperx's segmentation, WeSpeaker's network with a last layer that parts two voices.

    The last layer is a linear discriminant, fitted on sentences that no test uses; PLDA takes voices as they are.
    """
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    for part in ("segmentation", "embedding", "plda"):
        (folder / part).mkdir(parents=True)
    shutil.copyfile(SEGMENTATION.path(), folder / "segmentation" / "pytorch_model.bin")
    torch.manual_seed(0)
    net = WeSpeakerResNet34().eval()
    net.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    stats: list[Any] = []
    taken = net.resnet.pool.register_forward_hook(lambda _module, _given, made: stats.append(made))
    sides: list[float] = []
    with torch.inference_mode():
        for text in TAUGHT:
            for side, name in ((1.0, "slt"), (-1.0, "rms")):
                sound = voice_of(folder, name, text)
                for at in range(0, len(sound) - RATE, RATE):
                    net(torch.from_numpy(sound[at : at + RATE * 3 // 2])[None, None])
                    sides.append(side)
    taken.remove()
    (folder / "said.wav").unlink()
    heard = torch.cat(stats).numpy().astype(np.float64)
    direction, middle = _discriminant(heard, np.array(sides))
    with torch.no_grad():
        last = net.resnet.seg_1
        last.weight *= 1e-4
        last.bias.zero_()
        last.weight[0] = torch.from_numpy(direction.astype(np.float32))
        last.bias[0] = float(-direction @ middle)
    checkpoint: dict[str, Any] = {
        "state_dict": net.state_dict(),
        "hyper_parameters": dict(net.hparams),
        "pytorch-lightning_version": "2.0.0",
    }
    net.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "embedding" / "pytorch_model.bin")
    lda = np.eye(256)[:, :128]
    np.savez(folder / "plda" / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=lda)
    np.savez(folder / "plda" / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(20.0, 1.0, 128))
    (folder / "config.yaml").write_text(COMMUNITY_CONFIG, encoding="utf-8")


COMMUNITY_CONFIG = """\
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_step: 0.5
    segmentation_batch_size: 8
    embedding: $model/embedding
    embedding_batch_size: 8
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  segmentation: {threshold: 0.5, min_duration_off: 0.0}
  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}
"""


def _discriminant(heard: NDArray[np.float64], sides: NDArray[np.float64]) -> tuple[Any, Any]:
    """The direction on which the sides lie at about +1 and -1, and the point between them (ridge regression)."""
    middle = heard.mean(axis=0)
    centred = heard - middle
    gram = centred @ centred.T
    weights = np.linalg.solve(gram + 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram)), sides - sides.mean())
    return centred.T @ weights, middle


@pytest.fixture(scope="session")
def lecture() -> Callable[..., tuple[tuple[float, float], ...]]:
    """Write clips one after the other into a file: where it is, the clips, and the seconds of quiet between them."""
    return _lecture


def _lecture(path: Path, clips: Sequence[Clip], gap_s: float = 0.8) -> tuple[tuple[float, float], ...]:
    """From when to when each clip is, in seconds."""
    parts, spans = [np.zeros(RATE // 2, np.float32)], []
    at = len(parts[0])
    for clip in clips:
        spans.append((at / RATE, (at + len(clip.sound)) / RATE))
        parts += [clip.sound, np.zeros(round(gap_s * RATE), np.float32)]
        at += len(parts[-2]) + len(parts[-1])
    whole = np.concatenate(parts)
    noise = np.random.default_rng(9).normal(0, 0.0003, len(whole))
    soundfile.write(path, np.clip(whole + noise, -1, 1), RATE, subtype="PCM_16")
    return tuple(spans)
