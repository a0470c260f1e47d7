"""Loudness and true peaks against independent measurements: pyloudnorm and ffmpeg's ebur128."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.levels import line_levels
from tasks.limiter import Limiter, PeakMeter
from tasks.loudness import Meter, integrated

RATE = 48_000


def in_blocks(sound: NDArray[np.float32], size: int) -> list[NDArray[np.float32]]:
    return [sound[start : start + size] for start in range(0, len(sound), size)]


def measured(sound: NDArray[np.float32], size: int = 10_007) -> float:
    meter = Meter(sound.shape[1])
    for block in in_blocks(sound, size):
        meter.add(block)
    return integrated(meter.steps())


def ffmpeg_measures(sound: NDArray[np.float32], path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak as ffmpeg hears them."""
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    said = subprocess.run(
        ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stderr
    return float(re.findall(r"I:\s+(\S+) LUFS", said)[-1]), float(re.findall(r"Peak:\s+(\S+) dBFS", said)[-1])


def changing_noise(channels: int, seconds: int = 12) -> NDArray[np.float32]:
    """Noise of another level every second, silence among them, so that the gates matter."""
    random = np.random.default_rng(5)
    levels = np.repeat(10 ** (random.choice([-80.0, -45, -30, -20, -12], seconds) / 20), RATE)
    return (random.standard_normal((seconds * RATE, channels)) * levels[:, np.newaxis]).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_agrees_with_pyloudnorm(channels: int) -> None:
    """Block by block we hear what pyloudnorm hears in the whole."""
    sound = changing_noise(channels)
    assert measured(sound) == pytest.approx(pyloudnorm.Meter(RATE).integrated_loudness(sound), abs=0.1)


def test_loudness_of_surround_agrees_with_ffmpeg(tmp_path: Path) -> None:
    """In 5.1 the low-frequency channel does not count, the surrounds count for more."""
    sound = changing_noise(6)
    assert measured(sound) == pytest.approx(ffmpeg_measures(sound, tmp_path / "noise.wav")[0], abs=0.15)


def test_silence_has_no_loudness() -> None:
    """Digital silence, and nothing at all, are minus infinity, not a number that can be aimed at."""
    assert measured(np.zeros((RATE, 2), np.float32)) == float("-inf")
    assert measured(np.zeros((0, 2), np.float32)) == float("-inf")


def test_a_peak_between_samples_is_found(tmp_path: Path) -> None:
    """A quarter-rate sine at 45 degrees peaks 3 dB above its samples."""
    tone = (0.5 * np.sin(np.pi / 4 + np.pi / 2 * np.arange(RATE)))[:, np.newaxis].astype(np.float32)
    tone *= np.hanning(RATE)[:, np.newaxis]
    meter = PeakMeter()
    for block in in_blocks(tone, 9_999):
        meter.add(block)
    assert meter.dbtp == pytest.approx(-6.02, abs=0.1)
    assert meter.dbtp == pytest.approx(ffmpeg_measures(tone.astype(np.float32), tmp_path / "tone.wav")[1], abs=0.15)


@pytest.mark.parametrize("block", [4_801, 30_000])
def test_the_limiter_keeps_true_peaks_under_its_ceiling(block: int, tmp_path: Path) -> None:
    """Loud noise comes out under the ceiling, as long as it went in, and nowhere with a jump in gain."""
    sound = changing_noise(2, 5) * 2
    limiter = Limiter(2, -2.0)
    out = np.concatenate([*(limiter.feed(part) for part in in_blocks(sound, block)), limiter.rest()])
    assert out.shape == sound.shape
    assert ffmpeg_measures(out, tmp_path / "out.wav")[1] <= -1.9
    heard = np.abs(sound[:, 0]) > 1e-3
    gains = out[heard, 0] / sound[heard, 0]
    assert gains.max() <= 1.0 + 1e-6
    assert np.abs(np.diff(20 * np.log10(gains))).max() < 0.5


def test_blocks_do_not_matter_to_the_limiter() -> None:
    """The same sound in other blocks comes out the same."""
    sound = changing_noise(1, 3) * 2
    outs: list[NDArray[np.float32]] = []
    for size in (2_000, 50_000):
        limiter = Limiter(1, -1.0)
        outs.append(np.concatenate([*(limiter.feed(part) for part in in_blocks(sound, size)), limiter.rest()]))
    np.testing.assert_allclose(outs[0], outs[1], atol=1e-6)


def test_what_is_quiet_passes_the_limiter_untouched() -> None:
    """Below the ceiling not a bit changes."""
    sound = np.random.default_rng(6).uniform(-0.3, 0.3, (RATE, 2)).astype(np.float32)
    limiter = Limiter(2, -1.0)
    np.testing.assert_array_equal(np.concatenate([limiter.feed(sound), limiter.rest()]), sound)
    assert limiter.deepest_db == 0.0


@given(st.lists(st.floats(-60, -5), min_size=1, max_size=30))
@settings(deadline=None)
def test_neighbouring_lines_differ_by_at_most_three_units(source: list[float]) -> None:
    """Whatever was measured in the source, no line stands out from the one before it."""
    levels = line_levels(source, -16.0)
    assert len(levels) == len(source)
    assert all(abs(a - b) <= 3.0 + 1e-9 for a, b in pairwise(levels))


def test_even_lines_keep_the_level_of_what_they_replace() -> None:
    """Source lines that differ by little are matched exactly; an inaudible one takes the usual level."""
    assert line_levels([-20.0, -21.5, -19.0], -16.0) == [-20.0, -21.5, -19.0]
    assert line_levels([-20.0, -70.0, -20.0], -16.0) == [-20.0, -20.0, -20.0]
    assert line_levels([float("-inf")], -16.0) == [-16.0]
