"""The mixing desk: what goes into a target's mix, and how loud, where and over what each line of it is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.script import Diarization, Script
from manifests.spans import Span
from manifests.timeline import Placement, Take, Takes, Timeline
from tasks import underlay
from tasks.announcement import LINE, Announcement
from tasks.bed import silenced, spoken, without
from tasks.dub_lines import DubLines
from tasks.ducking import Ducking
from tasks.engines import hdemucs
from tasks.engines.hdemucs import Separator
from tasks.headroom import OTHERWISE
from tasks.levels import Target, line_levels, steps_of, target
from tasks.loudness import PROFILES, Name, Steps, integrated
from tasks.mix_measures import LineLevel, Mix, faults, largest_step, notes, number
from tasks.position import position, voiceless
from tasks.render import Done, Renderer
from tasks.room_tone import Background
from tasks.separation import Separation
from tasks.stretch import Mono, stretch
from tasks.stretching import read_take
from tasks.survey import Heard, Original
from tasks.underlay import Method, Underlay

Tell = Callable[[float], None]
"""Hears which share of the work is done."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is mixed."""

    programme: Path
    """The original's sound, at 48 kHz."""
    diarization: Diarization
    script: Script
    takes: Takes
    timeline: Timeline
    audio: Callable[[Take], Path]
    """Finds a take's sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How it is mixed."""

    loudness: Name = "source"
    centre: bool | None = None
    """Whether the third channel is the centre; None tells it from the number of channels."""
    marked: bool = True
    """Whether synthetic lines, which are all but those of a `recorded` voice, carry the watermark."""
    headroom: float = OTHERWISE
    """Decibels kept free under the profile's true peak for what encoding adds."""
    method: Method = "auto"
    """What lies under the dub (`tasks.underlay`)."""
    ducking: Ducking = Ducking()  # noqa: RUF009 - frozen
    separator: Separator | None = None
    """Without one nothing is separated."""
    announced: tuple[Announcement, Path] | None = None
    """The spoken disclosure and its sound; it is as loud as the median line, and marked as synthetic lines are."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A target on the mixing desk: what is known of its original, and what follows for its lines and background."""

    parts: Parts
    options: Options
    original: Original
    heard: Heard
    speech_lufs: float
    """Loudness of the original's speech."""
    aim: Target
    background: Background

    @classmethod
    def of(cls, parts: Parts, options: Options, original: Original, heard: Heard) -> Desk:
        """What a first hearing of the original tells of its levels and its background."""
        speech = _integrated_in(heard.steps, parts.diarization.speech)
        share = sum(placement.span.length for placement in parts.timeline.placements) / original.length
        profile = PROFILES[options.loudness].suited(share)
        aim = target(profile, PROFILES["web"], integrated(heard.steps), speech)
        background = Background.of(heard.powers, spoken(parts.diarization, parts.script), parts.timeline.length)
        return cls(parts, options, original, heard, speech, aim, background)

    @property
    def announced(self) -> Span | None:
        """Where the disclosure is spoken."""
        return self.options.announced[0].span if self.options.announced else None

    @property
    def replaced(self) -> list[Span]:
        """Where the original says each placed line, in their order."""
        spans = {utterance.id: utterance.span for utterance in self.parts.script.utterances}
        return [spans.get(placement.line, placement.span) for placement in self.parts.timeline.placements]

    @property
    def replaced_lufs(self) -> list[float]:
        """How loud the original says each placed line."""
        return [_integrated_in(self.heard.steps, (span,)) for span in self.replaced]

    def lines(self, takes: Sequence[Take], sounds: Iterable[Mono], scratch: Path, tell: Tell) -> DubLines:
        """All lines in their places, with the spoken disclosure, at their levels; `sounds` are the stretched takes."""
        lines = DubLines(scratch / "lines.f32", self.original.channels, marked=self.options.marked)
        placements = self.parts.timeline.placements
        pieces = zip(placements, self.replaced, takes, sounds, strict=True)
        for count, (placement, said, take, sound) in enumerate(pieces):
            lines.add(placement, sound, self._gains((said,)), synthetic=take.voice.kind != "recorded")
            tell(0.2 + 0.3 * count / len(placements))
        usual = line_levels(self.replaced_lufs, self.aim.lufs - self.aim.line_offset)
        levels = [level + take.energy for level, take in zip(usual, takes, strict=True)]
        if self.options.announced is not None and (span := self.announced) is not None:
            told, path = self.options.announced
            sound = stretch(read_take(path), span.length)
            lines.add(Placement(LINE, span, told.rate or 1.0), sound, self._gains(self.parts.diarization.speech))
            levels.append(float(np.median(usual)))
        lines.level([level + self.aim.line_offset for level in levels])
        return lines

    def _gains(self, said: Sequence[Span]) -> NDArray[np.float32]:
        """A line's gain in each channel, from where the original's voice was in these spans."""
        channels, centre = self.original.channels, self.options.centre
        central = channels == 3 or channels >= 5 if centre is None else centre
        return position(self.heard.by_channel, said, self.background.clean, central)

    def renderer(self, lines: DubLines, scratch: Path, tell: Tell) -> Renderer:
        """What mixes the lines with the background, as often as the loudness asks for."""
        parts, options, original = self.parts, self.options, self.original
        gone = silenced(parts.diarization, parts.script, parts.timeline, self.background)
        spans, kept = underlay.parts(gone, self.announced)
        separation = None
        if options.separator:
            separate = options.separator.background
            separation = Separation(separate, hdemucs.RATE, original.read, original.channels, original.length, scratch)
        recognized = without(parts.diarization.speech, parts.script.unrecognized, parts.timeline.length)
        return Renderer(
            original,
            lines,
            spans=spans,
            underlay=Underlay(
                method=options.method,
                ducking=options.ducking,
                background=self.background,
                steps=self.heard.steps,
                read=original.read,
                channels=original.channels,
                dub=tuple(placement.span for placement in parts.timeline.placements),
                kept=kept,
                separation=separation,
            ),
            speech=recognized,
            free=voiceless(self.heard.by_channel, recognized),
            aim=self.aim,
            headroom=options.headroom,
            tell=tell,
        )

    def measured(self, done: Done, lines: DubLines, gain: float) -> Mix:
        """What the last pass measures, in which all lines got `gain` decibels more."""
        aim, announced = self.aim, self.options.announced
        return Mix(
            profile=aim.profile.name,
            source_lufs=number(integrated(self.heard.steps)),
            speech_lufs=number(self.speech_lufs),
            target_lufs=number(aim.lufs),
            integrated_lufs=number(integrated(done.steps)),
            true_peak_dbtp=number(done.true_peak_dbtp),
            background=done.background,
            background_gain_db=round(aim.background_db, 2),
            dub_gain_db=round(gain, 2),
            limited_db=round(done.limited_db, 2),
            background_s=done.kinds,
            lowered_db=round(done.lowered_db, 2),
            leakage_db=None if done.leakage_db is None else round(done.leakage_db, 1),
            dialogue_lufs=number(done.dialogue_lufs),
            largest_step_lu=largest_step(lines),
            lines=tuple(
                LineLevel(line.line, number(replaced), number(line.lufs), round(line.gain_db + gain, 2))
                for line, replaced in zip(lines.lines, self.replaced_lufs, strict=False)  # the disclosure replaces none
            ),
            notes=(*aim.notes, *notes(done, aim, self.background, lines), *faults(self.original)),
            announcement=announced[0] if announced else None,
        )


def _integrated_in(steps: Steps, spans: Sequence[Span]) -> float:
    parts = [steps[steps_of(span.start, span.end)] for span in spans]
    return integrated(np.concatenate(parts)) if parts else float("-inf")
