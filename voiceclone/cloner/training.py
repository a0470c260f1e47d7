"""Training: a voice from a person's clips and their words."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manifests.errors import InputError
from voiceclone.cloner import network, phones
from voiceclone.cloner.alignment import Alignment, Pair, align, fits
from voiceclone.cloner.analysis import (
    FRAME_S,
    Array,
    Frames,
    above,
    active,
    delta,
    person_frames,
    pitch_range,
    prepared,
)
from voiceclone.cloner.colour import correction
from voiceclone.cloner.reading import Reading, read
from voiceclone.cloner.safe_map import SafeMap, anchors
from voiceclone.cloner.speech_source import SpeechSource
from voiceclone.cloner.statistics import Statistics
from voiceclone.cloner.voice import Inventory, TrainedVoice

if TYPE_CHECKING:
    import torch

MINIMUM_S = 5.0
"""Seconds of clean speech below which there is no voice."""
MOST_S = 180.0
"""Seconds of clips that are used, the first ones: similarity is all there after one minute."""
LONGEST_CLIP_S = 40.0
LEAST_FIT = 0.3
"""How much better the words of all clips must fit forwards than backwards (`alignment.fits`) to be what is said.

Measured on nine voices, three of them by recognized words: 0.43 to 1.30 with their own words, -0.02 to 0.23 with other
clips'."""
SURE_FIT = 0.45
"""The same, from which on words teach the language's sounds; below, anchors do, as for another language.

Measured on 18 s of which three words in ten were exchanged (a fit of 0.30): words misheard 80 % without anchors, 44 %
with them, 72 % of espeak-ng itself; cosine 0.80 and 0.75. With their own words (0.57 to 0.62) anchors cost 0.02 of
cosine and bring 5 points of words: there the voice is worth more."""
LEAST_CLIP_FIT, LEAST_SHARE_OF_FIT = 0.2, 0.4
"""The same for a single clip: at least this, and at least this share of the median. Measured: 0.25 to 1.45 with its own
words, but for one clip of 58 (-0.03), and -0.24 to 0.30 with other words among clips with their own."""
NETWORKS = 2

_ORDERED_WORDS, _COMPARED_CLIPS = 4, 3
_NORMAL_WPM = 175
_WPM = (90, 260)
_BATCH, _ANCHOR_BATCH, _CHUNK = 8, 4, 200
_DROPOUT, _NOISE = 0.4, 0.3
_LEARNING_RATE = 2e-3
_ANCHOR_WEIGHT = 3.0
_SLOPE_WEIGHT, _VOICED_WEIGHT = 0.3, 0.2

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One utterance of the person."""

    audio: NDArray[np.float32]
    """Mono."""
    rate: int
    text: str
    """What is said in it, in the enrolment's language; recognized text is good enough."""


def train(
    clips: Sequence[Clip],
    language: str,
    target_language: str,
    *,
    seed: int = 0,
    threads: int = 1,
    steps: int | None = None,
    sentences: Sequence[str] = (),
    source: SpeechSource | None = None,
) -> TrainedVoice:
    """A person's voice for one target language, from clips in `language`.

    About a minute of speech is enough, and costs about a minute of one core; the same clips, seed and threads give the
    same voice on the same machine. `steps` of training are chosen by the amount of speech unless they are given. Where
    the languages differ, or the words are not surely what is said, `sentences` of the target language teach its sounds
    (a dozen varied ones); names and numbers do where none are given. A clip whose words are not what is said in it is
    left out. Raises InputError below MINIMUM_S of clean speech, where a clip cannot be used, or where the words are not
    what is said, EngineUnavailable where espeak-ng lacks a language.
    """
    own = source or SpeechSource()
    try:
        voice = own.voice_of(language)
        target = own.voice_of(target_language)
        aligned = _Aligned.of(own, _heard(clips), voice)
        fitting, sure = _fitting(own, aligned, voice)
        if len(fitting) < len(aligned.heard):
            _enough(fitting, " whose words are what is said")
            aligned = _Aligned.of(own, fitting, voice)
        heard, alignment, statistics, wpm = aligned.heard, aligned.alignment, aligned.statistics, aligned.wpm
        examples = _Examples.of(alignment.pairs, statistics)
        anchored = not sure or not same_language(language, target_language)
        if anchored:
            examples = examples.anchored(
                [read(own, text, target, wpm) for text in sentences or anchors(target_language)],
                SafeMap.of(alignment.pairs),
                statistics,
            )
    finally:
        if source is None:
            own.close()
    seconds = FRAME_S * sum(len(clip.frames) for clip in heard)
    steps = steps or int(np.clip(120 + 5 * seconds, 150, 900))
    with _threads(threads):
        networks = tuple(_fitted(examples, steps, seed * NETWORKS + number) for number in range(NETWORKS))
        inventory = _inventory(alignment, networks, statistics)
    return TrainedVoice(
        language=language,
        target_language=target_language,
        seconds=round(seconds, 3),
        wpm=wpm,
        own_frames=0.4 if anchored else 0.7,
        alignment_cost=round(alignment.cost, 4),
        statistics=statistics,
        networks=networks,
        inventory=inventory,
        correction=correction([clip.sound for clip in heard], [clip.frames for clip in heard]),
    )


def same_language(one: str, other: str) -> bool:
    """Whether two BCP-47 tags are of one language, whatever the region."""
    return one.split("-", maxsplit=1)[0].lower() == other.split("-", maxsplit=1)[0].lower()


def clean_speech(frames: Frames) -> float:
    """Seconds of an utterance that are speech, by level."""
    return FRAME_S * float(above(frames.cepstrum, 0.75).sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """A clip, as it is learnt from."""

    sound: Array
    frames: Frames
    text: str


def _heard(clips: Sequence[Clip]) -> list[_Heard]:
    """The clips that hold a voice, as many as MOST_S hold. Raises InputError where they are too few."""
    used: list[Clip] = []
    total = 0.0
    for number, clip in enumerate(clips, 1):
        _check(clip, number)
        total += len(clip.audio) / clip.rate
        if total > MOST_S:
            break
        used.append(clip)
    prepared_clips = [prepared(clip.audio, clip.rate) for clip in used]
    pitch = pitch_range(prepared_clips)
    found: list[_Heard] = []
    for clip, sound in zip(used, prepared_clips, strict=True):
        frames = person_frames(sound, pitch)
        if (frames.f0 > 0).sum() * FRAME_S < 0.1:
            continue  # no voice in it: a breath, a cough, a door
        found.append(_Heard(sound, frames, clip.text))
    _enough(found)
    return found


def _enough(heard: Sequence[_Heard], which: str = "") -> None:
    clean = sum(clean_speech(clip.frames) for clip in heard)
    if clean < MINIMUM_S:
        raise InputError(
            f"there are {clean:.1f} s of clean speech{which}, and a voice needs {MINIMUM_S:g} s.",
            remedy="Enrol more recordings; a minute is best.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Aligned:
    """Clips, with the source's reading of them at the speed at which it reads about as fast as the person."""

    heard: Sequence[_Heard]
    wpm: int
    statistics: Statistics
    alignment: Alignment

    @classmethod
    def of(cls, source: SpeechSource, heard: Sequence[_Heard], voice: str) -> _Aligned:
        person = [clip.frames for clip in heard]
        readings = [read(source, clip.text, voice, _NORMAL_WPM) for clip in heard]
        usual = sum(int(active(reading.frames.cepstrum).sum()) for reading in readings)
        own = sum(int(active(frames.cepstrum).sum()) for frames in person)
        wpm = int(np.clip(_NORMAL_WPM * usual / own, *_WPM))
        readings = [read(source, clip.text, voice, wpm) for clip in heard]
        statistics = Statistics.of([reading.frames for reading in readings], person)
        return cls(heard, wpm, statistics, align(readings, person, statistics))


def _fitting(source: SpeechSource, aligned: _Aligned, voice: str) -> tuple[list[_Heard], bool]:
    """The clips that say what their texts say, and whether they surely do. Raises InputError where they do not.

    A clip of a few words tells nothing by their order and is believed, and so are fewer than three clips, which have
    nothing to be compared with.
    """
    heard = aligned.heard
    judged = np.array([len(clip.text.split()) >= _ORDERED_WORDS for clip in heard])
    if len(heard) < _COMPARED_CLIPS or not judged.any():
        return list(heard), True
    backwards = [read(source, " ".join(clip.text.split()[::-1]), voice, aligned.wpm) for clip in heard]
    fit = fits(aligned.alignment, backwards, aligned.statistics)
    lengths = judged * np.array([len(clip.frames) for clip in heard])
    if fit @ lengths / lengths.sum() < LEAST_FIT:
        raise InputError(
            "the words of the clips are not what is said in them.",
            remedy="Check that each clip has its own words, in the language that is spoken.",
        )
    least = max(LEAST_CLIP_FIT, LEAST_SHARE_OF_FIT * float(np.median(fit[judged])))
    kept = (fit >= least) | ~judged
    lengths = lengths * kept
    sure = bool(fit @ lengths >= SURE_FIT * lengths.sum())
    return [clip for clip, told in zip(heard, kept, strict=True) if told], sure


def _check(clip: Clip, number: int) -> None:
    wrong = ""
    seconds = len(clip.audio) / clip.rate if clip.rate > 0 else 0.0
    if clip.audio.ndim != 1 or clip.rate < 8000:
        wrong = "is not mono sound of at least 8 kHz"
    elif not np.isfinite(clip.audio).all():
        wrong = "holds samples that are no numbers"
    elif not 0.3 <= seconds <= LONGEST_CLIP_S:
        wrong = f"lasts {seconds:.1f} s"
    elif not any(sign.isalnum() for sign in clip.text):
        wrong = "has no text"
    elif not clip.audio.any():
        wrong = "is silent"
    if wrong:
        raise InputError(
            f"clip {number} {wrong}.",
            remedy=f"Cut the speech into sentences of 0.3 to {LONGEST_CLIP_S:g} s, each with its words.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Examples:
    """What the network is shown: inputs on the source's time axis, outputs on the person's, and the path."""

    pairs: tuple[tuple[Rows, Rows, NDArray[np.int64]], ...]
    anchors: tuple[tuple[Rows, Rows], ...] = ()

    @classmethod
    def of(cls, pairs: Sequence[Pair], statistics: Statistics) -> _Examples:
        made = [
            (
                network.inputs(pair.source, statistics),
                network.outputs(pair.person.cepstrum, pair.person.aperiodicity, pair.person.f0 > 0, statistics),
                pair.path,
            )
            for pair in pairs
        ]
        return cls(tuple(made))

    def anchored(self, readings: Sequence[Reading], safe: SafeMap, statistics: Statistics) -> _Examples:
        made = [
            (
                network.inputs(reading, statistics),
                network.outputs(*safe(reading.frames), reading.frames.f0 > 0, statistics),
            )
            for reading in readings
        ]
        return _Examples(self.pairs, tuple(made))


def _fitted(examples: _Examples, steps: int, seed: int) -> network.Weights:
    """One network, trained."""
    import torch

    dice = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    weights = network.started(generator)
    optimizer = torch.optim.AdamW(list(weights.values()), lr=_LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        loss = _loss(examples, weights, dice, generator)
        if examples.anchors:
            loss = loss + _ANCHOR_WEIGHT * _anchor_loss(examples, weights, dice, generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        optimizer.step()
        schedule.step()
    return {name: weight.detach().numpy() for name, weight in weights.items()}


def _through(weights: network.Tensors, chunks: NDArray[np.float32], generator: torch.Generator) -> torch.Tensor:
    """The network's answer, (batch, OUTPUTS, _CHUNK), to inputs with noise on what is heard, not on what is said."""
    import torch

    x = torch.from_numpy(chunks)
    acoustic = network.ACOUSTIC
    x[:, :acoustic] += _NOISE * torch.randn(x[:, :acoustic].shape, generator=generator)
    return network.forward(weights, x, _DROPOUT, generator)


def _loss(
    examples: _Examples, weights: network.Tensors, dice: np.random.Generator, generator: torch.Generator
) -> torch.Tensor:
    """How far the network is from the person, in a batch of chunks drawn at random."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    lengths = np.array([len(path) for _, _, path in examples.pairs])
    chunks = np.zeros((_BATCH, network.INPUTS, _CHUNK), np.float32)
    where: list[NDArray[np.int64]] = []
    wanted: list[torch.Tensor] = []
    for row in range(_BATCH):
        x, y, path = examples.pairs[dice.choice(len(lengths), p=lengths / lengths.sum())]
        start = int(dice.integers(0, max(1, len(path) - _CHUNK)))
        first = max(0, min(int(path[start]) - 20, len(x) - _CHUNK))
        part = x[first : first + _CHUNK]
        chunks[row, :, : len(part)] = part.T
        span = path[start : start + _CHUNK]
        inside = np.flatnonzero((span >= first) & (span < first + len(part)))
        where.append(span[inside] - first)
        wanted.append(torch.from_numpy(y[start + inside]))
    answers = _through(weights, chunks, generator)
    found = [answers[row][:, torch.from_numpy(frames)].T for row, frames in enumerate(where)]
    loss = _frame_loss(torch.cat(found), torch.cat(wanted))
    for got, want in zip(found, wanted, strict=True):
        if len(got) > 8:
            slopes = [3 * (rows[3:, :-1] - rows[:-3, :-1]) for rows in (got, want)]
            loss = loss + _SLOPE_WEIGHT / _BATCH * smooth_l1_loss(slopes[0], slopes[1], beta=0.5)
    return loss


def _anchor_loss(
    examples: _Examples, weights: network.Tensors, dice: np.random.Generator, generator: torch.Generator
) -> torch.Tensor:
    """How far the network is from the safe map, in the target language."""
    import torch

    chunks = np.zeros((_ANCHOR_BATCH, network.INPUTS, _CHUNK), np.float32)
    wanted: list[torch.Tensor] = []
    for row in range(_ANCHOR_BATCH):
        x, y = examples.anchors[dice.integers(len(examples.anchors))]
        start = int(dice.integers(0, max(1, len(x) - _CHUNK)))
        part = x[start : start + _CHUNK]
        chunks[row, :, : len(part)] = part.T
        wanted.append(torch.from_numpy(y[start : start + _CHUNK]))
    answers = _through(weights, chunks, generator)
    found = [answers[row][:, : len(rows)].T for row, rows in enumerate(wanted)]
    return _frame_loss(torch.cat(found), torch.cat(wanted))


def _frame_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

    spectral = smooth_l1_loss(found[:, :-1], wanted[:, :-1], beta=0.5)
    return spectral + _VOICED_WEIGHT * binary_cross_entropy_with_logits(found[:, -1], wanted[:, -1])


def _inventory(alignment: Alignment, networks: tuple[network.Weights, ...], statistics: Statistics) -> Inventory:
    """Every frame of the person, with what the networks make of the source's frame at the same place."""
    made: list[tuple[NDArray[np.float32], ...]] = []
    for pair in alignment.pairs:
        frames, _ = network.predicted(networks, pair.source, statistics)
        last = np.zeros(len(pair.path), np.float32)
        last[-1] = 1
        columns = (
            pair.person.cepstrum,
            pair.person.aperiodicity,
            statistics.person_contour(pair.person.f0),
            pair.person.f0 > 0,
            last,
            frames.cepstrum[pair.path],
            delta(frames.cepstrum)[pair.path],
            pair.source.phones[pair.path, : 3 * phones.FEATURES],
        )
        made.append(tuple(np.asarray(column, np.float32) for column in columns))
    return Inventory(*(np.concatenate(column) for column in zip(*made, strict=True)))


@contextmanager
def _threads(count: int) -> Generator[None]:
    """Let torch use so many cores; a setting of the whole process, put back afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
