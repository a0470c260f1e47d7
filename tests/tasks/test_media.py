"""Looking into media files: what they hold, and why some cannot be dubbed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from manifests.errors import MediaError
from manifests.script import dump, load
from tasks.media import Media, probe

Make = Callable[..., Path]


def test_a_lecture_is_described(click_video: Make) -> None:
    """Length, picture, sound, language, default flag and title are what the file was made with."""
    media = probe(click_video("l.mp4", "-metadata:s:a:0", "language=eng", "-metadata", "title=Lesson"))
    assert (media.suffix, media.duration, media.start_s, media.chapters) == (".mp4", 192000, 0.0, 0)
    assert media.tags["title"] == "Lesson"
    picture, sound = media.streams
    assert (picture.kind, picture.codec, picture.frame_rate) == ("video", "h264", 25.0)
    assert (sound.kind, sound.codec, sound.language, sound.channels, sound.layout) == (
        "audio", "aac", "eng", 2, "stereo",
    )  # fmt: skip
    assert (sound.sample_rate, sound.start, sound.length) == (48000, 0, 192000)
    assert "default" in sound.dispositions


def test_what_is_known_survives_its_way_through_the_store(click_video: Make, tmp_path: Path) -> None:
    """A description written as JSON reads back equal."""
    media = probe(click_video("l.mkv"))
    assert load(Media, dump(media, tmp_path / "media.json")) == media


def test_a_cover_is_no_picture_of_the_programme(make_media: Make, clicks: Path) -> None:
    """An mp3 with cover art is an audio file with a cover."""
    cover = make_media("cover.png", "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1")
    song = make_media("l.mp3", "-i", str(clicks), "-i", str(cover), "-map", "0", "-map", "1", "-c:v", "copy")
    media = probe(song)
    assert media.of_kind("video") == ()
    assert [stream.codec for stream in media.covers] == ["png"]


def test_sound_that_starts_late_says_so(make_media: Make, click_video: Make) -> None:
    """The start of each stream counts from the programme's."""
    whole = click_video("w.mkv", "-c:a", "flac")
    late = make_media("late.mkv", "-i", str(whole), "-itsoffset", "1.5", "-i", str(whole), "-map", "0:v", "-map", "1:a",
                      "-c", "copy")  # fmt: skip
    media = probe(late)
    assert [stream.start for stream in media.streams] == [0, 72000]
    assert media.duration == 264000


def test_a_clock_that_does_not_start_at_zero_is_taken_off(make_media: Make, click_video: Make) -> None:
    """A transport stream starts at 1.4 s of its own clock; its programme starts at 0 all the same."""
    media = probe(make_media("l.ts", "-i", str(click_video("w.mp4")), "-c", "copy"))
    assert media.start_s == pytest.approx(1.4, abs=0.05)
    assert min(stream.start for stream in media.streams) == 0
    assert media.duration == pytest.approx(192000, abs=2400)


def test_a_recording_that_does_not_say_how_long_it_is_is_scanned(make_media: Make, click_video: Make) -> None:
    """Browsers record webm without a length; the last packet tells."""
    live = make_media("live.webm", "-i", str(click_video("w.webm")), "-c", "copy", "-f", "webm", "-live", "1")
    assert probe(live).duration == pytest.approx(192000, abs=1500)


@pytest.mark.parametrize("name", ["-l ö'\"%d.mp4", "a:b c.mp4", "http:x.mp4", "lección número 1.mp4"])
def test_any_name_that_a_file_can_have_is_read(
    click_video: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Dashes, quotes, colons, percent signs and accents mean nothing to us."""
    path = tmp_path / name
    click_video("plain.mp4").rename(path)
    monkeypatch.chdir(tmp_path)
    assert [probe(path).duration, probe(Path(name)).duration] == [192000, 192000]


def test_four_letters_are_no_wave_file(tmp_path: Path) -> None:
    """However short a file is, it is refused as what it is."""
    path = tmp_path / "short.wav"
    path.write_bytes(b"RIFF")
    assert "short.wav" in refused(path)


def refused(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert caught.value.remedy
    return caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names the file."""
    assert refused(tmp_path / "none.mp4") == f"{tmp_path / 'none.mp4'} does not exist."


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    """Zero bytes are not called damaged."""
    (tmp_path / "l.mp4").touch()
    assert refused(tmp_path / "l.mp4").endswith("is empty.")


def test_a_folder_is_no_lesson(tmp_path: Path) -> None:
    """A folder where a file should be is told apart from a damaged file."""
    assert "is a folder" in refused(tmp_path)


def test_text_is_no_media(tmp_path: Path) -> None:
    """A text file that is called .mp4 is no media file."""
    path = tmp_path / "l.mp4"
    path.write_text("Dear all, please find the video attached. " * 100)
    assert "is no media file that ffmpeg can read" in refused(path)


def test_a_picture_without_sound_has_nothing_to_dub(make_media: Make) -> None:
    """A video without an audio track fails with that sentence."""
    silent = make_media("l.mp4", "-f", "lavfi", "-i", "testsrc=s=160x90:d=1", "-pix_fmt", "yuv420p")
    assert refused(silent).endswith("has no sound: there is nothing to dub.")
    assert probe(silent, needs_sound=False).of_kind("video")[0].codec == "h264"


@pytest.mark.parametrize(
    ("name", "arguments", "share"),
    [
        ("index last.mp4", (), 0.7),
        ("index last, cut in the index.mp4", (), 0.99),
        ("index first.mp4", ("-movflags", "+faststart"), 0.7),
        ("whole.mkv", (), 0.7),
        ("sound.wav", (), 0.7),
    ],
)
def test_a_file_that_is_cut_short_is_found_out(
    click_video: Make, make_media: Make, clicks: Path, name: str, arguments: tuple[str, ...], share: float
) -> None:
    """Half a copy is refused wherever its index lies, although ffmpeg would play what there is of some."""
    whole = make_media(name, "-i", str(clicks)) if name.endswith(".wav") else click_video(name, *arguments)
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * share)])
    assert "is cut short" in refused(whole)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    """A file without read permission is not called damaged."""
    path = tmp_path / "l.mp4"
    path.write_bytes(b"x")
    path.chmod(0)
    assert "cannot be read: Permission denied" in refused(path)
