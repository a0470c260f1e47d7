"""The finished file: nothing of the source lost, the dub in step with the picture, and never half a file."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from manifests.errors import DubError, MediaError, StoreError
from manifests.model import Course, Job, Lesson
from manifests.script import Casting, Line, Lines, Script, Utterance, dump, load
from manifests.spans import Span, samples
from manifests.timeline import Placement, Timeline
from tasks import multi as multi_stage
from tasks import remux as stage
from tasks.delivery import Delivery
from tasks.disclosure import says_so
from tasks.media import probe
from tasks.mix_measures import Mix
from tasks.process import run_program
from tasks.remux import remux
from tasks.split import Parts, split
from tasks.stage import Workbench
from tasks.subtitles import Cue
from tasks.tracks import Dub
from voiceclone import chain, credentials

Make = Callable[..., Path]
Times = Callable[..., list[int]]
SplitOnce = Callable[[Path], Parts]
CUES = (Cue(Span.of_seconds(0.5, 2.0), ("¿Hola, qué tal?",)), Cue(Span.of_seconds(2.5, 3.5), ("Dos", "filas.")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the stage to work in, apart from the finished files'."""
    made = tmp_path / "scratch"
    made.mkdir()
    return made


@pytest.fixture(scope="session")
def split_once(tmp_path_factory: pytest.TempPathFactory) -> SplitOnce:
    """Split a source, once for all tests whose source has the same bytes."""
    known: dict[bytes, Parts] = {}

    def once(source: Path) -> Parts:
        key = source.suffix.encode() + source.read_bytes()
        if key not in known:
            known[key] = split(source, tmp_path_factory.mktemp("split"), source_language="en")
        return known[key]

    return once


@pytest.fixture
def dub(folder: Path, tmp_path: Path, split_once: SplitOnce) -> Callable[..., Delivery]:
    """Deliver a source with its own sound as the dub, so that what was in step before must be in step after."""

    def deliver(source: Path, *languages: str, **more: object) -> Delivery:
        parts = split_once(source)
        dubs = [Dub(language, parts.programme, CUES) for language in languages or ("es",)]
        return remux(source, parts.media, dubs, tmp_path / "out" / "l.es", folder, **more)  # type: ignore[arg-type]  # the test's own keywords

    return deliver


def streams(path: Path) -> list[dict[str, object]]:
    """A finished file's streams, as ffprobe sees them: what a player would."""
    listed = run_program(["ffprobe", "-v", "error", "-show_streams", "-of", "json", f"file:{path}"], 60)
    return json.loads(listed)["streams"]


def packets(path: Path, stream: str) -> str:
    """A digest of a stream's packets: equal where they were copied bit for bit."""
    arguments = ["-i", f"file:{path}", "-map", f"0:{stream}", "-c", "copy", "-f", "hash", "-hash", "md5", "-"]
    return run_program(["ffmpeg", "-v", "error", *arguments], 60)


def first_picture(path: Path) -> int:
    """When the first picture is shown, in samples at 48 kHz from the file's start."""
    return probe(path).of_kind("video")[0].start


@pytest.mark.parametrize(
    ("name", "arguments", "codec"),
    [
        ("l.mp4", (), "aac"),
        ("l.m4v", (), "aac"),
        ("l.mov", (), "aac"),
        ("pcm.mov", ("-c:a", "pcm_s16le"), "pcm_s16le"),
        ("l.mkv", ("-c:a", "aac"), "aac"),
        ("opus.mkv", ("-c:a", "libopus"), "opus"),
        ("flac.mkv", ("-c:a", "flac"), "flac"),
        ("l.webm", ("-c:a", "libopus"), "opus"),
    ],
)
def test_picture_original_and_dub_stay_in_step(
    click_video: Make,
    click_times: Times,
    dub: Callable[..., Delivery],
    name: str,
    arguments: tuple[str, ...],
    codec: str,
) -> None:
    """Clicks at the start, in the middle and at the end lie where they lay against the picture, within 1 ms."""
    source = click_video(name, *arguments)
    made = dub(source)
    out = Path(made.path)
    before = [at - first_picture(source) for at in click_times(source)]
    assert [at - first_picture(out) for at in click_times(out, "a:0")] == pytest.approx(before, abs=48)
    assert [at - first_picture(out) for at in click_times(out, "a:1")] == pytest.approx(before, abs=48)
    assert packets(out, "v:0") == packets(source, "v:0")
    assert packets(out, "a:0") == packets(source, "a:0")
    assert made.streams[2].codec == codec
    assert made.duration == pytest.approx(probe(source).duration, abs=samples(0.04))
    assert made.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["l.mp4", "l.mov", "l.mkv", "l.webm"])
def test_tracks_say_what_they_are(click_video: Make, dub: Callable[..., Delivery], name: str) -> None:
    """The original comes first and is the default no longer; the dub is tagged, named and the default."""
    found = streams(Path(dub(click_video(name, "-metadata:s:a:0", "language=eng")).path))
    kinds = [stream["codec_type"] for stream in found]
    assert kinds == ["video", "audio", "audio", "subtitle"]
    _, original, spanish, subtitle = found
    assert (original["tags"]["language"], original["disposition"]["default"]) == ("eng", 0)  # type: ignore[index]  # ffprobe's JSON
    assert (spanish["tags"]["language"], spanish["disposition"]["default"]) == ("spa", 1)  # type: ignore[index]  # ffprobe's JSON
    tags = spanish["tags"]
    assert isinstance(tags, dict)
    assert "Español (dub)" in (tags.get("title"), tags.get("handler_name"))
    assert subtitle["tags"]["language"] == "spa"  # type: ignore[index]  # ffprobe's JSON
    assert subtitle["codec_name"] == {"l.mkv": "subrip", "l.webm": "webvtt"}.get(name, "mov_text")


@pytest.mark.parametrize("name", ["l.mp4", "l.mkv", "l.webm"])
def test_embedded_and_separate_subtitles_say_the_same(
    click_video: Make, dub: Callable[..., Delivery], tmp_path: Path, name: str
) -> None:
    """Each cue's words and times, read back out of the container."""
    made = dub(click_video(name))
    inside = run_program(["ffmpeg", "-v", "error", "-i", made.path, "-map", "0:s:0", "-f", "srt", "-"], 60)
    beside = (tmp_path / "out" / "l.es.srt").read_text(encoding="utf-8")
    assert "¿Hola, qué tal?" in inside
    assert [row for row in inside.splitlines() if "-->" not in row] == [
        row for row in beside.splitlines() if "-->" not in row
    ]
    assert made.subtitles == {str(tmp_path / "out" / "l.es.srt"): hashlib.sha256(beside.encode()).hexdigest()}


@pytest.mark.parametrize(
    ("name", "codec"), [("l.mp3", "mp3"), ("l.wav", "pcm_s16le"), ("l.flac", "flac"), ("l.opus", "opus")]
)
def test_where_one_stream_fits_the_dub_is_it(
    click_video: Make, click_times: Times, dub: Callable[..., Delivery], name: str, codec: str
) -> None:
    """Sound files keep their kind, length and tags; every click is at its sample."""
    made = dub(click_video(name, "-vn", "-metadata", "title=Lesson two"))
    assert [(stream.kind, stream.codec) for stream in made.streams] == [("audio", codec)]
    assert click_times(Path(made.path)) == pytest.approx([12000, 96000, 180000], abs=1)
    assert made.duration == 192000
    tags = probe(Path(made.path)).tags | {key.lower(): value for key, value in probe(Path(made.path)).tags.items()}
    assert tags.get("title") == "Lesson two" or name == "l.opus"


def test_an_m4a_holds_both(click_video: Make, click_times: Times, dub: Callable[..., Delivery]) -> None:
    """Original and dub, in step, and a note that there is no room for subtitles."""
    made = dub(click_video("l.m4a", "-vn"))
    assert [stream.default for stream in made.streams] == [False, True]
    assert click_times(Path(made.path), "a:1") == [12000, 96000, 180000]
    assert made.notes == ("m4a holds no subtitles: they lie beside it only",)


def test_chapters_tags_cover_attachments_and_subtitles_are_kept(
    click_video: Make, make_media: Make, dub: Callable[..., Delivery], tmp_path: Path
) -> None:
    """A Matroska file with everything in it keeps everything, and the notes have nothing to say."""
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=Lesson two\nCOURSE=Biology\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=Leaves\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=Roots\n"
    )
    (tmp_path / "old.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n\n")
    (tmp_path / "font.ttf").write_bytes(b"a font" * 100)
    cover = make_media("cover.jpg", "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1")
    source = make_media(
        "full.mkv", "-i", str(click_video("plain.mp4")), "-i", str(tmp_path / "chapters.txt"),
        "-i", str(tmp_path / "old.srt"), "-map", "0", "-map", "2", "-map_metadata", "1", "-c", "copy",
        "-metadata:s:s:0", "language=eng", "-attach", str(tmp_path / "font.ttf"),
        "-metadata:s:t:0", "mimetype=application/x-truetype-font", "-attach", str(cover),
        "-metadata:s:t:1", "mimetype=image/jpeg", "-metadata:s:t:1", "filename=cover.jpg",
    )  # fmt: skip
    made = dub(source)
    media = probe(Path(made.path))
    assert made.notes == ()
    assert (media.chapters, media.tags["title"], media.tags["COURSE"]) == (2, "Lesson two", "Biology")
    assert [stream.language for stream in media.of_kind("subtitle")] == ["eng", "spa"]
    assert [stream.file_name for stream in media.of_kind("attachment")] == ["font.ttf"]
    assert [stream.codec for stream in media.covers] == ["mjpeg"]
    assert len(media.of_kind("video")) == 1
    assert packets(Path(made.path), f"{media.covers[0].index}") == packets(source, f"{probe(source).covers[0].index}")


def test_an_mp4_keeps_its_chapters_and_cover(
    click_video: Make, make_media: Make, dub: Callable[..., Delivery], tmp_path: Path
) -> None:
    """QuickTime's own chapter track is written anew, once."""
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=Lesson two\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=4000\ntitle=Leaves\n"
    )
    cover = make_media("cover.jpg", "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1")
    source = make_media(
        "full.mp4", "-i", str(click_video("plain.mp4")), "-i", str(tmp_path / "chapters.txt"), "-i", str(cover),
        "-map", "0", "-map", "2", "-map_metadata", "1", "-c", "copy", "-disposition:v:1", "attached_pic",
    )  # fmt: skip
    made = dub(source)
    media = probe(Path(made.path))
    assert made.notes == ()
    assert (media.chapters, media.tags["title"], len(media.covers), len(media.of_kind("video"))) == (
        1,
        "Lesson two",
        1,
        1,
    )


def test_what_another_container_cannot_hold_is_named(
    click_video: Make, make_media: Make, dub: Callable[..., Delivery], tmp_path: Path
) -> None:
    """From mkv to mp4: the font cannot come along, styled subtitles become plain ones, FLAC is copied."""
    (tmp_path / "font.ttf").write_bytes(b"a font" * 100)
    source = make_media(
        "full.mkv", "-i", str(click_video("plain.mkv", "-c:a", "flac")), "-c", "copy", "-attach",
        str(tmp_path / "font.ttf"), "-metadata:s:t:0", "mimetype=application/x-truetype-font",
        "-metadata", "COURSE=Biology",
    )  # fmt: skip
    made = dub(source, container="mp4")
    assert made.path.endswith("/l.es.mp4")
    assert made.notes == ("mp4 cannot hold the attachment font.ttf", "tags that mp4 does not hold: COURSE")
    assert [stream.codec for stream in made.streams] == ["h264", "flac", "aac", "mov_text"]


def test_sound_that_another_container_cannot_hold_is_encoded_and_named(
    click_video: Make, click_times: Times, dub: Callable[..., Delivery]
) -> None:
    """PCM does not go into mp4: the original is kept as AAC, and the note says so."""
    made = dub(click_video("l.mov", "-c:a", "pcm_s16le"), container="mp4")
    assert made.notes == ("audio stream 1 (pcm_s16le) cannot be copied into mp4: encoded anew as aac",)
    assert click_times(Path(made.path), "a:0") == click_times(Path(made.path), "a:1") == [12000, 96000, 180000]


def test_a_picture_that_the_wanted_container_cannot_hold_is_refused(
    click_video: Make, dub: Callable[..., Delivery]
) -> None:
    """H.264 does not go into webm, and no picture is encoded anew."""
    with pytest.raises(MediaError, match=r"webm cannot hold this picture \(h264\).*container: mkv"):
        dub(click_video("l.mp4"), container="webm")


@pytest.mark.parametrize("name", ["l.ts", "l.avi"])
def test_a_container_for_one_language_becomes_matroska(
    click_video: Make, click_times: Times, dub: Callable[..., Delivery], name: str
) -> None:
    """And says so."""
    source = click_video(name, "-c:v", "mpeg4", "-bf", "0", "-c:a", "mp2")
    made = dub(source)
    out = Path(made.path)
    assert out.suffix == ".mkv"
    assert "delivered as mkv" in made.notes[0]
    before = [at - first_picture(source) for at in click_times(source)]
    assert [at - first_picture(out) for at in click_times(out, "a:1")] == pytest.approx(before, abs=48)


def test_sound_that_starts_late_stays_late(
    make_media: Make, click_video: Make, click_times: Times, dub: Callable[..., Delivery]
) -> None:
    """The dub has silence where the original had not begun."""
    whole = click_video("whole.mp4")
    late = make_media("late.mp4", "-i", str(whole), "-itsoffset", "1.5", "-i", str(whole), "-map", "0:v", "-map",
                      "1:a", "-c", "copy")  # fmt: skip
    out = Path(dub(late).path)
    assert click_times(out, "a:0") == pytest.approx([84000, 168000, 252000], abs=48)
    assert click_times(out, "a:1") == pytest.approx(click_times(out, "a:0"), abs=48)


def test_rotation_stays_with_the_picture(make_media: Make, click_video: Make, dub: Callable[..., Delivery]) -> None:
    """A phone video filmed upright is still upright."""
    phone = make_media("p.mp4", "-i", str(click_video("even.mp4")), "-c", "copy", "-metadata:s:v", "rotate=90")

    def rotation(path: Path) -> object:
        return streams(path)[0]["side_data_list"][0]["rotation"]  # type: ignore[index]  # ffprobe's JSON

    assert rotation(Path(dub(phone).path)) == rotation(phone) != 0


def test_six_channels_stay_six(make_media: Make, dub: Callable[..., Delivery]) -> None:
    """A 5.1 source gets a 5.1 dub."""
    source = make_media("l.mkv", "-f", "lavfi", "-i", "aevalsrc=0.1*sin(900*t)|0|0|0|0|0:c=5.1:d=1", "-c:a", "libopus")
    assert [stream.channels for stream in dub(source).streams if stream.kind == "audio"] == [6, 6]


def test_both_original_tracks_are_kept(make_media: Make, dub: Callable[..., Delivery]) -> None:
    """Two audio tracks in, three out, in their order."""
    source = make_media(
        "l.mp4", "-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i", "sine=900:d=1", "-map", "0", "-map", "1",
        "-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng",
    )  # fmt: skip
    made = dub(source)
    assert [(stream.language, stream.default) for stream in made.streams if stream.kind == "audio"] == [
        ("ger", False),
        ("eng", False),
        ("spa", True),
    ]


def test_one_file_carries_several_languages(
    click_video: Make, click_times: Times, dub: Callable[..., Delivery]
) -> None:
    """Each language has its track and subtitles; the first is the default; all are in step."""
    made = dub(click_video("l.mp4"), "es", "ca", "pt-BR", subtitles=("embedded",))
    audio = [stream for stream in made.streams if stream.kind == "audio"]
    assert [(stream.language, stream.title, stream.default) for stream in audio[1:]] == [
        ("spa", "Español (dub)", True),
        ("cat", "Català (dub)", False),
        ("por", "Português (Brasil) (dub)", False),
    ]
    assert [stream.language for stream in made.streams if stream.kind == "subtitle"] == ["spa", "cat", "por"]
    assert [click_times(Path(made.path), f"a:{number}") for number in (1, 2, 3)] == [[12000, 96000, 180000]] * 3
    assert made.subtitles == {}


def test_a_sound_file_cannot_carry_several(click_video: Make, dub: Callable[..., Delivery]) -> None:
    """An mp3 has one stream."""
    with pytest.raises(MediaError, match="mp3 holds one audio track, not 2 languages"):
        dub(click_video("l.mp3", "-vn"), "es", "ca")


def test_a_lesson_without_lines_is_delivered(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """No subtitle stream, an empty subtitle file, its own sound."""
    source = click_video("l.mp4")
    parts = split_once(source)
    made = remux(source, parts.media, [Dub("es", parts.programme, ())], tmp_path / "out" / "l.es", folder)
    assert [stream.kind for stream in made.streams] == ["video", "audio", "audio"]
    assert (tmp_path / "out" / "l.es.srt").read_text() == ""


@pytest.mark.parametrize("name", ["-l ö'\"%d,[1]", "lección: número 1"])
def test_any_name_that_a_lesson_can_have_is_delivered(
    click_video: Make, folder: Path, tmp_path: Path, name: str, split_once: SplitOnce
) -> None:
    """Dashes, quotes, colons, percent signs and accents, in the source's name and the output's."""
    source = click_video("plain.mp4").rename(tmp_path / f"{name}.mp4")
    parts = split_once(source)
    made = remux(source, parts.media, [Dub("es", parts.programme, CUES)], tmp_path / "out" / f"{name}.es", folder)
    assert left_in(tmp_path / "out") == [f"{name}.es.mp4", f"{name}.es.srt"]
    assert probe(Path(made.path)).duration == 192000


def left_in(out: Path) -> list[str]:
    """Everything in a folder, hidden or not."""
    return sorted(path.name for path in out.iterdir())


def test_the_source_is_never_written_over(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """A lesson whose source already has the output's name, in the output's folder, is refused and untouched."""
    source = click_video("l.es.mp4")
    before = source.read_bytes()
    parts = split_once(source)
    with pytest.raises(StoreError, match=r"never written over.*Choose another folder"):
        remux(source, parts.media, [Dub("es", parts.programme, CUES)], tmp_path / "l.es", folder)
    assert source.read_bytes() == before
    assert left_in(tmp_path) == ["l.es.mp4", "scratch"]


def test_a_human_translation_is_never_written_over(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """Subtitles that the manifest names stay as they are, although ours would have the same name."""
    source = click_video("l.mp4")
    human = tmp_path / "l.es.srt"
    human.write_text("a person's work")
    parts = split_once(source)
    with pytest.raises(StoreError, match=r"l\.es\.srt is a file that was given"):
        remux(source, parts.media, [Dub("es", parts.programme, CUES)], tmp_path / "l.es", folder, inputs=[human])
    assert human.read_text() == "a person's work"


def test_an_output_folder_that_cannot_be_made_says_so(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """A file lies where the folder should be: one sentence, and nothing left."""
    source = click_video("l.mp4")
    (tmp_path / "out").write_text("not a folder")
    parts = split_once(source)
    with pytest.raises(StoreError, match=r"cannot write into .*/out.*--out"):
        remux(source, parts.media, [Dub("es", parts.programme, CUES)], tmp_path / "out" / "l.es", folder)
    assert (tmp_path / "out").read_text() == "not a folder"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small file system of its own, where the machine lets us."""
    at = tmp_path / "mounted"
    at.mkdir()

    def mount(options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)], check=False, capture_output=True, timeout=10
        )
        if done.returncode != 0:
            pytest.skip("this account may not mount a file system")
        return at

    yield mount
    subprocess.run(["umount", str(at)], check=False, capture_output=True, timeout=10)


@pytest.mark.parametrize("share", [0.1, 0.6, 1.1])
def test_a_full_disk_leaves_nothing(
    click_video: Make, folder: Path, mounted: Callable[[str], Path], share: float, split_once: SplitOnce
) -> None:
    """With space for this share of the source, the error says so, and no part of a file stays."""
    source = click_video("l.mp4")
    out = mounted(f"size={round(source.stat().st_size * share)}")
    parts = split_once(source)
    with pytest.raises(StoreError, match=r"no space is left|could not be written whole") as caught:
        remux(source, parts.media, [Dub("es", parts.programme, CUES)], out / "l.es", folder)
    assert "Free some space" in caught.value.remedy
    assert [name for name in left_in(out) if not name.endswith(".srt")] == []


def test_a_read_only_folder_leaves_nothing(
    click_video: Make, folder: Path, mounted: Callable[[str], Path], split_once: SplitOnce
) -> None:
    """The error names the folder and what to do."""
    source = click_video("l.mp4")
    out = mounted("ro")
    parts = split_once(source)
    with pytest.raises(StoreError, match=f"cannot write into {out}.*Make it writable, or choose another folder"):
        remux(source, parts.media, [Dub("es", parts.programme, CUES)], out / "l.es", folder)
    assert left_in(out) == []


def test_what_stood_there_before_stays_when_the_work_fails(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """A dub that cannot be made does not take the last one's place."""
    source = click_video("l.mp4")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "l.es.mp4").write_bytes(b"yesterday's")
    parts = split_once(source)
    (folder / "broken.flac").write_bytes(b"no sound at all")
    with pytest.raises(DubError):
        remux(source, parts.media, [Dub("es", folder / "broken.flac", CUES)], tmp_path / "out" / "l.es", folder)
    assert (tmp_path / "out" / "l.es.mp4").read_bytes() == b"yesterday's"
    assert left_in(tmp_path / "out") == ["l.es.mp4"]


def inputs_of(parts: Parts, source: Path, folder: Path, *prefixes: str) -> dict[str, Path]:
    """What the earlier stages would hand over for a lesson with one line."""
    span = Span.of_seconds(1, 3)
    script = Script("en", (Utterance("1", "SPEAKER_00", span, "Hello.", (), 1.0),))
    timeline = Timeline("es", parts.media.duration, (Placement("1", span, 1.0),))
    inputs = {
        "source": source,
        "split/media.json": dump(parts.media, folder / "media.json"),
        "transcribe/script.json": dump(script, folder / "script.json"),
    }
    for prefix in prefixes:
        inputs |= {
            f"{prefix}mix/dub.flac": parts.programme,
            f"{prefix}mix/mix.json": dump(
                Mix("web", -30.0, -30.0, -16.0, -16.0, -2.0, "room tone", 0.0, 0.0, 0.0), folder / "mix.json"
            ),
            f"{prefix}synthesize/lines.json": dump(
                Lines("es", (Line("1", f"Hola {prefix}"),)), folder / f"{prefix}l.json"
            ),
            f"{prefix}place/timeline.json": dump(timeline, folder / "timeline.json"),
            f"{prefix}clone/casting.json": dump(Casting("es", {}), folder / "casting.json"),
        }
    return inputs


def job(source: Path, out: Path, language: str | None) -> Job:
    course = Course(course="c", targets=("es", "ca"), lessons=(Lesson(media=source.name, captions="l.en.vtt"),))
    return Job(
        manifest=source.parent / "course.yaml",
        course=course,
        lesson=course.lessons[0],
        lesson_id="l",
        media=source,
        out=out,
        language=language,
    )


def bench_of(source: Path, folder: Path) -> Workbench:
    digests = {"source": hashlib.sha256(source.read_bytes()).hexdigest()}
    return Workbench(store=None, scratch=folder, digests=digests)  # type: ignore[arg-type]  # remux needs no store


def test_credentials_lie_beside_a_file_that_cannot_hold_them(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """They are delivered with it, and those of an earlier file never stay behind."""
    source, waiting = click_video("l.mkv"), tmp_path / "review" / "out"
    params = stage.STAGE.params(job(source, tmp_path / "out", "es"))
    inputs = inputs_of(split_once(source), source, folder, "")
    made = stage.run(params, inputs, bench_of(source, folder))
    assert {path.name for path in made.delivered} == {"l.es.mkv", "l.es.mkv.c2pa", "l.es.srt"}
    assert credentials.read(waiting / "l.es.mkv", chain.anchors()).state == "valid"
    stage.run(replace(params, credentials=False), inputs, bench_of(source, folder))
    assert left_in(waiting) == ["l.es.mkv", "l.es.srt"]


def test_the_stage_delivers_under_the_lessons_name(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """`l.es.mp4` and `l.es.srt` with their digests, by the paths that they have when they are released; until they are
    verified they wait on the review shelf. The delivery reads back as the record wants it."""
    source, waiting = click_video("l.mp4"), tmp_path / "review" / "out"
    params = stage.STAGE.params(job(source, tmp_path / "out", "es"))
    assert str(tmp_path / "l.en.vtt") in params.inputs
    made = stage.run(params, inputs_of(split_once(source), source, folder, ""), bench_of(source, folder))
    assert {path.name for path in made.delivered} == {"l.es.mp4", "l.es.srt"}
    assert all(
        hashlib.sha256((waiting / path.name).read_bytes()).hexdigest() == digest
        for path, digest in made.delivered.items()
    )
    delivery = load(Delivery, made.outputs["delivery.json"])
    assert (delivery.path, delivery.duration) == (str(tmp_path / "out" / "l.es.mp4"), 192000)
    subtitles = (waiting / "l.es.srt").read_text()
    assert "Hola" in subtitles
    assert "- Las voces de este\n- Hola" in subtitles
    assert says_so(probe(waiting / "l.es.mp4").tags["comment"], "es")
    assert credentials.read(waiting / "l.es.mp4", chain.anchors()).state == "valid"


def test_the_multi_stage_delivers_every_language(
    click_video: Make, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """`l.multi.mp4`, with the needs that its languages have and no subtitle file of its own."""
    source = click_video("l.mp4")
    multi = multi_stage.stage(("es", "ca"))
    inputs = inputs_of(split_once(source), source, folder, "es:", "ca:")
    assert set(multi.needs) == set(inputs)
    made = multi.run(multi.params(job(source, tmp_path / "out", None)), inputs, bench_of(source, folder))
    assert left_in(tmp_path / "out") == ["l.multi.mp4"]
    languages = [stream.language for stream in load(Delivery, made.outputs["delivery.json"]).streams]
    assert languages == [None, None, "spa", "cat", "spa", "cat"]


def test_the_dub_is_as_long_as_the_picture(
    lecture: object, folder: Path, tmp_path: Path, split_once: SplitOnce
) -> None:
    """A real lecture's dub, decoded, lasts as long as its picture within one frame."""
    source = lecture.path  # type: ignore[attr-defined]  # conftest's Lecture, which tests cannot import
    parts = split_once(source)
    made = remux(source, parts.media, [Dub("es", parts.programme, CUES)], tmp_path / "out" / "l.es", folder)
    run_program(["ffmpeg", "-v", "error", "-i", made.path, "-map", "0:a:1", str(tmp_path / "dub.wav")], 60)
    picture = probe(Path(made.path)).of_kind("video")[0]
    assert picture.length is not None
    assert abs(soundfile.info(tmp_path / "dub.wav").frames - picture.length) <= samples(1 / 25)
    shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("l.mp4", ("-c:v", "copy", "-c:a", "aac", "-b:a", "192k")),
        ("thin.mp4", ("-c:v", "copy", "-c:a", "aac", "-b:a", "96k", "-ac", "1")),
        ("l.mkv", ("-c:v", "copy", "-c:a", "libmp3lame", "-b:a", "192k")),
        ("opus.mkv", ("-vn", "-c:a", "libopus", "-b:a", "160k")),
        ("l.mp3", ("-vn", "-c:a", "libmp3lame", "-b:a", "256k", "-ac", "1")),
        ("l.ogg", ("-vn", "-c:a", "libvorbis", "-b:a", "128k")),
    ],
)
def test_a_dub_has_no_fewer_bits_than_its_source(
    lecture, make_media: Make, dub: Callable[..., Delivery], name: str, arguments: tuple[str, ...]
) -> None:
    """Counted in the packets of both, whether the container says how many it has (mp4) or not (mkv): speech in a room
    takes fewer bits than an encoder is asked for."""

    def bits(path: Path, stream: str) -> int:
        sizes = ["-select_streams", stream, "-show_entries", "packet=size", "-of", "csv=p=0"]
        listed = run_program(["ffprobe", "-v", "error", *sizes, f"file:{path}"], 60)
        return 8 * sum(int(row.strip(",")) for row in listed.split())

    room = (
        "-f",
        "lavfi",
        "-i",
        "anoisesrc=a=0.002:seed=1:r=48000",
        "-filter_complex",
        "[0:a][1:a]amix=2:normalize=0:duration=first",
    )
    picture = () if "-vn" in arguments else ("-map", "0:v")
    source = make_media(name, "-i", str(lecture.path), *room, *picture, *arguments)
    made = dub(source)
    assert bits(Path(made.path), "a:1" if len(made.streams) > 2 or name == "opus.mkv" else "a:0") >= bits(source, "a:0")
