"""Stock voices: what speaks for somebody whose own voice may not or cannot be used. They belong to nobody."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from manifests.script import Speaker, Voice
from tasks.engines import espeak

_APART_OCTAVES = 1 / 6
"""How far two voices lie apart in pitch where that can be: two semitones, of which anyone hears the difference."""

_NEAR_OCTAVES = math.log2(1.2)
"""How far a voice may lie from its speaker's pitch to be apart from the others: a fifth."""

_UNMEASURED_HZ = float(espeak.STOCK["m3"])
"""The pitch of the first low voice, for a speaker of whom none was measured."""


def stock_voices(language: str, speakers: Sequence[Speaker], reasons: Mapping[str, str]) -> dict[str, Voice]:
    """Voices that belong to nobody: low for a low speaker, another one for each, near each speaker's own pitch."""
    base = espeak.base_of(language)
    stands_in = base.split("-")[0] != language.split("-", maxsplit=1)[0]
    voices: dict[str, Voice] = {}
    used: dict[str, int] = {}
    pitches = spread_pitches(speakers)
    for speaker in speakers:
        fitting = [name for name in espeak.STOCK if name.startswith("m" if _is_low(speaker) else "f")]
        variant = min(fitting, key=lambda name: (used.get(name, 0), fitting.index(name)))
        used[variant] = used.get(variant, 0) + 1
        reason = reasons[speaker.label] + (
            f"; espeak-ng has no {language} voice, its {base} reads" if stands_in else ""
        )
        voices[speaker.label] = Voice(
            kind="stock",
            engine="espeak-ng",
            name=f"{base}+{variant}",
            pitch=espeak.pitch_setting(variant, pitches[speaker.label]),
            reason=reason,
        )
    return voices


def spread_pitches(speakers: Sequence[Speaker]) -> dict[str, float]:
    """A pitch in Hz for each speaker's voice: as near to their own as lets no two of them sound alike.

    Among the low speakers, and among the high ones, neighbours lie two semitones apart, or as much as leaves a crowd of
    one pitch within a fifth of it; the sum of squared moves is the least (isotonic regression).
    """
    from scipy.optimize import isotonic_regression

    pitches: dict[str, float] = {}
    for low in (True, False):
        own = sorted((s.pitch_hz or _UNMEASURED_HZ, s.label) for s in speakers if _is_low(s) == low)
        group = [(math.log2(hz), label) for hz, label in own]
        if not group:
            continue
        step = min(_APART_OCTAVES, 2 * _NEAR_OCTAVES / max(1, len(group) - 1))
        # Without their steps the pitches need only not fall; none of n moves more than (n - 1) / 2 steps.
        levels = isotonic_regression([own - rank * step for rank, (own, _) in enumerate(group)]).x
        for rank, ((_, label), level) in enumerate(zip(group, levels, strict=True)):
            pitches[label] = 2 ** (float(level) + rank * step)
    return pitches


def _is_low(speaker: Speaker) -> bool:
    """Whether a low voice speaks for them; it does where nothing was measured."""
    return (speaker.pitch_hz or _UNMEASURED_HZ) < espeak.BETWEEN_HZ
