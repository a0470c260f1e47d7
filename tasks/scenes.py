"""Scenes: when a lesson's picture becomes another one, so that no line speaks of a slide before it shows.

Three looks, each only where the one before left a doubt. The packets' sizes: where an encoder spent bits, something
changed. The keyframes: two that differ where the picture is still have a change between them. All frames between two
such keyframes, for the very first one of the new picture. A lesson of ten minutes at 1080p takes a few seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from manifests.spans import RATE, Span, samples
from tasks.changes import EVERYWHERE, Change, Mask, changes, is_film, merged, step, still, unlike
from tasks.glimpses import HEIGHT, WIDTH, Glimpse, Packet, frames, keyframes, packets
from tasks.media import Media, MediaStream

PROBES = 12
"""Moments at which a picture is watched for a while, to learn where it moves."""
PROBE = samples(0.4)
PROBE_BUSY = 0.25
LONGEST_LOOK = samples(30.0)
"""Of every frame; longer stretches are looked at in parts, so that memory stays flat."""
UNMOVED = tuple(Glimpse(at, np.zeros((3, HEIGHT, WIDTH), np.uint8)) for at in (0, PROBE))
"""What is seen of a picture in which nothing changes."""
NOTABLE_BYTES = 300
"""A word that appears on a slide costs an encoder about as much,"""
NOTABLE_SHARE = 0.03
"""or this share of a whole picture; the touching up that follows a keyframe costs less."""
BLANK_BYTES = 4000
"""A whole picture that costs no more is a page of one colour; to become another costs next to nothing."""
FILM_STEP = 20.0
"""Mean levels of brightness between the keyframes on both sides of a cut in a film."""
IDLE_BYTES = 256
"""A frame in which nothing changes is written in less than this,"""
IDLE_SHARE = 0.125
"""and at least this share of such frames in exactly as many bytes. A page of one colour that becomes another may cost
only two bytes more."""
OFTEN = 0.3
"""Where more groups of frames than this share hold a frame as large as a whole picture, the encoder does so anyway."""
AFTERWARDS = samples(0.6)
"""Looked at beyond a keyframe, to see what it begins settle."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """What happens in a picture. Times are samples at 48 kHz from the programme's start."""

    changes: tuple[Change, ...] = ()
    still: tuple[Span, ...] = ()
    """Where the picture does not change at all; looked for only where a manifest wants still frames held."""
    unseen: str = ""
    """Why the picture could not be looked at; empty where it could, and where there is none."""

    @property
    def anchors(self) -> tuple[int, ...]:
        """Times that what is said after them must not precede: where changes begin, and where they are complete."""
        return tuple(sorted({edge for change in self.changes for edge in (change.span.start, change.span.end)}))


@dataclass(frozen=True, slots=True)
class _Group:
    """The frames from one keyframe up to the next: what a decoder can begin with."""

    key: Packet
    rest: tuple[Packet, ...]
    end: int

    @property
    def length(self) -> int:
        return self.end - self.key.at

    @property
    def _largest(self) -> int:
        return max((packet.size for packet in self.rest), default=0)

    @property
    def _usual(self) -> float:
        return float(np.median([packet.size for packet in self.rest])) if self.rest else 0.0

    @property
    def idle(self) -> bool:
        """Nothing at all changes in it."""
        counts = Counter(packet.size for packet in self.rest)
        often = max(2, IDLE_SHARE * len(self.rest))
        usual = max((size for size, count in counts.items() if count >= often), default=0)
        return self._largest <= min(usual, IDLE_BYTES)

    @property
    def even(self) -> bool:
        """No frame took notably more than the others: whatever differs at the next keyframe differs from there on."""
        if self.idle:
            return True
        told = self.key.size > BLANK_BYTES and self._usual < 0.5 * self.key.size
        return told and self._largest < self._usual + max(NOTABLE_BYTES, NOTABLE_SHARE * self.key.size)

    @property
    def bursts(self) -> bool:
        """A frame took about as much as a whole picture does."""
        return self._largest > max(6 * self._usual, 0.25 * self.key.size)


def find_scenes(source: Path, media: Media) -> Scenes:
    """The changes of a media file's picture; none where it has no picture.

    Raises ProgramFailed where the picture cannot be read.
    """
    pictures = media.of_kind("video")
    if not pictures:
        return Scenes()
    stream = pictures[0]
    groups = _groups(packets(source, media, stream, 600 + media.duration / RATE), media.duration)
    if not groups:
        return Scenes(unseen="it has no keyframe")
    mask = _still(source, stream, groups)
    found: list[Change] = []
    doubtful: list[Span] = []
    telling = sum(group.bursts for group in groups) <= max(2, OFTEN * len(groups))
    beat = _beat(groups)
    for group, one, other in _beside(groups, keyframes(source, stream)):
        if one is None or other is None:
            changed, sure = not group.even, False
        elif is_film(mask):
            cut = abs(group.length - beat) > AFTERWARDS and step(one.picture, other.picture) >= FILM_STEP
            changed, sure = cut or group.bursts, not group.bursts
        else:
            replaced = unlike(one.picture, other.picture, mask)
            changed, sure = replaced or (group.bursts and telling), group.even
        if changed and sure and other is not None:
            found.append(Change(Span(other.at, other.at)))
        elif changed:
            doubtful.append(Span(group.key.at, min(group.end + AFTERWARDS, media.duration)))
    for span in _parts(doubtful):
        found += changes(list(frames(source, stream, span)), mask)
    inside = (change for change in found if 0 < change.span.start < media.duration)
    return Scenes(merged(inside, samples(0.1)))


def _groups(shown: Sequence[Packet], end: int) -> tuple[_Group, ...]:
    keys = [at for at, packet in enumerate(shown) if packet.key]
    out: list[_Group] = []
    for first, after in pairwise([*keys, len(shown)]):
        until = shown[after].at if after < len(shown) else max(end, shown[-1].at + 1)
        out.append(_Group(shown[first], tuple(shown[first + 1 : after]), until))
    return tuple(out)


def _beat(groups: Sequence[_Group]) -> int:
    """The distance at which an encoder sets keyframes by the clock; other keyframes are there for what they show."""
    lengths = Counter(round(group.length, -3) for group in groups[:-1])
    length, count = max(lengths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return length if count > 1 else 0


def _still(source: Path, stream: MediaStream, groups: Sequence[_Group]) -> Mask:
    """Where the picture does not move: watched after keyframes here and there, which decoding can begin with."""
    every = max(1, len(groups) // PROBES)
    probed = [group for group in groups[every // 2 :: every][:PROBES] if group.length >= PROBE]
    moments = [
        UNMOVED if group.idle else list(frames(source, stream, Span(group.key.at, group.key.at + PROBE)))
        for group in probed
    ]
    return still(moments, PROBE_BUSY) if moments else EVERYWHERE


def _beside(
    groups: Sequence[_Group], keys: Iterator[Glimpse]
) -> Iterator[tuple[_Group, Glimpse | None, Glimpse | None]]:
    """Each group with its keyframe and the one after it as they look; None where they were not decoded."""
    looks: dict[int, Glimpse] = {}
    for group, following in [*pairwise(groups), (groups[-1], None)]:
        last = following.key.at if following else group.key.at
        while last not in looks and (glimpse := next(keys, None)) is not None:
            looks[glimpse.at] = glimpse
        yield group, looks.get(group.key.at), looks.get(last) if following else None
        looks = {at: glimpse for at, glimpse in looks.items() if at > group.key.at}


def _parts(spans: Sequence[Span]) -> Iterator[Span]:
    """Spans that touch as one, in parts that may be looked at at once and share what lies at their edges."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start <= joined[-1].end and span.end - joined[-1].start <= LONGEST_LOOK:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    for span in joined:
        for start in range(span.start, span.end, LONGEST_LOOK):
            yield Span(start, min(span.end, start + LONGEST_LOOK + AFTERWARDS))
