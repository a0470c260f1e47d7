"""What a record says of the mix."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.record import Announced, Mixing
from manifests.spans import seconds
from tasks.hearing import AUDIBLE_DBFS, Heard
from tasks.loudness import PROFILES
from tasks.mix_measures import Mix

METERS = 0.1
"""Decibels by which meters of true peaks differ."""

ENCODED = 0.3
"""LU by which encoding may change the loudness; speech changes by a tenth."""


def mixing(mix: Mix) -> Mixing:
    """The mix's own measures."""
    return Mixing(
        profile=mix.profile,
        target_lufs=mix.target_lufs,
        dialogue_lufs=mix.dialogue_lufs,
        largest_step_lu=mix.largest_step_lu,
        background=mix.background,
        background_s={str(kind): length for kind, length in mix.background_s.items()},
        background_db=mix.background_gain_db,
        lowered_db=mix.lowered_db,
        leakage_db=mix.leakage_db,
        limited_db=mix.limited_db,
    )


def announced(mix: Mix, heard: Heard) -> Announced | None:
    """When the spoken disclosure is heard in the finished file, if it is."""
    told = mix.announcement
    if told is None or told.span is None or heard.level(told.span) < AUDIBLE_DBFS:
        return None
    return Announced(start=told.span.start_s, end=told.span.end_s, rate=round(told.rate or 1.0, 6), voice=told.voice)


def mix_notes(mix: Mix, heard: Heard) -> Iterator[str]:
    """What is not as one might expect, in the mix or in what its encoding made of it."""
    yield from mix.notes
    if (told := mix.announcement) is not None and told.span is None:
        yield f"the disclosure is not spoken: no pause holds its {seconds(told.length):.1f} s; the subtitles show it"
    limit = PROFILES[mix.profile].peak_dbtp
    if mix.background != "original" and heard.true_peak_dbtp is not None and heard.true_peak_dbtp > limit + METERS:
        yield f"the true peak is {heard.true_peak_dbtp:.1f} dBTP in the finished file, over the limit of {limit:g}"
    if mix.integrated_lufs is not None and heard.integrated_lufs is not None:
        off = heard.integrated_lufs - mix.integrated_lufs
        if abs(off) > ENCODED:
            yield f"encoding changed the loudness by {off:+.1f} LU"
