"""Place: when every line is spoken and how fast, so that nothing overlaps, is cut, or runs past the end.

In three steps. *Room*: in integers, the earliest times at which all lines could be spoken at the hard cap; a line that
would then still start hopelessly late, or end after the programme, is not spoken (the shortest one whose absence
helps). *Comfort*: the quadratic programme of `tasks.pacing` finds starts and speeds. *Exactness*: `tasks.rounding`
makes samples of its answer, so that what is promised holds to the sample and not to a solver's tolerance.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from manifests.errors import StageFailed
from manifests.model import Job
from manifests.script import Script, dump, load
from manifests.spans import RATE, Span, samples, seconds
from manifests.timeline import Placement, Take, Takes, Timeline, Unplaced
from tasks.held_source import cannot_hold
from tasks.media import Media
from tasks.pacing import Floats, Pairs, Problem, Solution, Weights, solve
from tasks.rounding import ceiling, exact
from tasks.scenes import Scenes
from tasks.stage import Made, Stage, Workbench

FAST_PRICES = (400.0, 40.0, 4.0)
"""What a second won beyond the soft cap costs, from nearly forbidden to readily paid."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast, early and late a line may be. Speeds are what a listener hears, the engine's own rate included."""

    soft_max: float = 1.25
    """Above this, listening costs effort: only where the alternative is worse, and flagged."""
    hard_max: float = 1.4
    """Never faster."""
    slowest: float = 0.9
    """Never slower: a short line is followed by silence, not dragged."""
    stretch_max: float = 0.15
    """A sound stretched by more than this share suffers: flagged. What the engine did itself does not count."""
    early_s: float = 0.045
    """Never earlier than the source. Sound that leads the picture by more is noticed (ITU-R BT.1359)."""
    late_flag_s: float = 0.6
    """Later than this is flagged."""
    late_p95_s: float = 1.2
    """Where more than one line in twenty would be later than this, lines may go beyond the soft cap more readily."""
    late_max_s: float = 10.0
    """Later than this makes no sense beside the picture: the line is not spoken."""
    gap_s: float = 0.12
    """Between lines, or the source's own gap where that is smaller."""
    onset_error_s: float = 0.04
    """The source's onset and the picture's change are compared no finer than this: a frame at 25 a second."""
    after_change_s: float = 2.0
    """A line whose source begins within so much after a change of the picture is said to follow it."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One line to place: its source, its take, and its shortest and longest placed length; samples."""

    take: Take
    speaker: str
    source: Span
    shortest: int
    longest: int
    inside: bool
    """It lies within another speaker's utterance and is short enough to stay there."""
    trust: float
    anchor: int | None
    """The last change of the picture before the source's onset, where it is near."""
    earliest: int
    latest: int
    """Latest start that is not hopelessly late and ends within the programme at the hard cap."""

    @property
    def own(self) -> int:
        """The take's own length, at which nothing is done to its sound."""
        return self.take.length


@dataclass(frozen=True, slots=True)
class _Room:
    """What can be spoken at all: indices of lines, what must follow what, and what was given up."""

    kept: tuple[int, ...]
    after: tuple[tuple[int, int, int], ...]
    """(i, j, gap): line j starts at least `gap` samples, which may be negative, after line i ends."""
    unplaced: tuple[Unplaced, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A timeline, and where it is tight."""

    timeline: Timeline
    pressure: dict[str, float]
    """Line to what a second less of it would save, in the unit of `tasks.pacing`."""


def place(script: Script, takes: Takes, length: int, limits: Limits, anchors: Sequence[int] = ()) -> Timeline:
    """Place every take of a script in a programme of `length` samples whose picture changes at `anchors`.

    Holds exactly, in samples: lines of one speaker never overlap, lines of two speakers overlap at most as much as
    their utterances do; starts keep the order of the source's; no line is more than `early_s` early, nor begins before
    a change of the picture that its source does not precede by `onset_error_s`; none begins before 0 or ends after
    `length`; `span.length * rate` is the take's length; a listener hears at most `hard_max`. A line that cannot be
    spoken so is in `unplaced`. Utterances without a take are no concern of placement. Raises StageFailed for a take of
    a line that the script does not have.
    """
    return tried(script, takes, length, limits, anchors).timeline


def tried(script: Script, takes: Takes, length: int, limits: Limits, anchors: Sequence[int] = ()) -> Placed:
    """As `place` does it, with what it would help to have shorter."""
    lines, silent = _lines(script, takes, length, limits, sorted(anchors))
    room = _room(lines, samples(limits.gap_s))
    kept = [lines[index] for index in room.kept]
    position = {index: at for at, index in enumerate(room.kept)}
    after = tuple((position[i], position[j], wait) for i, j, wait in room.after)
    best = _comfort(_problem(kept, after, length, limits), limits)
    starts = [line.source.start + delay * RATE for line, delay in zip(kept, best.delays.tolist(), strict=True)]
    spans = exact(kept, after, length, starts, (best.lengths * RATE).tolist())
    placements = tuple(_placement(line, span, limits) for line, span in zip(kept, spans, strict=True))
    pressure = {line.take.line: 0.0 for line in kept}
    for (before, _, _), saved in zip(after, best.pressure.tolist(), strict=True):
        pressure[kept[before].take.line] += max(0.0, saved)
    return Placed(Timeline(takes.language, length, placements, (*silent, *room.unplaced)), pressure)


def unplaceable(
    script: Script, takes: Takes, length: int, limits: Limits, anchors: Sequence[int] = ()
) -> tuple[Unplaced, ...]:
    """The lines that `place` would leave out; takes need a length for that, and no sound."""
    lines, silent = _lines(script, takes, length, limits, sorted(anchors))
    return *silent, *_room(lines, samples(limits.gap_s)).unplaced


def crowded(
    script: Script, takes: Takes, length: int, limits: Limits, anchors: Sequence[int] = ()
) -> tuple[str, int] | None:
    """The first line that cannot be spoken in its time, and the samples it lacks; None where all can.

    All lines before it are at their shortest and as early as may be, as when `place` looks for room.
    """
    lines, _ = _lines(script, takes, length, limits, sorted(anchors))
    starts: list[int] = []
    opened: list[int] = []
    gap = samples(limits.gap_s)
    for at, line in enumerate(lines):
        waits = [(before, _wait(lines[before], line, gap)) for before in opened]
        ends = [starts[before] + lines[before].shortest + wait for before, wait in waits]
        starts.append(max([line.earliest, *starts[-1:], *ends]))
        if starts[at] > line.latest:
            return line.take.line, starts[at] - line.latest
        opened = [*(before for before, wait in waits if wait < 0), at]
    return None


def _comfort(problem: Problem, limits: Limits) -> Solution:
    """Delays and lengths in seconds: first as if the soft cap were all but hard, then ever more readily beyond it.

    In a talk with too few pauses lateness adds up from line to line, and speaking a little faster undoes it; where
    pauses come soon enough, being late for a moment is better. Which of the two applies shows only in the whole talk.
    """
    best = solve(problem, replace(Weights(), fast=FAST_PRICES[0]))
    for price in FAST_PRICES[1:]:
        if len(best.delays) == 0 or np.quantile(best.delays, 0.95) <= limits.late_p95_s:
            break
        best = solve(problem, replace(Weights(), fast=price))
    return best


def _placement(line: _Spoken, span: Span, limits: Limits) -> Placement:
    flags: list[str] = []
    heard = round(line.take.spoken_length / span.length, 2)
    stretched = round(line.take.length / span.length, 2)
    late = round((span.start - line.source.start) / RATE, 2)
    if heard > limits.soft_max:
        flags.append(f"fast {heard:.2f}x")
    if abs(stretched - 1) > limits.stretch_max:
        flags.append(f"stretched {stretched:.2f}x")
    if late > limits.late_flag_s:
        flags.append(f"late {late:.2f} s")
    return Placement(line.take.line, span, line.take.length / span.length, tuple(flags), line.anchor)


def _lines(
    script: Script, takes: Takes, length: int, limits: Limits, anchors: Sequence[int]
) -> tuple[list[_Spoken], list[Unplaced]]:
    """The lines that have a sound, in order of the source's start; and those whose take is empty."""
    of_line = {take.line: take for take in takes.takes}
    unknown = sorted(of_line.keys() - {utterance.id for utterance in script.utterances})
    if unknown:
        raise StageFailed(f"there is a take for line {unknown[0]}, which the script does not have.", line=unknown[0])
    out: list[_Spoken] = []
    silent: list[Unplaced] = []
    ends: dict[str, int] = {}
    soft_max = min(limits.soft_max, limits.hard_max)
    for utterance in sorted(script.utterances, key=lambda item: item.span.start):
        take = of_line.get(utterance.id)
        if take is None:
            continue
        if take.length <= 0:
            silent.append(Unplaced(take.line, 0.0))
            continue
        normal = take.spoken_length or take.length
        # Both the speed that is heard and the stretch of the sound stay under the cap, whatever the engine's rate was.
        shortest = ceiling(max(normal, take.length) / limits.hard_max)
        soft = max(shortest, ceiling(normal / soft_max))
        longest = max(soft, take.length, int(min(normal / limits.slowest, take.length / 0.85)))
        others = max((end for speaker, end in ends.items() if speaker != utterance.speaker), default=0)
        inside = others > utterance.span.end and soft <= utterance.span.length
        at = bisect_right(anchors, utterance.span.start + samples(limits.onset_error_s))
        changed = anchors[at - 1] if at else 0
        out.append(
            _Spoken(
                take=take,
                speaker=utterance.speaker,
                source=utterance.span,
                shortest=shortest,
                longest=min(longest, utterance.span.length) if inside else longest,
                inside=inside,
                trust=min(1.0, max(0.2, utterance.confidence)),
                anchor=changed if at and utterance.span.start - changed <= samples(limits.after_change_s) else None,
                earliest=max(changed, utterance.span.start - samples(limits.early_s), 0),
                latest=min(utterance.span.start + samples(limits.late_max_s), length - shortest),
            )
        )
        ends[utterance.speaker] = max(ends.get(utterance.speaker, 0), utterance.span.end)
    return out, silent


def _wait(first: _Spoken, second: _Spoken, gap: int) -> int:
    """Samples between the end of a line and the start of a later one; negative where they may overlap.

    Two speakers may overlap as much as their utterances do. A remark that lies within somebody else's long utterance,
    and stays as short as it was, may stand where it stood: the overlap is its own length, not all that follows it.
    """
    pause = second.source.start - first.source.end
    if first.speaker == second.speaker:
        return min(gap, max(0, pause))
    if pause >= 0 or second.inside:
        return min(gap, pause)
    return -first.source.overlap(second.source)


def _room(lines: Sequence[_Spoken], gap: int) -> _Room:
    """Which lines can be spoken at all, and which must wait for which.

    Walks forward with every line at its shortest and as early as it may be. Only pairs that bind are kept: once a line
    must end before another starts, it ends before all later ones too.
    """
    earliest: list[int] = [0] * len(lines)
    waits: list[list[tuple[int, int]]] = [[] for _ in lines]
    opened: list[tuple[int, ...]] = [()] * (len(lines) + 1)
    """Lines that a line might still overlap, before that line."""
    dropped: dict[int, Unplaced] = {}
    at = 0
    while at < len(lines):
        if at in dropped:
            opened[at + 1] = opened[at]
            at += 1
            continue
        line = lines[at]
        waits[at] = [(before, _wait(lines[before], line, gap)) for before in opened[at]]
        start = line.earliest
        for before, wait in waits[at]:
            start = max(start, earliest[before], earliest[before] + lines[before].shortest + wait)
        earliest[at] = start
        lacks = start - line.latest
        if lacks > 0:
            victim = _victim(lines, earliest, waits, at, lacks)
            lost = min(lacks, lines[victim].shortest)
            dropped[victim] = Unplaced(lines[victim].take.line, round(lost / RATE, 3))
            at = victim
            continue
        opened[at + 1] = (*(before for before, wait in waits[at] if wait < 0), at)
        at += 1
    kept = tuple(index for index in range(len(lines)) if index not in dropped)
    after = tuple((before, index, wait) for index in kept for before, wait in waits[index])
    return _Room(kept, after, tuple(dropped[index] for index in sorted(dropped)))


def _victim(
    lines: Sequence[_Spoken], earliest: Sequence[int], waits: Sequence[Sequence[tuple[int, int]]], late: int, lacks: int
) -> int:
    """The shortest line whose absence lets line `late` be spoken: itself, or one that it has to wait for."""
    best, slack, at = late, earliest[late] - lines[late].earliest, late
    for _ in range(100):
        held = [
            before for before, wait in waits[at] if earliest[before] + lines[before].shortest + wait == earliest[at]
        ]
        slack = min(slack, earliest[at] - lines[at].earliest)
        if not held or slack < lacks:
            break
        at = held[0]
        if lines[at].shortest >= lacks and lines[at].take.default_length < lines[best].take.default_length:
            best = at
    return best


def _problem(lines: Sequence[_Spoken], after: Sequence[tuple[int, int, int]], length: int, limits: Limits) -> Problem:
    """The same in seconds, relative to the source's onsets."""

    def seconds(values: Sequence[int]) -> Floats:
        return np.asarray(values, dtype=np.int64) / RATE

    neighbours: list[tuple[int, int, int]] = []
    last: dict[str, int] = {}
    for index, line in enumerate(lines):
        if line.speaker in last:
            before = last[line.speaker]
            neighbours.append((before, index, max(0, line.source.start - lines[before].source.end)))
        last[line.speaker] = index
    origin = lines[0].source.start if lines else 0
    return Problem(
        onset=seconds([line.source.start - origin for line in lines]),
        to_end=seconds([length - line.source.start for line in lines]),
        source=seconds([line.source.length for line in lines]),
        normal=seconds([line.take.spoken_length or line.take.length for line in lines]),
        shortest=seconds([line.shortest for line in lines]),
        longest=seconds([line.longest for line in lines]),
        earliest=seconds([line.earliest - line.source.start for line in lines]),
        trust=np.asarray([line.trust for line in lines], dtype=np.float64),
        after=_pairs(after),
        smooth=_pairs(neighbours),
        soft_max=min(limits.soft_max, limits.hard_max),
    )


def _pairs(of: Sequence[tuple[int, int, int]]) -> Pairs:
    table = np.asarray(of, dtype=np.int64).reshape(-1, 3)
    return Pairs(table[:, 0].astype(np.intp), table[:, 1].astype(np.intp), table[:, 2] / RATE)


@dataclass(frozen=True, slots=True)
class Params:
    limits: Limits
    hold: bool = False
    """Whether still frames may be held."""
    container: str = "source"


def _params(job: Job) -> Params:
    limits = Limits(soft_max=job.course.timing.soft_max, hard_max=job.course.timing.hard_max)
    return Params(limits, job.course.timing.hold_still_frames, job.course.delivery.container)


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    media = load(Media, inputs["split/media.json"])
    script = load(Script, inputs["transcribe/script.json"])
    takes = load(Takes, inputs["synthesize/takes.json"])
    scenes = load(Scenes, inputs["split/scenes.json"])
    from tasks.holding import place_holding  # it places with what is above

    unable = cannot_hold(media, params.container) if params.hold else ""
    if params.hold and not unable:
        timeline = place_holding(script, takes, media.duration, params.limits, scenes.anchors, scenes.still)
    else:
        timeline = place(script, takes, media.duration, params.limits, scenes.anchors)
    if unable:
        timeline = replace(timeline, remarks=(unable,))
    notes = {
        "lines": len(timeline.placements),
        "unplaced": len(timeline.unplaced),
        "flagged": sum(bool(placement.flags) for placement in timeline.placements),
        **({"held_s": seconds(timeline.holds.length)} if timeline.holds.all else {}),
    }
    return Made({"timeline.json": dump(timeline, bench.scratch / "timeline.json")}, notes=notes)


STAGE = Stage(
    name="place",
    version=4,
    scope="target",
    needs=("split/media.json", "split/scenes.json", "transcribe/script.json", "synthesize/takes.json"),
    makes=("timeline.json",),
    params=_params,
    run=run,
)
