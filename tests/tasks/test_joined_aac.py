"""AAC encoded in pieces sounds as if it had been encoded in one, and starts and ends where the sound does."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tasks import joined_aac
from tasks.containers import CONTAINERS
from tasks.joined_aac import Aac, encode
from tasks.media import probe
from tasks.remux import remux
from tasks.split import split
from tasks.tracks import Dub

RATE = 48_000


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of two seconds are worth a process."""
    monkeypatch.setattr(joined_aac, "SHORTEST", 2 * RATE)


@pytest.fixture(scope="module", params=[1, 2])
def speech(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of a voice over noise, one channel or two that differ, an odd number of samples."""
    folder = tmp_path_factory.mktemp("speech")
    said = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen."
    subprocess.run(["espeak-ng", "-w", folder / "said.wav", said], check=True, timeout=60)
    voice, rate = soundfile.read(folder / "said.wav", dtype="float32")
    at = np.arange(10 * RATE + 333)
    mono = np.interp(at * rate / RATE, np.arange(len(voice)), voice, right=0.0)
    noise = np.random.default_rng(1).normal(0, 0.003, (len(at), request.param))
    soundfile.write(
        folder / "speech.wav", mono[:, np.newaxis] * np.linspace(1, 0.5, request.param) + noise, RATE, "FLOAT"
    )
    return folder / "speech.wav"


def decoded(path: Path, *before: str) -> np.ndarray:
    """A file's sound as a player plays it."""
    command = ["ffmpeg", "-v", "error", *before, "-i", str(path), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout, np.float32)


def test_joints_are_as_near_to_the_sound_as_one_piece(
    speech: Path, tmp_path: Path, short_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pieces meet, what is decoded is about as far from the sound as where one encoder went on.

    Windows that do not fit leave their aliasing behind, which is as loud as the sound. Away from the joints encoders
    that began elsewhere spend their bits otherwise, one frame better, another worse: alike in the middle.
    """
    joints: list[int] = []
    find = joined_aac._join
    monkeypatch.setattr(joined_aac, "_join", lambda *given, **more: joints.append(find(*given, **more)) or joints[-1])
    made = encode(speech, tmp_path / "joined.aac", bit_rate=128_000, layout=None, cores=4)
    assert made is not None
    assert len(joints) == 3
    whole = tmp_path / "whole.m4a"
    alone = ["ffmpeg", "-v", "error", "-i", speech, "-c:a", "aac", "-b:a", "128k", whole]
    subprocess.run(alone, check=True, timeout=60)
    sound, _ = soundfile.read(speech, dtype="float32", always_2d=True)
    channels, frames = sound.shape[1], len(sound) // 1024
    errors = []
    for heard in (decoded(made.path)[1024 * channels :], decoded(whole)):
        error = heard[: 1024 * frames * channels] - sound[: 1024 * frames].ravel()
        errors.append(10 * np.log10(np.square(error).reshape(frames, -1).mean(axis=1)))
    joined, one = errors
    assert np.median(joined - one) < 1.5
    for joint in joints:
        assert joined[joint - 2 : joint + 2].max() < one[joint - 4 : joint + 4].max() + 6


def test_it_knows_where_the_sound_ends(speech: Path, tmp_path: Path, short_pieces: None) -> None:
    """All frames are there, and what the last one holds of the sound is told to the muxer."""
    made = encode(speech, tmp_path / "joined.aac", bit_rate=96_000, layout=None, cores=2)
    length = 10 * RATE + 333
    frames = -(-(length + 1024) // 1024)
    assert made == Aac(tmp_path / "joined.aac", frames, length)
    assert f"eq(N,{frames - 1}),DURATION*{(length + 1024) % 1024}/1024" in made.options["bsf"]
    assert not list(tmp_path.glob("joined.?.aac"))


@pytest.mark.parametrize(("channels", "cores"), [(6, 2), (2, 1)])
def test_what_cannot_or_need_not_be_joined_is_left_to_one_encoder(
    channels: int, cores: int, tmp_path: Path, short_pieces: None
) -> None:
    """More than two channels, whose windows could only be known by decoding, and one core."""
    soundfile.write(tmp_path / "s.wav", np.random.default_rng(1).normal(0, 0.1, (6 * RATE, channels)), RATE)
    assert encode(tmp_path / "s.wav", tmp_path / "s.aac", bit_rate=384_000, layout=None, cores=cores) is None


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov"])
def test_a_joined_dub_is_in_step_with_the_picture(
    suffix: str,
    click_video: Callable[..., Path],
    click_times: Callable[..., list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clicks at the start, in the middle and at the end lie where they lay, and the dub ends where the picture does."""
    monkeypatch.setattr(joined_aac, "SHORTEST", RATE)
    source = click_video(f"l{suffix}")
    assert CONTAINERS[suffix].family == "mp4"
    parts = split(source, tmp_path, source_language="en")
    made = remux(source, parts.media, [Dub("es", parts.programme, ())], tmp_path / "out" / "l", tmp_path, cores=2)
    out = Path(made.path)
    assert (tmp_path / "dub.0.aac").exists()
    assert click_times(out, "a:1") == pytest.approx(click_times(source, "a:0"), abs=48)
    streams = probe(out).streams
    lengths = [stream.length for stream in streams[:3]]
    assert lengths == pytest.approx([4 * RATE] * 3, abs=0.04 * RATE)
    assert lengths[2] == pytest.approx(4 * RATE, abs=48)
    assert [stream.start for stream in streams[:3]] == [0, 0, 0]
