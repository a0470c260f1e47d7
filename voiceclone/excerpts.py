"""The best of what one person says in a lesson: clean, alone, at length; for an enrolment, or to tell who it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from manifests.script import Diarization
from manifests.spans import RATE as TICKS
from manifests.spans import Span, merged, samples
from voiceclone import acoustics, quality, voiceprint
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import RATE, Mono, Print

SHORTEST = samples(5)
"""Speech that it takes to know a voice."""
BRIEFEST, LONGEST = samples(2.5), samples(15)
"""Length of an excerpt: a short sentence between two pauses, and a few sentences at most."""
TOTAL = samples(60)
MOST = 120
"""Excerpts that are listened to, the longest ones: a long course has thousands."""

_GAP = samples(1.0)
_ASIDE = samples(0.25)
"""Kept away from anybody else's turn."""
_GOOD_DB = 40.0

Hear = Callable[[Span], Mono]
"""Gives the mono 16 kHz sound of a span of the programme, -1 to 1."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch in which a speaker speaks alone, and how good it is."""

    span: Span
    snr_db: float
    clipped: float
    """Share of samples in flat tops."""
    likeness: float
    """Cosine with the speaker's mean voice."""

    @property
    def merit(self) -> float:
        """Decibels of signal to noise, up to 40; a hundredth of likeness and a ten-thousandth clipped count as one."""
        return min(self.snr_db, _GOOD_DB) + 100 * self.likeness - 10_000 * self.clipped


def best_spans(found: Diarization, label: str, hear: Hear, *, total: int = TOTAL) -> tuple[Excerpt, ...]:
    """The best excerpts of a speaker, in order of time, together at most a little longer than `total` samples.

    Stretches that do not sound like the rest of this speaker, or are overdriven, are left out; where less than 5 s are
    left, the answer is empty. Raises EngineUnavailable where the speech detector or the speaker encoder is missing.
    """
    pieces = [piece for stretch in alone(found, label) for piece in _cut(stretch, hear)]
    pieces = sorted(pieces, key=lambda span: (-span.length, span.start))[:MOST]
    heard: list[tuple[Span, float, float]] = []
    windows: list[NDArray[np.float32]] = []
    for span in pieces:
        sound = hear(span)
        runs = speaking(sound)
        speech = joined(sound, runs)
        ratio = acoustics.signal_to_noise_db(sound, RATE, runs / RATE)
        if ratio is None or len(speech) < 0.5 * len(sound):
            continue
        heard.append((span, ratio, acoustics.clipped_share(sound)))
        windows.append(quality.window_prints(speech))
    if not heard:
        return ()
    everything = np.concatenate(windows)
    middle = voiceprint.centroid(np.delete(everything, quality.strangers(everything), axis=0))
    excerpts = [
        Excerpt(span, ratio, clipped, round(voiceprint.likeness(voiceprint.centroid(own), middle), 3))
        for (span, ratio, clipped), own in zip(heard, windows, strict=True)
    ]
    fit = [each for each in excerpts if each.likeness >= quality.ONE_VOICE and each.clipped < 1e-3]
    if sum(each.span.length for each in fit) < SHORTEST:
        return ()
    chosen: list[Excerpt] = []
    for each in sorted(fit, key=lambda each: (-each.merit, each.span)):
        if sum(one.span.length for one in chosen) + each.span.length <= total or not chosen:
            chosen.append(each)
    return tuple(sorted(chosen, key=lambda each: each.span))


def alone(found: Diarization, label: str) -> tuple[Span, ...]:
    """Where a speaker speaks and nobody else does, with a quarter of a second kept from others, in order.

    Pauses of up to a second in which nobody speaks are part of it.
    """
    others = merged(turn.span.padded(_ASIDE) for turn in found.turns if turn.speaker != label)
    own = merged((turn.span for turn in found.turns if turn.speaker == label), gap=_GAP)
    left: list[Span] = []
    for span in own:
        at = span.start
        for other in others:
            if other.end <= at or other.start >= span.end:
                continue
            if other.start > at:
                left.append(Span(at, other.start))
            at = max(at, other.end)
        if at < span.end:
            left.append(Span(at, span.end))
    return tuple(left)


def speaker_print(
    found: Diarization, label: str, hear: Hear, *, total: int = samples(30), least: int = SHORTEST
) -> Print | None:
    """How a speaker of a lesson sounds, from the longest stretches in which they speak alone.

    None where these hold less speech than `least`.

    Raises EngineUnavailable as `best_spans` does.
    """
    parts: list[Mono] = []
    left = total
    for span in sorted(alone(found, label), key=lambda span: (-span.length, span.start)):
        if left <= 0:
            break
        sound = hear(Span(span.start, min(span.end, span.start + left)))
        parts.append(joined(sound, speaking(sound)))
        left -= span.length
    speech = np.concatenate([np.zeros(0, np.float32), *parts])
    if len(speech) < least * RATE / TICKS:
        return None
    prints = quality.window_prints(speech)
    return voiceprint.centroid(np.delete(prints, quality.strangers(prints), axis=0))


def _cut(stretch: Span, hear: Hear) -> Sequence[Span]:
    """A stretch in pieces of 2.5 to 15 s, cut where it is quietest within a second of even parts."""
    if stretch.length < BRIEFEST:
        return ()
    count = -(-stretch.length // LONGEST)
    slack = samples(1.0) if count > 1 else 0
    # A piece grows by at most the slack at either end, so the even parts are made that much shorter.
    count = -(-stretch.length // (LONGEST - 2 * slack)) if count > 1 else 1
    edges = [stretch.start]
    for number in range(1, count):
        even = stretch.start + stretch.length * number // count
        edges.append(_quietest(Span(even - slack, even + slack), hear))
    edges.append(stretch.end)
    return [Span(start, end) for start, end in pairwise(edges)]


def _quietest(around: Span, hear: Hear) -> int:
    sound = hear(around)
    size = RATE // 10
    powers = np.square(sound[: len(sound) // size * size].reshape(-1, size), dtype=np.float64).mean(axis=1)
    return around.start + (int(powers.argmin()) * size + size // 2) * TICKS // RATE if len(powers) else around.start
