"""HLS: what a player finds by the master, read by other people's parsers, and in step to the sample."""

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import m3u8
import pytest

from manifests.errors import MediaError
from manifests.spans import Span
from tasks import hls
from tasks.codec_names import codec_name
from tasks.hls import Package, package
from tasks.media import probe
from tasks.playlists import write_subtitles
from tasks.split import split
from tasks.subtitles import Cue
from tasks.tracks import Dub

Make = Callable[..., Path]
Times = Callable[..., list[int]]
REORDERED = ("-c:v", "libx264", "-bf", "3", "-g", "25", "-b_strategy", "0")
CUES = (Cue(Span.of_seconds(0.5, 2.0), ("¿Hola & adiós?",)), Cue(Span.of_seconds(2.5, 3.5), ("Dos", "filas.")))


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Package]:
    """Publish a source with its own sound as its dubs, so that what was in step before must be in step after."""

    def made(source: Path, *languages: str, **more: object) -> Package:
        (tmp_path / "scratch").mkdir(exist_ok=True)
        parts = split(source, tmp_path / "scratch", source_language="en")
        dubs = [Dub(language, parts.programme, CUES, variants={"sdh": CUES}) for language in languages or ("es",)]
        return package(source, parts.media, dubs, tmp_path / "out" / "l.hls", tmp_path / "scratch", **more)  # type: ignore[arg-type]  # the test's own keywords

    return made


def packets(path: Path, stream: str) -> str:
    """A digest of a stream's packets."""
    arguments = ["-i", str(path), "-map", f"0:{stream}", "-c", "copy", "-f", "hash", "-hash", "md5", "-"]
    return subprocess.run(
        ["ffmpeg", "-v", "error", *arguments], capture_output=True, check=True, timeout=60
    ).stdout.decode()


def starts(path: Path) -> list[tuple[str, float]]:
    """Kind and start of each stream, as ffprobe sees a player's choice of them."""
    entries = ["-show_entries", "stream=codec_type,start_time", "-of", "csv=p=0", str(path)]
    rows = subprocess.run(
        ["ffprobe", "-v", "fatal", *entries], capture_output=True, check=True, timeout=60
    ).stdout.decode()
    found = {
        (kind, float(start))
        for kind, start in (row.split(",")[:2] for row in rows.split() if row[:5] in ("video", "audio"))
    }
    return sorted(found)


def test_the_master_names_every_language_once(
    click_video: Make, publish: Callable[..., Package], tmp_path: Path
) -> None:
    """One group of sounds with the original and the dubs, one of subtitles, and a picture that is told of in full."""
    made = publish(click_video("l.mp4", *REORDERED), "es", "pt-BR")
    assert made.master == str(tmp_path / "out" / "l.hls" / "master.m3u8")
    playlist = m3u8.load(made.master)
    assert playlist.is_variant
    (variant,) = playlist.playlists
    info = variant.stream_info
    assert info.codecs == "avc1.4d400b,mp4a.40.2"  # Main at level 1.1, AAC-LC
    assert (info.resolution, info.frame_rate, info.audio, info.subtitles) == ((160, 90), 25.0, "audio", "subtitles")
    sounds = [media for media in playlist.media if media.type == "AUDIO"]
    assert [(each.name, each.language, each.default, each.autoselect, each.channels) for each in sounds] == [
        ("English", "en", "YES", "YES", "2"),
        ("Español (dub)", "es", "NO", "YES", "2"),
        ("Português (Brasil) (dub)", "pt-BR", "NO", "YES", "2"),
    ]
    assert {each.group_id for each in sounds} == {"audio"}
    assert [each.characteristics for each in sounds] == [
        "public.original-content",
        "public.translation.dubbed,public.machine-generated",
        "public.translation.dubbed,public.machine-generated",
    ]
    titles = [media for media in playlist.media if media.type == "SUBTITLES"]
    assert [(each.name, each.language, each.default, each.forced) for each in titles] == [
        ("Español", "es", "NO", "NO"),
        ("Español (SDH)", "es", "NO", "NO"),
        ("Português (Brasil)", "pt-BR", "NO", "NO"),
        ("Português (Brasil) (SDH)", "pt-BR", "NO", "NO"),
    ]
    said = {data.language: data.value for data in playlist.session_data}
    assert said == {
        "es": "Las voces de este doblaje son sintéticas.",
        "pt-BR": "As vozes desta dublagem são sintéticas.",
    }
    for each in (variant, *playlist.media):
        listed = m3u8.load(str(tmp_path / "out" / "l.hls" / each.uri))
        assert listed.is_endlist
        assert sum(segment.duration for segment in listed.segments) == pytest.approx(4.0, abs=0.05)
        assert max(round(segment.duration) for segment in listed.segments) <= listed.target_duration


def test_what_is_said_of_bandwidth_holds(click_video: Make, publish: Callable[..., Package], tmp_path: Path) -> None:
    """No segment of the picture with the same second's sound takes more; the mean is below the peak."""
    made = publish(click_video("l.mp4", *REORDERED))
    playlist = m3u8.load(made.master)
    info = playlist.playlists[0].stream_info
    peak = 0.0
    for uri in (playlist.playlists[0].uri, playlist.media[0].uri):
        listed = m3u8.load(str(tmp_path / "out" / "l.hls" / uri))
        sizes = [int(segment.byterange.split("@")[0]) * 8 / segment.duration for segment in listed.segments]
        peak += max(sizes)
    assert info.bandwidth >= 0.99 * peak
    assert 0 < info.average_bandwidth <= info.bandwidth


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plain.mp4", ()),
        ("reordered.mp4", REORDERED),
        ("l.mkv", (*REORDERED, "-c:a", "aac")),
        ("flac.mkv", ("-c:a", "flac")),
        ("late.mkv", ("-c:a", "aac", "-output_ts_offset", "1.5")),
    ],
)
def test_picture_original_and_dub_are_in_step(
    click_video: Make,
    click_times: Times,
    publish: Callable[..., Package],
    tmp_path: Path,
    name: str,
    arguments: tuple[str, ...],
) -> None:
    """All tracks begin at one instant, though frames are reordered; clicks lie at their samples; packets are copied."""
    source = click_video(name, *arguments)
    made = publish(source)
    playlist = m3u8.load(made.master)
    streams = dict(starts(Path(made.master)))
    begins = streams["video"] - probe(source).of_kind("video")[0].start / 48000
    folder = tmp_path / "out" / "l.hls"
    before = click_times(source)
    for each in [media for media in playlist.media if media.type == "AUDIO"]:
        own = dict(starts(folder / each.uri))["audio"]  # which ffmpeg takes off the times of a file that it plays
        heard = [at + round((own - begins) * 48000) for at in click_times(folder / each.uri)]
        assert heard == pytest.approx(before, abs=48)
    assert packets(folder / playlist.playlists[0].uri, "v:0") == packets(source, "v:0")


def test_subtitles_are_cut_on_the_medias_clock(
    click_video: Make, publish: Callable[..., Package], tmp_path: Path
) -> None:
    """The map of times names the instant at which the programme begins, in 90 kHz, and every cue is where it is due."""
    made = publish(click_video("l.mp4", *REORDERED))
    begins = dict(starts(Path(made.master)))["audio"]
    titles = next(media for media in m3u8.load(made.master).media if media.type == "SUBTITLES")
    listed = m3u8.load(str(tmp_path / "out" / "l.hls" / titles.uri))
    (text,) = [(tmp_path / "out" / "l.hls" / titles.uri).with_name(each.uri).read_text() for each in listed.segments]
    assert text.splitlines() == [
        "WEBVTT",
        f"X-TIMESTAMP-MAP=MPEGTS:{round(begins * 90000)},LOCAL:00:00:00.000",
        "",
        "00:00:00.500 --> 00:00:02.000",
        "¿Hola &amp; adiós?",
        "",
        "00:00:02.500 --> 00:00:03.500",
        "Dos",
        "filas.",
        "",
    ]
    assert begins > 0.03  # or the map would not be tried


def test_a_cue_across_a_cut_is_in_both_segments(tmp_path: Path) -> None:
    """A player that loads either segment shows it; a segment in which nothing is said is there, and empty."""
    shown = (Cue(Span.of_seconds(5.0, 7.0), ("Uno.",)), Cue(Span.of_seconds(19.0, 20.0), ("Dos.",)))
    write_subtitles(shown, 20 * 48000, tmp_path / "s", 0.0)
    listed = m3u8.load(str(tmp_path / "s" / "index.m3u8"))
    assert [segment.duration for segment in listed.segments] == [6, 6, 6, 2]
    texts = [(tmp_path / "s" / segment.uri).read_text(encoding="utf-8") for segment in listed.segments]
    cue = "00:00:05.000 --> 00:00:07.000\nUno.\n\n"
    head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
    assert texts == [head + cue, head + cue, head, head + "00:00:19.000 --> 00:00:20.000\nDos.\n\n"]


def test_a_sound_file_is_streamed_too(click_video: Make, publish: Callable[..., Package], tmp_path: Path) -> None:
    """Without a picture the original's sound is what the master plays."""
    made = publish(click_video("l.mp3", "-vn"))
    (variant,) = m3u8.load(made.master).playlists
    assert variant.uri.endswith("/audio-en/index.m3u8")
    assert (variant.stream_info.codecs, variant.stream_info.resolution) == ("mp4a.40.2", None)


def test_a_picture_that_no_player_plays_is_refused(
    click_video: Make, publish: Callable[..., Package], tmp_path: Path
) -> None:
    """VP8 is not encoded anew behind anybody's back: the message says what to do, and nothing is published."""
    with pytest.raises(MediaError) as refused:
        publish(click_video("l.webm", "-c:a", "libopus"))
    assert "vp8" in str(refused.value)
    assert "H.264, HEVC or AV1" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_picture_whose_beginning_is_hidden_is_refused(
    click_video: Make, make_media: Make, publish: Callable[..., Package]
) -> None:
    """What somebody cut away by an edit list would be seen again in HLS, which has none: the message names it."""
    whole = click_video("l.mp4")
    with pytest.raises(MediaError, match=r"an edit list hides the picture's first 0\.7\d s"):
        publish(make_media("cut.mp4", "-ss", "0.72", "-i", str(whole), "-map", "0", "-c", "copy"))


def test_the_master_never_names_what_is_not_whole(
    click_video: Make, publish: Callable[..., Package], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed packaging leaves the earlier one as it was; a new one takes its place and what it does not need goes."""
    folder = tmp_path / "out" / "l.hls"
    first = publish(click_video("a.mp4"))
    assert {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in first.files} == first.files
    before = Path(first.master).read_text(encoding="utf-8")
    with monkeypatch.context() as broken:
        broken.setattr(hls, "subtitles", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            publish(click_video("b.mp4", *REORDERED))
    assert Path(first.master).read_text(encoding="utf-8") == before
    assert len(list(folder.iterdir())) == 2
    assert [path.name for path in folder.parent.iterdir()] == ["l.hls"]
    second = publish(click_video("b.mp4", *REORDERED))
    assert Path(second.master).read_text(encoding="utf-8") != before
    assert len(list(folder.iterdir())) == 2
    assert publish(click_video("b.mp4", *REORDERED)).files == second.files


@pytest.mark.parametrize(
    ("arguments", "codec"),
    [
        (("-c:v", "libx265", "-x265-params", "log-level=error"), r"hvc1\.1\.6\.L\d+\.90"),
        (("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error"), r"hvc1\.2\.4\.L\d+\.90"),
        (("-c:v", "libsvtav1", "-preset", "12"), r"av01\.0\.0\dM\.08"),
        (("-c:v", "libx264", "-profile:v", "high", "-level", "3.1"), "avc1.64001f"),
    ],
)
def test_codecs_are_named_as_players_know_them(
    make_media: Make, tmp_path: Path, arguments: tuple[str, ...], codec: str
) -> None:
    """By RFC 6381, from what is in the track, not from a table of guesses."""
    picture = ("-f", "lavfi", "-i", "testsrc=s=320x180:r=25:d=0.4", "-pix_fmt", "yuv420p")
    made = make_media("c.mp4", *picture, *arguments, *(("-tag:v", "hvc1") if "libx265" in arguments else ()))
    assert re.fullmatch(codec, codec_name(made))
