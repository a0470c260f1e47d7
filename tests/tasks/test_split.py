"""Splitting: the right sound, on the programme's time line to the sample, in pieces cut where it is quiet."""

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from manifests.errors import MediaError
from manifests.script import load
from manifests.spans import Span
from tasks import split as stage
from tasks.glimpses import packets
from tasks.media import Media, probe
from tasks.scenes import Scenes
from tasks.split import Params, choose_sound, pieces, split
from tasks.stage import Workbench

Make = Callable[..., Path]
CLICKS = [12000, 96000, 180000]


def clicks_in(path: Path) -> list[float]:
    """Where a sound file has its three clicks, in samples at 48 kHz, and nothing else as loud."""
    sound, rate = soundfile.read(path, always_2d=True)
    first = np.abs(sound[:, 0])
    found = []
    for _ in range(3):
        at = int(first.argmax())
        assert first[at] > 0.05
        found.append(at * 48000 / rate)
        first[max(0, at - rate // 10) : at + rate // 10] = 0
    return sorted(found)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("aac with an edit list.mp4", ()),
        ("pcm.mov", ("-c:a", "pcm_s16le")),
        ("flac.mkv", ("-c:a", "flac")),
        ("lame with its delay.mp3", ("-vn",)),
        ("sound.m4a", ("-vn",)),
        ("sound.wav", ("-vn",)),
        ("sound.flac", ("-vn",)),
        ("sound.opus", ("-vn",)),
    ],
)
def test_every_click_is_at_its_sample(click_video: Make, tmp_path: Path, name: str, arguments: tuple[str, ...]) -> None:
    """A click at 0.25, 2 and 3.75 s is decoded there, whatever the codec puts before the first sample."""
    parts = split(click_video(name, *arguments), tmp_path, source_language="en")
    assert parts.media.duration == 192000
    assert clicks_in(parts.programme) == pytest.approx(CLICKS, abs=1)
    assert clicks_in(parts.speech) == pytest.approx(CLICKS, abs=3)
    assert soundfile.info(parts.programme).frames == 192000
    assert soundfile.info(parts.speech).frames == 64000


def test_sound_that_starts_later_than_the_picture_has_silence_first(
    make_media: Make, click_video: Make, tmp_path: Path
) -> None:
    """With the sound 1.5 s late, every click is 1.5 s later on the picture's time line."""
    whole = click_video("whole.mp4")
    late = make_media("late.mp4", "-i", str(whole), "-itsoffset", "1.5", "-i", str(whole), "-map", "0:v",
                      "-map", "1:a", "-c", "copy")  # fmt: skip
    parts = split(late, tmp_path, source_language="en")
    assert clicks_in(parts.programme) == pytest.approx([at + 72000 for at in CLICKS], abs=48)  # mp4 rounds to 1 ms
    assert soundfile.info(parts.programme).frames == parts.media.duration == pytest.approx(264000, abs=48)


def test_a_gap_in_the_sound_is_filled(make_media: Make, clicks: Path, tmp_path: Path) -> None:
    """Where half a second of sound was never recorded, what follows is not half a second early."""
    holed = make_media("holed.mkv", "-i", str(clicks), "-c:a", "pcm_s16le",
                       "-bsf:a", "noise=drop=between(pts*tb\\,0.5\\,1)")  # fmt: skip
    parts = split(holed, tmp_path, source_language="en")
    assert clicks_in(parts.programme) == pytest.approx(CLICKS, abs=48)


def test_sound_that_ends_before_the_picture_is_as_long_as_the_picture(make_media: Make, tmp_path: Path) -> None:
    """One second of sound under three of picture gives three seconds."""
    short = make_media("l.mp4", "-f", "lavfi", "-i", "testsrc=s=160x90:d=3", "-f", "lavfi", "-i", "sine=d=1")
    parts = split(short, tmp_path, source_language="en")
    assert soundfile.info(parts.programme).frames == 144000
    assert soundfile.info(parts.speech).frames == 48000


def test_an_8_khz_telephone_track_comes_out_at_48_khz(make_media: Make, clicks: Path, tmp_path: Path) -> None:
    """Mono stays mono; nothing moves."""
    parts = split(make_media("l.wav", "-i", str(clicks), "-ar", "8000", "-ac", "1"), tmp_path, source_language="en")
    assert (soundfile.info(parts.programme).samplerate, soundfile.info(parts.programme).channels) == (48000, 1)
    assert clicks_in(parts.programme) == pytest.approx(CLICKS, abs=6)


def test_speech_is_heard_from_the_centre_of_5_1(make_media: Make, tmp_path: Path) -> None:
    """All six channels are kept; what analysis hears is the centre, 12 dB above the surround it ignores."""
    tones = "aevalsrc=0|0|0.5*sin(2*PI*300*t)|0|0.5*sin(2*PI*2000*t)|0.5*sin(2*PI*2000*t):c=5.1:s=48000:d=1"
    parts = split(make_media("l.mkv", "-f", "lavfi", "-i", tones, "-c:a", "flac"), tmp_path, source_language="en")
    assert parts.media.dubbed.layout == "5.1"
    assert soundfile.info(parts.programme).channels == 6
    speech, _ = soundfile.read(parts.speech)
    power = np.abs(np.fft.rfft(speech))
    assert power[300] == pytest.approx(0.3 * 8000, rel=0.05)
    assert power[2000] < power[300] / 100


def test_24_bit_sound_keeps_its_depth(make_media: Make, tmp_path: Path) -> None:
    """A lossless 24-bit source is not rounded to 16 bits."""
    made = make_media("l.wav", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "pcm_s24le")
    assert soundfile.info(split(made, tmp_path, source_language="en").programme).subtype == "PCM_24"


def test_a_phone_video_with_rotation_and_variable_frame_rate_is_split(
    make_media: Make, click_video: Make, tmp_path: Path
) -> None:
    """Uneven pictures and a rotation matrix do not touch the sound."""
    even = click_video("even.mp4", "-vf", "select=not(mod(n\\,3))+lt(n\\,20)", "-vsync", "vfr")
    phone = make_media("phone.mp4", "-i", str(even), "-c", "copy", "-metadata:s:v", "rotate=90")
    assert clicks_in(split(phone, tmp_path, source_language="en").programme) == CLICKS


def two_tracks(make_media: Make, *tags: str, default: int = 0) -> Path:
    """A film with audio streams 1 and 2, tagged as told."""
    arguments = [f"-metadata:s:a:{number}=language={tag}" for number, tag in enumerate(tags)]
    split_tags = [part for argument in arguments for part in argument.split("=", 1)]
    return make_media(
        "two.mkv", "-f", "lavfi", "-i", "testsrc=s=160x90:d=1", "-f", "lavfi", "-i", "sine=300:d=1",
        "-f", "lavfi", "-i", "sine=900:d=1", "-map", "0", "-map", "1", "-map", "2", *split_tags,
        "-disposition:a", "0", f"-disposition:a:{default}", "default",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "default", "source_language", "audio_language", "chosen"),
    [
        (("ger", "eng"), 0, "en", None, 2),  # the source language's
        (("ger", "eng"), 1, "en", "de", 1),  # the manifest's wish comes before it
        (("ger", "fre"), 1, "en", None, 2),  # no such tag: the default
        (("eng", "eng"), 1, "en", None, 2),  # several: the default of them
        (("en-GB", "fre"), 1, "en", None, 1),  # BCP-47 tags too
        (("fre", "und"), 0, "en", "es", 2),  # one that is not tagged may be it
    ],
)
def test_the_right_track_is_chosen(
    make_media: Make, tags: tuple[str, ...], default: int, source_language: str, audio_language: str | None, chosen: int
) -> None:
    """Language tag, then the default flag, then the order."""
    film = two_tracks(make_media, *tags, default=default)
    assert choose_sound(film, probe(film), source_language, audio_language) == chosen


def test_a_wished_language_that_is_not_there_is_refused(make_media: Make) -> None:
    """The message names the languages that there are."""
    film = two_tracks(make_media, "ger", "fre")
    with pytest.raises(MediaError, match="no audio track in `es`; its tracks are in fre, ger"):
        choose_sound(film, probe(film), "en", "es")


def test_the_chosen_track_is_the_one_that_is_decoded(make_media: Make, tmp_path: Path) -> None:
    """The second track's tone is in the result, not the first's."""
    parts = split(two_tracks(make_media, "ger", "eng"), tmp_path, source_language="en")
    speech, _ = soundfile.read(parts.speech)
    assert int(np.abs(np.fft.rfft(speech)).argmax()) == pytest.approx(900, abs=5)


def test_pieces_are_cut_in_the_middle_of_the_quietest_stretch(tmp_path: Path) -> None:
    """Seven minutes of noise with pauses: each cut lies in the longest pause that three minutes reach."""
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 0.1, 420 * 16000).astype(np.float32)
    for start, end in ((100, 102), (170, 171), (290, 294)):
        sound[start * 16000 : end * 16000] *= 0.001
    soundfile.write(tmp_path / "speech.wav", sound, 16000)
    found = pieces(tmp_path / "speech.wav", 420 * 48000)
    assert [(piece.start_s, piece.end_s) for piece in found[:2]] == [
        (0.0, pytest.approx(101, abs=0.25)),
        (pytest.approx(101, abs=0.25), pytest.approx(170.5, abs=0.25)),
    ]
    assert found[-1].end == 420 * 48000
    assert all(a.end == b.start for a, b in pairwise(found))
    assert max(piece.length_s for piece in found) <= 180


@pytest.mark.parametrize("level", [0.0, 0.1])
def test_even_sound_is_cut_too(tmp_path: Path, level: float) -> None:
    """Silence, or music without a pause, still comes in pieces of at most three minutes."""
    soundfile.write(tmp_path / "speech.wav", np.full(400 * 16000, level, np.float32), 16000)
    found = pieces(tmp_path / "speech.wav", 400 * 48000)
    assert (found[0].start, found[-1].end) == (0, 400 * 48000)
    assert max(piece.length_s for piece in found) <= 180


def test_a_lesson_of_two_seconds_is_one_piece(make_media: Make, tmp_path: Path) -> None:
    """Short material is not cut."""
    parts = split(make_media("l.wav", "-f", "lavfi", "-i", "sine=d=2"), tmp_path, source_language="en")
    assert parts.pieces == (Span(0, 96000),)


def test_the_stage_writes_what_it_promises(click_video: Make, tmp_path: Path) -> None:
    """Five outputs, which read back as what the later stages expect."""
    source = click_video("l.mp4")
    made = stage.run(Params(None, "en"), {"source": source}, Workbench(store=None, scratch=tmp_path))  # type: ignore[arg-type]  # split needs no store
    assert set(made.outputs) == set(stage.STAGE.makes)
    assert load(Media, made.outputs["media.json"]).sound == 1
    assert load(tuple[Span, ...], made.outputs["pieces.json"]) == (Span(0, 192000),)
    assert load(Scenes, made.outputs["scenes.json"]).unseen == ""


def test_still_stretches_are_looked_for_only_where_they_are_wanted(make_media: Make, tmp_path: Path) -> None:
    """Every frame is decoded for them, which takes longer than all the rest."""
    picture = ("-f", "lavfi", "-i", "color=c=teal:s=160x90:r=25:d=2", "-f", "lavfi", "-i", "sine=r=48000:d=2")
    source = make_media("l.mp4", *picture, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    assert split(source, tmp_path, source_language="en").scenes.still == ()
    (still,) = split(source, tmp_path, source_language="en", still=True).scenes.still
    assert (still.start_s, still.end_s) == pytest.approx((0.1, 1.9), abs=0.05)


def test_a_picture_that_cannot_be_decoded_is_no_reason_not_to_dub(click_video: Make, tmp_path: Path) -> None:
    """Its sound is split, and what kept us from looking is said."""
    source = click_video("l.mkv")
    media = probe(source)
    start = source.read_bytes().index(bytes.fromhex("1f43b675")) + 40  # the first cluster
    damaged = bytearray(source.read_bytes())
    for packet in packets(source, media, media.of_kind("video")[0], 60)[:1]:
        damaged[start : start + packet.size - 80] = bytes(packet.size - 80)
    source.write_bytes(damaged)
    parts = split(source, tmp_path, source_language="en")
    assert len(clicks_in(parts.programme)) == 3
    assert parts.scenes == Scenes(unseen="it has no keyframe")


def test_memory_does_not_grow_with_the_lesson(make_media: Make, tmp_path: Path) -> None:
    """Half an hour of sound is split by a process that needs no more than a minute of it does, within 40 MB."""
    program = (
        "import resource,sys; from pathlib import Path; from tasks.split import split; import soundfile\n"
        "split(Path(sys.argv[1]), Path(sys.argv[2]), source_language='en')\n"
        "own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "ffmpeg = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "assert ffmpeg < 400_000; sys.stdout.write(str(own))"
    )

    def peak_kb(minutes: int) -> int:
        made = make_media(f"{minutes}.flac", "-f", "lavfi", "-i", f"sine=r=16000:d={minutes * 60}")
        command = [sys.executable, "-c", program, str(made), str(tmp_path)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)

    assert peak_kb(30) < peak_kb(1) + 40_000
