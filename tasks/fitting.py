"""Fitting: the talk's lines, each said as briefly and as fast as its time asks, and no more.

First the text: how long each rendering would last is predicted, one rendering a line is chosen for the whole talk
(`tasks.choice`), spoken, and placed for trial (`tasks.place`). Where lines are still too fast, too late or without
room, it is chosen again with what is now known of the voices; where that changes nothing, the lines whose shortening
saves most (the quadratic programme's multipliers) get their next shorter rendering. Twice at most.

Then the speech, in this order: a pause that is long is trimmed, or stretched where a line is over long before its
source is; what a listener must still hear faster, the engine says faster, in steps of 5 %; the rest is for the stretch
when the take is mixed, a few percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from manifests.script import Line, Rendering, Script, Utterance, Voice
from manifests.spans import RATE, samples
from manifests.timeline import Take, Takes
from tasks import pauses, take_sound
from tasks.choice import Candidates, choose
from tasks.engines import espeak
from tasks.engines.espeak import Reading
from tasks.place import Limits, Placed, tried
from tasks.speaking import How, Order, Sound, beyond, likeness, obeys, speak, with_pauses
from tasks.speech_length import Pace, estimated
from tasks.stage import Workbench

ROUNDS = 3
"""The most choices that are tried: the first and two corrections."""

UNHEARD = 1.03
"""Below this, nobody hears that a line is faster (the just noticeable difference is 5 %)."""

RATE_STEP = 0.05
"""Of the engine's own rate."""

SHORT_DUB = 0.95
"""A dub shorter than this share of its source gets longer pauses where it has some."""


KNOWN_BY = 60
"""Takes by which a voice's pace is known well enough."""

NOT_SPOKEN_S = 10.0
"""How much more a line that is not spoken weighs than one that is late by as much as it lacks."""

TIGHT = 0.01
"""A line whose shortening would save more than this presses on the ones after it."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What is to be fitted into what."""

    script: Script
    voices: Mapping[str, Voice]
    """By line."""
    length: int
    anchors: tuple[int, ...]
    limits: Limits


@dataclass(slots=True)
class Spoken:
    """Everything that was said so far: sound and length by line, text and rate; None where there is no sound."""

    how: How
    bench: Workbench
    voices: Mapping[str, Voice]
    rooms: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds of each line's source."""
    sounds: dict[tuple[str, str, float], tuple[Sound, int] | None] = field(
        default_factory=dict[tuple[str, str, float], "tuple[Sound, int] | None"]
    )

    def reader(self, voice: Voice) -> str | None:
        """The voice of espeak-ng that reads as this voice does; None where it has none."""
        return voice.name.partition("+")[0] if voice.engine == "espeak-ng" else espeak.voice_of(self.how.language)

    def say(self, lines: Iterable[tuple[Line, float]], total: int = 0) -> None:
        """Say lines, each at its rate, but for those that were said; tell the workbench of so many lines in all."""
        import soundfile

        missing = {(line.id, line.text, rate): line for line, rate in lines}
        orders = [
            Order(line, self.voices[line.id], rate, self.rooms.get(line.id))
            for (_, text, rate), line in missing.items()
            if (line.id, text, rate) not in self.sounds
        ]
        for order, sound in speak(orders, self.how, self.bench):
            length = soundfile.info(sound.path).frames if sound else 0
            self.sounds[order.line.id, order.line.text, order.rate] = (sound, length) if sound else None
            if total:
                self.bench.tell(min(1.0, len({line for line, _, _ in self.sounds}) / total))

    def length(self, line: Line) -> int | None:
        """Of what was said, at the normal rate; 0 where it had no sound, None where it was not said."""
        key = (line.id, line.text, 1.0)
        return (said[1] if (said := self.sounds[key]) else 0) if key in self.sounds else None

    def take(self, line: Line, rate: float = 1.0, longer: int = 0) -> Take | None:
        """The take of a line that was said at this rate, its pauses longer by so many samples."""
        import soundfile

        said, normal = self.sounds[line.id, line.text, rate], self.sounds[line.id, line.text, 1.0]
        if said is None or normal is None:
            return None
        voice, (made, length) = self.voices[line.id], said
        sound = made.path
        engine_rate = 1.0 if rate == 1 else normal[1] / length
        if longer:
            sound = with_pauses(sound, longer, voice, self.bench)
            length = soundfile.info(sound).frames
        refined = self.how.refinement(line, voice)
        energy, voice = float(refined.get("energy", 0.0)), replace(voice, seed=made.seed)
        return Take(
            line.id, sound.name, length, normal[1], engine_rate, voice, energy, made.why, beyond(refined, voice)
        )


def fitted(lines: Sequence[Line], talk: Talk, how: How, bench: Workbench) -> tuple[list[Line], list[Take]]:
    """The lines as they are said, and their takes, both in order; a line without a sound has no take.

    Raises what `speaking.speak` does.
    """
    rooms = {utterance.id: utterance.span.length_s for utterance in talk.script.utterances}
    spoken = Spoken(how, bench, talk.voices, rooms)
    chosen, placed = _worded(lines, talk, spoken)
    return chosen, _timed(chosen, placed, talk, spoken)


# The text.


@dataclass(frozen=True, slots=True)
class _Try:
    """One choice for the whole talk, said and placed."""

    chosen: tuple[int, ...]
    lines: list[Line]
    placed: Placed
    lacking: dict[str, float]
    """Line to the seconds by which it is too long or too late."""
    cost: float

    @property
    def badness(self) -> tuple[float, float]:
        return round(sum(self.lacking.values()), 2), self.cost


def _worded(lines: Sequence[Line], talk: Talk, spoken: Spoken) -> tuple[list[Line], Placed]:
    """The lines with the renderings chosen, said at the normal rate, and how they lie."""
    options = [_options(line) for line in lines]
    costs = [_costs(line)[: len(choices)] for line, choices in zip(lines, options, strict=True)]
    spoken.say([(line, 1.0) for line, choices in zip(lines, options, strict=True) if len(choices) == 1], len(lines))
    readings = _readings(options, spoken)
    tries: list[_Try] = []
    for number in range(ROUNDS):
        if any(len(choices) > 1 for choices in options):
            predicted = _predicted(options, readings, spoken)
            chosen = _choice(options, costs, predicted, talk)
            if number and chosen == tries[-1].chosen:
                chosen = _pressed(tries[-1], options, predicted)
        else:
            predicted, chosen = [], tuple(0 for _ in lines)
        if any(chosen == before.chosen for before in tries):
            break
        worded = [choices[at] for choices, at in zip(options, chosen, strict=True)]
        spoken.say([(line, 1.0) for line in worded], len(lines))
        takes = [take for line in worded if (take := spoken.take(line)) is not None]
        placed = tried(talk.script, Takes("", tuple(takes)), talk.length, talk.limits, talk.anchors)
        cost = sum(row[at] for row, at in zip(costs, chosen, strict=True))
        tries.append(_Try(chosen, worded, placed, _lacking(placed, takes, talk), cost))
        if not tries[-1].lacking:
            break
    best = min(tries, key=lambda each: each.badness)
    return best.lines, best.placed


def _options(line: Line) -> list[Line]:
    """A line as it stands, then its shorter renderings; what a person wrote is never shortened."""
    full = replace(line, renderings=())
    if line.origin != "machine":
        return [full]
    return [full, *(_rendered(full, rendering) for rendering in line.renderings)]


def _rendered(line: Line, by: Rendering) -> Line:
    return replace(line, text=by.text, trimmed=by.trimmed, checks=by.checks)


def _costs(line: Line) -> list[float]:
    return [0.0, *(rendering.cost for rendering in line.renderings)]


def _readings(options: Sequence[Sequence[Line]], spoken: Spoken) -> dict[tuple[str, str], Reading]:
    """How much there is to say in each text, by its line's id and the text.

    Of all renderings of lines that have some, and of enough others to know each voice by.
    """
    if all(len(choices) == 1 for choices in options):
        return {}
    wanted: dict[str | None, list[Line]] = {}
    others: dict[Voice, int] = {}
    for choices in options:
        voice = spoken.voices[choices[0].id]
        others[voice] = others.get(voice, 0) + (len(choices) == 1)
        if len(choices) > 1 or others[voice] <= KNOWN_BY:
            wanted.setdefault(spoken.reader(voice), []).extend(choices)
    out: dict[tuple[str, str], Reading] = {}
    for reader, lines in wanted.items():
        texts = [spoken.how.words(line) for line in lines]
        readings = espeak.read(texts, reader) if reader else [estimated(text) for text in texts]
        out |= {(line.id, line.text): reading for line, reading in zip(lines, readings, strict=True)}
    return out


def _predicted(
    options: Sequence[Sequence[Line]], readings: Mapping[tuple[str, str], Reading], spoken: Spoken
) -> list[list[float]]:
    """Seconds of every rendering: as it was said, or as its voice is expected to say it."""
    heard: dict[Voice, list[tuple[Reading, float]]] = {}
    for line in (choice for choices in options for choice in choices):
        reading, length = readings.get((line.id, line.text)), spoken.length(line)
        if reading and length:
            heard.setdefault(spoken.voices[line.id], []).append((reading, length / RATE))
    paces = {
        voice: Pace().refitted([reading for reading, _ in said], [seconds for _, seconds in said])
        for voice, said in heard.items()
    }
    out: list[list[float]] = []
    for choices in options:
        pace = paces.get(spoken.voices[choices[0].id], Pace())
        known = [spoken.length(choice) for choice in choices]
        if len(choices) == 1:
            out.append([(known[0] or 0) / RATE])
            continue
        expected = [pace.of(readings[choice.id, choice.text]) for choice in choices]
        # What a line was off by in one rendering, it will be off by in the others.
        off = [length / RATE / guess for length, guess in zip(known, expected, strict=True) if length and guess]
        factor = float(np.mean(off)) if off else 1.0
        out.append(
            [
                length / RATE if length is not None else guess * factor
                for length, guess in zip(known, expected, strict=True)
            ]
        )
    return out


def _choice(
    options: Sequence[Sequence[Line]],
    costs: Sequence[Sequence[float]],
    predicted: Sequence[Sequence[float]],
    talk: Talk,
) -> tuple[int, ...]:
    """The rendering of each line, by its place among its options, chosen for the whole talk."""
    utterances = {utterance.id: utterance for utterance in talk.script.utterances}
    order = sorted(range(len(options)), key=lambda at: utterances[options[at][0].id].span.start)
    rows: list[Candidates] = []
    before: Utterance | None = None
    for at in order:
        utterance = utterances[options[at][0].id]
        rows.append(
            Candidates(
                start=utterance.span.start_s,
                end=utterance.span.end_s,
                earliest=max(0.0, utterance.span.start_s - talk.limits.early_s),
                gap=_gap(before, utterance, talk.limits),
                lengths=tuple(predicted[at]),
                costs=tuple(costs[at]),
                trust=min(1.0, max(0.2, utterance.confidence)),
            )
        )
        before = utterance
    chosen = [0] * len(options)
    picked = choose(rows, talk.length / RATE, talk.limits.soft_max, talk.limits.hard_max)
    for at, which in zip(order, picked, strict=True):
        chosen[at] = which
    return tuple(chosen)


def _gap(before: Utterance | None, utterance: Utterance, limits: Limits) -> float:
    """Least time between two lines: as the source has it, at most the limit; two speakers may overlap as there."""
    if before is None:
        return 0.0
    pause = (utterance.span.start - before.span.end) / RATE
    return min(limits.gap_s, max(0.0, pause) if before.speaker == utterance.speaker else pause)


def _lacking(placed: Placed, takes: Iterable[Take], talk: Talk) -> dict[str, float]:
    """Lines that are not spoken, too fast or too late, and by how many seconds."""
    of_line = {take.line: take for take in takes}
    starts = {utterance.id: utterance.span.start for utterance in talk.script.utterances}
    out = {lost.line: lost.lacks_s + NOT_SPOKEN_S for lost in placed.timeline.unplaced if lost.lacks_s > 0}
    for placement in placed.timeline.placements:
        soft = of_line[placement.line].spoken_length / talk.limits.soft_max
        late = placement.span.start - starts[placement.line] - samples(talk.limits.late_flag_s)
        if (lacks := max(soft - placement.span.length, late) / RATE) > 0.01:
            out[placement.line] = lacks
    return out


def _pressed(last: _Try, options: Sequence[Sequence[Line]], predicted: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """The last choice, but in each tight place the lines whose shortening saves most are shorter by what is lacking."""
    chosen = list(last.chosen)
    pressure = last.placed.pressure
    place_of = {choices[0].id: at for at, choices in enumerate(options)}
    in_order = [placement.line for placement in last.placed.timeline.placements]
    number = {line: at for at, line in enumerate(in_order)}
    for line, seconds in sorted(last.lacking.items(), key=lambda row: (-row[1], row[0])):
        lacks, block = seconds, [line]
        at = number.get(line, 0) - 1
        while at >= 0 and pressure.get(in_order[at], 0.0) > TIGHT:
            block.append(in_order[at])
            at -= 1
        worth = sorted(block, key=lambda each: (-pressure.get(each, 0.0) * predicted[place_of[each]][0], each))
        for at in (place_of[each] for each in worth):
            while lacks > 0 and chosen[at] + 1 < len(options[at]):
                chosen[at] += 1
                lacks -= predicted[at][chosen[at] - 1] - predicted[at][chosen[at]]
    return tuple(chosen)


# The speech.


def _timed(lines: Sequence[Line], placed: Placed, talk: Talk, spoken: Spoken) -> list[Take]:
    """Takes with pauses and rates as their places ask."""
    plain = [take for line in lines if (take := spoken.take(line)) is not None]
    longer = {line: by for line, by in _pauses(plain, placed, talk, spoken).items() if by}
    with_longer = [spoken.take(line, longer=longer.get(line.id, 0)) for line in lines]
    if longer:
        takes = Takes("", tuple(take for take in with_longer if take is not None))
        placed = tried(talk.script, takes, talk.length, talk.limits, talk.anchors)
    by_line = {take.line: take for take in with_longer if take is not None}
    rates = {
        placement.line: _rate(by_line[placement.line].spoken_length / placement.span.length, talk.limits)
        for placement in placed.timeline.placements
        if obeys(by_line[placement.line].voice, "rate")
    }
    fast = [(line, rates[line.id]) for line in lines if rates.get(line.id, 1.0) != 1]
    spoken.say(fast)
    out: list[Take] = []
    for line in lines:
        rate = rates.get(line.id, 1.0)
        by = round(longer.get(line.id, 0) / rate)
        take = spoken.take(line, rate, by) or spoken.take(line, longer=longer.get(line.id, 0))
        if take is not None:
            heard = likeness(take.voice, spoken.bench.store.get(take.audio), spoken.bench)
            out.append(replace(take, voice=replace(take.voice, similarity=heard)))
    return out


def _rate(heard: float, limits: Limits) -> float:
    """The engine's rate for the speed that a listener hears; what is left to stretch is half a step at most."""
    if heard <= UNHEARD:
        return 1.0
    steps = round((min(heard, limits.hard_max) - 1) / RATE_STEP)
    return round(1 + steps * RATE_STEP, 2)


def _pauses(takes: Sequence[Take], placed: Placed, talk: Talk, spoken: Spoken) -> dict[str, int]:
    """By how many samples the pauses of each take should be longer; negative where it is hurried."""
    of_line = {take.line: take for take in takes}
    sources = {utterance.id: utterance.span for utterance in talk.script.utterances}
    timeline = placed.timeline
    gap = samples(talk.limits.gap_s)
    until = [*(placement.span.start - gap for placement in timeline.placements), timeline.length]
    wanted: dict[str, int] = {lost.line: -samples(lost.lacks_s * talk.limits.hard_max) for lost in timeline.unplaced}
    for placement, end in zip(timeline.placements, until[1:], strict=True):
        take, source = of_line[placement.line], sources[placement.line]
        if take.length > UNHEARD * placement.span.length:
            wanted[take.line] = placement.span.length - take.length
        elif take.length < SHORT_DUB * source.length and end > placement.span.end:
            wanted[take.line] = min(source.length - take.length, end - placement.span.end)
    out: dict[str, int] = {}
    for line, by in sorted(wanted.items()):
        bounds = pauses.elastic(take_sound.read(spoken.bench.store.get(of_line[line].audio)))
        out[line] = min(max(by, -bounds.give), bounds.take)
    return out
