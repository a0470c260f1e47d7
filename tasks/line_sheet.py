"""A target's lines as a linguist gets them: what was said, what is said instead, and what there is to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from manifests import emphasis
from manifests.exchange import Entry
from manifests.script import Line, Lines, Script, Utterance
from manifests.spans import seconds
from manifests.timeline import Takes
from tasks.record_lines import in_order

USUAL_PACE = 14.5
"""Characters a second of a voice that was not heard yet: Spanish and English stock voices say 13 to 16."""

_GAP_S = 0.12  # between two lines
_LINGER_S = 2.0  # a line may outlast its source by so much where nothing follows
_CONTEXT = 80  # characters


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a target's lines, as far as it is made."""

    script: Script
    translated: Lines
    said: Lines | None = None
    """As they are spoken, some in a shorter rendering; None where that is not made, or not up to date."""
    takes: Takes | None = None
    length_s: float | None = None
    """Of the programme."""

    def current(self) -> dict[str, Line]:
        """The lines as subtitles show them now, by id."""
        return {line.id: line for line in (self.said or self.translated).lines}


def entries(known: Known) -> list[Entry]:
    """Every line in order, with notes."""
    lines = known.current()
    ordered = in_order(known.script)
    pace = _pace(known)
    people = {take.line: take.voice.person for take in known.takes.takes} if known.takes else {}
    out: list[Entry] = []
    for at, utterance in enumerate(ordered):
        line = lines.get(utterance.id, Line(utterance.id, ""))
        room = _room(utterance, ordered, known.length_s)
        person = people.get(utterance.id)
        notes = [
            ("length", f"{room:.1f} s, about {round(room * pace)} characters; it has {len(emphasis.plain(line.text))}"),
            ("speaker", f"{utterance.speaker}{f' ({person})' if person else ''}"),
            *([("context", f"after “{_end_of(ordered[at - 1].text)}”")] if at else []),
            *(("shortened", f"left out {what}") for what in line.trimmed),
            *(("check", what) for what in (*line.checks, *line.flags, *utterance.flags)),
        ]
        span = utterance.span
        out.append(
            Entry(
                utterance.id,
                span.start_s,
                span.end_s,
                utterance.speaker,
                utterance.text,
                line.text,
                line.origin,
                tuple(notes),
            )
        )
    return out


def _end_of(text: str) -> str:
    """The last words of a text."""
    return text if len(text) <= _CONTEXT else f"… {text[-_CONTEXT:].partition(' ')[2]}"


def _pace(known: Known) -> float:
    """Characters a second as this target's voices say them at their normal rate."""
    if known.takes is None:
        return USUAL_PACE
    texts = known.current()
    heard = [(len(emphasis.plain(texts[take.line].text)), seconds(take.default_length)) for take in known.takes.takes]
    characters, spent = sum(count for count, _ in heard), sum(lasts for _, lasts in heard)
    return characters / spent if spent > 0 and characters else USUAL_PACE


def _room(utterance: Utterance, ordered: Sequence[Utterance], length_s: float | None) -> float:
    """Seconds from an utterance's start until something else is said; a little longer than itself at the most."""
    span = utterance.span
    later = (each.span.start_s - _GAP_S for each in ordered if each.span.start > span.start)
    until = min(later, default=length_s if length_s is not None else span.end_s)
    return max(0.5, min(until, span.end_s + _LINGER_S) - span.start_s)
