"""A translation that people made as subtitles, as words with times; and the times set right, where something tells how.

Subtitles of a translation are often cut as the source's captions are: then where each caption was heard is where its
translation belongs. Else their own times are taken, moved or stretched where words and edges of both agree on it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manifests.cues import Cue
from manifests.script import Script
from tasks import captions, cutting

Floats = NDArray[np.float64]

FRAME_RATES = (1.0, 25 / 24, 24 / 25, 25 / 23.976, 23.976 / 25, 24 / 23.976, 23.976 / 24)
"""How much longer the times of another cut may be: films are sped up for television."""

_SAME_TIME_S = 0.35
_NAMED = 2  # a name before a colon that begins so many cues is a speaker's
_RARE = 3  # a word that stands so often at most tells where it belongs
_VOTES = 4  # words that must agree on a shift
_FINE_S = 2.5
_EDGE_S = 0.2


@dataclass(frozen=True, slots=True)
class Told:
    """One word of a translation."""

    text: str
    at: float | None
    """Seconds, of its middle, by its cue's times."""
    cut: float
    """What it costs to end a line after it (`tasks.cutting`)."""
    cue: int
    """Which cue it is in, of those that say something."""


@dataclass(frozen=True, slots=True)
class Telling:
    """A translation as far as its file tells."""

    words: tuple[Told, ...]
    cues: tuple[Cue, ...]
    trusted: bool
    """Whether its times are the sound's."""
    moved_s: float = 0.0
    """By how much they were moved, at its beginning."""


def told(cues: Sequence[Cue]) -> Telling:
    """The words of a translation in order; sounds in brackets, dashes and the names of speakers are not said."""
    rows = list(captions.rows_in(cues))
    names = Counter(name for _, said in rows if (name := _name(said[0])))
    kept = [
        (cue, (said[0].partition(":")[2].strip(), *said[1:]) if names[_name(said[0])] >= _NAMED else said)
        for cue, said in rows
    ]
    spoken = [(cue, said) for cue, said in kept if any(sign.isalnum() for sign in " ".join(said))]
    words: list[Told] = []
    for number, (cue, said) in enumerate(spoken):
        words += _words(cue, [row for row in said if row], number)
    return Telling(tuple(words), tuple(cue for cue, _ in spoken), trusted=True)


def _name(row: str) -> str:
    """What may be a speaker's name at the start of a cue; else nothing."""
    name, colon, _ = row.partition(":")
    return name if colon and len(name) <= 30 and len(name.split()) <= 3 and name[:1].isupper() else ""


def _words(cue: Cue, rows: Sequence[str], number: int) -> list[Told]:
    speakers = any(row.lstrip().startswith(("-", "–", "—", ">>")) for row in cue.lines)
    out: list[Told] = []
    length = sum(len(word) + 1 for row in rows for word in row.split())
    before = 0
    for row in rows:
        texts = row.split()
        for at, text in enumerate(texts, 1):
            share = (before + len(text) / 2) / length
            when = None if cue.start is None or cue.end is None else cue.start + share * (cue.end - cue.start)
            price = 0.0 if speakers and at == len(texts) else cutting.price(text)
            out.append(Told(text, when, price, number))
            before += len(text) + 1
    out[-1] = replace(out[-1], cut=min(out[-1].cut, cutting.CLAUSE))
    return out


@lru_cache(maxsize=100_000)
def key(word: str) -> str:
    """What a word is compared by across languages: its first letters, without accents; a number whole; or nothing."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", word.casefold()) if sign.isalnum())
    if any(sign.isdigit() for sign in plain):
        return plain
    return plain[:5] if len(plain) >= 4 else ""


def retimed(
    telling: Telling, script: Script, captioned: Sequence[Cue], evidence: Sequence[Mapping[str, float]]
) -> Telling:
    """A translation with the times of the sound.

    `evidence` has the keys of words that each utterance's translation may hold, and how much each tells.
    """
    if captioned and (heard := _by_captions(telling, script, captioned)) is not None:
        return heard
    timed = [word for word in telling.words if word.at is not None]
    if not timed or not script.utterances:
        return replace(telling, trusted=False)
    scale, shift = _vote(timed, script, evidence)
    starts = np.array([scale * cue.start + shift for cue in telling.cues if cue.start is not None])
    fine = _fine(starts, np.array([each.span.start_s for each in script.utterances]))
    moved = _moved(telling, scale, shift + fine)
    return replace(moved, trusted=_on_speech(moved, script) >= 0.6)


def _moved(telling: Telling, scale: float, shift: float) -> Telling:
    if scale == 1 and abs(shift) < 1e-9:
        return telling
    words = tuple(replace(word, at=None if word.at is None else scale * word.at + shift) for word in telling.words)
    first = next(word.at for word in telling.words if word.at is not None)
    return replace(telling, words=words, moved_s=round((scale - 1) * first + shift, 2))


def _by_captions(telling: Telling, script: Script, captioned: Sequence[Cue]) -> Telling | None:
    """Times from where the captions were heard, where the translation is cut as they are, or as several of them."""
    heard = _heard(script, captioned)
    known = [(cue.start, cue.end, span) for cue, span in heard if cue.start is not None and cue.end is not None]
    pairs: dict[int, tuple[float, float]] = {}
    if known:
        starts, ends = np.array([each[:2] for each in known]).T
        for number, cue in enumerate(telling.cues):
            if cue.start is not None and cue.end is not None:
                first, last = int(np.abs(starts - cue.start).argmin()), int(np.abs(ends - cue.end).argmin())
                apart = max(abs(starts[first] - cue.start), abs(ends[last] - cue.end))
                if apart < _SAME_TIME_S and first <= last:
                    pairs[number] = known[first][2][0], known[last][2][1]
    if len(pairs) < 0.5 * len(telling.cues):
        if len(heard) != len(telling.cues) or any(cue.start is not None for cue in telling.cues):
            return None
        pairs = {number: span for number, (_, span) in enumerate(heard)}
    places = _between(telling, pairs)
    words = [replace(word, at=None) for word in telling.words]
    for number, (start, end) in places.items():
        mine = [at for at, word in enumerate(telling.words) if word.cue == number]
        lengths = np.array([len(telling.words[at].text) + 1.0 for at in mine])
        middles = (np.cumsum(lengths) - lengths / 2) / lengths.sum()
        for at, share in zip(mine, middles, strict=True):
            words[at] = replace(words[at], at=float(start + share * (end - start)))
    return replace(telling, words=tuple(words), trusted=True)


def _between(telling: Telling, pairs: Mapping[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
    """The places of all cues: those in no pair move as their neighbours do."""
    out = dict(pairs)
    anchors = [
        (cue.start, pairs[at][0]) for at, cue in enumerate(telling.cues) if at in pairs and cue.start is not None
    ]
    if anchors:
        xs, ys = np.array(sorted(anchors)).T
        for at, cue in enumerate(telling.cues):
            if at not in pairs and cue.start is not None and cue.end is not None:
                shift = float(np.interp(cue.start, xs, ys - xs))
                out[at] = cue.start + shift, cue.end + shift
    return out


def _heard(script: Script, captioned: Sequence[Cue]) -> list[tuple[Cue, tuple[float, float]]]:
    """The captions whose words are in the script, and from when to when they were said there."""
    from rapidfuzz.distance import Levenshtein

    said = list(captions.said_in(captioned))
    written = [word.text for _, words in said for word in words]
    spoken = [word for utterance in script.utterances for word in utterance.words]
    places: dict[int, int] = {}
    for step in Levenshtein.opcodes(written, [word.text for word in spoken]):
        if step.tag == "equal":
            places |= dict(zip(range(step.src_start, step.src_end), range(step.dest_start, step.dest_end), strict=True))
    out: list[tuple[Cue, tuple[float, float]]] = []
    at = 0
    for cue, words in said:
        found = [spoken[places[index]].span for index in range(at, at + len(words)) if index in places]
        at += len(words)
        if found:
            out.append((cue, (found[0].start_s, found[-1].end_s)))
    return out


def _vote(timed: Sequence[Told], script: Script, evidence: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """How the times are stretched, and then moved, so that rare words come where they belong; (1, 0) without a clear
    majority for anything else."""
    where: dict[str, list[float]] = {}
    for utterance, keys in zip(script.utterances, evidence, strict=True):
        for each in keys:
            where.setdefault(each, []).append((utterance.span.start_s + utterance.span.end_s) / 2)
    when: dict[str, list[float]] = {}
    for word in timed:
        if word.at is not None and key(word.text):
            when.setdefault(key(word.text), []).append(word.at)
    pairs = [
        (at, place)
        for each, times in when.items()
        if len(times) <= _RARE and len(where.get(each, ())) in range(1, _RARE + 1)
        for at in times
        for place in where[each]
    ]
    if len(pairs) < _VOTES:
        return 1.0, 0.0
    ats, places = np.array(pairs).T
    best, votes = (1.0, 0.0), _votes(places - ats, 0.0)
    least = max(_VOTES, 1.5 * votes)
    for scale in FRAME_RATES:
        offsets = np.sort(places - scale * ats)
        for shift in np.unique(np.round(offsets)):
            if (found := _votes(offsets, float(shift))) > max(votes, least):
                best, votes = (scale, float(shift)), found
    if best != (1.0, 0.0):
        offsets = places - best[0] * ats
        best = best[0], float(np.median(offsets[np.abs(offsets - best[1]) < _FINE_S]))
    return best


def _votes(offsets: Floats, shift: float) -> int:
    return int(np.count_nonzero(np.abs(offsets - shift) < _FINE_S))


def _fine(starts: Floats, onsets: Floats) -> float:
    """A small shift by which clearly more cues begin where an utterance does; 0 where there is none."""
    if len(starts) < _VOTES:
        return 0.0
    apart = (onsets[:, np.newaxis] - starts[np.newaxis, :]).ravel()
    apart = apart[np.abs(apart) <= _FINE_S]

    def fitting(shift: float) -> int:
        return int(np.count_nonzero(np.abs(apart - shift) < _EDGE_S))

    shifts = sorted(np.arange(-_FINE_S, _FINE_S + 0.01, 0.05), key=abs)
    best = max(shifts, key=fitting)
    clear = fitting(best) >= max(_VOTES, 0.4 * min(len(starts), len(onsets)), 1.5 * fitting(0.0))
    near = apart[np.abs(apart - best) < _EDGE_S]
    return float(np.median(near)) if clear else 0.0


def _on_speech(telling: Telling, script: Script) -> float:
    """Share of the letters that lie where somebody speaks."""
    starts = np.array([each.span.start_s for each in script.utterances]) - 0.5
    ends = np.maximum.accumulate(np.array([each.span.end_s for each in script.utterances])) + 0.5
    inside = whole = 0
    for word in telling.words:
        if word.at is not None:
            at = int(np.searchsorted(starts, word.at, "right")) - 1
            whole += len(word.text)
            inside += len(word.text) * (at >= 0 and word.at <= ends[at])
    return inside / max(1, whole)
