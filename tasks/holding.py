"""Holding: which still frames are shown longer, so that what does not fit there is spoken without haste.

A frame is held only where the picture does not change and nobody speaks in the source, so that no word of the original
is parted. How much is needed is what placement says a line lacks to be spoken at a comfortable speed and in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from manifests.holds import Hold, Holds
from manifests.script import Diarization, Script
from manifests.spans import Span, merged, samples
from manifests.timeline import Takes, Timeline
from tasks.place import Limits, crowded, place

LONGEST_S = 10.0
"""Of one hold: longer than that, a shorter text is the better answer."""
LEAST_S = 0.1
BACK_S = 30.0
"""How long before a line a frame may be held for it: what is behind by then has caught up, or cannot."""
ROUNDS = 200


def place_holding(
    script: Script, takes: Takes, length: int, limits: Limits, anchors: Sequence[int], still: Sequence[Span]
) -> Timeline:
    """Place as `tasks.place.place` does, but in a programme whose still frames are held where lines lack time.

    All times of the result are those of the longer programme; `holds` says which. Where nothing is lacking, or nothing
    is still, it is the same as without holding.
    """
    holds = _holds(script, takes, length, limits, anchors, still)
    timeline = place(
        held_script(script, holds), takes, length + holds.length, limits, [holds.start(at) for at in anchors]
    )
    return replace(timeline, holds=holds)


def _holds(
    script: Script, takes: Takes, length: int, limits: Limits, anchors: Sequence[int], still: Sequence[Span]
) -> Holds:
    comfort = replace(limits, hard_max=min(limits.soft_max, limits.hard_max), late_max_s=limits.late_flag_s)
    spans = {utterance.id: utterance.span for utterance in script.utterances}
    moments = _moments(script, length, still)

    def crowding(holds: Holds, takes: Takes) -> tuple[int, int]:
        """When the source says the first line that lacks time, and how much it lacks; the end where none does."""
        later = [holds.start(at) for at in anchors]
        found = crowded(held_script(script, holds), takes, length + holds.length, comfort, later)
        return (spans[found[0]].start, -found[1]) if found else (length, 0)

    holds = Holds()
    for _ in range(ROUNDS):
        first = crowding(holds, takes)
        if first == (length, 0):
            break
        for at in _near(moments, first[0]):
            room = samples(LONGEST_S) - sum(hold.length for hold in holds.all if hold.at == at)
            trial = (
                holds.with_added([Hold(at, added)])
                if (added := min(max(-first[1], samples(LEAST_S)), room)) > 0
                else holds
            )
            if crowding(trial, takes) > first:
                holds = trial
                break
        else:  # nothing still is near: it is spoken in haste, late or not at all, as without holding
            lines = {line for line, span in spans.items() if span.start == first[0]}
            takes = replace(takes, takes=tuple(take for take in takes.takes if take.line not in lines))
    return holds


def _moments(script: Script, length: int, still: Sequence[Span]) -> tuple[int, ...]:
    """Times in the pauses of the source's speech at which its picture is still, one a pause, in order."""
    speech = merged(utterance.span for utterance in script.utterances)
    pauses = [Span(one.end, other.start) for one, other in pairwise([*speech, Span(length, length)])]
    found: list[int] = []
    for pause in pauses:
        both = [Span(max(pause.start, span.start), min(pause.end, span.end)) for span in still if _meet(pause, span)]
        if both:
            widest = max(both, key=lambda span: span.length)
            found.append((widest.start + widest.end) // 2)
    return tuple(found)


def _meet(pause: Span, span: Span) -> bool:
    return max(pause.start, span.start) <= min(pause.end, span.end)


def _near(moments: Sequence[int], onset: int) -> Iterator[int]:
    """Where holding may help a line: before it, the nearest first, so that it waits for what is behind; or after it."""
    yield from [at for at in reversed(moments) if onset - samples(BACK_S) <= at <= onset]
    yield from [at for at in moments if at > onset][:1]


def held_script(script: Script, holds: Holds) -> Script:
    """A script in the times of the finished file."""
    if not holds.all:
        return script
    utterances = tuple(
        replace(
            utterance,
            span=holds.span(utterance.span),
            words=tuple(replace(word, span=holds.span(word.span)) for word in utterance.words),
        )
        for utterance in script.utterances
    )
    return replace(script, utterances=utterances, unrecognized=tuple(map(holds.span, script.unrecognized)))


def held_diarization(diarization: Diarization, holds: Holds) -> Diarization:
    """A diarization in the times of the finished file.

    What was inserted counts as speech: there, too, the original has nothing that may be heard under the dub, and the
    mix fills it with the sound of the room.
    """
    if not holds.all:
        return diarization
    return replace(
        diarization,
        turns=tuple(replace(turn, span=holds.span(turn.span)) for turn in diarization.turns),
        speech=merged([*map(holds.span, diarization.speech), *holds.gaps()]),
    )
