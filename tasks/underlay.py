"""What lies under the dub in each stretch, and how far it is lowered there.

`auto` rebuilds the room's tone from its own pauses, which is the best there is under plain speech: nothing of the
original's voice can be left in it. Where the background is music, a separated one takes its place if there are weights
for it; without, it is continued from its own pauses; both are lowered until every word of the dub stands clear of them.
The original itself, however far lowered, lies under the dub only where a manifest asks for `duck`: its voice is then
faintly there while the dub speaks over it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from manifests.spans import Span
from tasks.bed import Ducked, Kept, Under
from tasks.ducking import UNDER, Ducking
from tasks.levels import steps_of
from tasks.loudness import STEP, Steps, lufs
from tasks.room_tone import HOP, Background, Read, RoomTone
from tasks.separation import AWAY, Separation

Method = Literal["auto", "room_tone", "separate", "duck"]


@dataclass(frozen=True, slots=True)
class Underlay:
    """Everything that the choice depends on."""

    method: Method
    ducking: Ducking
    background: Background
    steps: Steps
    """Power of the original."""
    read: Read
    channels: int
    dub: tuple[Span, ...]
    """Where the dub speaks."""
    kept: tuple[Span, ...] = ()
    """Where it speaks and nothing of the original has to go."""
    separation: Separation | None = None

    def under(self, span: Span) -> Under:
        """What lies under the dub in a span."""
        if span in self.kept:
            return Kept(span, self.read)
        if self.method == "separate" and self.separation:
            return self.separation.under(span)
        tone = RoomTone(self.background, span, self.channels, self.read)
        if self.method == "auto" and self.separation and tone.kind == "continued":
            return self.separation.under(span)
        return Ducked(span, self.read, tone, self.dub) if self.method == "duck" else tone

    def lowered(self, span: Span, under: Under, voice_lufs: float, background_db: float) -> float:
        """Decibels by which the background of a span is lowered for a voice of this loudness."""
        depth = self.ducking.depth_db
        if self.method == "duck":
            return depth
        if self.method == "room_tone" or under.kind in ("room tone", "silence"):
            return 0.0
        least = 0.0
        if under.kind == "original":
            if RoomTone(self.background, span, self.channels, self.read).kind != "continued":
                return 0.0
            power = float(self.steps[steps_of(span.start, span.end)].mean())
        else:
            power = self.power(span)
            least = AWAY if under.kind == "separated" else 0.0
        if power <= 0:
            return 0.0
        return min(depth, max(least, UNDER - (voice_lufs - lufs(power) - background_db)))

    def power(self, span: Span) -> float:
        """Power of the background in a span: that of the moments from which it can be rebuilt."""
        moments = np.concatenate(self.background.moments(span))
        if not len(moments) or not len(self.steps):
            return 0.0
        return float(self.steps[np.minimum(moments * HOP // STEP, len(self.steps) - 1)].mean())


def parts(gone: Sequence[Span], announced: Span | None) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """All spans that the bed has to look at, and those among them in which the original stays as it is."""
    if announced is None:
        return tuple(gone), ()
    edges, kept = announced.start, list[Span]()
    for span in gone:
        if span.overlap(announced):
            if span.start > edges:
                kept.append(Span(edges, span.start))
            edges = max(edges, span.end)
    if edges < announced.end:
        kept.append(Span(edges, announced.end))
    return tuple(sorted((*gone, *kept))), tuple(kept)
