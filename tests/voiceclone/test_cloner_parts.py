"""The cloner's parts: paths, phonemes, anchors, refinement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from manifests.errors import EngineUnavailable, InputError
from voiceclone.cloner.alignment import warp
from voiceclone.cloner.analysis import RATE, active, levelled, person_frames, pitch_range, prepared, source_frames
from voiceclone.cloner.colour import correction
from voiceclone.cloner.phones import articulation, by_frame, is_pause
from voiceclone.cloner.refinement import Refinement, stress, timing
from voiceclone.cloner.safe_map import anchors


def test_a_path_finds_what_was_said_slower() -> None:
    """Every frame twice as long: the path runs at half the speed."""
    dice = np.random.default_rng(3)
    rows = np.cumsum(dice.standard_normal((120, 6)), axis=0)
    path, cost = warp(rows, np.repeat(rows, 2, axis=0))
    assert np.abs(path - np.arange(240) / 2).max() <= 3
    assert cost < 1


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(2, 30), st.just(3)), elements=st.floats(-5, 5)),
    arrays(np.float64, st.tuples(st.integers(2, 30), st.just(3)), elements=st.floats(-5, 5)),
)
def test_a_path_is_as_cheap_as_any_and_goes_from_end_to_end(a: np.ndarray, b: np.ndarray) -> None:
    """Compared with the textbook's double loop."""
    path, cost = warp(a, b)
    assert len(path) == len(b)
    assert path.min() >= 0
    assert path.max() <= len(a) - 1
    assert (np.diff(path) >= -1e-9).all()
    x, y = a[::2], b[::2]
    table = np.full((len(x) + 1, len(y) + 1), np.inf)
    table[0, 0] = 0
    for i in range(1, len(x) + 1):
        for j in range(1, len(y) + 1):
            step = np.linalg.norm(x[i - 1] - y[j - 1])
            table[i, j] = step + min(table[i - 1, j - 1], table[i - 1, j], table[i, j - 1])
    # Distances are of 32-bit numbers: near nothing they are off by up to 0.005 where the numbers are near 5.
    # The mean is over the path's steps, at least as many as the longer side has, at most as both together.
    total = table[-1, -1]
    assert total / (len(x) + len(y)) - 0.005 <= cost <= total / max(len(x), len(y)) + 0.005


def test_a_phoneme_is_what_the_mouth_does() -> None:
    """Numbers that mean the same in every language."""
    begin, end = articulation("aɪ")
    assert begin[3] == 1  # open
    assert end[3] == pytest.approx(-0.66)  # nearly close
    voiceless, voiced = articulation("s")[0], articulation("z")[0]
    assert np.flatnonzero(voiceless != voiced).tolist() == [13]
    assert articulation("iː")[0][14] == 1
    assert articulation("ɑ̃")[0][16] == 1
    assert is_pause("_:")
    assert not is_pause("ʁ")


def test_every_frame_has_a_phoneme() -> None:
    """Silence before the first, the last until the end; a diphthong moves."""
    rows = by_frame([(2205, "aɪ"), (6615, "")], 22050, 80)
    assert rows.shape == (80, 88)
    assert rows[:20, 0].tolist() == [1] * 20
    assert rows[60:, 0].tolist() == [1] * 20
    assert rows[20:60, 1].tolist() == [1] * 40
    assert (np.diff(rows[20:60, 3]) < 0).all()


def test_anchors_are_words_of_the_language() -> None:
    """Names from CLDR, not English ones; a language without any is refused."""
    spanish = anchors("es")
    assert len(spanish) == 12
    assert "Estados Unidos" in spanish[0]
    assert anchors("pt-BR")[0] != spanish[0]
    assert "Vereinigte Staaten" in anchors("de")[0]
    assert "United States" in anchors("en")[0]
    with pytest.raises(EngineUnavailable, match="no words of tlh"):
        anchors("tlh")


def buzzing(hertz: float, times: np.ndarray) -> np.ndarray:
    """A buzz like that of vocal folds."""
    harmonics = np.arange(1, int(4000 / hertz))[:, None]
    return 0.2 * (np.sin(2 * np.pi * hertz * harmonics * times) / harmonics).sum(axis=0)


def test_voice_is_told_from_noise() -> None:
    """A buzz at 150 Hz between two stretches of faint noise: its frames are voiced at 150 Hz, the others not."""
    times = np.arange(RATE) / RATE
    buzz = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 30))
    faint = 0.001 * np.random.default_rng(0).standard_normal(RATE // 2)
    frames = person_frames(prepared(np.concatenate([faint, 0.2 * buzz, faint]), RATE))
    assert np.median(frames.f0[frames.f0 > 0]) == pytest.approx(150, rel=0.01)
    assert (frames.f0[120:280] > 0).mean() > 0.95
    assert (frames.f0[:80] > 0).mean() < 0.05
    assert active(frames.cepstrum)[120:280].all()
    assert len(source_frames(prepared(faint, RATE))) == 101


def test_the_range_of_pitch_is_the_persons_and_not_a_single_clips() -> None:
    """A low voice of 80 Hz, with a clip too short to tell: it is heard between 48 and 132 Hz, in that clip too."""
    times = np.arange(RATE) / RATE
    buzz = buzzing(80, times)
    usual, short = prepared(buzz, RATE), prepared(buzz[: RATE // 20], RATE)
    assert pitch_range([short]) == (60, 420)
    low, high = pitch_range([usual, short])
    assert low == pytest.approx(50, abs=2)
    assert high == pytest.approx(132, abs=3)
    faint = 0.001 * np.random.default_rng(0).standard_normal(RATE // 2)
    f0 = person_frames(prepared(np.concatenate([faint, buzz, faint]), RATE), (low, high)).f0
    assert np.median(f0[f0 > 0]) == pytest.approx(80, rel=0.02)


def test_a_voice_below_65_hz_has_a_steady_spectrum() -> None:
    """A buzz at 58 Hz, as in the creak of a low voice, does not change from frame to frame."""
    times = np.arange(RATE) / RATE
    buzz = buzzing(58, times)
    frames = source_frames(prepared(buzz, RATE))
    assert np.median(frames.f0[60:140]) == pytest.approx(58, rel=0.01)
    assert frames.cepstrum[60:140].std(axis=0).max() < 0.1


def test_the_vocoders_colour_is_measured_and_undone() -> None:
    """A clip against frames that are 6 dB too strong above 4 kHz: that is what the correction takes away."""
    dice = np.random.default_rng(5)
    sound = prepared(dice.standard_normal(RATE), RATE)
    frames = source_frames(sound)
    usual = correction([sound], [frames])
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / RATE) > 4000] /= 2
    darker = correction([np.fft.irfft(spectrum, len(sound))], [frames])
    change = 10 * np.log10(darker / usual)
    assert np.median(change[250:450]) == pytest.approx(-6, abs=0.7)
    assert np.median(change[20:150]) == pytest.approx(0, abs=0.7)


def test_sound_is_brought_to_one_level() -> None:
    """-23 dBFS over what is loud, however loud it was; silence stays silence."""
    dice = np.random.default_rng(0)
    for gain in (0.001, 0.5):
        sound = levelled(gain * dice.standard_normal(RATE))
        assert 20 * np.log10(np.sqrt(np.mean(sound**2))) == pytest.approx(-23, abs=0.3)
    assert not levelled(np.zeros(RATE)).any()


def test_only_the_words_in_the_marked_place_are_stressed() -> None:
    """The second of three words, with soft edges."""
    share = stress(((10, 0, 4), (40, 5, 4), (70, 10, 4)), ((5, 9),), 100)
    assert share[55] > 0.99
    assert share[:25].max() < 0.01
    assert share[85:].max() < 0.01


def test_pauses_grow_between_words_and_not_at_the_ends() -> None:
    """20 frames of quiet, 30 of speech, 10 of pause, 30 of speech, 20 of quiet."""
    pause = np.repeat([True, False, True, False, True], [20, 30, 10, 30, 20])
    assert len(timing(pause, np.zeros(110), 1.0, 3.0)) == 130
    assert len(timing(pause, np.zeros(110), 2.0, 1.0)) == 55
    assert len(timing(pause, np.zeros(110), 0.5, 0.5)) == 210


@given(st.floats(0.5, 2), st.floats(0.25, 4), st.lists(st.booleans(), min_size=5, max_size=200))
def test_time_only_goes_forward(pace: float, pauses: float, quiet: list[bool]) -> None:
    """Whatever is asked, every frame that is heard comes after the one before and exists."""
    heard = timing(np.array(quiet), np.zeros(len(quiet)), pace, pauses)
    assert (np.diff(heard) >= 0).all()
    assert heard.min() >= 0
    assert heard.max() <= len(quiet) - 1


@pytest.mark.parametrize(
    "wrong", [{"pace": 0.2}, {"pitch": 13}, {"energy": 40}, {"pauses": 0}, {"tone": "angry"}, {"pace": float("nan")}]
)
def test_refinement_out_of_bounds_is_refused(wrong: dict[str, float | str]) -> None:
    """With what may be chosen instead."""
    with pytest.raises(InputError, match="Choose"):
        Refinement(**wrong)  # pyright: ignore[reportArgumentType]  on purpose
