"""Whisper and a CTC aligner, really trained and really loaded: the words that are said, when they are said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from manifests.cues import Cue
from manifests.errors import EngineUnavailable, InputError
from manifests.script import Diarization, Speaker, Turn, Word
from manifests.spans import Span, merged
from tasks.engines.protocols import Hearing
from tasks.engines.whisper_words import within, written
from tasks.engines.whisperx import WhisperX
from tasks.transcribe import transcribe

pytestmark = pytest.mark.slow  # three small networks are trained first, once a session

TEXTS = ("Water moves through the stem.", "In 1984 the river froze.", "Plants turn light into energy.")
ENGLISH = Hearing("en", "whisperx")


class Talk:
    """A sound file, the stretches with speech, and when each spoken word starts."""

    def __init__(self, path: Path, clips: list[Any], spans: tuple[tuple[float, float], ...]) -> None:
        self.path = path
        self.parts = tuple(Span.of_seconds(start, end) for start, end in spans)
        self.words = [
            [(start + first, start + last) for first, last in clip.times]
            for clip, (start, _) in zip(clips, spans, strict=True)
        ]
        turns = tuple(
            Turn("SPEAKER_00", Span.of_seconds(words[0][0] - 0.05, words[-1][1] + 0.05)) for words in self.words
        )
        self.diarization = Diarization((Speaker("SPEAKER_00", None, 0.0),), turns, merged(turn.span for turn in turns))


@pytest.fixture(scope="module")
def talk(reader: Any, lecture: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """Three sentences that Whisper was trained on, spoken with other pauses than in its training."""
    draw = np.random.default_rng(77)
    clips = [reader.clip(text, draw) for text in TEXTS]
    path = tmp_path_factory.mktemp("talk") / "speech.wav"
    return Talk(path, clips, lecture(path, clips))


def heard(talk: Talk, wanted: Hearing = ENGLISH, cores: int = 2) -> tuple[Word, ...]:
    return WhisperX().recognize(talk.path, talk.parts, wanted, cores=cores, tell=lambda share: None)


@pytest.fixture(scope="module")
def words(talk: Talk, models: Path) -> tuple[Word, ...]:
    return heard(talk)


def test_the_words_are_the_ones_that_are_said(words: tuple[Word, ...]) -> None:
    """As Whisper writes them: capitals, signs, digits."""
    assert " ".join(word.text for word in words) == " ".join(TEXTS)
    assert all(0.3 < word.confidence <= 1 for word in words)


def test_each_word_starts_where_it_is_said(words: tuple[Word, ...], talk: Talk) -> None:
    """Within 40 ms for most and 120 ms for all, against the times that the sound was made from; digits too."""
    said = iter([word for sentence in talk.words for word in sentence])
    errors: list[float] = []
    for word in words:
        many = 3 if word.text == "1984" else 1  # nineteen eighty four
        first, *_ = times = [next(said) for _ in range(many)]
        errors += [abs(word.span.start_s - first[0]), abs(word.span.end_s - times[-1][1])]
    assert float(np.median(errors)) <= 0.04
    assert max(errors) <= 0.12


def test_the_answer_does_not_depend_on_the_batch(words: tuple[Word, ...], talk: Talk) -> None:
    """One stretch at a time or all at once."""
    assert heard(talk, replace(ENGLISH, options={"batch": 1})) == words


def test_a_full_gpu_halves_the_batch_says_so_and_goes_on(
    words: tuple[Word, ...], talk: Talk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The library's own call runs out of memory at more than one stretch: the words are the same in the end."""
    from whisperx.asr import WhisperModel

    sizes: list[int] = []
    real = WhisperModel.encode

    def encode(self: Any, features: Any) -> Any:
        sizes.append(len(features))
        if len(features) > 1 and features.ndim == 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(self, features)

    monkeypatch.setattr(WhisperModel, "encode", encode)
    with caplog.at_level(logging.WARNING):
        assert heard(talk) == words
    assert "transcribe: the GPU's memory is full at 3 parts at a time; going on with 1" in caplog.text
    assert sizes.count(3) == 1


def test_a_gpu_too_small_for_one_part_is_the_operators_to_mend(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTranslate2 says it in its own words; the remedy is a command or a smaller model."""
    from whisperx.asr import WhisperModel

    def encode(self: Any, features: Any) -> Any:
        raise RuntimeError("CUDA failed with error out of memory")

    monkeypatch.setattr(WhisperModel, "encode", encode)
    with pytest.raises(EngineUnavailable, match=r"too little memory to transcribe.*CUDA_VISIBLE_DEVICES="):
        heard(talk, replace(ENGLISH, options={"language": "en"}))


def test_a_gpu_too_small_to_align_one_part_is_the_operators_to_mend(
    talk: Talk, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The aligner takes one stretch at a time, so there is nothing to halve."""
    from transformers import Wav2Vec2ForCTC

    def forward(self: Any, *_: Any, **__: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Wav2Vec2ForCTC, "forward", forward)
    with pytest.raises(EngineUnavailable, match=r"too little memory to align.*CUDA_VISIBLE_DEVICES="):
        heard(talk)


def test_nothing_is_made_up_for_a_scrap_of_sound(talk: Talk) -> None:
    """Whisper writes a sentence for a tenth of a second, too; nobody can have said it in that time."""
    start = talk.words[0][1][0]
    scrap = (Span.of_seconds(start, start + 0.1),)
    assert WhisperX().recognize(talk.path, scrap, ENGLISH, cores=1, tell=lambda share: None) == ()


def test_utterances_read_as_whisper_wrote_them(talk: Talk) -> None:
    """Through the stage: its sentences, one an utterance, within 50 ms of the voice."""
    script = transcribe(talk.path, talk.diarization, ENGLISH, cores=2)
    assert [one.text for one in script.utterances] == list(TEXTS)
    for one, times in zip(script.utterances, talk.words, strict=True):
        assert abs(one.span.start_s - times[0][0]) <= 0.05
        assert abs(one.span.end_s - times[-1][1]) <= 0.08


def test_captions_get_the_times_of_the_voice(talk: Talk) -> None:
    """Their text, whatever their own times say; what Whisper writes with digits is matched as it is said."""
    texts = ("Water moves, through the stem!", "In 1984, the river froze.", "Plants turn light into energy")
    cues = [Cue(100.0 + at, 101.0 + at, (text,), None, at) for at, text in enumerate(texts, 1)]
    script = transcribe(talk.path, talk.diarization, ENGLISH, captions=cues, cores=2)
    assert [one.text for one in script.utterances] == list(texts)
    assert not [flag for one in script.utterances for flag in one.flags if "captions" in flag]
    starts = [word.span.start_s for word in script.utterances[2].words]
    assert starts == pytest.approx([start for start, _ in talk.words[2]], abs=0.12)


def test_what_is_said_for_longer_than_whisper_hears_is_cut_where_it_is_quiet(
    reader: Any, lecture: Callable[..., Any], tmp_path: Path
) -> None:
    """No piece is over half a minute, none is lost, and no cut goes through a word."""
    draw = np.random.default_rng(6)
    clips = [reader.clip(text, draw) for text in TEXTS * 5]
    path = tmp_path / "speech.wav"
    spans = lecture(path, clips, gap_s=0.1)
    whole = Span.of_seconds(spans[0][0], spans[-1][1])
    pieces = within(path, whole)
    assert len(pieces) > 1
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    assert (pieces[0].start, pieces[-1].end) == (whole.start, whole.end)
    assert all(piece.length_s <= 30 for piece in pieces)
    words = [(start + a, start + b) for clip, (start, _) in zip(clips, spans, strict=True) for a, b in clip.times]
    assert not [cut for piece in pieces[1:] for a, b in words if a < (cut := piece.start_s) < b]


def test_signs_alone_belong_to_the_word_beside_them() -> None:
    """Nothing is said of a dash; numbers are said in the language's words."""
    assert [(word.text, word.said) for word in written("— Yes – in 21 days.", "en")] == [
        ("— Yes –", ("yes",)),
        ("in", ("in",)),
        ("21", ("twenty", "one")),
        ("days.", ("days",)),
    ]
    assert [word.said for word in written("¡Son 21 años!", "es")] == [("son",), ("veintiuno",), ("años",)]
    assert [word.text for word in written("你好 世界。", "zh")] == ["你", "好", "世", "界。"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beams": 5}, "has no option `beams`"),
        ({"batch": "many"}, "`batch` of the engine whisperx is 'many'; it is a whole number from 1"),
        ({"batch": True}, "`batch` of the engine whisperx is True"),
    ],
)
def test_an_option_that_is_none_is_refused(options: dict[str, Any], said: str) -> None:
    """Before any work, by name."""
    with pytest.raises(InputError, match=said):
        WhisperX().check(replace(ENGLISH, options=options))


def test_a_language_without_an_aligner_says_how_to_bring_one() -> None:
    """Times are never guessed instead."""
    with pytest.raises(EngineUnavailable, match=r"no aligner is known for 'cy'.*options: \{aligner: FOLDER\}"):
        WhisperX().check(Hearing("cy", "whisperx"))


def test_other_weights_are_another_engine(models: Path) -> None:
    """Both networks count for the stage's key."""
    engine = WhisperX().identity(ENGLISH)
    other = WhisperX().identity(replace(ENGLISH, options={"aligner": "wav2vec2-base-960h", "language": "es"}))
    assert engine == other
    assert engine.weights_sha256 is not None
    assert len(engine.weights_sha256.split("+")) == 2
