"""What a record says of the mix."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.record import Announced, Mixing
from manifests.spans import seconds
from tasks.hearing import AUDIBLE_DBFS, Heard
from tasks.mix import Mix


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


def mix_notes(mix: Mix) -> Iterator[str]:
    """What is not as one might expect."""
    yield from mix.notes
    if (told := mix.announcement) is not None and told.span is None:
        yield f"the disclosure is not spoken: no pause holds its {seconds(told.length):.1f} s; the subtitles show it"
