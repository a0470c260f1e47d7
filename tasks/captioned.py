"""Captions and sound brought together: which words of the captions are said where, and which are not said at all.

What a recognizer hears, which is wrong in places, is laid beside the captions, which are right but for what was edited:
a global alignment of two sequences of words. The captions' own times are not needed, so they may be broken, late, or
those of another cut. Where the two agree well enough, the captions' words are taken, to be aligned to the sound; where
they do not, what was heard stands, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from manifests.script import Word
from manifests.spans import Span, samples
from tasks.captions import Written, ends_sentence
from tasks.opposite import opposite

AGREES = 0.3
"""Share of the words around a place of the captions that must have been heard as written. Of right captions a
recognizer hears 85 % on good recordings and 40 % on poor ones; of somebody else's, stray `the`s and `of`s: 10 to 15 %.
"""

_AROUND = 15  # words on either side that are looked at
_OMITTED = 4  # so many words heard in a row, of which the captions have none, are an omission of theirs
_UNHEARD = 6  # so many words of the captions in a row that were not heard must at least have had the time
_QUICKEST_S = 0.09  # which a word takes at the very least
_SNAP = 3  # a doubtful cut moves by so many words to the end of a sentence


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of sound and what is said in it."""

    span: Span
    written: tuple[int, ...] = ()
    """Indices of the captions' words, to be aligned to it; none where what was heard stands."""
    heard: tuple[int, ...] = ()
    """Indices of the words that were heard in it."""


@dataclass(frozen=True, slots=True)
class Match:
    """How captions and sound go together."""

    parts: tuple[Part, ...]
    """In order; those of one chunk share its sound."""
    agreement: tuple[float, ...]
    """For each of the captions' words, the share of the words around it that were heard as written."""

    @property
    def used(self) -> float:
        """Share of the captions' words that are taken."""
        return sum(len(part.written) for part in self.parts) / max(1, len(self.agreement))


def match(written: Sequence[Written], heard: Sequence[Word], chunks: Sequence[Span]) -> Match:
    """Divide what was listened to between the captions and what was heard. All are in order of time.

    Uncertain words of the captions that were not heard are taken as not said, and so are words for which there is no
    time. No word of the captions is in two parts, nor is a heard one.
    """
    sides = _Sides.of(written, heard)
    share = np.asarray(sides.agreement())
    heard_from = [
        next((at for at, word in enumerate(heard) if word.span.start >= chunk.start), len(heard)) for chunk in chunks
    ]
    cuts = _cuts(sides, written, heard, chunks, [*heard_from[1:], len(heard)])
    parts: list[Part] = []
    for chunk, (first, last), (low, high) in zip(
        chunks, pairwise([*heard_from, len(heard)]), pairwise([0, *cuts]), strict=True
    ):
        words, mine = range(low, high), range(first, last)
        if not words or share[low:high].mean() < AGREES:
            parts.append(Part(chunk, (), tuple(mine)))
        else:
            parts += _parts(chunk, words, mine, sides, heard)
    return Match(tuple(parts), _of_written(sides, share, len(written)))


@dataclass(frozen=True, slots=True)
class _Sides:
    """The captions' words as they are spoken, beside the heard ones."""

    owner: NDArray[np.intp]
    """Of each spoken word, the captions' word that it is part of."""
    place: NDArray[np.float64]
    """Of each, the heard word opposite to it; a half where it lies between two. Never falls."""
    same: NDArray[np.bool_]
    """Whether that was heard which is written."""

    @classmethod
    def of(cls, written: Sequence[Written], heard: Sequence[Word]) -> _Sides:
        everything = cls._laid(range(len(written)), written, heard)
        was_heard = np.bincount(everything.owner, everything.same, len(written)) > 0
        said = [at for at, word in enumerate(written) if word.certain or was_heard[at]]
        return cls._laid(said, written, heard)

    @classmethod
    def _laid(cls, said: Sequence[int], written: Sequence[Written], heard: Sequence[Word]) -> _Sides:
        owner = [at for at in said for _ in written[at].spoken]
        spoken = [word for at in said for word in written[at].spoken]
        place, same = opposite(spoken, [word.text.lower() for word in heard])
        return cls(np.asarray(owner, np.intp), place, same)

    def agreement(self) -> NDArray[np.float64]:
        """The share of words heard as written in the `_AROUND` on either side.

        Drawn towards the share in the whole, as if there were `_AROUND` more words of it: a few words that go together
        by chance are no evidence in captions of which nothing else does.
        """
        sums = np.concatenate(([0.0], np.cumsum(self.same)))
        at = np.arange(len(self.same))
        low, high = np.maximum(0, at - _AROUND), np.minimum(len(at), at + _AROUND + 1)
        whole = sums[-1] / max(1, len(at))
        return (sums[high] - sums[low] + _AROUND * whole) / (high - low + _AROUND)


def _cuts(
    sides: _Sides,
    written: Sequence[Written],
    heard: Sequence[Word],
    chunks: Sequence[Span],
    heard_until: Sequence[int],
) -> list[int]:
    """Where each chunk's spoken words end. Words that were not heard go where there is unheard time for them."""
    cuts: list[int] = []
    for number, until in enumerate(heard_until):
        low = max(cuts[-1] if cuts else 0, int(np.searchsorted(sides.place, until - 0.5, "left")))
        high = int(np.searchsorted(sides.place, until - 0.5, "right"))
        if number + 1 == len(chunks):
            low = high = len(sides.place)
        elif low < high:
            before = _room(heard[until - 1].span.end if until else 0, chunks[number])
            after = _room_before(heard, until, chunks, number + 1)
            wanted = low + round((high - low) * before / max(1, before + after))
            low = min(range(low, high + 1), key=lambda cut: _price(cut, wanted, sides, written))
        while 0 < low < len(sides.owner) and sides.owner[low - 1] == sides.owner[low]:
            low += 1
        cuts.append(low)
    return cuts


def _room(after: int, chunk: Span) -> int:
    """Samples of a chunk that lie after a time."""
    return max(0, chunk.end - max(after, chunk.start))


def _room_before(heard: Sequence[Word], until: int, chunks: Sequence[Span], first: int) -> int:
    """Samples in later chunks before the next heard word."""
    end = heard[until].span.start if until < len(heard) else chunks[-1].end
    return sum(max(0, min(chunk.end, end) - chunk.start) for chunk in chunks[first:])


def _price(cut: int, wanted: int, sides: _Sides, written: Sequence[Written]) -> float:
    """The cost of a cut: more the further it is from where it is wanted, and less at the end of a sentence."""
    ends = cut > 0 and ends_sentence(written[sides.owner[cut - 1]].text)
    return abs(cut - wanted) - _SNAP * ends


def _parts(chunk: Span, words: range, mine: range, sides: _Sides, heard: Sequence[Word]) -> Iterator[Part]:
    """A chunk's parts: the captions' words, and between them what the captions leave out."""
    opposite = {int(place) for place in sides.place[words.start : words.stop] if place % 1 == 0}
    start, low = chunk.start, words.start
    for run in _runs([at for at in mine if at not in opposite]):
        if len(run) < _OMITTED:
            continue
        high = int(np.searchsorted(sides.place[: words.stop], run[0], "left"))
        before = heard[run[0] - 1].span.end if run[0] > mine.start else chunk.start
        after = heard[run[-1] + 1].span.start if run[-1] + 1 < mine.stop else chunk.end
        begin = max(start, (before + heard[run[0]].span.start) // 2)
        end = max(begin, min(chunk.end, (heard[run[-1]].span.end + after) // 2))
        yield from _said(Span(start, begin), range(low, max(low, high)), mine, sides, heard)
        yield Part(Span(begin, end), (), tuple(run))
        start, low = end, max(low, high)
    yield from _said(Span(start, chunk.end), range(low, words.stop), mine, sides, heard)


def _said(span: Span, words: range, mine: range, sides: _Sides, heard: Sequence[Word]) -> Iterator[Part]:
    """The captions' words for a stretch of sound, without those for which there is no time."""
    kept = set(words)
    for run in _runs([at for at in words if sides.place[at] % 1]):
        follower = int(sides.place[run[0]] + 0.5)
        before = heard[follower - 1].span.end if follower > mine.start else span.start
        after = heard[follower].span.start if follower < mine.stop else span.end
        if len(run) >= _UNHEARD and min(after, span.end) - max(before, span.start) < len(run) * samples(_QUICKEST_S):
            kept -= set(run)
    theirs = tuple(at for at in mine if span.start <= heard[at].span.start < span.end)
    tokens = tuple(dict.fromkeys(int(sides.owner[at]) for at in sorted(kept)))
    if tokens or theirs:
        yield Part(span, tokens, theirs)


def _runs(indices: Sequence[int]) -> list[list[int]]:
    """Indices in groups of neighbours."""
    groups: list[list[int]] = []
    for index in indices:
        if groups and index == groups[-1][-1] + 1:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _of_written(sides: _Sides, share: NDArray[np.float64], count: int) -> tuple[float, ...]:
    """The agreement of each of the captions' words: its spoken words' mean; 0 for one that is not said."""
    sums = np.bincount(sides.owner, share, count)
    return tuple((sums / np.maximum(1, np.bincount(sides.owner, minlength=count))).tolist())


def timed(part: Part, written: Sequence[Written], spans: Sequence[Span] | None, heard: Sequence[Word]) -> list[Word]:
    """The captions' words of a part with their times: as aligned, or where that failed spread over what was heard.

    `spans` has one for each *spoken* word. Confidence is 0.95 where aligned; where spread, 0.7.
    """
    lengths = [len(written[at].spoken) for at in part.written]
    confidence = 0.95
    if spans is None:
        confidence = 0.7
        spans = _spread(part, [word for at in part.written for word in written[at].spoken], heard)
    out: list[Word] = []
    first = 0
    for at, length in zip(part.written, lengths, strict=True):
        mine = spans[first : first + length]
        out.append(Word(written[at].text, Span(mine[0].start, mine[-1].end), confidence))
        first += length
    return out


def _spread(part: Part, words: Sequence[str], heard: Sequence[Word]) -> list[Span]:
    """Words over the time in which something was heard, by their letters."""
    start = heard[part.heard[0]].span.start if part.heard else part.span.start
    end = max(heard[part.heard[-1]].span.end if part.heard else part.span.end, start)
    edges = np.concatenate(([0.0], np.cumsum([len(word) for word in words])))
    places = (start + (end - start) * edges / edges[-1]).astype(int).tolist()
    return [Span(low, high) for low, high in pairwise(places)]
