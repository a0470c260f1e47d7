"""The bed of a dub: the original without its speech, the room's own sound in its place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manifests.script import Diarization, Script
from manifests.spans import RATE, Span, merged
from manifests.timeline import Timeline
from tasks.ducking import Envelope
from tasks.leakage import Leakage
from tasks.room_tone import HOP, Background, Kind, Read, Sound, complement

FADE = RATE * 80 // 1000
"""Original and room tone lead over to each other in 80 ms, with equal power."""

PADDING = RATE // 5
"""Speech is taken out from 200 ms before to 200 ms after where it was found: soft onsets, breath, echo."""

LOUDER = 10.0
"""Where the sound beside speech is still 10 dB above the background, speech goes on unnoticed (a soft onset, a last
syllable); it is followed for at most half a second."""

AUDIBLE = 1e-6
"""Mean square (-60 dBFS) under which nothing beside speech is worth following."""

TAIL = RATE // 2 // HOP

ISLAND = RATE * 3 // 10
"""Less of the original than this between two stretches of speech is taken out too."""


def without(spans: Sequence[Span], holes: Sequence[Span], length: int) -> tuple[Span, ...]:
    """What of `spans` lies in no hole, in order."""
    kept = complement(merged(holes), length)
    parts = (span.clipped(keep) for span in merged(spans) for keep in kept if span.overlap(keep))
    return tuple(parts)


def spoken(diarization: Diarization, script: Script) -> tuple[Span, ...]:
    """Everything that may be speech, recognized or not, padded: room tone is never taken from here."""
    spans = (*diarization.speech, *(utterance.span for utterance in script.utterances), *script.unrecognized)
    return merged(span.padded(PADDING) for span in spans)


def silenced(diarization: Diarization, script: Script, timeline: Timeline, background: Background) -> tuple[Span, ...]:
    """Where the original is not heard: where its speech was, and where the dub speaks; merged and in order.

    Speech in which no word was recognized stays, unless the dub speaks there.
    """
    programme = Span(0, timeline.length)
    spans = (*diarization.speech, *(utterance.span for utterance in script.utterances))
    recognized = without(spans, script.unrecognized, timeline.length)
    padded = merged(span.padded(PADDING) for span in recognized)
    whole = merged((_to_quiet(span, background) for span in padded), gap=ISLAND)
    source = without(whole, script.unrecognized, timeline.length)
    dub = (placement.span.padded(FADE) for placement in timeline.placements)
    spans = merged((*source, *dub), gap=2 * FADE)
    return tuple(clipped for span in spans if (clipped := span.clipped(programme)).length)


def _to_quiet(span: Span, background: Background) -> Span:
    """A span of speech, longer at both ends for as long as something louder than the background goes on there."""
    powers, limit = background.powers, max(background.floor(span) * LOUDER, AUDIBLE)
    first, last = min(span.start // HOP, len(powers)), min(-(-span.end // HOP), len(powers))
    start, end = first, last
    while start > 0 and start > first - TAIL and powers[start - 1] > limit:
        start -= 1
    while end < len(powers) and end < last + TAIL and powers[end] > limit:
        end += 1
    return Span(min(span.start, start * HOP), max(span.end, end * HOP))


class Under(Protocol):
    """What lies under the dub in one span, read from its start in pieces of any size."""

    @property
    def kind(self) -> Kind: ...

    def read(self, count: int) -> Sound:
        """The next `count` samples, (samples, channels)."""
        ...


class Kept:
    """The original itself, as it is."""

    kind: Kind = "original"

    def __init__(self, span: Span, original: Read) -> None:
        self._original = original
        self._at = span.start

    def read(self, count: int) -> Sound:
        self._at += count
        return self._original(self._at - count, count)


class Ducked:
    """The original where the dub speaks over it, and its background where only the original would speak."""

    kind: Kind = "ducked"

    def __init__(self, span: Span, original: Read, tone: Under, dub: Sequence[Span]) -> None:
        self._span = span
        self._original = original
        self._tone = tone
        self._dub = [part for spoken in dub if (part := spoken.clipped(span)).length]
        self._at = span.start

    def read(self, count: int) -> Sound:
        tone = self._tone.read(count)
        here = Span(self._at, self._at + count)
        self._at = here.end
        for spoken in self._dub:
            if not spoken.overlap(here):
                continue
            part = spoken.clipped(here)
            at = np.arange(part.start, part.end) + 0.5
            inside = np.minimum(at - spoken.start, spoken.end - at) / max(1, min(FADE, spoken.length // 2))
            angle = np.minimum(1.0, inside)[:, np.newaxis].astype(np.float32) * np.float32(np.pi / 2)
            rows = slice(part.start - here.start, part.end - here.start)
            tone[rows] = self._original(part.start, part.length) * np.sin(angle) + tone[rows] * np.cos(angle)
        return tone


class Bed:
    """Reads the bed from its start, block by block, in blocks of any size."""

    def __init__(
        self,
        read: Read,
        spans: Sequence[Span],
        length: int,
        *,
        under: Callable[[Span], Under],
        lowered: Callable[[Span, Under], float],
        free: NDArray[np.bool_],
        envelope: Envelope,
        leakage: Leakage,
    ) -> None:
        """`spans` (in order, disjoint) get what `under` says, except in channels that are `free` of voices, and are
        lowered by the decibels that `lowered` says."""
        self._read = read
        self._spans = deque(spans)
        self._under = under
        self._lowered = lowered
        self._free = free
        self._envelope = envelope
        self._leakage = leakage
        self._length = length
        self._at = 0
        self._ready: deque[tuple[Span, Under]] = deque()
        self._lengths: dict[Kind, int] = {}

    def read(self, count: int) -> Sound:
        """The next `count` samples, (samples, channels)."""
        here = Span(self._at, self._at + count)
        out = self._read(here.start, count)
        original = out.copy()
        self._at = here.end
        self._prepare(here.end + self._envelope.reach)
        while self._ready and self._ready[0][0].start < here.end:
            span, under = self._ready[0]
            part = span.clipped(here)
            if under.kind != "original":
                out[part.start - here.start : part.end - here.start] = self._led_over(span, under, part, out, here)
            if span.end > here.end:
                break
            self._ready.popleft()
        gains = self._envelope.gains(here.start, count)
        if gains is not None:
            out *= gains
        self._leakage.hear(here.start, original, out)
        return out

    @property
    def kind(self) -> Kind:
        """What lay in the original's place for the most part so far."""
        return max(self._lengths, key=lambda kind: self._lengths[kind]) if self._lengths else "original"

    @property
    def kinds(self) -> dict[Kind, float]:
        """Seconds of each kind so far."""
        return {kind: round(length / RATE, 3) for kind, length in self._lengths.items()}

    def _prepare(self, until: int) -> None:
        """Make ready what starts before an instant: the envelope has to know it."""
        while self._spans and self._spans[0].start < until:
            span = self._spans.popleft()
            under = self._under(span)
            self._ready.append((span, under))
            self._envelope.lower(span, self._lowered(span, under))
            if under.kind != "original":
                self._lengths[under.kind] = self._lengths.get(under.kind, 0) + span.length

    def _led_over(self, span: Span, under: Under, part: Span, out: Sound, here: Span) -> Sound:
        """The next part of a span, with the original leading over to it and back."""
        sound = under.read(part.length)
        for edge in self._fades(span):
            fading = edge.clipped(part)
            original, new = self._gains(span, fading)
            at = slice(fading.start - part.start, fading.end - part.start)
            kept = out[fading.start - here.start : fading.end - here.start]
            sound[at] = kept * original + sound[at] * new
        if self._free.any():
            sound[:, self._free] = out[part.start - here.start : part.end - here.start, self._free]
        return sound

    def _fades(self, span: Span) -> tuple[Span, ...]:
        """Where original and room tone lead over: at both ends, but not at the programme's own, where nothing leads."""
        fade = max(1, min(FADE, span.length // 2))
        edges = (
            (Span(span.start, span.start + fade), span.start > 0),
            (Span(span.end - fade, span.end), span.end < self._length),
        )
        return tuple(edge for edge, leads in edges if leads)

    def _gains(self, span: Span, fading: Span) -> tuple[Sound, Sound]:
        """Gains of the original and of the room tone in a part of a fade, (samples, 1) each."""
        at = np.arange(fading.start, fading.end) + 0.5
        fade = max(1, min(FADE, span.length // 2))
        along = np.minimum(at - span.start, span.end - at) / fade
        angle = along[:, np.newaxis] * (np.pi / 2)
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
