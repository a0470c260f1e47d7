"""Training: a voice from a person's clips and their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voiceclone.cloner import network, phones
from voiceclone.cloner.alignment import Alignment
from voiceclone.cloner.analysis import FRAME_S, delta
from voiceclone.cloner.clips import Aligned, Clip, enough, fitting, heard_in
from voiceclone.cloner.colour import correction
from voiceclone.cloner.learning import Examples, fitted
from voiceclone.cloner.reading import read
from voiceclone.cloner.safe_map import SafeMap, anchors
from voiceclone.cloner.speech_source import SpeechSource
from voiceclone.cloner.statistics import Statistics
from voiceclone.cloner.voice import Inventory, TrainedVoice
from voiceclone.threads import torch_threads

NETWORKS = 2


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
        aligned = Aligned.of(own, heard_in(clips), voice)
        said, sure = fitting(own, aligned, voice)
        if len(said) < len(aligned.heard):
            enough(said, " whose words are what is said")
            aligned = Aligned.of(own, said, voice)
        heard, alignment, statistics, wpm = aligned.heard, aligned.alignment, aligned.statistics, aligned.wpm
        examples = Examples.of(alignment.pairs, statistics)
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
    with torch_threads(max(1, threads)):
        networks = tuple(fitted(examples, steps, seed * NETWORKS + number) for number in range(NETWORKS))
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
