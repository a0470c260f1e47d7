"""Still frames that are held: where a line lacks time, in a pause, and with every track moved alike."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from manifests.holds import Hold, Holds
from manifests.script import Diarization, Script, Turn, Utterance, Voice
from manifests.spans import RATE, Span, samples
from manifests.timeline import Take, Takes
from tasks.held_source import cannot_hold, held_programme, held_source
from tasks.holding import held_diarization, held_script, place_holding
from tasks.media import probe
from tasks.place import Limits, place
from tasks.remux import remux
from tasks.split import split
from tasks.stillness import find_still
from tasks.subtitles import Cue
from tasks.tracks import Dub

Make = Callable[..., Path]
Times = Callable[..., list[int]]
LIMITS = Limits()
CROWDED = [(1.0, 3.0, 2.2), (3.2, 5.0, 5.5), (5.2, 7.0, 5.5), (7.2, 9.0, 1.9), (12.0, 14.0, 2.0)]
"""Source start, end, and length of the take; the second and third are three times as long as their source."""


def talk(rows: list[tuple[float, float, float]]) -> tuple[Script, Takes]:
    voice = Voice("stock", "espeak-ng", "es")
    utterances = [
        Utterance(str(number), "A", Span.of_seconds(start, end), "words", (), 1.0)
        for number, (start, end, _) in enumerate(rows)
    ]
    takes = [Take(str(number), "", samples(row[2]), samples(row[2]), 1.0, voice) for number, row in enumerate(rows)]
    return Script("en", tuple(utterances)), Takes("es", tuple(takes))


def test_a_crowded_block_gets_the_time_that_it_lacks() -> None:
    """Lines that would not fit are spoken at a comfortable speed, in order, beside the picture they belong to."""
    script, takes = talk(CROWDED)
    length, still = samples(16), (Span(0, samples(16)),)
    assert place(script, takes, length, replace(LIMITS, hard_max=1.25, late_max_s=1.5)).unplaced
    timeline = place_holding(script, takes, length, LIMITS, (), still)
    assert timeline.unplaced == ()
    assert 1.0 < timeline.holds.length / RATE < 8.0
    assert timeline.length == length + timeline.holds.length
    assert (
        max(
            take.default_length / placed.span.length
            for take, placed in zip(takes.takes, timeline.placements, strict=True)
        )
        < 1.26
    )
    moved = held_script(script, timeline.holds)
    late = [p.span.start - u.span.start for p, u in zip(timeline.placements, moved.utterances, strict=True)]
    assert -samples(0.045) <= min(late)
    assert max(late) <= samples(0.75)


def test_frames_are_held_only_where_the_picture_is_still_and_nobody_speaks() -> None:
    """Never inside an utterance, never where something moves; where nothing is still nothing is held."""
    script, takes = talk(CROWDED)
    still = (Span.of_seconds(3.5, 5.1), Span.of_seconds(9.5, 16.0))
    timeline = place_holding(script, takes, samples(16), LIMITS, (), still)
    assert timeline.holds.all
    for hold in timeline.holds.all:
        assert any(span.start <= hold.at <= span.end for span in still)
        assert not any(one.span.start < hold.at < one.span.end for one in script.utterances)
        assert hold.length <= samples(10)
    unmoved = place_holding(script, takes, samples(16), LIMITS, (), ())
    assert unmoved == place(script, takes, samples(16), LIMITS)


def test_a_talk_that_fits_is_left_as_it_is() -> None:
    """No hold, and the very timeline that placement gives."""
    script, takes = talk([(1.0, 3.0, 2.1), (3.5, 6.0, 2.4)])
    whole = (Span(0, samples(8)),)
    assert place_holding(script, takes, samples(8), LIMITS, (), whole) == place(script, takes, samples(8), LIMITS)


def test_slides_move_with_the_holds_before_them() -> None:
    """A line that follows a slide still follows it, at the slide's later time."""
    script, takes = talk(CROWDED)
    timeline = place_holding(script, takes, samples(16), LIMITS, (samples(11.9),), (Span(0, samples(11.8)),))
    assert timeline.placements[-1].anchor == samples(11.9) + timeline.holds.length
    assert timeline.placements[-1].span.start >= samples(11.9) + timeline.holds.length


def test_the_mix_takes_a_hold_for_speech_that_goes() -> None:
    """Turns move; the inserted silence is among what the room's sound replaces."""
    diarization = Diarization((), (Turn("A", Span(0, 100)), Turn("A", Span(100, 200))), (Span(0, 200),))
    held = held_diarization(diarization, Holds((Hold(100, 50),)))
    assert [turn.span for turn in held.turns] == [Span(0, 100), Span(150, 250)]
    assert held.speech == (Span(0, 250),)


def test_still_stretches_are_found_without_their_edges(make_media: Make) -> None:
    """Two seconds of test pattern between two still pages: only the pages are still, less a tenth at each end."""
    pages = "color=c=navy:s=320x180:r=25:d=3[a];testsrc2=s=320x180:r=25:d=2[b];color=c=teal:s=320x180:r=25:d=2[c]"
    graph = f"{pages};[a][b][c]concat=n=3"
    path = make_media(
        "l.mp4", "-filter_complex", graph, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"
    )
    one, other = find_still(path, probe(path, needs_sound=False))
    assert [one.start_s, one.end_s] == pytest.approx([0.1, 2.9], abs=0.05)
    assert [other.start_s, other.end_s] == pytest.approx([5.1, 6.9], abs=0.05)


def packets(path: Path) -> list[tuple[str, float]]:
    """Digest and time of each packet of the picture, in the order in which they lie in the file."""
    answer = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets", "-show_data_hash", "md5",
         "-of", "json", str(path)],
        check=True, capture_output=True, timeout=60,
    ).stdout  # fmt: skip
    return [(packet["data_hash"], float(packet["pts_time"])) for packet in json.loads(answer)["packets"]]


def decoded(path: Path, *where: str) -> list[tuple[float, str]]:
    """Time and digest of the frames as a player shows them."""
    answer = subprocess.run(
        ["ffmpeg", "-v", "error", "-copyts", *where, "-i", str(path), "-map", "v:0", "-vsync", "passthrough",
         "-enc_time_base", "1/48000", "-f", "framemd5", "-"],
        check=True, capture_output=True, timeout=60, text=True,
    ).stdout  # fmt: skip
    rows = [row.split(",") for row in answer.splitlines() if not row.startswith("#")]
    return [(int(row[2]) / RATE, row[5].strip()) for row in rows]


BIDIRECTIONAL = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "50", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("l.mp4", BIDIRECTIONAL),
        ("l.mkv", (*BIDIRECTIONAL, "-c:a", "flac")),
        ("l.mov", (*BIDIRECTIONAL, "-c:a", "pcm_s16le")),
    ],
)
def test_every_packet_of_the_picture_is_kept_and_shown_when_it_should_be(
    make_media: Make, click_times: Times, clicks: Path, tmp_path: Path, name: str, encoding: tuple[str, ...]
) -> None:
    """Bit for bit, none lost or doubled, each later by the holds before it; sound, subtitles and chapters with them."""
    text = tmp_path / "text.srt"
    text.write_text("1\n00:00:00,500 --> 00:00:01,500\nOne\n\n2\n00:00:03,200 --> 00:00:03,700\nTwo\n")
    chapters = tmp_path / "chapters.txt"
    chapters.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=3000\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=3000\nEND=4000\ntitle=Two\n"
    )
    subtitle_codec = {"l.mkv": "srt"}.get(name, "mov_text")
    source = make_media(
        name, "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=4", "-i", str(clicks), "-i", str(text),
        "-i", str(chapters), "-map", "0", "-map", "1", "-map", "2", "-map_metadata", "3",
        "-c:s", subtitle_codec, *encoding,
    )  # fmt: skip
    parts = split(source, tmp_path, source_language="en")
    holds = Holds((Hold(samples(1.01), samples(1.5)), Hold(samples(2.99), samples(0.7))))
    held, media = held_source(source, parts.media, holds, tmp_path)
    dub = held_programme(parts.programme, holds, tmp_path / "held.flac")
    assert media.duration == parts.media.duration + samples(2.2)
    assert soundfile.info(dub).frames == media.duration
    delivery = remux(
        held, media, [Dub("es", dub, (Cue(Span.of_seconds(5, 6), ("Dos",)),))], tmp_path / "out.es", tmp_path
    )
    out = Path(delivery.path)

    def later(time: float) -> float:
        return holds.start(samples(time)) / RATE

    before, after = packets(source), packets(out)
    assert [digest for digest, _ in after] == [digest for digest, _ in before]
    assert [time for _, time in after] == pytest.approx([later(time) for _, time in before], abs=0.002)
    frames, moved = decoded(source), decoded(out)
    assert [digest for _, digest in moved] == [digest for _, digest in frames]
    assert [time for time, _ in moved] == pytest.approx([later(time) for time, _ in frames], abs=0.002)

    wanted = [holds.start(at) for at in (12000, 96000, 180000)]
    assert click_times(out, "a:0") == pytest.approx(wanted, abs=samples(0.01))
    assert click_times(out, "a:1") == pytest.approx(wanted, abs=samples(0.01))
    made = probe(out)
    ends = {
        stream.kind: (stream.start + (stream.length or 0)) / RATE
        for stream in made.of_kind("video") + made.of_kind("audio")
    }
    assert list(ends.values()) == pytest.approx([6.2, 6.2], abs=0.04)
    chapter = json.loads(
        subprocess.run(
            ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(out)],
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout
    )["chapters"]
    assert [float(part["start_time"]) for part in chapter] == pytest.approx([0, 5.2], abs=0.002)
    shown = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(out), "-map", "0:s:0", "-f", "srt", "-"],
        check=True, capture_output=True, timeout=60, text=True,
    ).stdout  # fmt: skip
    assert "00:00:00,500 --> 00:00:03,000" in shown
    assert "00:00:05,400 --> 00:00:05,900" in shown


def test_a_player_that_seeks_finds_the_frame_of_that_moment(make_media: Make, tmp_path: Path) -> None:
    """Before, after and on the edge of a hold: the frame decoded there is the source's frame of that time."""
    silence = ("-f", "lavfi", "-i", "anullsrc=r=48000", "-t", "6")
    source = make_media("l.mp4", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=6", *silence, *BIDIRECTIONAL)
    holds = Holds((Hold(samples(2.51), samples(2.0)),))
    held, _ = held_source(source, probe(source), holds, tmp_path)
    everything = dict(decoded(source))
    for at in (1.0, 2.48, 4.52, 6.0, 7.2):
        (time, digest), *_ = decoded(held, "-ss", str(at))
        assert holds.source(samples(time)) / RATE == pytest.approx(time if at < 2.5 else time - 2.0)
        assert everything[holds.source(samples(time)) / RATE] == digest


def test_the_last_frame_can_be_held(make_media: Make, tmp_path: Path) -> None:
    """A hold after the last frame makes the file that much longer."""
    source = make_media(
        "l.mp4",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=160x90:r=25:d=2",
        "-f",
        "lavfi",
        "-i",
        "sine=r=48000:d=2",
        *BIDIRECTIONAL,
    )
    parts = split(source, tmp_path, source_language="en")
    _, media = held_source(source, parts.media, Holds((Hold(samples(1.97), samples(1.5)),)), tmp_path)
    assert [(stream.start + (stream.length or 0)) / RATE for stream in media.streams] == pytest.approx(
        [3.5, 3.5], abs=0.04
    )


def test_sound_is_held_to_the_sample(tmp_path: Path) -> None:
    """The programme's own samples, with as many zeros in between as the holds say."""
    noise = np.random.default_rng(0).integers(-9000, 9000, (RATE, 2), np.int16)
    soundfile.write(tmp_path / "p.flac", noise, RATE, subtype="PCM_16")
    held = held_programme(tmp_path / "p.flac", Holds((Hold(0, 10), Hold(1000, 500_000))), tmp_path / "h.flac")
    sound, _ = soundfile.read(held, dtype="int16")
    expected = np.concatenate([np.zeros((10, 2)), noise[:1000], np.zeros((500_000, 2)), noise[1000:]])
    assert np.array_equal(sound, expected)


def test_what_cannot_be_held_is_said(make_media: Make) -> None:
    """A container without a time for each frame, and a file without a picture."""
    avi = make_media("l.avi", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1")
    sound = make_media("l.m4a", "-f", "lavfi", "-i", "sine=d=1")
    video = make_media("l.mkv", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1")
    assert "avi" in cannot_hold(probe(avi), "source")
    assert "no picture" in cannot_hold(probe(sound), "source")
    assert cannot_hold(probe(video), "source") == ""
