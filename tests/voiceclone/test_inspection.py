"""The verdict on one real dub and on everything that people do to files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.verifying import show_verdict
from manifests.errors import MediaError
from voiceclone import chain, signing, watermark
from voiceclone.credentials import Claim
from voiceclone.inspection import inspect

SENTENCE = "Las voces de este doblaje son sintéticas."


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, timeout=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source and its dub: the source's speech in the first track, marked speech in the second; tagged and signed."""
    folder = tmp_path_factory.mktemp("inspection")
    text = "Las plantas convierten la luz del sol en energía. Eso ocurre en las hojas verdes, y por eso son verdes."
    subprocess.run(["espeak-ng", "-v", "es", "-w", str(folder / "es.wav"), text], check=True, timeout=60)
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(folder / "en.wav")], check=True, timeout=60)
    sound, rate = soundfile.read(folder / "es.wav", dtype="float32")
    soundfile.write(folder / "marked.wav", watermark.mark(np.asarray(sound), rate), rate)
    ffmpeg("-i", folder / "en.wav", "-c:a", "aac", folder / "source.mp4")
    out = folder / "dub.mp4"
    comment = ["-metadata", f"comment={SENTENCE}"]
    ffmpeg(
        "-i", folder / "source.mp4", "-i", folder / "marked.wav", "-map", "0", "-map", "1", "-c:a", "aac", *comment, out
    )
    claim = Claim("en", ("es",), "00" * 32)
    assert signing.sign(out, ".mp4", claim, folder / "source.mp4", chain.signer()) is None
    return folder


def test_our_own_dub_is_authentic(folder: Path) -> None:
    """The credentials hold, the better track's score counts, and the tag is told."""
    found = inspect(folder / "dub.mp4")
    assert (found.verdict, found.credentials.state) == ("authentic", "valid")
    assert found.watermark > 0.8
    assert found.tags["comment"] == SENTENCE


def test_a_copy_without_credentials_is_marked(folder: Path) -> None:
    """`ffmpeg -c copy` leaves the credentials behind, not the watermark; nor does AAC at 64 kb/s."""
    ffmpeg("-i", folder / "dub.mp4", "-map", "0", "-c", "copy", folder / "copy.mp4")
    ffmpeg("-i", folder / "dub.mp4", "-map", "0:a:1", "-c:a", "aac", "-b:a", "64k", folder / "again.m4a")
    for name in ("copy.mp4", "again.m4a"):
        found = inspect(folder / name)
        assert (found.verdict, found.credentials.state) == ("marked", "none")
        assert found.watermark > 0.8


def test_the_source_is_unmarked(folder: Path) -> None:
    """Real files of other people are not accused."""
    found = inspect(folder / "source.mp4")
    assert (found.verdict, found.credentials.state) == ("unmarked", "none")
    assert found.watermark < 0.3


def test_a_flipped_bit_is_altered(folder: Path) -> None:
    """Whatever the sound still says."""
    data = bytearray((folder / "dub.mp4").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "flipped.mp4").write_bytes(data)
    assert inspect(folder / "flipped.mp4").verdict == "altered"


def test_a_strangers_signature_is_unverified(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another machine, whose development chain is another one."""
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "other machine"))
    chain.signer()
    assert inspect(folder / "dub.mp4").verdict == "unverified"


def test_the_command_prints_one_json_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict, credentials with their state, watermark with its score, tags: what scripts rely on."""
    show_verdict(str(folder / "dub.mp4"), json_wanted=True)
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["verdict", "credentials", "watermark", "tags"]
    assert told["verdict"] == "authentic"
    assert told["credentials"]["state"] == "valid"
    assert 0.8 < told["watermark"]["score"] <= 1.0


def test_the_command_says_it_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict comes first, with what it means."""
    show_verdict(str(folder / "source.mp4"), json_wanted=False)
    assert capsys.readouterr().out.startswith("source.mp4: unmarked: neither credentials nor watermark\n")


@pytest.mark.parametrize("content", [None, b"", b"no media\n" * 50])
def test_what_is_no_media_file_is_the_users_to_mend(tmp_path: Path, content: bytes | None) -> None:
    """A missing file and one of another kind: exit code 2, by the error's kind."""
    path = tmp_path / "nothing.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError):
        inspect(path)


def test_a_folder_and_a_torn_file_are_told_apart(folder: Path, tmp_path: Path) -> None:
    """A folder is the user's mistake; half of a file of ours was altered, be it ever so short."""
    with pytest.raises(MediaError, match="not a file"):
        inspect(tmp_path)
    whole = (folder / "dub.mp4").read_bytes()
    for length in (200, 2000, len(whole) // 2):
        torn = tmp_path / "torn.mp4"
        torn.write_bytes(whole[:length])
        assert inspect(torn).verdict == "altered", length


@pytest.mark.parametrize("codec", [("aac", "64k", "m4a"), ("libopus", "32k", "ogg"), ("libmp3lame", "64k", "mp3")])
def test_a_lossy_copy_is_still_marked(folder: Path, tmp_path: Path, codec: tuple[str, str, str]) -> None:
    """The dub alone, encoded again: the credentials are gone, the watermark is not."""
    name, rate, ending = codec
    copy = tmp_path / f"copy.{ending}"
    ffmpeg("-i", folder / "dub.mp4", "-map", "0:a:1", "-c:a", name, "-b:a", rate, copy)
    found = inspect(copy)
    assert (found.verdict, found.credentials.state) == ("marked", "none")
