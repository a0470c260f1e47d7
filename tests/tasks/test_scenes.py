"""Changes of the picture: found on their first frame, in pictures drawn for it, and nothing else found."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from manifests.spans import Span, samples
from tasks.changes import Change, merged
from tasks.glimpses import frames, packets
from tasks.media import probe
from tasks.scenes import Scenes, find_scenes

Frame = NDArray[np.uint8]
FPS = 25
HEIGHT, WIDTH = 180, 320
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def slide(seed: int, rows: int = 6) -> Frame:
    """A white page with rows of ink that is about as dense as text; the same for the same seed."""
    random = np.random.default_rng(seed)
    page = np.full((HEIGHT, WIDTH), 245, np.uint8)
    for row in range(rows):
        width = int(random.integers(60, 250))
        ink = random.random((7, width)) < 0.45
        page[20 + 22 * row : 27 + 22 * row, 24 : 24 + width][ink] = 30
    return page


def film(path: Path, pictures: Iterable[Frame], *encoding: str) -> Path:
    """Encode pictures at 25 a second."""
    size = ("-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-")
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", *size, "-threads", "1"]
    data = b"".join(np.ascontiguousarray(picture).tobytes() for picture in pictures)
    subprocess.run([*command, *(encoding or X264), str(path)], input=data, check=True, timeout=60)
    return path


def shown(pages: list[Frame], moments: list[float], seconds: float) -> Iterable[Frame]:
    for number in range(round(seconds * FPS)):
        yield pages[sum(number / FPS >= moment - 1e-6 for moment in moments)]


def starts(path: Path) -> list[float]:
    return [change.span.start_s for change in find_scenes(path, probe(path, needs_sound=False)).changes]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("keyframes at cuts.mp4", X264),
        ("keyframes by the clock.mp4", (*X264, "-sc_threshold", "0", "-g", "125")),
        ("keyframes by the clock, with frames that depend on later ones.mkv",
         ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-sc_threshold", "0", "-g", "200")),
        ("only keyframes.mov", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "4")),
        ("one keyframe only.webm", ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "9999")),
        ("transport stream.ts", (*X264, "-g", "100")),
    ],
)  # fmt: skip
def test_every_new_slide_is_found_on_its_first_frame(tmp_path: Path, name: str, encoding: tuple[str, ...]) -> None:
    """Hard cuts between slides, whatever the encoder put where, to the frame; and nothing besides."""
    moments = [2.0, 4.04, 7.6, 8.8]
    path = film(tmp_path / name, shown([slide(seed) for seed in range(5)], moments, 11), *encoding)
    assert starts(path) == pytest.approx(moments, abs=0.5 / FPS)


def test_lines_of_a_list_that_appear_one_by_one_are_changes(tmp_path: Path) -> None:
    """One more line of text is enough, beside a mouse that never rests and a head that talks in its corner."""
    random, moments, pages = np.random.default_rng(0), [2.4, 4.2, 6.52], [slide(3, rows) for rows in range(2, 6)]

    def drawn() -> Iterable[Frame]:
        for number, page in enumerate(shown(pages, moments, 9)):
            frame = page.copy()
            frame[130:, 250:] = random.integers(90, 130, (50, 70))
            frame[60 + number % 60, 100 + 2 * number % 80 : 102 + 2 * number % 80] = 0
            yield frame

    assert starts(film(tmp_path / "list.mp4", drawn())) == pytest.approx(moments, abs=0.5 / FPS)


def test_pages_of_one_colour_are_told_apart(tmp_path: Path, make_media: Callable[..., Path]) -> None:
    """Dark blue, dark violet and dark green of nearly the same brightness, without a word on them."""
    pages = ";".join(
        f"color=c={colour}:s=320x180:r=25:d=2.4[{colour}]" for colour in ("0x20374c", "0x3b2a4a", "0x234034")
    )
    graph = f"{pages};[0x20374c][0x3b2a4a][0x234034]concat=n=3"
    encoding = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-sc_threshold", "0", "-g", "100")
    path = make_media("colours.mp4", "-filter_complex", graph, *encoding)
    assert starts(path) == pytest.approx([2.4, 4.8], abs=0.02)


def test_where_the_packets_tell_of_no_change_no_more_than_keyframes_is_decoded(
    tmp_path: Path, make_media: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long recording of slides of one colour costs next to nothing to look at."""

    def refused(*_: object) -> Iterable[object]:
        raise AssertionError("frames were decoded")

    monkeypatch.setattr("tasks.scenes.frames", refused)
    pages = ";".join(f"color=c={colour}:s=640x360:r=25:d=4[{colour}]" for colour in ("0x20374c", "0xd0e0a0"))
    graph = f"{pages};[0x20374c][0xd0e0a0]concat=n=2"
    encoding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50")
    path = make_media("colours.mp4", "-filter_complex", graph, *encoding)
    assert starts(path) == pytest.approx([4.0], abs=0.02)


def test_a_mouse_a_flash_and_a_talking_head_are_no_changes(tmp_path: Path) -> None:
    """What comes back to where it was has not changed the picture."""
    random, page = np.random.default_rng(0), slide(4)

    def drawn() -> Iterable[Frame]:
        for number in range(9 * FPS):
            frame = page.copy()
            frame[130:, 250:] = random.integers(90, 130, (50, 70))
            frame[60 + number % 60, 100 + 2 * number % 80 : 102 + 2 * number % 80] = 0
            yield np.full_like(page, 255) if number == 100 else frame

    assert starts(film(tmp_path / "still.mp4", drawn())) == []


def test_a_fade_lasts_from_its_first_to_its_last_frame(tmp_path: Path) -> None:
    """Of a fade both ends are kept: a line follows whichever its source follows."""
    one, other = slide(5).astype(float), slide(6).astype(float)
    shares = [min(1.0, max(0.0, (number - 74) / 25)) for number in range(8 * FPS)]
    path = film(tmp_path / "fade.mp4", [(one * (1 - share) + other * share).astype(np.uint8) for share in shares])
    (change,) = find_scenes(path, probe(path, needs_sound=False)).changes
    assert change.span.start_s == pytest.approx(3.0, abs=4 / FPS)
    assert change.span.end_s == pytest.approx(3.96, abs=4 / FPS)


def test_scrolling_is_one_change(tmp_path: Path) -> None:
    """A page that is scrolled for a second has changed once, beginning with the first frame that moved."""
    page = np.concatenate([slide(7), slide(8)])
    tops = [round(150 * min(1.0, max(0.0, (number - 74) / 25))) for number in range(8 * FPS)]
    path = film(tmp_path / "scrolled.mp4", [page[top : top + HEIGHT] for top in tops])
    (change,) = find_scenes(path, probe(path, needs_sound=False)).changes
    assert change.span.start_s == pytest.approx(3.0, abs=1.5 / FPS)
    assert change.span.end_s == pytest.approx(3.96, abs=2.5 / FPS)


def test_cuts_between_cameras_that_move_are_found(tmp_path: Path) -> None:
    """Where everything moves all the time, only cuts are changes."""
    moments = [2.2, 5.0, 6.8]
    rooms = [np.random.default_rng(seed).integers(10, 245, (HEIGHT, 3 * WIDTH), np.uint8) for seed in range(4)]
    smooth = [np.kron(room[::15, ::15], np.ones((15, 15), np.uint8)) for room in rooms]
    pictures = [
        room[:, 3 * number : 3 * number + WIDTH]
        for number, room in enumerate(shown([room[:HEIGHT] for room in smooth], moments, 8))
    ]
    assert starts(film(tmp_path / "cameras.mp4", pictures)) == pytest.approx(moments, abs=0.5 / FPS)


def test_a_screen_recording_with_a_varying_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    """Frames that are the same as the one before were left out: what is left is found at its own time."""
    moments = [2.0, 4.04, 7.6]
    drop = ("-vf", "mpdecimate=max=60", "-vsync", "vfr", *X264)
    path = film(tmp_path / "screen.mp4", shown([slide(seed) for seed in range(4)], moments, 11), *drop)
    media = probe(path, needs_sound=False)
    assert len(packets(path, media, media.of_kind("video")[0], 60)) < 60
    assert starts(path) == pytest.approx(moments, abs=0.5 / FPS)


@pytest.mark.parametrize("late", ["0.5", "-0.4"])
def test_times_count_from_the_programmes_start(tmp_path: Path, make_media: Callable[..., Path], late: str) -> None:
    """A picture that begins after or before its sound changes when a player shows it."""
    moments = [2.0, 4.04]
    picture = film(tmp_path / "picture.mp4", shown([slide(seed) for seed in range(3)], moments, 7))
    sound = ("-f", "lavfi", "-i", "sine=r=48000:d=7")
    path = make_media(
        "both.mp4", "-itsoffset", late, "-i", str(picture), *sound, "-map", "0", "-map", "1", "-c:v", "copy"
    )
    assert starts(path) == pytest.approx([moment + float(late) for moment in moments], abs=0.6 / FPS)


def test_frames_are_those_that_begin_within_a_span(tmp_path: Path) -> None:
    """From the first sample on, up to but not including the last; in order, at their own times."""
    path = film(tmp_path / "slides.mp4", shown([slide(0), slide(1)], [1.0], 3))
    seen = list(frames(path, probe(path, needs_sound=False).of_kind("video")[0], Span.of_seconds(0.96, 1.2)))
    assert [glimpse.at for glimpse in seen] == [samples(at) for at in (0.96, 1.0, 1.04, 1.08, 1.12, 1.16)]
    assert seen[0].picture.shape == (3, 90, 160)
    assert np.abs(seen[0].picture.astype(int) - seen[1].picture).mean() > 2


def test_sound_alone_has_no_scenes(make_media: Callable[..., Path]) -> None:
    """No picture, no changes; a cover is not a picture."""
    path = make_media("sound.m4a", "-f", "lavfi", "-i", "sine=d=1")
    assert find_scenes(path, probe(path)) == Scenes()


spans = st.tuples(st.integers(0, 1000), st.integers(0, 50)).map(lambda drawn: Change(Span(drawn[0], sum(drawn))))


@settings(deadline=None)
@given(st.lists(spans), st.integers(0, 20))
def test_changes_that_are_merged_lie_apart_and_cover_the_same(found: list[Change], gap: int) -> None:
    """In order, more than the gap apart, and every change lies within one."""
    out = merged(found, gap)
    assert all(one.span.end + gap < other.span.start for one, other in pairwise(out))
    for change in found:
        assert any(one.span.start <= change.span.start and change.span.end <= one.span.end for one in out)
