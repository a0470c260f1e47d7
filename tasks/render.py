"""One pass of mixing: the bed and the lines, summed, limited and measured, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE, Span
from tasks.ahead import ahead
from tasks.bed import Bed
from tasks.dub_lines import DubLines
from tasks.ducking import Envelope
from tasks.leakage import Leakage
from tasks.levels import FITTED, Target, dialogue, loudness, steps_of
from tasks.limiter import Limiter, PeakMeter
from tasks.loudness import Meter, Steps, integrated
from tasks.room_tone import Kind, Sound
from tasks.survey import BLOCK, Original
from tasks.underlay import Underlay

if TYPE_CHECKING:
    from soundfile import SoundFile


_REHEARSED = 12
_REHEARSAL = 8 * RATE
"""So many stretches of so many samples are heard before a long programme is mixed."""

_UNHEARD = 0.05
"""LU."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a pass of mixing made."""

    lufs: float
    dialogue_lufs: float
    steps: Steps
    true_peak_dbtp: float
    limited_db: float
    background: Kind
    kinds: dict[Kind, float]
    """Seconds of each kind."""
    lowered_db: float
    leakage_db: float | None


class Renderer:
    """Mixes as often as the loudness asks for."""

    def __init__(
        self,
        original: Original,
        lines: DubLines,
        *,
        spans: Sequence[Span],
        underlay: Underlay,
        speech: Sequence[Span],
        free: NDArray[np.bool_],
        aim: Target,
        headroom: float,
        tell: Callable[[float], None],
    ) -> None:
        self._original = original
        self._lines = lines
        self._spans = spans
        self._underlay = underlay
        self._speech = speech
        self._free = free
        self._aim = aim
        self._ceiling = aim.profile.peak_dbtp - headroom
        self._tell = tell

    def expected_bed(self, steps: Steps) -> Steps:
        """Power of the bed as far as it can be told without making it."""
        bed = steps.copy()
        for span in self._spans:
            if span not in self._underlay.kept:
                bed[steps_of(span.start, span.end)] = self._underlay.power(span)
        return bed * 10 ** (self._aim.background_db / 10)

    def rehearsed(self, gain_db: float) -> float:
        """The gain that a loud part of the lines wants so that they are as loud limited as `gain_db` makes them.

        A second pass over a long programme costs as much as the first; a minute and a half of it tells nearly as well.
        Short programmes are not rehearsed: the same gain is returned.
        """
        starts = range(0, self._original.length - _REHEARSAL, _REHEARSAL)
        if len(starts) <= _REHEARSED:
            return gain_db
        chosen = [starts[len(starts) * number // _REHEARSED] for number in range(_REHEARSED)]

        def loudness_of(gain: float, ceiling: float | None) -> float:
            meter = Meter(self._original.channels)
            for start in chosen:
                block = self._lines.read(start, _REHEARSAL, gain)
                if ceiling is not None:
                    limiter = Limiter(self._original.channels, ceiling)
                    block = np.concatenate([limiter.feed(block), limiter.rest()])
                meter.add(block)
            return integrated(meter.steps())

        wanted = loudness_of(gain_db, None)
        gain = gain_db
        for _ in range(2):
            lost = wanted - loudness_of(gain, self._ceiling)
            if not np.isfinite(lost) or abs(lost) < _UNHEARD:
                break
            gain = min(max(gain + lost, -FITTED), FITTED)
        return gain

    def render(self, out: Path, gain_db: float) -> Done:
        """One pass, with this gain for all lines."""
        original, aim = self._original, self._aim
        voice = self._lines.median_lufs + gain_db
        envelope, leakage = Envelope(self._underlay.ducking), Leakage(self._speech)
        bed = Bed(
            original.read,
            self._spans,
            original.length,
            under=self._underlay.under,
            lowered=lambda span, under: self._underlay.lowered(span, under, voice, aim.background_db),
            free=self._free,
            envelope=envelope,
            leakage=leakage,
        )
        limiter = Limiter(original.channels, self._ceiling)
        meter, peak = Meter(original.channels), PeakMeter()
        level = np.float32(10 ** (aim.background_db / 20))

        def mixed() -> Iterator[Sound]:
            for start in range(0, original.length, BLOCK):
                count = min(BLOCK, original.length - start)
                block = bed.read(count)
                block *= level
                block += self._lines.read(start, count, gain_db)
                yield block
                self._tell(0.5 + 0.5 * start / original.length)

        def limited() -> Iterator[Sound]:
            with ahead(mixed()) as blocks:
                for block in blocks:
                    yield limiter.feed(block)
            yield limiter.rest()

        with sink(out, original.channels) as file, ahead(limited()) as blocks:
            for block in blocks:
                meter.add(block)
                peak.add(block)
                file.write(block)
        steps = meter.steps()
        speaking = self._lines.steps(len(steps))
        return Done(
            lufs=loudness(steps, aim.profile, speaking),
            dialogue_lufs=dialogue(steps, speaking),
            steps=steps,
            true_peak_dbtp=peak.dbtp,
            limited_db=limiter.deepest_db,
            background=bed.kind,
            kinds=bed.kinds,
            lowered_db=envelope.deepest_db,
            leakage_db=leakage.db,
        )


def sink(out: Path, channels: int) -> SoundFile:
    """The file that a mix is written to: 24-bit FLAC, or floats in Wave64 where its name ends in `.w64`."""
    import soundfile

    form, kind = ("FLOAT", "W64") if out.suffix == ".w64" else ("PCM_24", "FLAC")
    return soundfile.SoundFile(out, "w", RATE, channels, form, format=kind)
