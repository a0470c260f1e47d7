"""How loud each line is, and the dub as a whole.

Each line first gets the loudness of the line that it replaces; then all lines together are raised or lowered until the
whole programme has the loudness that is asked for. The background keeps its level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.loudness import STEP, Profile, Steps, integrated, lufs, power_of

QUIET_SPEECH = -35.0
"""LUFS below which the source's own loudness is no example to follow."""

LARGEST_STEP = 3.0
"""LU between one line and the next."""

FARTHEST = 6.0
"""LU by which a line may differ from the median line."""

FITTED = 12.0
"""Decibels by which all lines together may be raised or lowered to fit the programme's loudness."""

QUIETEST_SOURCE = -50.0
"""LUFS below which what was measured under a line is background, and no example."""

RAISED_MOST = 12.0
"""Decibels by which the background may be raised with a quiet source."""


@dataclass(frozen=True, slots=True)
class Target:
    """What loudness is aimed at, and what gains it takes before the dub is fitted."""

    profile: Profile
    lufs: float
    line_offset: float
    """LU by which lines are louder than the source lines that they replace."""
    background_db: float
    notes: tuple[str, ...]


def target(asked: Profile, web: Profile, source_lufs: float, speech_lufs: float) -> Target:
    """What loudness to aim at. A source whose speech is absent or below -35 LUFS is no example to follow: `web` is
    delivered instead."""
    notes: tuple[str, ...] = ()
    if asked.lufs is None and speech_lufs < QUIET_SPEECH:
        heard = f"is at {speech_lufs:.1f} LUFS" if np.isfinite(speech_lufs) else "is absent"
        notes = (f"the source's speech {heard}: its loudness is no example, {web.lufs:g} LUFS are delivered instead",)
        asked = web
    if asked.lufs is None:
        return Target(asked, source_lufs, 0.0, 0.0, notes)
    example = speech_lufs if asked.of_speech else source_lufs
    if not np.isfinite(speech_lufs) or not np.isfinite(example):
        return Target(asked, asked.lufs, 0.0, 0.0, notes)
    offset = asked.lufs - example
    return Target(asked, asked.lufs, offset, min(offset, RAISED_MOST), notes)


def line_levels(source: Sequence[float], fallback: float) -> list[float]:
    """Loudness in LUFS for each line in order, from that of the source line under it.

    A source line that is inaudible takes the median's; none is farther than 6 LU from the median, nor more than 3 LU
    from its neighbours. `fallback` is the loudness of all where none of the source is audible.
    """
    audible = [level for level in source if level > QUIETEST_SOURCE]
    if not audible:
        return [fallback] * len(source)
    middle = float(np.median(audible))
    wanted = [level if level > QUIETEST_SOURCE else middle for level in source]
    levels = [min(max(level, middle - FARTHEST), middle + FARTHEST) for level in wanted]
    # Halfway between lowering what is loud and raising what is quiet, each just as far as the steps demand.
    lowered, raised = levels.copy(), levels.copy()
    for here, beside in [(k, k - 1) for k in range(1, len(levels))] + [
        (k, k + 1) for k in range(len(levels) - 2, -1, -1)
    ]:
        lowered[here] = min(lowered[here], lowered[beside] + LARGEST_STEP)
        raised[here] = max(raised[here], raised[beside] - LARGEST_STEP)
    return [(low + high) / 2 for low, high in zip(lowered, raised, strict=True)]


def loudness(steps: Steps, profile: Profile, dub: Steps) -> float:
    """The loudness that a profile speaks of, in LUFS, of a programme in which `dub` is the power of the lines."""
    return dialogue(steps, dub) if profile.of_speech else integrated(steps)


def dialogue(steps: Steps, dub: Steps) -> float:
    """Loudness in LUFS of what sounds while the dub speaks, without a gate (BS.1770-1); -inf where it never does.

    Nothing need detect the speech, as dialogue gates do: `dub` says when it is.
    """
    speaking = steps[: len(dub)][dub[: len(steps)] > power_of(-70.0)]
    return lufs(float(speaking.mean())) if len(speaking) else float("-inf")


def fitted_gain(bed: Steps, dub: Steps, aim: Target) -> float:
    """Decibels for all lines, from -12 to 12, that bring the sum of bed and dub nearest to the target."""
    low, high = -FITTED, FITTED
    for _ in range(20):
        gain = (low + high) / 2
        if loudness(bed + dub * 10 ** (gain / 10), aim.profile, dub) < aim.lufs:
            low = gain
        else:
            high = gain
    return (low + high) / 2


def steps_of(start: int, end: int) -> slice:
    """The tenths of a second that a span of samples touches."""
    return slice(start // STEP, -(-end // STEP))
