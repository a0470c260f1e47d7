"""One target in detail: its timeline as a picture, and its lines with a player for the source and one for the dub."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from manifests.errors import DubError, StoreError
from manifests.record import Record, RecordLine
from manifests.store import Store
from tasks.report import pictures
from tasks.report.clips import Sound, dubbed_sound, source_sound
from tasks.report.facts import LineFacts, TargetFacts, attention, heard_rate


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a page may become, whatever the course's size."""

    targets: int = 24
    """Targets in detail."""
    lines: int = 120
    """Lines of one target in detail."""
    clips: int = 90
    """Lines with their sound inside the page, over all targets; the others play from the files beside it."""
    sample: int = 3
    """Lines of a target whose sound is inside the page though nothing is wrong with them."""


@dataclass(frozen=True, slots=True)
class Player:
    """One sound: inside the page as a data URI, or a stretch of a file beside it."""

    id: str
    src: str
    seconds: float
    inside: bool


@dataclass(frozen=True, slots=True)
class LineView:
    """A line as a reader sees it; times in seconds."""

    line: RecordLine
    start: float
    rate: float | None
    wants: LineFacts | None
    source: Player | None
    dub: Player | None


@dataclass(frozen=True, slots=True)
class Detail:
    """One target in detail."""

    anchor: str
    facts: TargetFacts
    record: Record
    picture: str
    lines: tuple[LineView, ...]
    left_out: int
    """Lines that are only in the record."""
    problems: tuple[str, ...] = ()
    """Why there is no sound or waveform, where there is none."""
    people: frozenset[str] = field(default_factory=frozenset[str])
    """Whose cloned voices are heard inside the page."""

    @property
    def clips(self) -> int:
        return sum(
            bool(view.source and view.source.inside) or bool(view.dub and view.dub.inside) for view in self.lines
        )


def detail(facts: TargetFacts, anchor: str, beside: Path, store: Store, bounds: Bounds) -> Detail | None:
    """A target whose record is there, with at most `bounds.clips` lines' sound inside; None where it is not.

    `beside` is the page's folder: files are named relative to it.
    """
    if facts.record is None:
        return None
    record = Record.read(facts.record)
    wants = {line.id: line for line in attention(facts.job, record)}
    shown = _shown(record.lines, wants, bounds.lines)
    inside = _with_sound(shown, wants, bounds)
    problems: list[str] = []
    with store.scratch() as scratch:
        sounds = _Sounds(
            _heard(lambda: _source(facts, scratch), problems),
            _heard(lambda: _dub(facts, scratch), problems),
            source_beside=_address(facts.job.media, beside) if facts.away is None or not facts.away.beside else "",
            dub_beside=address(facts.output, beside) if facts.output and facts.linked else "",
        )
        picture = _picture(facts, record, anchor, sounds)
        views = tuple(
            LineView(
                line,
                line.placed.start if line.placed else line.source.start,
                heard_rate(line),
                wants.get(line.id),
                *sounds.players(f"{anchor}-{line.id}", line, inside=line.id in inside),
            )
            for line in shown
        )
    heard = {view.line.voice.person for view in views if view.dub and view.dub.inside and view.line.voice.person}
    return Detail(
        anchor,
        facts,
        record,
        picture,
        views,
        len(record.lines) - len(shown),
        tuple(problems),
        frozenset(person for person in heard if person),
    )


def _shown(lines: Sequence[RecordLine], wants: Mapping[str, LineFacts], most: int) -> list[RecordLine]:
    """The lines to show in their order; where there are too many, those that want a human and the first others."""
    if len(lines) <= most:
        return list(lines)
    urgent = sorted(wants.values(), key=lambda line: line.urgency)[:most]
    kept = {line.id for line in urgent}
    others = [line.id for line in lines if line.id not in kept]
    kept.update(others[: most - len(kept)])
    return [line for line in lines if line.id in kept]


def _with_sound(lines: Sequence[RecordLine], wants: Mapping[str, LineFacts], bounds: Bounds) -> frozenset[str]:
    """Ids of the lines whose sound is inside the page: those that want a human, and a sample of the others."""
    urgent = sorted((wants[line.id] for line in lines if line.id in wants), key=lambda line: line.urgency)
    others = [line.id for line in lines if line.id not in wants]
    return frozenset([*(line.id for line in urgent), *others[: bounds.sample]][: max(0, bounds.clips)])


@dataclass(frozen=True, slots=True)
class _Sounds:
    """What can be heard of a target: decoded tracks, and the addresses of the files that they are from."""

    source: Sound | None
    dub: Sound | None
    source_beside: str
    dub_beside: str

    def players(self, anchor: str, line: RecordLine, *, inside: bool) -> tuple[Player | None, Player | None]:
        """How the source says a line, and how the dub does."""
        said = (line.source.start, line.source.end)
        spoken = (line.placed.start, line.placed.end) if line.placed else None
        return (
            _player(f"{anchor}-source", self.source if inside else None, self.source_beside, said),
            _player(f"{anchor}-dub", self.dub if inside else None, self.dub_beside, spoken) if spoken else None,
        )


def _player(anchor: str, sound: Sound | None, beside: str, span: tuple[float, float]) -> Player | None:
    start, end = span
    if sound is not None and (clip := sound.clip(start, end)):
        return Player(anchor, clip, end - start, inside=True)
    return Player(anchor, f"{beside}#t={start:.3f},{end:.3f}", end - start, inside=False) if beside else None


def _heard(decode: Callable[[], Sound | None], problems: list[str]) -> Sound | None:
    """A decoded track; what cannot be decoded is a problem of the report, and no reason not to write it."""
    try:
        return decode()
    except DubError as error:
        problems.append(str(error))
        return None


def _source(facts: TargetFacts, scratch: Path) -> Sound:
    job = facts.job
    return source_sound(job.media, job.course.source_language, job.lesson.audio_language, scratch)


def _dub(facts: TargetFacts, scratch: Path) -> Sound:
    path = facts.away.fetch(scratch) if facts.away is not None else facts.output
    if path is None:
        raise StoreError("the finished file is gone: there is no dub to hear.", remedy="The next run makes it again.")
    return dubbed_sound(path, facts.language, scratch)


def _address(path: Path | None, folder: Path) -> str:
    """A file's address relative to the page's folder; empty where it is not there."""
    return address(path, folder) if path is not None and path.is_file() else ""


def address(path: Path, folder: Path) -> str:
    """A path as a link of a page in `folder` names it, whatever characters it has."""
    return quote(os.path.relpath(path, folder), safe="/")


def _picture(facts: TargetFacts, record: Record, anchor: str, sounds: _Sounds) -> str:
    timing = facts.job.course.timing
    bars = tuple(
        pictures.Bar(
            line.id,
            (line.source.start, line.source.end),
            (line.placed.start, line.placed.end) if line.placed else None,
            heard_rate(line),
            flagged=bool(line.flags),
        )
        for line in record.lines
    )
    source, dub = (None if sound is None else sound.peaks(pictures.PEAKS) for sound in (sounds.source, sounds.dub))
    lane = pictures.Lane(record.output.duration, bars, source, dub, timing.soft_max, timing.hard_max)
    return pictures.timeline(lane, anchor, in_words(facts))


def in_words(facts: TargetFacts) -> str:
    """A timeline told to somebody who does not see it."""
    told = [f"Timeline of {facts.name}: {facts.lines} lines in {facts.duration_s or 0:.0f} seconds"]
    if facts.rates:
        told.append(f"heard at {min(facts.rates):.2f} to {max(facts.rates):.2f} times their natural speed")
    told += [f"{facts.missing} missing"] if facts.missing else []
    return ", ".join(told) + "."
