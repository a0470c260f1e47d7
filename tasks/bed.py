"""The bed of a dub: the original without its speech, the room's own sound in its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manifests.script import Diarization, Script
from manifests.spans import RATE, Span, merged
from manifests.timeline import Timeline
from tasks.room_tone import HOP, Background, Kind, Read, RoomTone, Sound, complement

FADE = RATE * 80 // 1000
"""Original and room tone lead over to each other in 80 ms, with equal power."""

PADDING = RATE // 5
"""Speech is taken out from 200 ms before to 200 ms after where it was found: soft onsets, breath, echo."""

LOUDER = 10.0
"""Where the sound beside speech is still 10 dB above the background, speech goes on that nobody found: a soft onset,
or a last syllable; it is followed for at most half a second."""

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


class Bed:
    """Reads the bed from its start, block by block, in blocks of any size."""

    def __init__(self, read: Read, channels: int, spans: Sequence[Span], background: Background, length: int) -> None:
        self._read = read
        self._channels = channels
        self._spans = list(spans)
        self._background = background
        self._length = length
        self._at = 0
        self._tone: tuple[Span, RoomTone] | None = None
        self._lengths: dict[Kind, int] = {"room tone": 0, "continued": 0, "silence": 0}

    def read(self, count: int) -> Sound:
        """The next `count` samples, (samples, channels)."""
        here = Span(self._at, self._at + count)
        out = self._read(here.start, count)
        self._at = here.end
        while self._spans and self._spans[0].start < here.end:
            span = self._spans[0]
            part = span.clipped(here)
            inside = slice(part.start - here.start, part.end - here.start)
            tone = self._under(span).read(part.length)
            for edge in self._fades(span):
                fading = edge.clipped(part)
                original, new = self._gains(span, fading)
                at = slice(fading.start - part.start, fading.end - part.start)
                kept = out[fading.start - here.start : fading.end - here.start]
                tone[at] = kept * original + tone[at] * new
            out[inside] = tone
            if span.end > here.end:
                break
            self._spans.pop(0)
        return out

    @property
    def kind(self) -> Kind:
        """What lay in the original's place for the most part so far."""
        return max(self._lengths, key=lambda kind: self._lengths[kind])

    def _under(self, span: Span) -> RoomTone:
        if self._tone is None or self._tone[0] != span:
            tone = RoomTone(self._background, span, self._channels, self._read)
            self._tone = span, tone
            self._lengths[tone.kind] += span.length
        return self._tone[1]

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
