"""The enrolment gate: what it hears in recordings with known faults, and how it decides."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceclone import acoustics, watermark
from voiceclone.quality import Measured, Recording, judge, measure, strangers
from voiceclone.speech import speaking

Say = Callable[..., Recording]

GOOD = Measured(
    speech_s=40.0,
    rate=48_000,
    bandwidth_hz=15_000.0,
    snr_db=45.0,
    clipped=0.0,
    loudness_lufs=-20.0,
    true_peak_dbtp=-3.0,
    decay_s=0.18,
    windows=13,
    strangers=0,
    pitch_semitones=3.0,
    sentences=9,
    loudness_range_lu=3.0,
    pace_variation=0.1,
    watermark=0.01,
)


def verdicts(measured: Measured) -> dict[str, str]:
    """The checks that did not pass."""
    return {each.check: each.verdict for each in judge(measured).findings if each.verdict != "pass"}


def noise_of(sound: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """White noise as strong as a sound."""
    power = np.sqrt(np.mean(np.square(sound)))
    return (np.random.default_rng(1).standard_normal(len(sound)) * power).astype(np.float32)


def test_clean_speech_of_one_voice_is_taken_with_remarks_about_length_and_rate(say: Say) -> None:
    """Flite's slt: short, at 16 kHz, rather monotonous, and nothing else is wrong with it."""
    measured = measure([say("slt")])
    assert 7.5 < measured.speech_s < 9.5
    assert verdicts(measured) == {"speech": "warn", "sample rate": "warn", "variety": "warn"}
    assert judge(measured).verdict == "warn"


def test_noise_is_measured_to_a_decibel_and_refused_below_20_db(say: Say) -> None:
    """White noise 15 dB below the speech."""
    clean = say("rms")
    noisy = replace(clean, samples=clean.samples + noise_of(clean.samples) * np.float32(10 ** (-15 / 20)))
    runs = speaking(noisy.samples) / 16_000
    ratio = acoustics.signal_to_noise_db(noisy.samples, 16_000, runs)
    assert ratio == pytest.approx(15.0, abs=1.0)
    assert verdicts(replace(GOOD, snr_db=ratio)) == {"noise": "reject"}


def test_overdriven_speech_is_found_though_it_was_turned_down_afterwards(say: Say) -> None:
    """Flat tops give it away, not the level."""
    sound = say("slt").samples
    assert acoustics.clipped_share(sound) == 0.0
    share = acoustics.clipped_share(np.clip(sound * 4, -0.9, 0.9) * np.float32(0.3))
    assert share > 0.05
    assert verdicts(replace(GOOD, clipped=share)) == {"clipping": "reject"}


def test_a_call_stays_a_call_at_any_sample_rate(say: Say) -> None:
    """Telephone speech (8 kHz) that somebody saved at 48 kHz: the file's rate passes, the bandwidth does not."""
    import soxr

    sound = soxr.resample(soxr.resample(say("slt").samples, 16_000, 7_000), 7_000, 48_000).astype(np.float32)
    runs = speaking(soxr.resample(sound, 48_000, 16_000).astype(np.float32)) / 16_000
    bandwidth = acoustics.bandwidth_hz(sound, 48_000, runs)
    assert 3000 < bandwidth < 4000
    assert verdicts(replace(GOOD, bandwidth_hz=bandwidth)) == {"bandwidth": "reject"}


def test_a_second_voice_is_refused(say: Say) -> None:
    """Two people in one enrolment, each for about nine seconds."""
    found = measure([say("slt"), say("rms")])
    assert found.strangers >= 2
    assert verdicts(found)["one speaker"] == "reject"


def test_speech_with_a_watermark_is_nobodys_enrolment(say: Say) -> None:
    """What is marked as synthetic is no recording of a person, whoever it sounds like."""
    clean = say("awb")
    found = measure([replace(clean, samples=watermark.mark(clean.samples, clean.rate))])
    assert found.watermark > 0.9
    assert verdicts(found)["origin"] == "reject"


def test_silence_and_hum_hold_no_speech() -> None:
    """Neither digital silence nor a mains hum is a voice."""
    hum = (0.1 * np.sin(2 * np.pi * 50 * np.arange(10 * 24_000) / 24_000)).astype(np.float32)
    for sound in (np.zeros(240_000, np.float32), hum):
        found = measure([Recording("empty.wav", sound, 24_000)])
        assert found.speech_s == 0
        assert verdicts(found)["speech"] == verdicts(found)["noise"] == "reject"


def test_a_room_that_rings_is_remarked_and_a_dry_one_is_not(say: Say) -> None:
    """Speech in a room in which sound takes a second to die away."""
    from scipy.signal import fftconvolve

    dry = say("rms").samples
    at = np.arange(16_000) / 16_000
    tail = np.random.default_rng(2).standard_normal(16_000) * 10 ** (-3 * at)
    tail *= 1 / np.sqrt(np.square(tail).sum())
    tail[0] = 1
    ringing = fftconvolve(dry, tail)[: len(dry)].astype(np.float32)
    runs = speaking(dry) / 16_000
    assert verdicts(replace(GOOD, decay_s=acoustics.decay_s(dry, 16_000, runs))) == {}
    assert verdicts(replace(GOOD, decay_s=acoustics.decay_s(ringing, 16_000, runs))) == {"reverberation": "warn"}


def test_level_moves_loudness_and_nothing_else(say: Say) -> None:
    """The same speech 12 dB quieter is 12 LU quieter, as clean, as wide and as long."""
    loud = say("awb").samples
    quiet = loud * np.float32(10 ** (-12 / 20))
    runs = speaking(loud) / 16_000
    assert abs(speaking(quiet) / 16_000 - runs).max() < 0.1
    assert acoustics.loudness_lufs(quiet, 16_000) == pytest.approx(acoustics.loudness_lufs(loud, 16_000) - 12, abs=0.2)
    for measured in (acoustics.signal_to_noise_db, acoustics.bandwidth_hz):
        assert measured(quiet, 16_000, runs) == pytest.approx(measured(loud, 16_000, runs), abs=0.2)


def test_a_peak_between_samples_counts() -> None:
    """A sine at a quarter of the rate, sampled 45 degrees off its peaks: 3 dB above its highest sample."""
    sound = np.tile(np.array([1, 1, -1, -1], np.float32), 4000) * np.float32(np.sqrt(0.5))
    assert acoustics.true_peak_dbtp(sound, 16_000) == pytest.approx(0.0, abs=0.3)


def test_the_odd_window_is_found_where_another_speaks_for_three_seconds() -> None:
    """Nine alike and one that is not; of two that differ, neither is the rule."""
    rng = np.random.default_rng(3)
    alike = np.abs(np.ones(256) + 0.2 * rng.standard_normal((9, 256)))
    other = np.abs(rng.standard_normal((1, 256))) ** 3
    rows = np.concatenate([alike[:4], other, alike[4:]])
    prints = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    assert strangers(prints).tolist() == [4]
    assert strangers(prints[:4]).tolist() == []
    assert strangers(prints[:1]).tolist() == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"speech_s": 5.9}, {"speech": "reject"}),
        ({"speech_s": 6.0}, {"speech": "warn"}),
        ({"speech_s": 15.0}, {}),
        ({"speech_s": 181.0}, {"speech": "warn"}),
        ({"rate": 15_999}, {"sample rate": "reject"}),
        ({"rate": 16_000}, {"sample rate": "warn"}),
        ({"rate": 24_000}, {}),
        ({"bandwidth_hz": 3999.0}, {"bandwidth": "reject"}),
        ({"bandwidth_hz": 6000.0}, {"bandwidth": "warn"}),
        ({"snr_db": 19.9}, {"noise": "reject"}),
        ({"snr_db": 20.0}, {"noise": "warn"}),
        ({"snr_db": 30.0}, {}),
        ({"snr_db": None}, {"noise": "reject"}),
        ({"clipped": 0.0001}, {"clipping": "warn"}),
        ({"clipped": 0.001}, {"clipping": "reject"}),
        ({"loudness_lufs": -31.0}, {"level": "warn"}),
        ({"loudness_lufs": None}, {"level": "warn"}),
        ({"true_peak_dbtp": -0.5}, {"level": "warn"}),
        ({"decay_s": 0.4}, {"reverberation": "warn"}),
        ({"decay_s": 0.4, "snr_db": 15.0}, {"noise": "reject"}),
        ({"strangers": 1}, {"one speaker": "warn"}),
        ({"strangers": 2}, {"one speaker": "reject"}),
        ({"windows": 2, "strangers": 1}, {"one speaker": "reject"}),
        ({"windows": 1}, {"one speaker": "warn"}),
        ({"windows": 60, "strangers": 2}, {"one speaker": "warn"}),
        ({"pitch_semitones": 1.4}, {"variety": "warn"}),
        ({"sentences": 5}, {"variety": "warn"}),
        ({"sentences": None}, {}),
        ({"loudness_range_lu": 8.5}, {"consistency": "warn"}),
        ({"pace_variation": 0.3}, {"consistency": "warn"}),
        ({"loudness_range_lu": None, "pace_variation": None}, {}),
        ({"watermark": 0.5}, {"origin": "reject"}),
    ],
)
def test_each_limit_decides_its_own_check_and_no_other(fields: dict[str, Any], expected: dict[str, str]) -> None:
    """One measure at a time, at and around its limits; the report is as bad as its worst finding."""
    measured = replace(GOOD, **fields)
    assert verdicts(measured) == expected
    worst = "reject" if "reject" in expected.values() else "warn" if expected else "pass"
    assert judge(measured).verdict == worst


@given(st.floats(0, 80), st.floats(0, 80), st.floats(0, 0.01), st.integers(0, 13))
def test_more_noise_is_never_better_and_every_complaint_names_its_mend(
    one: float, other: float, clipped: float, strange: int
) -> None:
    """The verdict on noise falls with the ratio; whatever does not pass says why and what to do."""
    order = ["reject", "warn", "pass"]
    found = [
        judge(replace(GOOD, snr_db=snr, clipped=clipped, strangers=strange)).findings for snr in sorted((one, other))
    ]
    noise = [next(each.verdict for each in findings if each.check == "noise") for findings in found]
    assert order.index(noise[0]) <= order.index(noise[1])
    for each in found[0]:
        assert each.verdict == "pass" or (each.reason and each.mend)
