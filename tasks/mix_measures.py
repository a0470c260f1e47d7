"""What a mix measures, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tasks.announcement import LINE, Announcement
from tasks.dub_lines import DubLines
from tasks.leakage import AUDIBLE_DB
from tasks.levels import Target
from tasks.render import Done
from tasks.room_tone import Background, Kind
from tasks.survey import Original

SQUEEZED = 10.0
"""Decibels of limiting from which the dub is not made louder still: it would be heard."""


@dataclass(frozen=True, slots=True)
class LineLevel:
    """How loud one line is."""

    line: str
    source_lufs: float | None
    """Loudness of the source's line; None where it is inaudible."""
    take_lufs: float | None
    """Loudness of the take as it came; None where it is silent."""
    gain_db: float
    """All gains of the line together, before the limiter."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What the mix measures."""

    profile: str
    source_lufs: float | None
    """Integrated loudness of the source's whole track; None for silence, here and below."""
    speech_lufs: float | None
    """Loudness of the source's speech."""
    target_lufs: float | None
    """What the profile asks for: of the programme, or of its speech (`netflix`)."""
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    background: Kind
    """What lies under the dub for the most part."""
    background_gain_db: float
    dub_gain_db: float
    """Gain of all lines beyond what makes each as loud as the one that it replaces."""
    limited_db: float
    """The limiter's deepest gain reduction."""
    dialogue_lufs: float | None = None
    """Loudness of what sounds while a line is spoken, ungated (BS.1770-1)."""
    largest_step_lu: float | None = None
    """The largest difference in loudness between a line and the next; None with fewer than two."""
    background_s: dict[Kind, float] = field(default_factory=dict[Kind, float])
    """Seconds of each kind of background."""
    lowered_db: float = 0.0
    """The most by which the background gives way to the dub."""
    leakage_db: float | None = None
    """How loud the original's voice still is in the background, measured against itself; -60 is as good as gone, None
    means that too little was heard to tell."""
    lines: tuple[LineLevel, ...] = ()
    notes: tuple[str, ...] = ()
    announcement: Announcement | None = None
    """The spoken disclosure, where one was asked for and there is anything to disclose."""


def notes(done: Done, aim: Target, background: Background, lines: DubLines) -> Iterator[str]:
    """What is not as one might expect of a mix."""
    off = done.lufs - aim.lufs
    if abs(off) > 0.5:
        why = "the true peak allows no more" if off < 0 and done.limited_db > SQUEEZED else "the background decides it"
        yield f"loudness is {off:+.1f} LU from the target: {why}"
    if not background.alone:
        yield "the source's background is nowhere heard alone: its quietest moments stand in"
    if done.background == "continued":
        yield "the source's background is tonal: it is continued from itself under the dub"
    if done.lowered_db >= 1:
        yield f"the background is lowered by up to {done.lowered_db:.0f} dB while the dub speaks"
    if done.leakage_db is not None and done.leakage_db > AUDIBLE_DB:
        yield f"the original's voice is left in the background, {-done.leakage_db:.0f} dB below its own level"
    for line in lines.lines:
        if not np.isfinite(line.lufs):
            yield f"line {line.line} is silent"


def faults(original: Original) -> Iterator[str]:
    """What is wrong with the source's own sound."""
    if original.offset.any():
        yield f"the source has a constant offset of {np.abs(original.offset).max():.3f} of full scale: it is taken out"


def largest_step(lines: DubLines) -> float | None:
    """The largest difference in loudness between neighbouring lines, without silent ones and the spoken disclosure."""
    levels = [line.lufs + line.gain_db for line in lines.lines if line.line != LINE and np.isfinite(line.lufs)]
    return round(max(abs(b - a) for a, b in pairwise(levels)), 2) if len(levels) > 1 else None


def number(level: float) -> float | None:
    """A level as it is written down; None for silence."""
    return round(level, 2) if np.isfinite(level) else None
