"""The watermark on real synthetic speech: put in once, heard again, nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceclone import watermark
from voiceclone.watermark import Mono


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mono, int]:
    """Three seconds by espeak-ng, 22050 Hz."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    text = "Las plantas convierten la luz del sol en energía, y eso ocurre en las hojas."
    subprocess.run(["espeak-ng", "-v", "es", "-w", str(path), text], check=True, timeout=60)
    sound, rate = soundfile.read(path, dtype="float32")
    return sound, rate


def test_a_marked_sound_scores_and_an_unmarked_one_does_not(speech: tuple[Mono, int]) -> None:
    """The score goes from below 0.3 to above 0.9, and the mark lies 12 to 20 dB below the speech."""
    sound, rate = speech
    marked = watermark.mark(sound, rate)
    assert watermark.score(sound, rate) < 0.3
    assert watermark.score(marked, rate) > 0.9
    snr = 10 * np.log10(np.square(sound).sum() / np.square(marked - sound).sum())
    assert 12 < snr < 20


def test_a_second_mark_is_refused(speech: tuple[Mono, int]) -> None:
    """Marking what is marked returns it as it is, to the sample."""
    sound, rate = speech
    marked = watermark.mark(sound, rate)
    assert np.array_equal(watermark.mark(marked, rate), marked)


def test_a_line_of_half_a_second_is_marked(speech: tuple[Mono, int]) -> None:
    """Short lines are marked one by one, so the shortest must score alone."""
    sound, rate = speech
    short = sound[rate // 2 : rate]
    assert watermark.score(watermark.mark(short, rate), rate) > 0.8


def test_silence_stays_silent(speech: tuple[Mono, int]) -> None:
    """All-zero sound is left alone, and so is the silence between two sentences."""
    sound, rate = speech
    nothing = np.zeros(rate, np.float32)
    assert watermark.mark(nothing, rate) is nothing
    assert watermark.score(nothing, rate) == 0.0
    between = watermark.mark(np.concatenate([sound, nothing, sound]), rate)[len(sound) : len(sound) + rate]
    assert not between.any()


@settings(max_examples=12, deadline=None)
@given(length=st.integers(1, 40_000))
def test_every_length_is_kept(length: int) -> None:
    """The network drops up to a hop at the end; nobody sees that."""
    noise = np.random.default_rng(length).standard_normal(length).astype(np.float32) * np.float32(0.1)
    marked = watermark.mark(noise, 48_000)
    assert len(marked) == length
    assert np.isfinite(marked).all()


def test_nothing_is_made_where_the_network_cannot_load(tmp_path: Path) -> None:
    """Without `pkg_resources`, which Perth needs, marking fails and names the mend; it never passes sound unmarked."""
    program = (
        "import sys; sys.modules['pkg_resources'] = None\n"
        "import numpy as np\n"
        "from manifests.errors import EngineUnavailable\n"
        "from voiceclone import watermark\n"
        "try:\n    watermark.mark(np.ones(9000, np.float32), 48000)\n"
        "except EngineUnavailable as error:\n    print('refused', error.remedy)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("refused Run `make setup`")
