"""How much time and space work will take, judged by what such work took before: the ledger's history, with its
spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median, quantiles

from manifests.ledger import Ledger
from tasks.plan import Step


@dataclass(frozen=True, slots=True)
class Length:
    """How long a lesson plays."""

    seconds: float
    guessed: bool = False
    """From the file's size, because nobody has opened it yet."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of work, or bytes, for each second of programme: the quartiles of a stage's earlier runs."""

    low: float
    usual: float
    high: float

    @classmethod
    def of(cls, shares: Sequence[float]) -> Pace:
        if len(shares) < 2:  # of one run there are no quartiles
            return cls(shares[0], shares[0], shares[0])
        low, _, high = quantiles(shares, n=4, method="inclusive")
        return cls(low, median(shares), high)


class _Later(Mapping[str, Pace]):
    """The paces of all stages, made of their shares at the first question."""

    def __init__(self, shares: Callable[[], Mapping[str, Sequence[float]]]) -> None:
        self._shares = shares

    @cached_property
    def _paces(self) -> dict[str, Pace]:
        return {stage: Pace.of(shares) for stage, shares in self._shares().items()}

    def __getitem__(self, stage: str) -> Pace:
        return self._paces[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paces)

    def __len__(self) -> int:
        return len(self._paces)


@dataclass(frozen=True, slots=True)
class History:
    """What every stage took before."""

    paces: Mapping[str, Pace] = field(default_factory=dict[str, Pace])
    """Seconds."""
    weights: Mapping[str, Pace] = field(default_factory=dict[str, Pace])
    """Bytes."""

    @classmethod
    def of(cls, ledger: Ledger) -> History:
        """Nothing is read before it is asked for: where there is nothing to do, a library's history is not needed."""
        return cls(_Later(ledger.pace), _Later(ledger.weight))

    def estimated(self, steps: Sequence[Step], length: Length | None) -> tuple[Step, ...]:
        """The steps, with how long those that will run should take and how much they should write, where earlier runs
        tell."""
        if length is None:
            return tuple(steps)

        def estimate(known: Mapping[str, Pace], stage: str) -> float | None:
            return known[stage].usual * length.seconds if stage in known else None

        return tuple(
            replace(
                step,
                estimate_s=estimate(self.paces, step.stage),
                estimate_bytes=estimate(self.weights, step.stage),
            )
            if step.state == "run"
            else step
            for step in steps
        )


@dataclass(slots=True)
class Estimate:
    """A sum of estimates, by the quartiles that they came from."""

    low: float = 0.0
    usual: float = 0.0
    high: float = 0.0

    def add(self, amount: float, pace: Pace) -> None:
        """Add what is usual for a stage of that pace."""
        self.usual += amount
        self.low += amount * (pace.low / pace.usual if pace.usual else 1)
        self.high += amount * (pace.high / pace.usual if pace.usual else 1)

    def as_dict(self, digits: int | None = None) -> dict[str, float]:
        return {name: round(getattr(self, name), digits) for name in self.__slots__}
