"""Words and turns to utterances: sentences by one speaker, cut at pauses, with the edges of the sound.

1. Each speaker's turns are narrowed to where voice sounds.
2. They are cut at every pause of `PAUSE_S` or more, and at shorter ones where a sentence is known to end; what is
   longer than `LONGEST_S` is cut at its longest pause, again and again, and where there is no pause, between two words.
3. Words go to the speaker whose turn holds most of them, and to the piece of that speaker that holds most of them.
4. Pieces shorter than `SHORTEST_S` join the nearer neighbour; pieces without words are speech not recognized.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from manifests.script import Turn, Utterance, Word
from manifests.spans import RATE, Span, merged, samples
from tasks.sentences import sentence

PAUSE_S = 0.55
"""A pause of this length ends an utterance: inside a sentence readers pause for up to 0.5 s, after it for longer."""
SENTENCE_PAUSE_S = 0.3
"""A pause of this length ends an utterance where the text says that a sentence ends."""
LONGEST_S = 12.0
SHORTEST_S = 1.0
DOUBTFUL = 0.7
"""An utterance of less confidence carries a flag: about every third word of it is wrong."""

EDGE_S = 0.15
"""An utterance whose edge, or whose first or last word, is further than this from the edge of a sound is flagged."""

_REACH_S = 0.2  # diarization's edges are this uncertain
_JOIN_S = 0.75  # a short piece joins its neighbour across a pause of at most this
_NOISE_S = 0.3  # a wordless sound shorter than this at the edge of a piece is a breath or a click
_UNRECOGNIZED_S = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one speaker's voice: runs of sound in order, and the words in it."""

    runs: tuple[Span, ...]
    words: tuple[Word, ...] = ()

    @property
    def span(self) -> Span:
        return Span(self.runs[0].start, self.runs[-1].end)


def utterances(
    words: Sequence[Word],
    turns: Sequence[Turn],
    voice: Sequence[Span],
    *,
    exclusive: Sequence[Turn] = (),
    text: Callable[[Sequence[Word]], str] = sentence,
    ends: Callable[[Word], bool] = lambda word: False,
) -> tuple[tuple[Utterance, ...], tuple[Span, ...]]:
    """Utterances in order of start, and the spans of at least half a second of speech in which there is no word.

    `words` as recognized, `turns` as diarized, `voice` where the sound stands above the noise (`activity.voice`), in
    order. `exclusive` are turns without overlap, which then decide whose a word is. `text` writes an utterance's words;
    `ends` tells a word after which a sentence ends, where an utterance then ends too if there is a pause of
    `SENTENCE_PAUSE_S`. Every word is in exactly one utterance, unless there is no turn at all; utterances of one
    speaker never overlap. They last at most `LONGEST_S` wherever there are two words between which to cut.
    """
    said = {turn.speaker: list[Word]() for turn in turns} | _by_speaker(words, exclusive or turns)
    found: list[tuple[Span, str, Piece]] = []
    unrecognized: list[Span] = []
    for speaker in sorted({turn.speaker for turn in turns}):
        pieces = _assigned(pieces_of(sound_of(speaker, turns, voice)), said[speaker])
        unrecognized += [
            piece.span for piece in pieces if not piece.words and piece.span.length >= samples(_UNRECOGNIZED_S)
        ]
        spoken = [_trimmed(piece) for piece in pieces if piece.words]
        whole = [part for piece in _joined(spoken) for part in _cut_at_sentences(piece, ends)]
        short = [part for piece in whole for part in _cut_between_words(piece)]
        found += [(piece.span, speaker, piece) for piece in short]
    found.sort(key=lambda item: (item[0], item[1]))
    heard = merged(span for span, _, _ in found)
    return (
        tuple(
            _utterance(str(number), speaker, piece, text, _adrift(piece, voice))
            for number, (_, speaker, piece) in enumerate(found, 1)
        ),
        tuple(span for span in merged(unrecognized) if not any(span.overlap(other) for other in heard)),
    )


def sound_of(speaker: str, turns: Sequence[Turn], voice: Sequence[Span]) -> tuple[Span, ...]:
    """The runs of voice in a speaker's turns, in order; a turn in which the level shows none counts whole.

    Turns reach `_REACH_S` further on either side, but not into another speaker's turn. Sound that goes on further
    still, such as music, has no edge there: it is the voice's up to the turn's own.
    """
    others = merged(turn.span for turn in turns if turn.speaker != speaker)
    reach = samples(_REACH_S)
    runs: list[Span] = []
    for zone in merged(turn.span for turn in turns if turn.speaker == speaker):
        start, end = max(0, zone.start - reach), zone.end + reach
        before = bisect_right(others, zone.start, key=lambda other: other.start)
        after = bisect_left(others, zone.end, key=lambda other: other.end)
        if before:
            start = max(start, min(others[before - 1].end, zone.start))
        if after < len(others):
            end = min(end, max(others[after].start, zone.end))
        wide = Span(start, end)
        first = bisect_left(voice, wide.start, key=lambda run: run.end)
        last = bisect_left(voice, wide.end, key=lambda run: run.start)
        inside = [_up_to(zone, run, reach).clipped(wide) for run in voice[first:last]]
        runs += [run for run in inside if run.length] or [zone]
    return merged(runs)


def _up_to(zone: Span, run: Span, reach: int) -> Span:
    """A run of sound, cut at the edges of a turn that it passes by more than `reach`; nothing of it may be left."""
    start = zone.start if run.start < zone.start - reach else run.start
    end = zone.end if run.end > zone.end + reach else run.end
    return Span(start, max(start, end))


def pieces_of(
    runs: Sequence[Span], *, pause_s: float = PAUSE_S, longest_s: float = LONGEST_S
) -> tuple[tuple[Span, ...], ...]:
    """Runs of sound in groups: cut at pauses of `pause_s`, and what is longer than `longest_s` at its longest ones."""
    groups: list[list[Span]] = []
    for run in runs:
        if groups and run.start - groups[-1][-1].end < samples(pause_s):
            groups[-1].append(run)
        else:
            groups.append([run])
    return tuple(tuple(part) for group in groups for part in _halved(group, samples(longest_s)))


def _halved(runs: list[Span], longest: int) -> Iterable[list[Span]]:
    """Cut at the longest pause until no part is longer than `longest`; a cut that leaves a splinter counts half."""
    if len(runs) < 2 or runs[-1].end - runs[0].start <= longest:
        return [runs]
    splinter = samples(SHORTEST_S)

    def worth(cut: int) -> tuple[float, int]:
        pause = runs[cut].start - runs[cut - 1].end
        shorter = min(runs[cut - 1].end - runs[0].start, runs[-1].end - runs[cut].start)
        return pause * (0.5 if shorter < splinter else 1.0), shorter

    cut = max(range(1, len(runs)), key=worth)
    return [*_halved(runs[:cut], longest), *_halved(runs[cut:], longest)]


def _by_speaker(words: Sequence[Word], turns: Sequence[Turn]) -> dict[str, list[Word]]:
    """Each word to the speaker whose turns hold most of it; to the nearest turn where none holds any."""
    zones = {
        speaker: merged(turn.span for turn in turns if turn.speaker == speaker)
        for speaker in sorted({turn.speaker for turn in turns})
    }
    said: dict[str, list[Word]] = {speaker: [] for speaker in zones}
    for word in sorted(words, key=lambda word: word.span) if zones else ():
        near = {speaker: _near(spans, word.span) for speaker, spans in zones.items()}
        nearest = max(near, key=lambda speaker: near[speaker])
        said[nearest].append(word)
    return said


def _near(spans: Sequence[Span], span: Span) -> tuple[int, int]:
    """How much of a span the others hold, and how near the nearest is: greater is nearer. `spans` are disjoint."""
    first = bisect_left(spans, span.start, key=lambda other: other.end)
    last = bisect_left(spans, span.end, key=lambda other: other.start)
    around = spans[max(0, first - 1) : last + 1]
    return sum(span.overlap(other) for other in around), -min(_apart(span, other) for other in around)


def _assigned(groups: Sequence[tuple[Span, ...]], words: Sequence[Word]) -> list[Piece]:
    """Pieces with the words that lie most in them, or nearest to them."""
    held: list[list[Word]] = [[] for _ in groups]
    spans = [Span(group[0].start, group[-1].end) for group in groups]
    for word in words:
        after = bisect_left(spans, word.span.start, key=lambda span: span.end)
        near = range(max(0, after - 1), min(len(spans), after + 3))
        best = max(near, key=lambda index: (spans[index].overlap(word.span), -_apart(spans[index], word.span)))
        held[best].append(word)
    return [Piece(group, tuple(inside)) for group, inside in zip(groups, held, strict=True)]


def _trimmed(piece: Piece) -> Piece:
    """Without the short sounds before the first and after the last word: breaths and clicks."""
    runs = list(piece.runs)
    first, last = piece.words[0].span, piece.words[-1].span
    while len(runs) > 1 and runs[0].length < samples(_NOISE_S) and runs[0].end <= first.start:
        del runs[0]
    while len(runs) > 1 and runs[-1].length < samples(_NOISE_S) and runs[-1].start >= last.end:
        del runs[-1]
    return Piece(tuple(runs), piece.words)


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Short pieces joined to their nearer neighbour, where the pause is small and the whole not too long."""
    out = list(pieces)
    index = 0
    while index < len(out):
        piece = out[index]
        neighbours = [other for other in (index - 1, index + 1) if 0 <= other < len(out)]
        near = sorted(neighbours, key=lambda other: _apart(out[other].span, piece.span))
        fits = [other for other in near if _fits(piece, out[other])]
        if piece.span.length < samples(SHORTEST_S) and fits:
            first = min(index, fits[0])
            one, two = out[first], out[first + 1]
            out[first : first + 2] = [Piece((*one.runs, *two.runs), (*one.words, *two.words))]
            index = first
        else:
            index += 1
    return out


def _fits(piece: Piece, other: Piece) -> bool:
    whole = max(piece.span.end, other.span.end) - min(piece.span.start, other.span.start)
    return _apart(piece.span, other.span) <= samples(_JOIN_S) and whole <= samples(LONGEST_S)


def _cut_between_words(piece: Piece) -> list[Piece]:
    """What is still too long has no pause: cut it where two words lie furthest apart, near the middle if alike."""
    span, words = piece.span, piece.words
    middles = [(one.span.end + two.span.start) // 2 for one, two in pairwise(words)]
    cuts = [index for index, at in enumerate(middles, 1) if span.start < at < span.end]
    if span.length <= samples(LONGEST_S) or not cuts:
        return [piece]

    def worth(cut: int) -> tuple[bool, int, int]:
        at = middles[cut - 1]
        shorter = min(at - span.start, span.end - at)
        return shorter >= samples(SHORTEST_S), words[cut].span.start - words[cut - 1].span.end, shorter

    before, after = _cut_before(piece, max(cuts, key=worth))
    return [*_cut_between_words(before), *_cut_between_words(after)]


def _cut_at_sentences(piece: Piece, ends: Callable[[Word], bool]) -> list[Piece]:
    """Cut where a sentence ends and a pause follows; a part that would be shorter than `SHORTEST_S` stays."""
    for cut, (one, two) in enumerate(pairwise(piece.words), 1):
        paused = two.span.start - one.span.end >= samples(SENTENCE_PAUSE_S)
        at = (one.span.end + two.span.start) // 2
        shorter = min(at - piece.span.start, piece.span.end - at)
        if paused and ends(one) and shorter >= samples(SHORTEST_S):
            before, after = _cut_before(piece, cut)
            return [before, *_cut_at_sentences(after, ends)]
    return [piece]


def _cut_before(piece: Piece, word: int) -> tuple[Piece, Piece]:
    """A piece in two, in the middle between a word and the one before it, which lies inside it."""
    span, words = piece.span, piece.words
    at = (words[word - 1].span.end + words[word].span.start) // 2
    before = tuple(run.clipped(Span(span.start, at)) for run in piece.runs if run.start < at)
    after = tuple(run.clipped(Span(at, span.end)) for run in piece.runs if run.end > at)
    return Piece(before, words[:word]), Piece(after, words[word:])


def _apart(one: Span, two: Span) -> int:
    """Samples between two spans; 0 where they meet."""
    return max(0, one.start - two.end, two.start - one.end)


def _adrift(piece: Piece, voice: Sequence[Span]) -> tuple[str, ...]:
    """Flags for an edge that is no edge of a sound, or is one long before the first word or after the last.

    A word that reaches into silence is no reason: there the edge is the sound's.
    """
    span, first, last = piece.span, piece.words[0].span, piece.words[-1].span
    begun = bisect_left(voice, span.start, key=lambda run: run.start)
    ended = bisect_left(voice, span.end, key=lambda run: run.end)
    starts = [abs(run.start - span.start) for run in voice[max(0, begun - 1) : begun + 1]]
    ends = [abs(run.end - span.end) for run in voice[max(0, ended - 1) : ended + 1]]
    edges = (
        ("begins", max(min(starts, default=0), first.start - span.start)),
        ("ends", max(min(ends, default=0), span.end - last.end)),
    )
    return tuple(
        f"{does} {apart / RATE:.2f} s from where a sound does" for does, apart in edges if apart > samples(EDGE_S)
    )


def _utterance(
    number: str, speaker: str, piece: Piece, text: Callable[[Sequence[Word]], str], adrift: tuple[str, ...]
) -> Utterance:
    weight = sum(word.span.length for word in piece.words)
    confidence = round(sum(word.confidence * word.span.length for word in piece.words) / weight, 3) if weight else 0.0
    flags = (f"low confidence {confidence:.2f}",) if confidence < DOUBTFUL else ()
    return Utterance(number, speaker, piece.span, text(piece.words), piece.words, confidence, (*flags, *adrift))
