"""Human lines and the script as it is now: which utterance each line belongs to, by what was said and when.

A script that is recognized again has other numbers, other times and other words. A line stays with the utterance that
says the same, or most of the same at the same time; lines of utterances that became one are joined, the line of one
that became several is divided. What belongs nowhere any more is told, and kept.

In a lesson that was edited again a line stays with its sound, wherever that is now: it is held against the times that
the sound had in earlier cuts (`Utterance.earlier`). Where nothing is known of the sound, times of another cut say
nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from manifests.human_lines import HumanLine
from manifests.memory import plain
from manifests.script import Script, Utterance
from manifests.spans import Span
from tasks.cutting import cut

SAME = 0.85
"""Likeness of two sources from which they are taken to say the same."""

RECOGNIZED_ANEW = 0.4
"""At the very same time, likeness from which one is taken for the other heard differently."""

RECOGNIZED_ANEW_BEFORE = 0.6
"""The same where the time is that of some earlier cut, and not surely of the one that the line was written for: of two
sentences about other things one pair in a thousand is so much alike, at 0.4 every second one."""

_MOST = 0.5  # share of both times that two utterances of like sources have in common
_ALL = 0.8  # of two that may be heard very differently


@dataclass(frozen=True, slots=True)
class Bound:
    """Where human lines belong."""

    lines: dict[str, tuple[str, tuple[str, ...]]]
    """Utterance to its text, and remarks on how that came there."""
    lost: tuple[HumanLine, ...]
    """Lines whose utterance is gone, in order of time."""


def bound(lines: Sequence[HumanLine], script: Script) -> Bound:
    """Give each utterance the line that belongs to it; no line goes to two, no utterance has two lines."""
    out: dict[str, tuple[str, tuple[str, ...]]] = {}
    left = dict(enumerate(lines))
    is_recut = any(utterance.earlier for utterance in script.utterances)
    free = {utterance.id: utterance for utterance in script.utterances}
    for _, at, utterance, remark in sorted(_pairs(lines, script.utterances), key=lambda pair: (-pair[0], pair[1])):
        if at in left and utterance.id in free:
            out[utterance.id] = left.pop(at).text, (remark,) if remark else ()
            del free[utterance.id]
    for at, line in list(left.items()):  # one became several
        parts = [each for each in free.values() if any(_inside(span, line) > _ALL for span in _spans(each, is_recut))]
        if len(parts) > 1 and alike(line.source, " ".join(part.text for part in parts)) >= SAME:
            texts = cut(line.text, [max(1, len(part.text)) for part in parts])
            if all(texts):
                out |= {part.id: (text, ("divided",)) for part, text in zip(parts, texts, strict=True)}
                del left[at]
                free = {name: each for name, each in free.items() if each not in parts}
    for utterance in list(free.values()):  # several became one
        spans = _spans(utterance, is_recut)
        inside = [at for at, line in left.items() if any(_shared(line, span) > _ALL for span in spans)]
        if len(inside) > 1 and alike(" ".join(left[at].source for at in inside), utterance.text) >= SAME:
            out[utterance.id] = " ".join(left.pop(at).text for at in inside), ("joined",)
    return Bound(out, tuple(left.values()))


def _pairs(lines: Sequence[HumanLine], utterances: Sequence[Utterance]) -> Iterator[tuple[float, int, Utterance, str]]:
    """Lines and utterances that may belong together: how surely, the line, the utterance, what is to be said of it."""
    is_recut = any(utterance.earlier for utterance in utterances)
    anew = RECOGNIZED_ANEW_BEFORE if is_recut else RECOGNIZED_ANEW
    by_text: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        by_text.setdefault(plain(utterance.text), []).append(utterance)
    times = _Times((utterance, span) for utterance in utterances for span in _spans(utterance, is_recut))
    for at, line in enumerate(lines):
        for utterance in by_text.get(plain(line.source), []):
            apart = min(abs(span.start_s - line.start) for span in _times(utterance))
            yield 3 + 1 / (1 + apart), at, utterance, ""
        for utterance, span in times.near(line):
            common = _in_common(line, span)
            like = alike(line.source, utterance.text)
            if like >= SAME and common >= _MOST:
                yield 2 + like * common, at, utterance, ""
            elif like >= anew and common >= _ALL:
                yield 1 + like * common, at, utterance, f'written when this was heard: "{line.source}"'


class _Times:
    """Utterances by when they were said."""

    def __init__(self, said: Iterable[tuple[Utterance, Span]]) -> None:
        self._said = sorted(said, key=lambda each: each[1])
        self._starts = [span.start_s for _, span in self._said]
        self._longest_s = max((span.length_s for _, span in self._said), default=0.0)

    def near(self, line: HumanLine) -> Sequence[tuple[Utterance, Span]]:
        """Those that may have time in common with a line."""
        first = bisect_left(self._starts, line.start - self._longest_s)
        return self._said[first : bisect_left(self._starts, line.end)]


def _times(utterance: Utterance) -> tuple[Span, ...]:
    """Where an utterance is, and was in earlier cuts: a line may have been written in any of them."""
    return (utterance.span, *utterance.earlier)


def _spans(utterance: Utterance, is_recut: bool) -> tuple[Span, ...]:
    """When an utterance was said in a cut that a line may have been written for, as far as its sound is known."""
    return utterance.earlier if is_recut else (utterance.span,)


def _in_common(line: HumanLine, span: Span) -> float:
    """Share of the time of both that both have."""
    return _both(line, span) / max(1e-6, max(line.end, span.end_s) - min(line.start, span.start_s))


def _shared(line: HumanLine, span: Span) -> float:
    """Share of a line's time that lies in a span."""
    return _both(line, span) / max(1e-6, line.end - line.start)


def _inside(span: Span, line: HumanLine) -> float:
    """Share of a span that lies in a line's time."""
    return _both(line, span) / max(1e-6, span.length_s)


def _both(line: HumanLine, span: Span) -> float:
    return max(0.0, min(line.end, span.end_s) - max(line.start, span.start_s))


def alike(one: str, other: str) -> float:
    """How much two texts are alike, from 0 to 1."""
    from rapidfuzz import fuzz

    return fuzz.ratio(plain(one), plain(other)) / 100
