"""How long the rest of a run will take: what stages took before, as the ledger knows, corrected by the run's own
pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

WEIGHTS: Final[Mapping[str, float]] = {
    "split": 1,
    "diarize": 30,
    "transcribe": 30,
    "mix": 8,
    "remux": 6,
    "multi": 6,
    "hls": 6,
    "verify": 2,
}
"""What share of the work a stage is, from the times of a 10-minute lesson (benchmarks/lesson.py); 1 where not named."""

USUAL_MEDIA_S: Final = 600.0
"""How long a lesson is taken to be where no lesson of its course was ever opened."""

USUAL_PACE: Final = 0.0025
"""Seconds of work a second of programme and unit of weight, where there is no history (benchmarks/lesson.py)."""

TRUSTED: Final = 0.05
"""The share of the whole that the history counts for beside the run's own pace."""


@dataclass(frozen=True, slots=True)
class Work:
    """One stage to be done, `seconds` long as far as one can tell."""

    name: str
    """`lesson` or `lesson:language`."""
    stage: str
    seconds: float


def expected(
    stages: Iterable[tuple[str, str]], pace: Mapping[str, Sequence[float]], lengths: Mapping[str, float]
) -> list[Work]:
    """Work for each name and stage.

    `pace` is the ledger's: seconds of work a second of programme, for each stage; `lengths` are lessons' seconds. A
    stage without history takes its usual share of the others, a lesson that was never opened is as long as most.
    """
    paces = {stage: median(shares) for stage, shares in pace.items() if shares}
    unit = median([share / WEIGHTS.get(stage, 1) for stage, share in paces.items()] or [USUAL_PACE])
    usual_s = median(lengths.values()) if lengths else USUAL_MEDIA_S
    return [
        Work(
            name,
            stage,
            paces.get(stage, WEIGHTS.get(stage, 1) * unit) * lengths.get(name.partition(":")[0], usual_s),
        )
        for name, stage in stages
    ]


class Remaining:
    """The work of a run that is not done yet. Safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], float] = {}
        self._shares: dict[tuple[str, str], float] = {}
        self._started: dict[tuple[str, str], float] = {}
        self._done_s = 0.0
        self._done = 0
        self._at_once = 1
        self._begun = time.monotonic()

    def expect(self, work: Iterable[Work], at_once: int) -> None:
        """Set what is to be done from now on, with `at_once` stages at work at a time."""
        with self._lock:
            self._open = {(each.name, each.stage): each.seconds for each in work}
            self._shares, self._started, self._done_s, self._done = {}, {}, 0.0, 0
            self._at_once = max(1, at_once)
            self._begun = time.monotonic()

    def started(self, name: str, stage: str) -> None:
        """A stage is at work; until it reports its share, its progress is judged by the time that it has had."""
        with self._lock:
            self._started[name, stage] = time.monotonic()

    def share(self, name: str, stage: str, done: float) -> None:
        """A stage is done to this share, 0 to 1."""
        with self._lock:
            self._shares[name, stage] = min(1.0, max(0.0, done))

    def finished(self, name: str, stage: str, *, cached: bool) -> None:
        """A stage is done; one that was cached leaves the sum, since it says nothing about the pace."""
        with self._lock:
            seconds = self._open.pop((name, stage), 0.0)
            self._shares.pop((name, stage), None)
            self._started.pop((name, stage), None)
            if not cached:
                self._done_s += seconds
                self._done += 1

    def broken(self, name: str) -> None:
        """Nothing more of this lesson, or this target, will be done."""
        with self._lock:
            for key in [key for key in self._open if key[0] == name or key[0].startswith(f"{name}:")]:
                del self._open[key]
                self._shares.pop(key, None)
                self._started.pop(key, None)

    @property
    def counts(self) -> tuple[int, int]:
        """Stages done, and of how many."""
        with self._lock:
            return self._done, self._done + len(self._open)

    @property
    def seconds(self) -> tuple[float, float]:
        """Seconds of work done, and of how many."""
        with self._lock:
            begun = self._begun_s()
            return self._done_s + begun, self._done_s + sum(self._open.values())

    def left_s(self) -> float | None:
        """Seconds until all is done; None where nothing is expected."""
        with self._lock:
            if not self._open:
                return None
            begun_s, open_s = self._begun_s(), sum(self._open.values())
            done_s, left_s = self._done_s + begun_s, open_s - begun_s
            trusted = TRUSTED * (done_s + left_s)
            elapsed = time.monotonic() - self._begun
            pace = (elapsed + trusted / self._at_once) / (done_s + trusted) if done_s + trusted else 0.0
            return max(left_s * pace, self._longest_s() * min(1.0, pace * self._at_once))

    def _begun_s(self) -> float:
        """Seconds of work that stages at work have done."""
        return sum(self._share(key) * seconds for key, seconds in self._open.items() if key in self._started)

    def _share(self, key: tuple[str, str]) -> float:
        """How far a stage is: as it said last, else as the time says that it has had."""
        if key in self._shares or key not in self._started:
            return self._shares.get(key, 0.0)
        return min(0.95, (time.monotonic() - self._started[key]) / max(self._open[key], 1e-9))

    def _longest_s(self) -> float:
        """Seconds of the longest chain: a lesson's own stages, then those of one of its languages."""
        chains: dict[str, float] = {}
        for (name, stage), seconds in self._open.items():
            chains[name] = chains.get(name, 0.0) + seconds * (1 - self._share((name, stage)))
        return max(
            seconds + (chains.get(name.partition(":")[0], 0.0) if ":" in name else 0.0)
            for name, seconds in chains.items()
        )


def in_words(seconds: float) -> str:
    """`about 40 s`, `about 12 min`, `about 3.5 h`."""
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
