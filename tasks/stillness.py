"""Stillness: the stretches in which a picture does not change at all, found with ffmpeg's freezedetect.

Every frame is decoded for it, at several hundred frames of 1080p a second and core; it is done only where a manifest
wants still frames held.
"""

from __future__ import annotations

import re
from pathlib import Path

from manifests.spans import RATE, Span, merged, samples
from tasks.media import Media
from tasks.process import file_argument, run_program

SHORTEST_S = 0.5
NOISE = 0.0002
"""Mean difference of two frames, of full scale, up to which they are the same: codecs leave a tenth of this on a slide,
and a mouse that moves makes more than this at once."""
EDGE = samples(0.1)
"""Kept away from both ends of a stretch: rounding must not hold the frame before or after it."""

_FOUND = re.compile(r"lavfi\.freezedetect\.freeze_(start|end)=([\d.]+)")


def find_still(source: Path, media: Media) -> tuple[Span, ...]:
    """Where the picture stands still, in order, without the edges; nothing for a file without a picture.

    Raises ProgramFailed where the picture cannot be decoded.
    """
    import ffmpeg

    pictures = media.of_kind("video")
    if not pictures:
        return ()
    shown = (
        ffmpeg.input(file_argument(source))[str(pictures[0].index)]
        .filter("scale", 320, 180, flags="area")
        .filter("freezedetect", n=NOISE, d=SHORTEST_S)
        .filter("metadata", "print", file="-", direct=1)
    )
    graph = ffmpeg.output(shown, "-", format="null", vsync="passthrough")
    command = ["ffmpeg", "-v", "error", "-nostdin", "-copyts", "-start_at_zero", *ffmpeg.get_args(graph)]
    answer = run_program(command, 600 + 2 * media.duration / RATE)
    found: list[Span] = []
    begun: int | None = None
    for edge, at in _FOUND.findall(answer):
        time = samples(float(at))
        if edge == "start":
            begun = time
        elif begun is not None:
            found.append(Span(begun, max(begun, time)))
            begun = None
    if begun is not None:
        found.append(Span(begun, max(begun, media.duration)))
    return merged(Span(span.start + EDGE, span.end - EDGE) for span in found if span.length > 2 * EDGE)
