"""How well a timeline keeps the source's time: the metrics of the record, measured on what was placed.

Rates are what a listener hears: the take's length at the voice's normal rate, less what its pauses were shortened by,
over its placed length.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from manifests.record import Timing
from manifests.script import Script, Utterance
from manifests.spans import RATE, Span, merged, samples, seconds
from manifests.timeline import Placement, Take, Takes, Timeline

COMPLIANT = (0.90, 1.25)
"""Between these a listener neither waits nor labours (Quené 2007; listening effort rises beyond 20 % compression)."""

JUMP = 1.10
"""Twice the just noticeable difference of tempo: what neighbours may differ."""

NEIGHBOURS_S = 2.0
"""A longer pause between two lines of a speaker hides any change of rate."""

DRIFT_S = 600.0
"""Onsets must span as much for their drift to be told from chance."""

_ROUNDING = 0.005


def timing(script: Script, takes: Takes, timeline: Timeline) -> Timing:
    """Measure a timeline. Placements of lines without a take or an utterance are a defect: KeyError."""
    utterances = {utterance.id: utterance for utterance in script.utterances}
    of_line = {take.line: take for take in takes.takes}
    placed = sorted(timeline.placements, key=lambda placement: placement.span)
    spoken = [(placement, of_line[placement.line], utterances[placement.line]) for placement in placed]
    rates = {placement.line: take.spoken_length / placement.span.length for placement, take, _ in spoken}
    onsets = [utterance.span.start / RATE for _, _, utterance in spoken]
    late = [(placement.span.start - utterance.span.start) / RATE for placement, _, utterance in spoken]
    margins = [(line.span.start - line.anchor) / RATE for line in placed if line.anchor is not None]
    return Timing(
        overlap_s=seconds(overlap(placed, utterances)),
        cut_s=seconds(sum(cut(placement, take, timeline.length) for placement, take, _ in spoken)),
        max_rate=_shown(max(rates.values(), default=None)),
        p95_rate=_shown(_quantile(list(rates.values()), 0.95)),
        rate_compliance=_shown(_compliance(rates, of_line)),
        smoothness=_shown(_smoothness(placed, utterances, rates)),
        onset_p50=_shown(_quantile(late, 0.5)),
        onset_p95=_shown(_quantile(late, 0.95)),
        drift_s_per_h=_shown(_drift(onsets, late)),
        speech_overlap=_shown(_speech_overlap(script.utterances, placed)),
        anchored=len(margins),
        anchor_margin_s=_shown(min(margins, default=None)),
    )


def overlap(placed: Sequence[Placement], utterances: Mapping[str, Utterance]) -> int:
    """Samples in which two lines are spoken at once beyond what their utterances are, summed over the pairs.

    Lines of one speaker may never be. `placed` is in order of start.
    """
    total = 0
    open_: list[Placement] = []
    for placement in placed:
        open_ = [before for before in open_ if before.span.end > placement.span.start]
        for before in open_:
            first, second = utterances[before.line], utterances[placement.line]
            own = 0 if first.speaker == second.speaker else first.span.overlap(second.span)
            total += max(0, before.span.overlap(placement.span) - own)
        open_.append(placement)
    return total


def cut(placement: Placement, take: Take, length: int) -> int:
    """Samples of a take that are not heard: left over at the placement's rate, or outside the programme."""
    left_over = take.length - placement.span.length * placement.rate
    outside = placement.span.length - placement.span.clipped(Span(0, length)).length
    return (round(left_over) if left_over >= 1 else 0) + outside


def _compliance(rates: Mapping[str, float], takes: Mapping[str, Take]) -> float | None:
    low, high = COMPLIANT
    lengths = {line: takes[line].default_length for line in rates}
    kept = sum(lengths[line] for line, rate in rates.items() if low - _ROUNDING <= rate <= high + _ROUNDING)
    return kept / sum(lengths.values()) if rates else None


def _smoothness(
    placed: Iterable[Placement], utterances: Mapping[str, Utterance], rates: Mapping[str, float]
) -> float | None:
    by_speaker: dict[str, list[Placement]] = {}
    for placement in placed:
        by_speaker.setdefault(utterances[placement.line].speaker, []).append(placement)
    alike = [
        max(rates[one.line], rates[other.line]) <= JUMP * min(rates[one.line], rates[other.line])
        for lines in by_speaker.values()
        for one, other in pairwise(lines)
        if other.span.start - one.span.end < samples(NEIGHBOURS_S)
    ]
    return sum(alike) / len(alike) if alike else None


def _drift(onsets: Sequence[float], late: Sequence[float]) -> float | None:
    """Slope of lateness over time by least squares, in seconds an hour."""
    if len(onsets) < 2 or max(onsets) - min(onsets) < DRIFT_S:
        return None
    return 3600 * float(np.polynomial.Polynomial.fit(onsets, late, 1).convert().coef[1])


def _speech_overlap(utterances: Iterable[Utterance], placed: Iterable[Placement]) -> float | None:
    """Share of the source's speech during which the dub speaks, as Brannon et al. 2023 compare human dubs."""
    source = merged(utterance.span for utterance in utterances)
    dub = merged(placement.span for placement in placed)
    total = sum(span.length for span in source)
    return _shared(source, dub) / total if total else None


def _shared(ones: Sequence[Span], others: Sequence[Span]) -> int:
    """Samples that are in both of two sequences of spans, each in order and without overlap."""
    total, at = 0, 0
    for span in ones:
        while at < len(others) and others[at].end <= span.start:
            at += 1
        ahead = at
        while ahead < len(others) and others[ahead].start < span.end:
            total += span.overlap(others[ahead])
            ahead += 1
    return total


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


def _shown(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
