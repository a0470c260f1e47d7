"""What the record says of each line: what was said, what is said instead, in whose voice, when and how fast."""

from __future__ import annotations

from collections.abc import Iterator

from manifests import emphasis
from manifests.errors import StageFailed
from manifests.record import LineTake, LineVoice, Placed, RecordLine, Said, Text
from manifests.script import Casting, Line, Lines, Script, Utterance, Voice
from manifests.spans import seconds
from manifests.timeline import Placement, Take, Takes, Timeline


def record_lines(
    script: Script, lines: Lines, casting: Casting, takes: Takes, timeline: Timeline
) -> Iterator[RecordLine]:
    """The lines in order of the source's starts. Raises StageFailed for a speaker whom no voice was given."""
    texts = {line.id: line for line in lines.lines}
    spoken = {take.line: take for take in takes.takes}
    placements = {placement.line: placement for placement in timeline.placements}
    for utterance in in_order(script):
        line = texts.get(utterance.id, Line(utterance.id, ""))
        take = spoken.get(utterance.id)
        placement = placements.get(utterance.id)
        voice = take.voice if take else casting.voices.get(utterance.speaker)
        if voice is None:
            raise StageFailed(f"{utterance.speaker} has no voice.", line=utterance.id)
        yield RecordLine(
            id=utterance.id,
            speaker=utterance.speaker,
            source=Said(
                start=utterance.span.start_s,
                end=utterance.span.end_s,
                text=utterance.text,
                confidence=round(utterance.confidence, 4),
            ),
            text=Text(
                value=emphasis.plain(line.text),
                emphasis=emphasis.words(line.text) or None,
                origin=line.origin,
                checks=line.checks,
                trimmed=line.trimmed or None,
            ),
            voice=_voice(voice),
            take=_take(take) if take else None,
            placed=_placed(placement) if placement else None,
            flags=(
                *utterance.flags,
                *line.flags,
                *(placement.flags if placement else ()),
                *(f"`{name}` needs a cloned voice" for name in (take.beyond if take else ())),
            ),
        )


def in_order(script: Script) -> list[Utterance]:
    """The utterances in order of their starts."""
    return sorted(script.utterances, key=lambda utterance: utterance.span.start)


def _placed(placement: Placement) -> Placed:
    return Placed(
        start=placement.span.start_s,
        end=placement.span.end_s,
        rate=round(placement.rate, 6),
        anchor=None if placement.anchor is None else seconds(placement.anchor),
    )


def _voice(voice: Voice) -> LineVoice:
    return LineVoice(
        kind=voice.kind,
        person=voice.person,
        consent=voice.consent,
        reason=voice.reason,
        engine=voice.engine,
        name=voice.name,
        seed=voice.seed,
        similarity=voice.similarity,
        use=voice.use,
    )


def _take(take: Take) -> LineTake:
    return LineTake(
        default_seconds=seconds(take.default_length),
        engine_rate=take.engine_rate,
        natural_seconds=seconds(take.length),
        choice=take.choice,
    )
