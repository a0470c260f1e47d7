"""Word times from an aligner, made fit to anchor a dub on: impossible times are refused, and edges are moved to the
voice's.

An aligner finds a place for every word, said or not. A word with an impossible time (ten milliseconds, four seconds,
outside of the stretch that was listened to) gets its time from its neighbours, and a low confidence.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from manifests.script import Word
from manifests.spans import Span, samples

SHORTEST_S: Final = 0.03
LONGEST_S: Final = 2.5
"""A word that lasts less or more was not found, but put somewhere; of a number, each of its spoken words."""

SNAP_S: Final = 0.15
"""An edge of a word that is no further than this from an edge of the sound is moved there."""

DOUBTED: Final = 0.3
"""Confidence is at most this where a word's time is only its neighbours'."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A word, where the aligner put it (None where it could not), and how sure it is."""

    text: str
    span: Span | None
    confidence: float
    spoken: int = 1
    """How many words it is when said: `1984` is three."""


def anchored(words: Sequence[Heard], stretch: Span, sounding: Sequence[Span]) -> tuple[Word, ...]:
    """The words of a stretch, in order, none before the one before it, all inside it.

    `sounding` is where the voice sounds in the whole file (`activity.voice`), in order.
    """
    kept = _possible(words, stretch)
    spans = _filled(kept, words, stretch)
    snapped = _snapped(spans, kept, sounding, stretch)
    return tuple(
        Word(word.text, span, word.confidence if known is not None else min(word.confidence, DOUBTED))
        for word, span, known in zip(words, snapped, kept, strict=True)
    )


def _possible(words: Sequence[Heard], stretch: Span) -> list[Span | None]:
    """The times that can be; a time before that of an earlier word cannot."""
    out: list[Span | None] = []
    end = stretch.start
    for word in words:
        span = word.span
        fits = (
            span is not None
            and end <= span.start
            and span.end <= stretch.end
            and samples(SHORTEST_S) <= span.length <= word.spoken * samples(LONGEST_S)
        )
        out.append(span if fits else None)
        end = span.end if span is not None and fits else end
    return out


def _filled(kept: Sequence[Span | None], words: Sequence[Heard], stretch: Span) -> list[Span]:
    """Words without a time share the gap between their neighbours by the length of what is written."""
    out: list[Span] = []
    at = 0
    while at < len(kept):
        span = kept[at]
        if span is not None:
            out.append(span)
            at += 1
            continue
        run = at
        while run < len(kept) and kept[run] is None:
            run += 1
        after = kept[run] if run < len(kept) else None
        gap = Span(out[-1].end if out else stretch.start, after.start if after is not None else stretch.end)
        lengths = [max(1, len(word.text)) for word in words[at:run]]
        edges = [gap.start + gap.length * sum(lengths[:count]) // sum(lengths) for count in range(len(lengths) + 1)]
        out += [Span(one, other) for one, other in itertools.pairwise(edges)]
        at = run
    return out


def _snapped(spans: Sequence[Span], kept: Sequence[Span | None], sounding: Sequence[Span], stretch: Span) -> list[Span]:
    """Edges moved to the edge of the sound that is near them, where that takes nothing from a neighbour."""
    out: list[Span] = []
    for index, span in enumerate(spans):
        before = out[-1].end if out else stretch.start
        after = spans[index + 1].start if index + 1 < len(spans) else stretch.end
        if kept[index] is None:
            out.append(Span(max(span.start, before), max(span.end, before)))
            continue
        start = _near(span.start, [run.start for run in _around(sounding, span.start)])
        end = _near(span.end, [run.end for run in _around(sounding, span.end)])
        start = start if before <= start < span.end else max(span.start, before)
        end = end if start < end <= after else span.end
        out.append(Span(min(start, end), end))
    return out


def _around(sounding: Sequence[Span], at: int) -> Sequence[Span]:
    first = bisect_left(sounding, at, key=lambda run: run.end)
    return sounding[max(0, first - 1) : first + 2]


def _near(at: int, edges: Sequence[int]) -> int:
    nearest = min(edges, key=lambda edge: abs(edge - at), default=at)
    return nearest if abs(nearest - at) <= samples(SNAP_S) else at
