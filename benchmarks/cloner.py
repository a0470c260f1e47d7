"""How much a cloned voice sounds like its person, how well it is understood, and what it costs.

    .venv/bin/python benchmarks/cloner.py FOLDER [--language en] [--target en] [--others FOLDER ...]
        [--json FILE] [--picture FILE]

    e.g. .venv/bin/python benchmarks/cloner.py LJSpeech/wavs --others speakers --target es

FOLDER holds one person's clips, a sentence each; `metadata.csv` in it (`name|text|...`) gives their words, and what
lacks them is recognized (English only). The first clips are learnt from, up to a minute, and the last held out; with
`--learn-last` it is the other way round.

* SECS: cosine between Resemblyzer's embedding of an utterance and the mean of the held-out clips; 1 is the same. Next
  to it stand the person's own clips that were learnt from, the held-out ones through the vocoder and back, the same
  sentences by espeak-ng, and other people, one a file. It can be deceived (nonsense in the right timbre scores well).
* rank 1: share of the sentences that are nearer to the person than to every one of the other people.
* WER: words that pocketsphinx gets wrong, in English, as a share; `closed` with no more than the words of the test and
  no grammar, `open` with its own. espeak-ng itself is hard for it: compare, do not read.
* MCD: mel-cepstral distortion in dB along a warped path, without the level, over louder frames; lower is nearer.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from voiceclone.cloner.alignment import warp
from voiceclone.cloner.analysis import RATE, Frames, active, envelope_of, person_frames, prepared, sounded
from voiceclone.cloner.clips import Clip
from voiceclone.cloner.speaking import speak
from voiceclone.cloner.speech_source import SpeechSource
from voiceclone.cloner.training import same_language, train

Mono = NDArray[np.float32]

SENTENCES = {
    # Harvard sentences (IEEE 1969), lists 1 and 2
    "en": (
        "The birch canoe slid on the smooth planks.",
        "Glue the sheet to the dark blue background.",
        "It's easy to tell the depth of a well.",
        "These days a chicken leg is a rare dish.",
        "Rice is often served in round bowls.",
        "The juice of lemons makes fine punch.",
        "The box was thrown beside the parked truck.",
        "The hogs were fed chopped corn and garbage.",
        "Four hours of steady work faced us.",
        "A large size in stockings is hard to sell.",
        "The boy was there when the sun rose.",
        "A rod is used to catch pink salmon.",
        "The source of the huge river is the clear spring.",
        "Kick the ball straight and follow through.",
        "Help the woman get back to her feet.",
        "A pot of tea helps to pass the evening.",
        "Smoky fires lack flame and heat.",
        "The soft cushion broke the man's fall.",
        "The salt breeze came across from the sea.",
        "The girl at the booth sold fifty bonds.",
    ),
    "es": (
        "La célula es la unidad básica de todos los seres vivos.",
        "El agua hierve a cien grados al nivel del mar.",
        "Las plantas convierten la luz del sol en azúcar.",
        "Hoy vamos a estudiar cómo funciona el corazón.",
        "El guitarrista tocó una canción antigua y muy triste.",
        "Los niños jugaban en el jardín mientras llovía.",
        "Cada mañana un perro pequeño ladra junto al río.",
        "La historia de este pueblo empezó hace mil años.",
    ),
}


@dataclass(frozen=True)
class Row:
    """One kind of sound in the table."""

    secs: float
    worst: float
    seconds: float


class Ear:
    """Resemblyzer's idea of who speaks."""

    def __init__(self) -> None:
        self._package: Any = importlib.import_module("resemblyzer")
        self._encoder = self._package.VoiceEncoder("cpu", verbose=False)

    def hear(self, sound: Mono, rate: int) -> NDArray[np.float32]:
        return self._encoder.embed_utterance(self._package.preprocess_wav(sound, source_sr=rate))


class Recognizer:
    """pocketsphinx in English, with its own grammar or with nothing but a list of words."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        package: Any = importlib.import_module("pocketsphinx")
        grammar: dict[str, Any] = {}
        if words:
            self._folder = tempfile.TemporaryDirectory()
            path = Path(self._folder.name) / "words.lm"
            share = -np.log10(len(words) + 1)
            rows = [f"{share:.4f} {word}" for word in [*sorted(words), "</s>"]] + ["-99 <s>"]
            path.write_text("\\data\\\nngram 1=" + f"{len(rows)}\n\n\\1-grams:\n" + "\n".join(rows) + "\n\n\\end\\\n")
            grammar["lm"] = str(path)
        self._decoder = package.Decoder(loglevel="FATAL", **grammar)

    def known(self, word: str) -> bool:
        return self._decoder.lookup_word(word) is not None

    def words(self, sound: Mono, rate: int) -> list[str]:
        quiet = np.zeros(3200)
        heard = np.concatenate([quiet, soxr.resample(sound.astype(np.float64), rate, 16_000), quiet])
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw((np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr.split() if found else []


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower().replace("-", " "))


def errors(said: list[str], heard: list[str]) -> int:
    """Words that were left out, put in or exchanged."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def distortion(one: Frames, other: Frames) -> float:
    """Mel-cepstral distortion in dB (Kubichek 1993), coefficients 1 to 24."""
    a, b = one.cepstrum[:, :25], other.cepstrum[:, :25]
    path, _ = warp((a - a.mean(0)) / a.std(0), (b - b.mean(0)) / b.std(0))
    apart = a[np.round(path).astype(int)] - b
    loud = active(b)
    # 10 / ln 10: WORLD codes the natural logarithm of power.
    return float(4.343 * np.sqrt((apart[loud, 1:] ** 2).sum(1)).mean())


@dataclass(frozen=True)
class Recording:
    """One of the person's clips."""

    sound: Mono
    rate: int
    text: str
    exact: bool
    """Whether the text was given, not recognized."""


def clips_of(folder: Path, language: str) -> list[Recording]:
    texts: dict[str, str] = {}
    if (table := folder / "metadata.csv").is_file():
        texts = {row.split("|")[0]: row.split("|")[-1] for row in table.read_text().splitlines() if "|" in row}
    recognizer = Recognizer() if language.startswith("en") else None
    found: list[Recording] = []
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".wav", ".flac")):
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = sound.mean(axis=1)
        text = texts.get(path.stem, "")
        if not text and recognizer:
            text = " ".join(recognizer.words(mono, rate))
        if text:
            found.append(Recording(mono, rate, text, path.stem in texts))
    return found


def draw(sounds: dict[str, tuple[Mono, int]], path: Path) -> None:
    """Spectrograms below one another."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(len(sounds), 1, figsize=(12, 3 * len(sounds)), constrained_layout=True)
    for axis, (name, (sound, rate)) in zip(axes, sounds.items(), strict=True):
        hiss = 1e-6 * np.random.default_rng(0).standard_normal(len(sound))  # else silence has no logarithm
        axis.specgram(sound + hiss, NFFT=512, Fs=rate, noverlap=384, vmin=-140, vmax=-40)
        axis.set(title=name, ylim=(0, 8000), ylabel="Hz")
    axes[-1].set_xlabel("s")
    figure.savefig(path, dpi=80)


@dataclass(frozen=True)
class Trial:
    """What was made, and what it cost."""

    learnt: list[Clip]
    held_out: list[Recording]
    texts: list[str]
    own_texts: int
    """So many of the texts, the first, are what the held-out clips say."""
    cloned: list[tuple[Any, int]]
    stock: list[tuple[Any, int]]
    costs: dict[str, Any]


def attempt(asked: argparse.Namespace) -> Trial:
    clips = clips_of(asked.folder, asked.language)
    held_out = clips[: asked.held_out] if asked.learn_last else clips[-asked.held_out :]
    learnt: list[Clip] = []
    for clip in clips[asked.held_out :] if asked.learn_last else clips[: -asked.held_out]:
        if sum(len(clip.audio) / clip.rate for clip in learnt) < asked.seconds:
            learnt.append(Clip(clip.sound, clip.rate, clip.text))
    same = same_language(asked.language, asked.target)
    own_texts = [clip.text for clip in held_out] if same else []
    texts = [*own_texts, *SENTENCES[asked.target.split("-", maxsplit=1)[0]]]
    with SpeechSource() as source:
        before = time.process_time()
        voice = train(learnt, asked.language, asked.target, seed=asked.seed, steps=asked.steps, source=source)
        enrol_s = time.process_time() - before
        stock = [source.say(text, source.voice_of(asked.target), voice.wpm) for text in texts]
        before = time.process_time()
        cloned = [speak(voice, text, asked.target, source=source) for text in texts]
        speak_s = time.process_time() - before
    costs = {
        "learnt_s": round(voice.seconds, 1),
        "enrol_cpu_s": round(enrol_s, 1),
        "speak_cpu_s_per_s": round(speak_s / sum(len(sound) / rate for sound, rate in cloned), 3),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "alignment_cost": voice.alignment_cost,
        "digest": voice.digest,
    }
    said = [(one.audio.astype(np.float32), one.rate) for one in stock]
    return Trial(learnt, held_out, texts, len(own_texts), cloned, said, costs)


def similarity(trial: Trial, others: Sequence[Path]) -> tuple[dict[str, Row], dict[str, float], list[Frames]]:
    """The table of SECS, the shares of sentences that rank first, and the held-out clips as frames."""
    ear = Ear()
    centre = np.mean([ear.hear(clip.sound, clip.rate) for clip in trial.held_out], axis=0)
    centre /= np.linalg.norm(centre)
    real = [person_frames(prepared(clip.sound, clip.rate)) for clip in trial.held_out]
    copies = [sounded(frames.f0, envelope_of(frames.cepstrum), frames.aperiodicity) for frames in real]
    kinds = {"cloned, all sentences": trial.cloned, "espeak-ng, all sentences": trial.stock}
    if trial.own_texts:
        kinds["cloned, held-out sentences"] = trial.cloned[: trial.own_texts]
        kinds["espeak-ng, held-out sentences"] = trial.stock[: trial.own_texts]
    kinds["own clips that were learnt"] = [(clip.audio, clip.rate) for clip in trial.learnt]
    kinds["own held-out clips, vocoded"] = [(copy.astype(np.float32), RATE) for copy in copies]
    strangers: set[str] = set()
    for folder in others:
        paths = [path for path in sorted(folder.iterdir()) if path.suffix in (".wav", ".flac")]
        found = [soundfile.read(path, dtype="float32", always_2d=True) for path in paths]
        for path, (sound, rate) in zip(paths, found, strict=True):
            strangers.add(name := f"another: {folder.name}/{path.stem}")
            kinds[name] = [(sound.mean(axis=1), rate)]
    heard = {kind: np.array([ear.hear(sound, rate) for sound, rate in sounds]) for kind, sounds in kinds.items()}
    rows: dict[str, Row] = {}
    for kind, sounds in kinds.items():
        near = heard[kind] @ centre
        length = sum(len(sound) / rate for sound, rate in sounds)
        rows[kind] = Row(round(float(near.mean()), 3), round(float(near.min()), 3), round(length, 1))
    first: dict[str, float] = {}
    if strangers:
        crowd = np.concatenate([heard[name] for name in sorted(strangers)])
        for kind in ("cloned", "espeak-ng"):
            said = heard[f"{kind}, all sentences"]
            first[f"rank 1 {kind}"] = round(float((said @ centre > (said @ crowd.T).max(axis=1)).mean()), 3)
    return rows, first, real


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--target", default="en", choices=sorted(SENTENCES))
    parser.add_argument("--others", nargs="*", type=Path, default=[], help="folders of other people's clips")
    parser.add_argument("--held-out", type=int, default=6, help="clips that are not learnt from")
    parser.add_argument("--learn-last", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0, help="of speech that are learnt from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="of training, instead of what the amount of speech asks for")
    parser.add_argument("--no-words", action="store_true", help="leave recognition out, which takes longest")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    parser.add_argument("--picture", type=Path, help="write spectrograms there, as PNG")
    parser.add_argument("--sounds", type=Path, help="write what was said there, as WAV")
    asked = parser.parse_args()

    trial = attempt(asked)
    rows, first, real = similarity(trial, asked.others)
    facts = trial.costs | first
    if trial.own_texts:
        for name, sounds in (("cloned", trial.cloned), ("espeak-ng", trial.stock)):
            made = [person_frames(prepared(*sound)) for sound in sounds[: trial.own_texts]]
            apart = [distortion(one, other) for one, other in zip(made, real, strict=True)]
            facts[f"mcd_db {name}"] = round(float(np.mean(apart)), 2)
    if asked.target == "en" and not asked.no_words:
        facts |= wer(trial)
    print(f"{'':40}{'SECS':>8}{'worst':>8}{'seconds':>9}")
    for kind, row in rows.items():
        print(f"{kind:40}{row.secs:8.3f}{row.worst:8.3f}{row.seconds:9.1f}")
    for name, value in facts.items():
        print(f"{name:40}{value}")
    if asked.json:
        table = {kind: vars(row) for kind, row in rows.items()}
        asked.json.write_text(json.dumps({"secs": table, **facts}, indent=1) + "\n")
    if asked.picture:
        first = trial.held_out[0]
        shown = {"espeak-ng": trial.stock[0], "cloned": trial.cloned[0], "the person": (first.sound, first.rate)}
        draw(shown, asked.picture)
    if asked.sounds:
        asked.sounds.mkdir(parents=True, exist_ok=True)
        for number, (sound, rate) in enumerate(trial.cloned):
            soundfile.write(asked.sounds / f"{number:02d}.wav", sound, rate)


def wer(trial: Trial) -> dict[str, float]:
    """Share of words that were misheard, for each kind of sound and grammar; only where the words are surely known."""
    opened = Recognizer()
    sure = [i for i in range(len(trial.texts)) if i >= trial.own_texts or trial.held_out[i].exact]
    known = {word for i in sure for word in words_of(trial.texts[i]) if opened.known(word)}
    closed = Recognizer(sorted(known))
    spoken = {name: [(sounds[i], trial.texts[i]) for i in sure] for name, sounds in _spoken(trial).items()}
    own = [((clip.sound, clip.rate), clip.text) for clip in trial.held_out if clip.exact and trial.own_texts]
    if own:
        spoken["the person"] = own
    found: dict[str, float] = {}
    for grammar, recognizer in (("open", opened), ("closed", closed)):
        for kind, pairs in spoken.items():
            wrong = sum(errors(words_of(text), recognizer.words(*sound)) for sound, text in pairs)
            found[f"wer {grammar} {kind}"] = round(wrong / sum(len(words_of(text)) for _, text in pairs), 3)
    return found


def _spoken(trial: Trial) -> dict[str, list[tuple[Any, int]]]:
    return {"cloned": trial.cloned, "espeak-ng": trial.stock}


if __name__ == "__main__":
    main()
