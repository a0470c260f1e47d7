"""The sound of the room, for as long as it is needed, without a word of what was said in it.

Where the original's speech is taken out, its background must go on. It is rebuilt from the nearest moments in which
nobody speaks:

* noise (the usual case) by grains with scrambled phases: each grain takes the spectrum of one quiet moment, in all
  channels, and one random phase a frequency. What results has the background's spectrum, level and stereo image, no
  period that an ear could catch however little there was to take from, and nothing intelligible even if a word had
  slipped in. (Looped recordings of room tone give themselves away by their period.)
* what sings (a hum, a pad of music) by long grains of the sound itself, each joined where it continues the last: with
  scrambled phases a steady tone would flutter.

Digital silence has grains of zeros, and stays digital silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from manifests.spans import RATE, Span

Sound = NDArray[np.float32]
"""(samples, channels)"""

Read = Callable[[int, int], Sound]
"""Reads the original from a sample, for a number of samples."""

Kind = Literal["original", "room tone", "continued", "silence", "separated", "ducked"]
"""What lies under the dub: the original itself; noise like the room's; tonal background continued from itself; nothing;
the original without its voice, as a separator hears it; the original, lowered."""

FRAME = 8192
HOP = FRAME // 2

_NEAR = 12
"""Moments taken from each side of a gap: about a second."""
_AROUND = 60
"""Moments on each side that tell what is usual here: about five seconds of background."""
_OUTLIER = 10 ** (6 / 10)
"""A moment 6 dB above the quiet quarter of its neighbours is a noise, not the background."""
_SILENCE = 1e-9
"""Mean square (-90 dBFS) up to which a frame is digital silence: the absence of background, not a quiet one."""
_SINGING = 0.4
"""Share of the power in narrow lines of the spectrum from which a background counts as tonal."""
_JOIN = RATE // 10
"""Tonal grains overlap by 100 ms."""
_SEARCH = RATE // 50
"""A tonal grain is moved by up to 20 ms, a whole period of 50 Hz, to continue the one before."""


@dataclass(frozen=True, slots=True)
class Background:
    """Where the original's background can be heard alone."""

    powers: NDArray[np.float64]
    """Mean square of each hop of `HOP` samples, all channels together."""
    levels: NDArray[np.float32]
    """Mean square of each frame (`FRAME` samples every `HOP`), all channels together."""
    clean: NDArray[np.int64]
    """Indices of the frames that hold no speech, in order."""
    alone: bool
    """False where there is no such moment in the whole programme, and its quietest ones stand in."""

    @classmethod
    def of(cls, powers: NDArray[np.float64], occupied: Sequence[Span], length: int) -> Background:
        """From the mean square of each hop of a programme of `length` samples in which `occupied` may be speech."""
        levels = ((powers[:-1] + powers[1:]) / 2).astype(np.float32) if len(powers) > 1 else np.zeros(0, np.float32)
        found: list[NDArray[np.int64]] = []
        for span in complement(occupied, length):
            first, last = -(-span.start // HOP), (span.end - FRAME) // HOP
            found.append(np.arange(first, min(last + 1, len(levels)), dtype=np.int64))
        clean = np.concatenate(found) if found else np.zeros(0, np.int64)
        if len(clean):
            return cls(powers, levels, clean, True)
        quiet = np.flatnonzero(levels <= np.percentile(levels, 3)) if len(levels) else clean
        return cls(powers, levels, quiet.astype(np.int64), False)

    def moments(self, span: Span) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Frames to rebuild the background of a span from: those before it, and those after it.

        Both are the same where there are only those of one side; both are empty where there are none at all.
        """
        before, after = self._around(span)
        limit = self.floor(span) * _OUTLIER
        before, after = self._nearest(before[::-1], limit)[::-1], self._nearest(after, limit)
        return (before if len(before) else after), (after if len(after) else before)

    def floor(self, span: Span) -> float:
        """Mean square of the quiet quarter of the background around a span; digital silence does not count."""
        usual = self.levels[np.concatenate(self._around(span))]
        usual = usual[usual > _SILENCE]
        return float(np.percentile(usual, 25)) if len(usual) else 0.0

    def _around(self, span: Span) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The clean frames before and after a span, in order; those inside it too where none is clean by rights."""
        first = int(np.searchsorted(self.clean, span.start // HOP))
        last = int(np.searchsorted(self.clean, -(-span.end // HOP)))
        if not self.alone:
            first = last = (first + last) // 2
        return self.clean[max(0, first - _AROUND) : first], self.clean[last : last + _AROUND]

    def _nearest(self, frames: NDArray[np.int64], limit: float) -> NDArray[np.int64]:
        """The nearest of one side's frames, nearest first: of digital silence where it borders on that, else of what
        sounds there."""
        silent = self.levels[frames] <= _SILENCE
        if silent[:3].mean() > 0.5 if len(frames) else True:
            return frames[silent][:_NEAR]
        audible = frames[~silent]
        quiet = audible[self.levels[audible] <= limit]
        return (quiet if len(quiet) else audible)[:_NEAR]


class RoomTone:
    """The background of one span, read from its start in pieces of any size. Deterministic in seed and span."""

    def __init__(self, background: Background, span: Span, channels: int, read: Read, seed: int = 0) -> None:
        self._span = span
        self._made = 0
        self._random = np.random.default_rng([seed, span.start])
        self._ready = np.zeros((0, channels), np.float32)
        before, after = background.moments(span)
        sides = [_frames(before, read, channels), _frames(after, read, channels)]
        silent = not any(side.any() for side in sides)
        self._spectra = [] if silent else [_spectra(side) for side in sides]
        self.kind: Kind = "silence" if silent else "continued" if _sings(np.concatenate(self._spectra)) else "room tone"
        self._tail: Sound | None = None
        if self.kind == "continued":
            runs = [_runs(before, read), _runs(after, read)]
            audible = [side for side in runs if any(run.any() for run in side)]
            self._runs = [audible[0], audible[-1]]
            self._tail = read(span.start, min(_JOIN, span.length))
            # The first join leads over from the original itself, which the mix fades out there.
        elif self.kind == "room tone":
            self._tail = self._grains(1)[0, HOP:]

    def read(self, count: int) -> Sound:
        """The next `count` samples, (samples, channels)."""
        while len(self._ready) < count:
            self._ready = np.concatenate([self._ready, self._more(count - len(self._ready))])
        out, self._ready = self._ready[:count].copy(), self._ready[count:]
        return out

    def _more(self, wanted: int) -> Sound:
        if self.kind == "silence":
            return np.zeros((wanted, self._ready.shape[1]), np.float32)
        more = self._joined() if self.kind == "continued" else self._overlapped(-(-wanted // HOP))
        self._made += len(more)
        return more

    def _along(self, hops: int) -> NDArray[np.float64]:
        """How far along the span each of the next hops begins, 0 to 1."""
        return np.minimum(1.0, (self._made + HOP * np.arange(hops)) / max(1, self._span.length))

    def _overlapped(self, hops: int) -> Sound:
        """The next hops of noise: grains that overlap by half, in windows whose powers add up to one."""
        assert self._tail is not None  # noqa: S101 - set wherever the background is noise
        grains = self._grains(hops)
        tails = np.concatenate([self._tail[np.newaxis], grains[:-1, HOP:]])
        self._tail = grains[-1, HOP:]
        return (tails + grains[:, :HOP]).reshape(-1, grains.shape[2])

    def _grains(self, hops: int) -> Sound:
        """Noise grains, windowed: (hops, FRAME, channels). The sound before becomes the sound after, by power."""
        from scipy.fft import irfft

        along = self._along(hops)[:, np.newaxis, np.newaxis].astype(np.float32)
        before, after = (spectra[self._random.integers(len(spectra), size=hops)] for spectra in self._spectra)
        turns = _TURNS[self._random.integers(len(_TURNS), size=(hops, FRAME // 2 + 1, 1), dtype=np.uint16)]
        grains = irfft((np.sqrt(1 - along) * before + np.sqrt(along) * after) * turns, FRAME, axis=1)
        return np.asarray(grains, np.float32) * _RISE_AND_FALL[:, np.newaxis]

    def _joined(self) -> Sound:
        """The next grain of the sound itself, joined to the last where it continues it best."""
        assert self._tail is not None  # noqa: S101 - set wherever the background is tonal
        runs = self._runs[int(self._random.random() < self._along(1)[0])]
        run = runs[int(self._random.integers(len(runs)))]
        tail = self._tail
        longest = min(RATE, len(run) - _SEARCH)
        start = int(self._random.integers(len(run) - longest - _SEARCH + 1))
        join = min(len(tail), longest // 2)
        tail = tail[:join]
        start += _best_offset(run[start : start + join + _SEARCH].mean(axis=1), tail.mean(axis=1))
        grain = run[start : start + longest]
        rise = np.linspace(0, 1, join, endpoint=False, dtype=np.float32)[:, np.newaxis]
        fall = 1 - rise
        alike = max(0.0, _correlation(grain[:join].mean(axis=1), tail.mean(axis=1)))
        # Keeps the power of the join even whether its two sides agree (1) or not at all (0).
        even = np.sqrt(rise**2 + fall**2 + 2 * alike * rise * fall)
        body = grain[join : len(grain) - join]
        self._tail = grain[len(grain) - join :]
        return np.concatenate([(tail * fall + grain[:join] * rise) / even, body]).astype(np.float32)


_TURNS = np.exp(2j * np.pi * np.arange(4096) / 4096).astype(np.complex64)
"""Phases to draw from: a table of as many as nobody could tell from all is much faster than sines and cosines."""
_RISE_AND_FALL = np.sin(np.pi * (np.arange(FRAME) + 0.5) / FRAME).astype(np.float32)
_WINDOW = ((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)) / np.sqrt(0.375)).astype(np.float32)
"""Hann's, with the power of none."""


def complement(spans: Sequence[Span], length: int) -> tuple[Span, ...]:
    """What of a programme of `length` samples no span (in order, disjoint) covers."""
    edges = [0, *(edge for span in spans for edge in (span.start, span.end)), length]
    return tuple(Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b)


def _frames(indices: NDArray[np.int64], read: Read, channels: int) -> Sound:
    """The frames of these indices, (frames, FRAME, channels)."""
    if not len(indices):
        return np.zeros((0, FRAME, channels), np.float32)
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    sounds = [(run, read(int(run[0]) * HOP, (len(run) + 1) * HOP)) for run in runs]
    return np.stack([sound[k * HOP : k * HOP + FRAME] for run, sound in sounds for k in range(len(run))])


def _runs(indices: NDArray[np.int64], read: Read) -> list[Sound]:
    """The unbroken stretches of the frames of these indices; only those at least half as long as the longest."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    longest = max(len(run) for run in runs)
    return [read(int(run[0]) * HOP, (len(run) + 1) * HOP) for run in runs if 2 * len(run) >= longest]


def _spectra(frames: Sound) -> NDArray[np.complex64]:
    """Spectra of frames under a window; each has its frame's power."""
    from scipy.fft import rfft

    return np.asarray(rfft(frames * _WINDOW[:, np.newaxis], axis=1), np.complex64)


def _sings(spectra: NDArray[np.complex64]) -> bool:
    """Whether most of the power lies in lines that stay where they are from frame to frame."""
    if len(spectra) < 4:
        return False
    power: NDArray[np.float64] = np.mean(np.square(spectra.real) + np.square(spectra.imag), axis=(0, 2), dtype=float)
    # A line stands 10 dB above what lies on both sides of it; a slope, such as a room's rumble, on one side only.
    around = np.lib.stride_tricks.sliding_window_view(np.pad(power, 7, "symmetric"), 15)
    beside = np.sort(around, axis=1)[:, 7]
    below, above = np.roll(beside, 11), np.roll(beside, -11)
    peaks = power > 10 * np.maximum(below, above)
    lines = np.convolve(peaks, np.ones(5), "same") > 0
    lowest = 60 * FRAME // RATE
    return float(power[lowest:][lines[lowest:]].sum()) > _SINGING * float(power[lowest:].sum())


def _best_offset(sound: NDArray[np.float32], pattern: NDArray[np.float32]) -> int:
    """Where in `sound` the pattern fits best, by normalized correlation."""
    products = np.correlate(sound, pattern, "valid")
    energies = np.convolve(sound**2, np.ones(len(pattern), np.float32), "valid")
    return int(np.argmax(products / np.sqrt(np.maximum(energies, 1e-12))))


def _correlation(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    return float(x @ y) / max(1e-12, float(np.sqrt((x @ x) * (y @ y))))
