"""Takes that others made: each becomes mono at 48 kHz, with nothing lost, and says what was done to it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from manifests.errors import InputError
from tasks.given_takes import MARGIN, given_take

RATE = 48_000


def tone(seconds: float, rate: int = RATE, height: float = 0.4) -> np.ndarray:
    """A tone of 300 Hz."""
    return (height * np.sin(2 * np.pi * 300 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return tmp_path / "take's ñ.wav"


def test_a_take_that_is_ready_is_used_as_it_is(take: Path, tmp_path: Path) -> None:
    """Mono at 48 kHz without silence at its ends: nothing is copied, nothing flagged."""
    soundfile.write(take, tone(1.0), RATE, "PCM_16")
    made = given_take(take, tmp_path / "made.wav")
    assert (made.audio, made.length, made.flags) == (take, RATE, ())
    assert not (tmp_path / "made.wav").exists()


def test_silence_at_both_ends_is_trimmed(take: Path, tmp_path: Path) -> None:
    """15 ms of it are left at each end; what sounds stays to the sample."""
    silence = np.zeros(RATE // 2, np.float32)
    soundfile.write(take, np.concatenate([silence, tone(1.0), silence]), RATE, "FLOAT")
    made = given_take(take, tmp_path / "made.wav")
    sound, rate = soundfile.read(made.audio, dtype="float32")
    assert rate == RATE
    assert made.length == len(sound) == RATE + 2 * MARGIN
    np.testing.assert_array_equal(sound[MARGIN:-MARGIN], tone(1.0))


@pytest.mark.parametrize(
    ("rate", "flag"),
    [(8_000, "take at 8000 Hz: nothing in it above 4 kHz"), (96_000, "take at 96000 Hz: resampled")],
)
def test_other_rates_are_resampled(take: Path, tmp_path: Path, rate: int, flag: str) -> None:
    """The tone keeps its pitch, its height and its length."""
    soundfile.write(take, tone(1.0, rate), rate, "PCM_24")
    made = given_take(take, tmp_path / "made.wav")
    assert made.flags == (flag,)
    assert made.length == pytest.approx(RATE, abs=RATE // 100)
    sound, _ = soundfile.read(made.audio)
    assert np.argmax(np.abs(np.fft.rfft(sound * np.hanning(len(sound))))) / made.length * RATE == pytest.approx(
        300, abs=2
    )
    assert np.abs(sound).max() == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize("right", [1.0, 0.0, -1.0])
def test_stereo_is_mixed_to_one_channel(take: Path, tmp_path: Path, right: float) -> None:
    """As loud as it was, whether both channels carry it, only one does, or one is the other's opposite."""
    soundfile.write(take, np.stack([tone(1.0), right * tone(1.0)], axis=1), RATE, "FLOAT")
    made = given_take(take, tmp_path / "made.wav")
    assert made.flags == ("take with 2 channels: mixed to one",)
    sound, _ = soundfile.read(made.audio, dtype="float32")
    np.testing.assert_allclose(sound, tone(1.0), atol=1e-6)


def test_a_clipped_take_is_flagged(take: Path, tmp_path: Path) -> None:
    """A tenth of a second of a tone at 300 Hz that is cut off has 60 flat tops and bottoms; a whole one has none."""
    soundfile.write(take, np.clip(tone(0.1, height=2.0), -1, 1), RATE, "PCM_16")
    assert given_take(take, tmp_path / "made.wav").flags == ("take is clipped in 60 places",)
    soundfile.write(take, tone(0.1, height=0.999), RATE, "PCM_16")
    assert given_take(take, tmp_path / "made.wav").flags == ()


def test_a_silent_take_is_flagged(take: Path, tmp_path: Path) -> None:
    """It keeps its length; that nothing is heard is found in the finished file."""
    soundfile.write(take, np.zeros(RATE, np.float32), RATE, "PCM_16")
    made = given_take(take, tmp_path / "made.wav")
    assert (made.length, made.flags) == (RATE, ("take is silent",))


def test_what_libsndfile_does_not_read_is_decoded(tmp_path: Path) -> None:
    """AAC in m4a, as phones record it."""
    soundfile.write(tmp_path / "t.wav", tone(1.0), RATE, "PCM_16")
    take = tmp_path / "take.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "t.wav", "-c:a", "aac", take], check=True, timeout=60)
    made = given_take(take, tmp_path / "made.wav")
    assert made.length == pytest.approx(RATE, abs=RATE // 40)
    assert made.flags == ()


def test_what_is_no_take_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, empty, text, a whole programme, not a number: each by its name and reason."""
    reasons = {"missing.wav": "there is no take", "folder.wav": "is a folder", "empty.wav": "is empty"}
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "headed.wav", np.zeros(0, np.float32), RATE)
    (tmp_path / "text.wav").write_text("This is no sound.")
    soundfile.write(tmp_path / "long.wav", np.zeros(301 * 8000, np.float32), 8000)
    soundfile.write(tmp_path / "nan.wav", np.full(RATE, np.nan, np.float32), RATE, "FLOAT")
    reasons |= {
        "headed.wav": "lasts no time",
        "text.wav": "is no sound file",
        "long.wav": "lasts 301 s",
        "nan.wav": "NaN",
    }
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=reason) as caught:
            given_take(tmp_path / name, tmp_path / "made.wav")
        assert name in caught.value.message
