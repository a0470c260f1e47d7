"""Sources whose tracks do not begin or end together: picture and dub keep step from the first to the last frame."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from manifests.spans import RATE, Span, samples
from tasks.media import probe
from tasks.remux import remux
from tasks.split import split
from tasks.subtitles import Cue
from tasks.tracks import Dub

Make = Callable[..., Path]
Times = Callable[..., list[int]]
FRAME_S = 0.04
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p")
PATTERN = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=4")


@pytest.fixture
def odd(make_media: Make, clicks: Path) -> Callable[[str], tuple[Path, float]]:
    """A source by its oddity, and when its sound's own first instant is heard in it; seconds."""

    def made(oddity: str) -> tuple[Path, float]:
        base = ("-i", str(clicks), "-map", "0:v", "-map", "1:a")
        if oddity == "sound longer than the picture":
            return make_media("l.mp4", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2.6", *base, *X264), 0.0
        if oddity == "picture longer than the sound":
            return make_media("l.mp4", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=5.4", *base, *X264), 0.0
        if oddity == "variable frame rate":
            vary = ("-vf", "select='not(between(mod(n,25),3,17))'", "-vsync", "vfr")
            return make_media("l.mp4", *PATTERN, *base, *vary, *X264), 0.0
        if oddity == "sound that begins later":
            late = (*PATTERN, "-itsoffset", "0.5", *base)
            return make_media("l.mp4", *late, *X264), 0.5
        whole = make_media("whole.mp4", *PATTERN, *base, *X264)
        return make_media("l.mp4", "-ss", "0.12", "-i", str(whole), "-c", "copy"), -0.12  # an edit list hides 0.12 s

    return made


@pytest.mark.parametrize(
    "oddity",
    [
        "sound longer than the picture",
        "picture longer than the sound",
        "variable frame rate",
        "sound that begins later",
        "edit list",
    ],
)
def test_dub_and_picture_keep_step(
    odd: Callable[[str], tuple[Path, float]], click_times: Times, tmp_path: Path, oddity: str
) -> None:
    """The clicks of the dub lie where the original's do; no packet of the picture changes; all ends with the source."""
    source, first = odd(oddity)
    parts = split(source, tmp_path, source_language="en")
    cue = Cue(Span.of_seconds(1.0, 2.0), ("Hola",))
    out = Path(remux(source, parts.media, [Dub("es", parts.programme, (cue,))], tmp_path / "l.es", tmp_path).path)

    wanted = [samples(at + first) for at in (0.25, 2.0, 3.75)]
    original, dub = click_times(out, "a:0"), click_times(out, "a:1")
    assert original == pytest.approx(wanted, abs=samples(FRAME_S / 2))
    assert dub == pytest.approx(original, abs=samples(0.002))
    assert digests(out) == digests(source)
    made = probe(out)
    assert made.duration == pytest.approx(parts.media.duration, abs=samples(FRAME_S))
    (before,), (after,) = parts.media.of_kind("video"), made.of_kind("video")
    assert after.start == pytest.approx(before.start, abs=samples(FRAME_S))
    assert after.length == pytest.approx(before.length, abs=samples(FRAME_S))
    heard = made.of_kind("audio")[-1]
    assert heard.start / RATE == pytest.approx(0.0, abs=FRAME_S)
    assert heard.length == pytest.approx(parts.media.duration, abs=samples(FRAME_S))


def digests(path: Path) -> list[str]:
    """Of each packet of the picture."""
    answer = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets", "-show_data_hash", "md5",
         "-of", "json", str(path)],
        check=True, capture_output=True, timeout=60,
    ).stdout  # fmt: skip
    return [packet["data_hash"] for packet in json.loads(answer)["packets"]]
