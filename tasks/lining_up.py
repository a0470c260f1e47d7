"""Which words of a translation belong to which utterance: the division of all of them that is the best as a whole.

Found by dynamic programming over where each utterance's words end. What counts: the length that a translation should
have (Gale and Church 1993), the times where they can be trusted, words that both languages write alike or an engine
translates so, and that a line ends where a sentence or a cue does. An utterance may get no words, and words may belong
to no utterance; both cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manifests.script import Utterance
from tasks.captions import ends_sentence
from tasks.told import Told, key

Floats = NDArray[np.float64]

_VARIANCE = 6.8  # of a translation's length, for each character of the source (Gale and Church)
_MOST_LENGTH = 12.0
_TIME = 0.3  # what a character costs that lies `_FAR_S` or more from its utterance
_FAR_S = 4.0
_SLACK_S = 0.3
_WORD = 1.2  # what a telling word in its utterance is worth
_CUT = 2.5  # what a cut between two words costs that end no clause; at the end of one it costs a part of it
_WHOLE = 0.8  # the same of a cut at the end of a clause, where the utterance ends a sentence
_SKIP = 0.12  # what a character costs that belongs to no utterance
_TORN = 6.0  # what it costs that the first part of a clause belongs to none, and its rest to one
_BAND = 60  # words on either side of where an utterance should end that are looked at
_BAND_S = 8.0
_WIDE = 0.12  # and where times tell nothing, this share of all


@dataclass(frozen=True, slots=True)
class Division:
    """Whose words are whose."""

    shares: tuple[range, ...]
    """Of each utterance, its words; empty where it has none."""
    left: tuple[range, ...]
    """Runs of words that are nobody's."""


def divided(
    utterances: Sequence[Utterance], words: Sequence[Told], evidence: Sequence[Mapping[str, float]], *, trusted: bool
) -> Division:
    """Divide the words among the utterances, in order; `evidence` and `trusted` as in `tasks.told`."""
    if not utterances or not words:
        return Division(tuple(range(0) for _ in utterances), (range(len(words)),) if words else ())
    lengths = np.array([len(word.text) + 1.0 for word in words])
    before = np.concatenate(([0.0], np.cumsum(lengths)))
    cuts = np.array([0.0, *(word.cut for word in words)])
    times = np.array([np.nan if word.at is None or not trusted else word.at for word in words])
    keys = [key(word.text) for word in words]
    said = np.array([max(1.0, len(utterance.text)) for utterance in utterances])
    growth = float(np.clip(before[-1] / said.sum(), 0.8, 1.5))
    bands = _bands(utterances, times, before, said)
    torn = _TORN * cuts
    start = np.arange(bands[0][1] + 1) > 0
    costs = (_SKIP * before + torn)[: len(start)] * start  # what comes before the first utterance is nobody's
    skipped = [np.zeros(0, np.intp)]
    low = 0
    chosen: list[NDArray[np.intp]] = []
    for number, utterance in enumerate(utterances):
        first, last = bands[number]
        ps, qs = np.arange(low, low + len(costs)), np.arange(first, last + 1)
        window = slice(low, last)
        worth = _worth(keys[window], evidence[number])
        away = _away(times[window], lengths[window], utterance)
        gain = np.concatenate(([0.0], np.cumsum(worth - away)))
        expected = growth * said[number]
        long = before[qs][np.newaxis, :] - before[ps][:, np.newaxis]
        each = np.minimum(_MOST_LENGTH, (long - expected) ** 2 / (2 * _VARIANCE * max(8.0, expected)))
        each -= (
            gain[np.clip(qs - low, 0, None)][np.newaxis, :] - gain[np.clip(ps - low, 0, len(gain) - 1)][:, np.newaxis]
        )
        price = np.where(cuts > 0, np.maximum(cuts, _WHOLE), 0) if ends_sentence(utterance.text) else cuts
        each += _CUT * price[qs][np.newaxis, :]
        each = np.where(long > 0, each, np.where(long == 0, 1 + min(2.5, expected / 12), np.inf))
        total = costs[:, np.newaxis] + each
        chosen.append(ps[total.argmin(axis=0)])
        here = total.min(axis=0)
        following = bands[number + 1][1] if number + 1 < len(bands) else len(words)
        ends = np.arange(first, following + 1)
        costs, come = _skipping(
            np.concatenate((here, np.full(len(ends) - len(here), np.inf))), before[ends], torn[ends]
        )
        skipped.append(first + come)
        low = first
    return _traced(chosen, skipped, bands, len(words))


def _bands(utterances: Sequence[Utterance], times: Floats, before: Floats, said: Floats) -> list[tuple[int, int]]:
    """From which to which word the end of each utterance is looked for; neither ever falls."""
    count = len(times)
    known = np.flatnonzero(~np.isnan(times))
    out: list[tuple[int, int]] = []
    low = high = 0
    for number, utterance in enumerate(utterances):
        if len(known):
            ordered = np.maximum.accumulate(times[known])
            first = int(np.searchsorted(ordered, utterance.span.end_s - _BAND_S))
            last = int(np.searchsorted(ordered, utterance.span.end_s + _BAND_S))
            first = (known[first] if first < len(known) else count) - _BAND // 2
            last = (known[last] if last < len(known) else count) + _BAND // 2
        else:
            share = said[: number + 1].sum() / said.sum()
            middle = int(np.searchsorted(before, share * before[-1]))
            reach = max(_BAND, int(_WIDE * count))
            first, last = middle - reach, middle + reach
        low, high = max(low, min(count, first)), max(high, min(count, last))
        out.append((low, high))
    return out


def _worth(keys: Sequence[str], evidence: Mapping[str, float]) -> Floats:
    return np.array([_WORD * evidence.get(each, 0.0) if each else 0.0 for each in keys])


def _away(times: Floats, lengths: Floats, utterance: Utterance) -> Floats:
    """The cost of each word for being said at another time than the utterance."""
    start, end = utterance.span.start_s - _SLACK_S, utterance.span.end_s + _SLACK_S
    apart = np.nan_to_num(np.maximum(0.0, np.maximum(start - times, times - end)))
    return _TIME * lengths * np.minimum(apart, _FAR_S) / _FAR_S


def _skipping(costs: Floats, before: Floats, torn: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """The least costs where words may be left to nobody, and for each place from which place words are left."""
    relative = costs - _SKIP * before
    best = np.minimum.accumulate(relative)
    come = np.maximum.accumulate(np.where(relative <= best, np.arange(len(costs)), 0))
    left = best + _SKIP * before + torn
    here = np.arange(len(costs))
    stays = costs <= left
    return np.where(stays, costs, left), np.where(stays, here, come)


def _traced(
    chosen: Sequence[NDArray[np.intp]],
    skipped: Sequence[NDArray[np.intp]],
    bands: Sequence[tuple[int, int]],
    count: int,
) -> Division:
    shares: list[range] = []
    left: list[range] = []
    at = count
    for number in range(len(bands) - 1, -1, -1):
        end = int(skipped[number + 1][at - bands[number][0]])
        if end < at:
            follows = bool(left) and left[-1].start == at  # the utterance between them has no words
            left.append(range(end, left.pop().stop if follows else at))
        start = int(chosen[number][end - bands[number][0]])
        shares.append(range(start, end))
        at = start
    if at:
        left.append(range(left.pop().stop if left and left[-1].start == at else at))
    return Division(tuple(reversed(shares)), tuple(reversed(left)))
