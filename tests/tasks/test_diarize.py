"""Who speaks when: real voices of flite and espeak-ng, with times that the test itself sets."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyannote.core import SlidingWindow, SlidingWindowFeature

from manifests.errors import MediaError
from manifests.model import Speakers
from manifests.script import Diarization
from manifests.spans import Span
from tasks.diarize import Voice, above, counted, diarize, grouped, linked, turns_of
from tasks.engines.protocols import Listening
from tasks.engines.pyannote_embedded import EmbeddedPyannote

RATE = 16_000
LINES = (
    "Welcome to the second lesson on cell biology. Today we look at how membranes work.",
    "A membrane is a thin layer around the cell. It lets some molecules pass and stops others.",
    "Water moves through small channels in the wall. Salt needs a pump and energy to cross.",
    "In the next part we will draw the diagram together. Please take a pencil and some paper.",
)


def said(folder: Path, voice: str, text: str) -> NDArray[np.float32]:
    """A sentence by a flite voice, 16 kHz, at an RMS of 0.05."""
    path = folder / "said.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=30)
    wave, rate = soundfile.read(path, dtype="float32")
    wave = soxr.resample(wave, rate, RATE)
    return (wave * (0.05 / np.sqrt(np.mean(wave**2)))).astype(np.float32)


def written(path: Path, wave: NDArray[np.floating]) -> tuple[Path, tuple[Span, ...]]:
    soundfile.write(path, np.clip(wave, -1, 1), RATE, subtype="PCM_16")
    return path, (Span(0, len(wave) * 3),)


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Span, ...], list[tuple[str, float, float]]]:
    """A woman (slt) and a man (rms) in turns, half a second between them, and who speaks when."""
    folder = tmp_path_factory.mktemp("dialogue")
    parts, truth, at = [np.zeros(RATE, np.float32)], [], 1.0
    for number, line in enumerate(LINES):
        voice = ("slt", "rms")[number % 2]
        wave = said(folder, voice, line)
        truth.append((voice, at, at + len(wave) / RATE))
        parts += [wave, np.zeros(RATE // 2, np.float32)]
        at += len(wave) / RATE + 0.5
    path, pieces = written(folder / "speech.wav", np.concatenate(parts))
    return path, pieces, truth


@pytest.fixture(scope="module")
def found(dialogue: tuple[Path, tuple[Span, ...], list[tuple[str, float, float]]]) -> Diarization:
    return diarize(dialogue[0], dialogue[1], Listening("pyannote"))


def test_two_voices_are_told_apart(found: Diarization, dialogue: tuple[Path, tuple[Span, ...], list]) -> None:
    """Every truth turn belongs to the right label nearly throughout: less than a tenth is missed or mistaken."""
    labels = {"slt": "SPEAKER_00", "rms": "SPEAKER_01"}
    total = right = 0
    for voice, start, end in dialogue[2]:
        span = Span.of_seconds(start + 0.25, end - 0.25)
        total += span.length
        right += sum(turn.span.overlap(span) for turn in found.turns if turn.speaker == labels[voice])
        right -= sum(turn.span.overlap(span) for turn in found.turns if turn.speaker != labels[voice])
    assert right / total > 0.9


def test_labels_are_numbered_by_first_speech(found: Diarization) -> None:
    """Who speaks first is SPEAKER_00, and turns are in order of start."""
    assert [speaker.label for speaker in found.speakers] == ["SPEAKER_00", "SPEAKER_01"]
    assert found.turns[0].speaker == "SPEAKER_00"
    assert [turn.span.start for turn in found.turns] == sorted(turn.span.start for turn in found.turns)


def test_pitch_is_the_voices_own(found: Diarization) -> None:
    """The woman's voice lies near 170 Hz, the man's near 95 Hz."""
    woman, man = (speaker.pitch_hz for speaker in found.speakers)
    assert woman is not None and man is not None
    assert 140 < woman < 220
    assert 70 < man < 130


def test_nothing_audible_lies_outside_speech(
    found: Diarization, dialogue: tuple[Path, tuple[Span, ...], list[tuple[str, float, float]]]
) -> None:
    """What is left outside of the speech regions, widened by 150 ms, is 20 dB or more below speech."""
    wave, _ = soundfile.read(dialogue[0])
    inside = np.zeros(len(wave), bool)
    for span in found.speech:
        wide = span.padded(7200)
        inside[wide.start // 3 : wide.end // 3] = True
    assert np.mean(wave[~inside] ** 2) < 0.01 * np.mean(wave[inside] ** 2)


def test_the_same_sound_gives_the_same_answer(
    found: Diarization, dialogue: tuple[Path, tuple[Span, ...], list[tuple[str, float, float]]]
) -> None:
    """A second hearing, on another number of cores, differs in nothing."""
    assert diarize(dialogue[0], dialogue[1], Listening("pyannote"), cores=2) == found


@pytest.mark.parametrize("many", [1, 2])
def test_a_known_number_of_speakers_is_honoured(
    dialogue: tuple[Path, tuple[Span, ...], list[tuple[str, float, float]]], many: int
) -> None:
    """Told how many speak, it finds that many."""
    assert len(diarize(dialogue[0], dialogue[1], Listening("pyannote", many, many)).speakers) == many


def test_a_lesson_in_stretches_keeps_its_labels(
    dialogue: tuple[Path, tuple[Span, ...], list[tuple[str, float, float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heard in two stretches, the same two people are found, not four."""
    path, (whole,), truth = dialogue
    middle = Span.of_seconds(0, truth[2][1] - 0.25).end
    monkeypatch.setattr(EmbeddedPyannote, "stretch_s", Span(0, middle + 1).length_s)
    found = diarize(path, (Span(0, middle), Span(middle, whole.end)), Listening("pyannote"))
    assert [speaker.label for speaker in found.speakers] == ["SPEAKER_00", "SPEAKER_01"]


@pytest.mark.parametrize(
    "wave",
    [
        pytest.param(np.zeros(RATE * 8), id="digital silence"),
        pytest.param(np.random.default_rng(0).normal(0, 1e-4, RATE * 8), id="room tone"),
        pytest.param(
            sum(0.05 * np.sin(2 * np.pi * f * np.arange(RATE * 8) / RATE) for f in (220, 277, 330)), id="music"
        ),
        pytest.param(np.zeros(RATE // 10), id="a tenth of a second"),
    ],
)
def test_no_speech_is_no_turns(tmp_path: Path, wave: NDArray[np.float64]) -> None:
    """Where nobody speaks nobody is found, and nothing breaks."""
    assert diarize(*written(tmp_path / "speech.wav", wave), Listening("pyannote")) == Diarization((), (), ())


@pytest.fixture(scope="module")
def told_in_noise(tmp_path_factory: pytest.TempPathFactory) -> tuple[NDArray[np.float32], tuple[Span, Span]]:
    """Two sentences of a woman in a fan's noise, 15 dB below her, and where they are: 1.2 s of pause between them."""
    folder = tmp_path_factory.mktemp("noise")
    first, second = (said(folder, "slt", line) for line in LINES[:2])
    wave = np.concatenate([np.zeros(RATE), first, np.zeros(RATE * 6 // 5), second, np.zeros(RATE)])
    shape = np.fft.rfft(np.random.default_rng(2).normal(size=len(wave)))
    noise = np.fft.irfft(shape / np.sqrt(np.arange(1, len(shape) + 1)), len(wave))
    wave = wave + noise * 0.05 * 10 ** (-15 / 20) / np.sqrt(np.mean(noise**2))
    end = 1 + len(first) / RATE
    return wave.astype(np.float32), (
        Span.of_seconds(1, end),
        Span.of_seconds(end + 1.2, end + 1.2 + len(second) / RATE),
    )


def test_a_pause_in_noise_is_nobodys(
    tmp_path: Path, told_in_noise: tuple[NDArray[np.float32], tuple[Span, Span]]
) -> None:
    """Of a pause of 1.2 s in noise at least half is nobody's turn, and no speech is lost for it."""
    wave, sentences = told_in_noise
    turns = [turn.span for turn in diarize(*written(tmp_path / "speech.wav", wave), Listening("pyannote")).turns]
    pause = Span(sentences[0].end, sentences[1].start)
    assert sum(turn.overlap(pause) for turn in turns) < pause.length / 2
    for sentence in sentences:
        assert sum(turn.overlap(sentence) for turn in turns) > 0.9 * sentence.length


def test_a_faint_sentence_stays_a_turn(
    tmp_path: Path, told_in_noise: tuple[NDArray[np.float32], tuple[Span, Span]]
) -> None:
    """What is said 14 dB softer than the rest, hardly above the noise, is still somebody's."""
    wave, (_, soft) = told_in_noise
    wave = wave.copy()
    wave[soft.start // 3 : soft.end // 3] *= 0.2
    turns = [turn.span for turn in diarize(*written(tmp_path / "speech.wav", wave), Listening("pyannote")).turns]
    assert sum(turn.overlap(soft) for turn in turns) > 0.9 * soft.length


def test_a_voice_that_the_detector_does_not_know_is_kept() -> None:
    """Where nothing is heard of what the segmentation is sure of, its scores stay as they are."""
    from tasks.engines.silences import silenced

    scores = SlidingWindowFeature(np.full((1, 293, 3), 0.9), SlidingWindow(duration=5.0, step=1.0))
    hum = (0.05 * np.sin(2 * np.pi * 110 * np.arange(RATE * 5) / RATE)).astype(np.float32)
    assert (silenced(scores, hum, 0.5).data == 0.9).all()


def test_a_very_short_clip_is_heard(tmp_path: Path) -> None:
    """Two seconds of speech are one speaker."""
    wave = said(tmp_path, "slt", LINES[0])[: RATE * 2]
    assert len(diarize(*written(tmp_path / "speech.wav", wave), Listening("pyannote", 2, 2)).speakers) == 1


def test_another_sample_rate_is_refused(tmp_path: Path) -> None:
    """A file that split did not make is named with what to do."""
    soundfile.write(tmp_path / "speech.wav", np.zeros(8000), 8000)
    with pytest.raises(MediaError, match="16000 Hz"):
        diarize(tmp_path / "speech.wav", (Span(0, 48_000),), Listening("pyannote"))


def test_the_manifest_says_how_many() -> None:
    """Bounds are bounds; labels of a lesson and `auto` leave it open, and so does one person who may not be alone."""
    assert counted(Speakers(single="amara")) == (None, None)
    assert counted(Speakers(single="stock")) == (1, 1)
    assert counted(Speakers(num_speakers=3)) == (3, 3)
    assert counted(Speakers(min_speakers=2, max_speakers=4)) == (2, 4)
    assert counted("auto") == counted({"SPEAKER_00": "amara"}) == (None, None)


@pytest.mark.parametrize(
    ("scrap", "speakers"),
    [((4.7, 4.98), ["B"]), ((4.7, 5.1), ["A", "B"]), ((4.2, 4.48), ["A"]), ((3.02, 3.2), ["A"])],
)
def test_a_scrap_before_somebody_elses_turn_is_the_beginning_of_it(
    scrap: tuple[float, float], speakers: list[str]
) -> None:
    """A quarter of a second that joins it; not what takes longer to say, nor what is said alone."""
    mine, other = (Span.of_seconds(1.0, 3.0), Span.of_seconds(*scrap)), (Span.of_seconds(5.0, 9.0),)
    turns = turns_of(("A", "B"), (mine, other))
    assert [turn.speaker for turn in turns if turn.span.overlap(Span.of_seconds(*scrap))] == speakers


def test_who_says_only_one_short_word_keeps_it() -> None:
    """A scrap of nobody's turn is a person's all the same."""
    turns = turns_of(("A", "B"), ((Span.of_seconds(1.0, 3.0),), (Span.of_seconds(3.0, 3.2),)))
    assert [turn.speaker for turn in turns] == ["A", "B"]


def test_voices_that_differ_stay_apart() -> None:
    """Three voices, two of them alike: two people, each with all of their spans."""
    first, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    voices = [
        Voice(first, (Span(0, 10),)),
        Voice(other, (Span(20, 30),)),
        Voice(np.array([0.96, 0.28]), (Span(40, 50),)),
    ]
    first, second, third = voices
    assert linked(voices, 0.8) == [(first, third), (second,)]
    assert linked(voices, 0.8, most=1) == [(first, third, second)]
    assert len(linked(voices, 0.8, least=3)) == 3


@given(st.lists(st.tuples(st.floats(0, 1.5), st.integers(1, 50)), max_size=12), st.floats(0.1, 0.99))
def test_linking_keeps_all_speech(heard: list[tuple[float, int]], same: float) -> None:
    """Whatever is linked, every span is somebody's, once."""
    voices = [
        Voice(np.array([np.cos(angle), np.sin(angle)]), (Span(100 * n, 100 * n + length),))
        for n, (angle, length) in enumerate(heard)
    ]
    people = linked(voices, same)
    spans = sorted(span for person in people for voice in person for span in voice.spans)
    assert spans == [voice.spans[0] for voice in voices]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30), st.integers(100, 1000))
def test_stretches_cover_all_pieces(lengths: list[int], longest: int) -> None:
    """Stretches follow each other without a gap, none too long unless it is one piece."""
    edges = [0, *np.cumsum(lengths).tolist()]
    pieces = [Span(start, end) for start, end in pairwise(edges)]
    out = grouped(pieces, longest)
    assert out[0].start == 0
    assert out[-1].end == edges[-1]
    assert all(left.end == right.start for left, right in pairwise(out))
    assert all(span.length <= longest or span in pieces for span in out)


def test_activity_needs_an_onset() -> None:
    """A run counts from where it rises above the low mark, but only if it reaches the high one."""
    activity = np.array([0.1, 0.4, 0.6, 0.4, 0.1, 0.4, 0.4, 0.0])
    assert above(activity, onset=0.5, offset=0.3) == [(1, 4)]
