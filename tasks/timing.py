"""How well a timeline keeps the source's time: the metrics of the record, measured on what was placed.

Rates are what a listener hears: the take's length at the voice's normal rate, less what its pauses were shortened by,
over its placed length.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from manifests.emphasis import plain
from manifests.record import Timing
from manifests.script import Lines, Script, Utterance
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

UNDETECTABLE_S = (-0.045, 0.125)
"""Sound this much before or after its picture is not noticed, and a little more is accepted (ITU-R BT.1359)."""

ACCEPTABLE_S = (-0.090, 0.185)

OFF_S = 0.3
"""A line that is so much shorter or longer than its source is a bad one (IWSLT dubbing track)."""

SHORT_TEXT = 10
"""Signs below which any length counts as compliant (isometric translation)."""

_ROUNDING = 0.005


def timing(script: Script, takes: Takes, timeline: Timeline, lines: Lines | None = None) -> Timing:
    """Measure a timeline, and the texts where they are given.

    Placements of lines without a take or an utterance are a defect: KeyError.
    """
    utterances = {utterance.id: utterance for utterance in script.utterances}
    of_line = {take.line: take for take in takes.takes}
    placed = sorted(timeline.placements, key=lambda placement: placement.span)
    spoken = [(placement, of_line[placement.line], utterances[placement.line]) for placement in placed]
    rates = {placement.line: take.spoken_length / placement.span.length for placement, take, _ in spoken}
    onsets = [utterance.span.start / RATE for _, _, utterance in spoken]
    late = [(placement.span.start - utterance.span.start) / RATE for placement, _, utterance in spoken]
    margins = [(line.span.start - line.anchor) / RATE for line in placed if line.anchor is not None]
    overlapping = overlap(placed, utterances)
    lost = sum(cut(placement, take, timeline.length) for placement, take, _ in spoken)
    source_speech = merged(utterance.span for utterance in script.utterances)
    dub_speech = merged(placement.span for placement in placed)
    both = _shared(source_speech, dub_speech)
    source_s, dub_s = (sum(span.length for span in spans) for spans in (source_speech, dub_speech))
    pairs = [(placement.span, utterance.span) for placement, _, utterance in spoken if utterance.span.length]
    normal = [take.default_length / utterance.span.length for _, take, utterance in spoken if utterance.span.length]
    return Timing(
        overlap_s=seconds(overlapping),
        cut_s=seconds(lost),
        max_rate=_shown(max(rates.values(), default=None)),
        p95_rate=_shown(_quantile(list(rates.values()), 0.95)),
        rate_compliance=_shown(_compliance(rates, of_line)),
        smoothness=_shown(_smoothness(placed, utterances, rates)),
        onset_p50=_shown(_quantile(late, 0.5)),
        onset_p95=_shown(_quantile(late, 0.95)),
        drift_s_per_h=_shown(_drift(onsets, late)),
        speech_overlap=_shown(_over(both, source_s)),
        collision_s_per_h=_shown(_over(3600 * (overlapping + lost) / RATE, timeline.length / RATE)),
        onset_max=_shown(max(map(abs, late), default=None)),
        onset_undetectable=_shown(_share(UNDETECTABLE_S[0] <= each <= UNDETECTABLE_S[1] for each in late)),
        onset_acceptable=_shown(_share(ACCEPTABLE_S[0] <= each <= ACCEPTABLE_S[1] for each in late)),
        speech_overlap_precision=_shown(_over(both, dub_s)),
        speech_overlap_iou=_shown(_over(both, source_s + dub_s - both)),
        rate_effort=_shown(_effort(rates, of_line)),
        isochrony=_shown(_mean(_isochrony(dub, source) for dub, source in pairs)),
        duration_agreement=_shown(_mean(1 - abs(dub.length - source.length) / source.length for dub, source in pairs)),
        duration_ratio=_shown(
            _mean(min(dub.length, source.length) / max(dub.length, source.length) for dub, source in pairs)
        ),
        duration_off=_shown(_share(abs(dub.length - source.length) >= samples(OFF_S) for dub, source in pairs)),
        length_compliance=_shown(_share(_isometric(lines, utterances)) if lines else None),
        speech_length_compliance_20=_shown(_share(abs(each - 1) <= 0.2 for each in normal)),
        speech_length_compliance_40=_shown(_share(abs(each - 1) <= 0.4 for each in normal)),
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


def _isochrony(dub: Span, source: Span) -> float:
    return max(0.0, 1 - (abs(dub.start - source.start) + abs(dub.end - source.end)) / source.length)


def _effort(rates: Mapping[str, float], takes: Mapping[str, Take]) -> float | None:
    lengths = {line: takes[line].default_length for line in rates}
    return _over(sum(lengths[line] * abs(math.log(rate)) for line, rate in rates.items()), sum(lengths.values()))


def _isometric(lines: Lines, utterances: Mapping[str, Utterance]) -> Iterator[bool]:
    """For each line, whether its text is about as long as the source's; a very short one counts as such."""
    for line in lines.lines:
        source = len("".join(utterances[line.id].text.split()))
        target = len("".join(plain(line.text).split()))
        yield source < SHORT_TEXT or abs(target - source) <= 0.1 * source


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


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _share(values: Iterable[bool]) -> float | None:
    return _mean(map(float, values))


def _shown(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
