"""The spoken disclosure: a stock voice says it where there is room, no line gives way, and the subtitles say it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from manifests.script import Diarization, Line, Lines, Script, Utterance, Voice
from manifests.spans import RATE, Span, samples
from manifests.store import Store
from manifests.timeline import Placement, Take, Takes, Timeline
from tasks.announcement import APART, Announcement, announcement, room
from tasks.mix import mix
from tasks.mix_measures import Mix
from tasks.mixing_desk import Options, Parts
from tasks.subtitles import cues
from voiceclone import watermark

SENTENCE = "Las voces de este doblaje son sintéticas."


def at(start: float, end: float) -> Span:
    return Span.of_seconds(start, end)


def test_it_is_said_just_before_the_first_line_where_there_is_room() -> None:
    """Three tenths of a second before the line, at the voice's own pace, however long the programme waits."""
    assert room(samples(3), [at(8, 12), at(20, 25)], (), samples(60)) == at(4.7, 7.7)


def test_it_is_said_a_little_faster_where_that_makes_it_fit() -> None:
    """2.8 seconds hold three at 1.07 times the pace; 2.5 would ask for 1.2, and do not."""
    assert room(samples(3), [at(3.2, 9), at(10, 55)], (), samples(60)) == at(0.1, 2.9)
    assert room(samples(3), [at(2.9, 9), at(10, 55)], (), samples(60)) == at(55.3, 58.3)


def test_it_is_said_in_the_first_pause_that_holds_it_where_the_first_line_comes_early() -> None:
    """The pause of two seconds is too short, that of five is not."""
    assert room(samples(3), [at(1, 9), at(11, 20), at(25, 30)], (), samples(60)) == at(20.3, 23.3)


def test_it_is_said_after_the_last_line_where_there_is_no_pause() -> None:
    """The programme has four seconds left."""
    assert room(samples(3), [at(1, 9), at(9.5, 56)], (), samples(60)) == at(56.3, 59.3)


def test_it_is_not_said_where_nothing_holds_it() -> None:
    """No line moves for it."""
    assert room(samples(3), [at(1, 9), at(9.5, 58)], (), samples(60)) is None


def test_it_is_never_said_over_speech_that_stays_as_it_is() -> None:
    """Words that nobody recognized are still heard in the dub."""
    assert room(samples(3), [at(10, 19)], [at(4, 9)], samples(60)) == at(0.7, 3.7)
    assert room(samples(3), [at(10, 19)], [at(2, 9)], samples(60)) == at(19.3, 22.3)


@given(
    edges=st.lists(st.integers(0, samples(90)), min_size=2, max_size=20).map(sorted),
    length=st.integers(samples(0.5), samples(6)),
)
def test_it_touches_no_line_and_is_never_rushed(edges: list[int], length: int) -> None:
    """Whatever the lines: inside the programme, apart from each of them, at most 1.15 times its pace."""
    lines = [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    said = room(length, lines, (), samples(90))
    if said is not None:
        assert 0 <= said.start < said.end <= samples(90)
        assert all(line.end + APART <= said.start or said.end + APART <= line.start for line in lines)
        assert 1 <= length / said.length <= 1.15 + 1e-6


LINES = Lines("es", (Line("1", "Hola a todos."), Line("2", "Hasta luego.")))
SCRIPT = Script(
    "en",
    (
        Utterance("1", "SPEAKER_00", at(4.5, 5.5), "Hello all.", (), 1.0),
        Utterance("2", "SPEAKER_00", at(6, 7), "So long.", (), 1.0),
    ),
)


def timeline(first: float, second: float) -> Timeline:
    placements = (Placement("1", at(first, first + 1), 1.0), Placement("2", at(second, second + 1), 1.0))
    return Timeline("es", samples(12), placements)


def test_it_is_the_sentence_in_a_stock_voice(tmp_path: Path) -> None:
    """Spanish by espeak-ng, kept in the store so that it is made once."""
    store = Store(tmp_path)
    told = announcement("es-MX", SCRIPT, timeline(4.5, 6), store)
    assert told is not None
    assert (told.text, told.voice) == (SENTENCE, "es-419+f2")
    assert soundfile.info(store.get(told.audio)).frames == told.length
    assert told == announcement("es-MX", SCRIPT, timeline(4.5, 6), store)


def test_a_language_without_a_sentence_of_its_own_hears_the_english_one_in_an_english_voice(tmp_path: Path) -> None:
    """No voice reads a language that it does not speak."""
    told = announcement("sw", SCRIPT, timeline(4.5, 6), Store(tmp_path))
    assert told is not None
    assert (told.text, told.voice) == ("The voices in this dub are synthetic.", "en-us+f2")


def test_nothing_is_said_where_nothing_is_synthetic(tmp_path: Path) -> None:
    """A lesson without lines keeps its own sound."""
    assert announcement("es", SCRIPT, Timeline("es", samples(9), ()), Store(tmp_path)) is None


def test_its_cue_is_shown_while_it_is_spoken_and_is_the_first() -> None:
    """Before the first line, the first subtitle is the spoken sentence."""
    shown = cues(SCRIPT, LINES, timeline(4.5, 6), disclosure=SENTENCE, announced=at(1.2, 4.2))
    assert (shown[0].span.start_s, " ".join(shown[0].rows)) == (1.2, SENTENCE)
    assert shown[0].span.end_s == pytest.approx(4.2, abs=0.05)
    assert [row for cue in shown[1:] for row in cue.rows] == ["Hola a todos.", "Hasta luego."]


def test_a_later_one_has_a_cue_of_its_own_beside_the_first() -> None:
    """The first subtitle says it at once, a second one when it is heard."""
    shown = cues(SCRIPT, LINES, timeline(2.5, 8), disclosure=SENTENCE, announced=at(3.8, 6.8))
    assert [" ".join(cue.rows) for cue in shown] == [SENTENCE, "Hola a todos.", SENTENCE, "Hasta luego."]
    assert shown[2].span.start_s == 3.8


def mixed(folder: Path, told: Announcement, audio: Path) -> tuple[Mix, NDArray[np.float32]]:
    """Two lines of a buzz in a quiet room, and the disclosure."""
    sound = np.random.default_rng(0).standard_normal((samples(12), 2)).astype(np.float32) * 0.001
    clock = np.arange(RATE) / RATE
    buzz = np.sum([0.05 * np.cos(2 * np.pi * 130 * k * clock) for k in range(1, 12)], axis=0, dtype=np.float32)
    for utterance in SCRIPT.utterances:
        sound[utterance.span.start : utterance.span.end] += buzz[:, np.newaxis]
    soundfile.write(folder / "programme.flac", sound, RATE, subtype="PCM_24")
    soundfile.write(folder / "take.wav", buzz, RATE, subtype="PCM_24")
    voice = Voice("stock", "espeak-ng", "es+m3")
    result = mix(
        Parts(
            folder / "programme.flac",
            Diarization((), (), tuple(utterance.span for utterance in SCRIPT.utterances)),
            SCRIPT,
            Takes("es", tuple(Take(name, "take.wav", RATE, RATE, 1.0, voice) for name in ("1", "2"))),
            timeline(4.5, 6),
            lambda take: folder / take.audio,
        ),
        Options(announced=(told, audio)),
        folder / "dub.flac",
        folder,
    )
    return result, np.asarray(soundfile.read(folder / "dub.flac")[0], np.float32)


def test_it_is_heard_and_marked_and_nothing_else_changes(tmp_path: Path) -> None:
    """As loud as the lines within three units, with a watermark; the rest of the room is the source's own."""
    store = Store(tmp_path / "store")
    told = announcement("es", SCRIPT, timeline(4.5, 6), store)
    assert told is not None
    assert told.span is not None
    assert told.span.end_s == 4.2
    result, out = mixed(tmp_path, told, store.get(told.audio))
    said = out[told.span.start : told.span.end].mean(axis=1)
    line = out[samples(4.5) : samples(5.5)].mean(axis=1)
    assert 20 * np.log10(said.std() / line.std()) == pytest.approx(0, abs=4)
    assert watermark.score(said, RATE) > 0.9
    before = slice(0, told.span.start)
    np.testing.assert_allclose(out[before], soundfile.read(tmp_path / "programme.flac")[0][before], atol=2e-6)
    assert result.announcement == told
    assert [line.line for line in result.lines] == ["1", "2"]
