"""Time: integer samples at one rate, so that nothing drifts and nothing is rounded twice.

Every time inside the pipeline counts samples at 48 kHz from the first instant of the programme (the container's start
time). 16 kHz analysis audio is a third of that, exactly. Seconds as floats exist only at the edges: manifest, record,
messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RATE = 48_000
"""Samples a second of every time and of every mix."""

ANALYSIS_RATE = 16_000
"""Samples a second of the audio that diarization and recognition hear."""


def samples(seconds: float) -> int:
    """Seconds to samples at 48 kHz."""
    return round(seconds * RATE)


def seconds(count: int) -> float:
    """Samples at 48 kHz to seconds, rounded to the microsecond."""
    return round(count / RATE, 6)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of the programme, in samples at 48 kHz; `end` is exclusive and never before `start`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a span cannot end ({self.end}) before it starts ({self.start})")

    @classmethod
    def of_seconds(cls, start: float, end: float) -> Span:
        return cls(samples(start), samples(end))

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def start_s(self) -> float:
        return seconds(self.start)

    @property
    def end_s(self) -> float:
        return seconds(self.end)

    @property
    def length_s(self) -> float:
        return seconds(self.length)

    def overlap(self, other: Span) -> int:
        """Samples that both spans hold."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def shifted(self, by: int) -> Span:
        return Span(self.start + by, self.end + by)

    def clipped(self, to: Span) -> Span:
        """The part inside `to`; empty at its nearer edge where they do not meet."""
        start = min(max(self.start, to.start), to.end)
        return Span(start, max(start, min(self.end, to.end)))

    def padded(self, by: int) -> Span:
        return Span(max(0, self.start - by), self.end + by)


def merged(spans: Iterable[Span], gap: int = 0) -> tuple[Span, ...]:
    """Spans in order, those that touch or lie at most `gap` samples apart made one."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.start <= out[-1].end + gap:
            out[-1] = Span(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return tuple(out)
