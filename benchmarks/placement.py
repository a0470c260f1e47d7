"""Placement of simulated half-hour talks, ours against the greedy methods in use.

    .venv/bin/python benchmarks/placement.py [--seeds 20] [--json FILE]

A talk is 400 lines (lengths log-normal, median 4 s) with pauses as lectures have them: 60 % of 0.12 to 0.5 s, 30 % of
0.5 to 1.5 s, 10 % of 1.5 to 5 s. Its translation is longer by x1.00 (English to French), x1.18 (to Spanish) or x1.37
(to Italian) on average, and varies from line to line.

* slot-fit: each line is sped up into its source's own time, at most 1.4x; what is still too long overlaps
* until-next: the same with the time until the next line starts
* capped-push: until-next at 1.25x; what is still too long pushes the later lines
* dubflow: the quadratic programme on the full texts
* with renderings: each line may also be 8, 15, 22 or 30 % shorter, as a generous translator might offer, at a price
  that grows from 0 to 1.2 a second left out; chosen by the dynamic programme. `text` is the share that is still said
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from manifests.script import Script, Utterance, Voice
from manifests.spans import RATE, Span, samples
from manifests.timeline import Take, Takes
from tasks.choice import Candidates, choose
from tasks.place import Limits, place

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
EXPANSIONS = {1.00: 0.14, 1.18: 0.17, 1.37: 0.20}
"""Mean expansion to its standard deviation from line to line."""


@dataclass(frozen=True, slots=True)
class Talk:
    """Source starts and ends, takes' natural lengths, the programme's length; seconds."""

    start: Floats
    end: Floats
    take: Floats
    length: float


def talk(seed: int, expansion: float, lines: int = 400) -> Talk:
    draw = np.random.default_rng(seed)
    length = np.clip(draw.lognormal(np.log(4.0), 0.55, lines), 0.6, 15)
    kind = draw.choice(3, lines, p=[0.6, 0.3, 0.1])
    pause = np.choose(
        kind, [draw.uniform(0.12, 0.5, lines), draw.uniform(0.5, 1.5, lines), draw.uniform(1.5, 5, lines)]
    )
    start = 0.5 + np.concatenate([[0.0], np.cumsum(length + pause)[:-1]])
    ratio = np.clip(draw.normal(expansion, EXPANSIONS[expansion], lines), 0.6, 2.0)
    return Talk(start, start + length, length * ratio, float(start[-1] + length[-1] + pause[-1] + 1))


def slot_fit(of: Talk) -> tuple[Floats, Floats]:
    return of.start, of.take / np.clip(of.take / (of.end - of.start), 1, 1.4)


def until_next(of: Talk) -> tuple[Floats, Floats]:
    room = np.append(of.start[1:] - 0.12, of.length) - of.start
    return of.start, of.take / np.clip(of.take / np.maximum(room, 0.2), 1, 1.4)


def capped_push(of: Talk) -> tuple[Floats, Floats]:
    starts, lengths = np.zeros_like(of.start), np.zeros_like(of.start)
    free = 0.0
    for index, take in enumerate(of.take):
        until = of.start[index + 1] - 0.12 if index + 1 < len(of.take) else of.length
        starts[index] = max(of.start[index], free)
        lengths[index] = take / np.clip(take / max(until - starts[index], 0.05), 1, 1.25)
        free = starts[index] + lengths[index] + 0.12
    return starts, lengths


def ours(of: Talk) -> tuple[Floats, Floats]:
    """Not-spoken lines count as lines of no length at their own start."""
    voice = Voice("stock", "none", "none")
    spans = [Span.of_seconds(start, end) for start, end in zip(of.start, of.end, strict=True)]
    script = Script("en", tuple(Utterance(str(at), "A", span, "", (), 1.0) for at, span in enumerate(spans)))
    sizes = [samples(take) for take in of.take]
    takes = tuple(Take(str(at), "", size, size, 1.0, voice) for at, size in enumerate(sizes))
    timeline = place(script, Takes("es", takes), samples(of.length), Limits())
    starts, lengths = of.start.copy(), np.zeros_like(of.start)
    for placement in timeline.placements:
        starts[int(placement.line)] = placement.span.start / RATE
        lengths[int(placement.line)] = placement.span.length / RATE
    return starts, lengths


SHARES = (1.0, 0.92, 0.85, 0.78, 0.70)
PRICES = (0.0, 0.15, 0.4, 0.75, 1.2)
"""Of a second left out."""


def briefer(of: Talk) -> Talk:
    """The talk in the renderings that are chosen for it."""
    pause = np.append(0.0, of.start[1:] - of.end[:-1])
    rows = zip(of.start.tolist(), of.end.tolist(), of.take.tolist(), pause.tolist(), strict=True)
    lines = [
        Candidates(
            start=start,
            end=end,
            earliest=start - Limits().early_s,
            gap=min(Limits().gap_s, gap),
            lengths=tuple(take * share for share in SHARES),
            costs=tuple(take * (1 - share) * price for share, price in zip(SHARES, PRICES, strict=True)),
        )
        for start, end, take, gap in rows
    ]
    chosen = choose(lines, of.length, Limits().soft_max, Limits().hard_max)
    return replace(of, take=of.take * np.array(SHARES)[chosen])


METHODS: dict[str, Callable[[Talk], tuple[Floats, Floats]]] = {
    "slot-fit 1.4": slot_fit,
    "until-next 1.4": until_next,
    "capped-push 1.25": capped_push,
    "dubflow": ours,
    "with renderings": ours,
}


def measured(of: Talk, starts: Floats, lengths: Floats) -> dict[str, float]:
    """One talk's figures. Shares of lines in percent, times in seconds, overlap in seconds an hour."""
    spoken = lengths > 0
    rate = of.take[spoken] / lengths[spoken]
    late = (starts - of.start)[spoken]
    ends = (starts + lengths)[spoken]
    overlap = np.maximum(0, ends[:-1] - starts[spoken][1:]).sum() + max(0.0, float(ends[-1]) - of.length)
    shared = np.maximum(0, np.minimum(ends, of.end[spoken]) - np.maximum(starts, of.start)[spoken]).sum()
    return {
        "overlap s/h": float(overlap / of.length * 3600),
        "not spoken": float(100 * (1 - spoken.mean())),
        "rate mean": float(np.average(rate, weights=of.take[spoken])),
        "rate p95": float(np.quantile(rate, 0.95)),
        "rate max": float(rate.max()),
        ">1.25x": float(100 * (rate > 1.2505).mean()),
        "jumps >10%": float(100 * (np.abs(np.diff(np.log(rate))) > np.log(1.10)).mean()),
        "late p50": float(np.quantile(late, 0.5)),
        "late p95": float(np.quantile(late, 0.95)),
        "late max": float(late.max()),
        "early max": float(-late.min()),
        "speech overlap": float(100 * shared / (of.end - of.start).sum()),
    }


def table(seeds: int) -> pd.DataFrame:
    rows: list[dict[str, float | str]] = []
    for expansion in EXPANSIONS:
        talks = [talk(seed, expansion) for seed in range(seeds)]
        for name, method in METHODS.items():
            began = time.perf_counter()
            said = [briefer(each) for each in talks] if name == "with renderings" else talks
            placed = [method(each) for each in said]
            took = (time.perf_counter() - began) / seeds
            figures = pd.DataFrame([measured(each, *one) for each, one in zip(said, placed, strict=True)]).mean()
            text = sum(each.take.sum() for each in said) / sum(each.take.sum() for each in talks)
            shown = {**figures.to_dict(), "text": 100 * float(text), "ms": 1000 * took}
            rows.append({"expansion": f"x{expansion:.2f}", "method": name, **shown})
    return pd.DataFrame(rows).set_index(["expansion", "method"])


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--seeds", type=int, default=20, help="talks for each expansion (20)")
    options.add_argument("--json", type=Path, help="write the same figures to this file")
    chosen = options.parse_args()
    figures = table(chosen.seeds)
    print(figures.round(2).to_string())
    if chosen.json:
        records = figures.round(4).reset_index().to_dict("records")
        chosen.json.write_text(json.dumps({"seeds": chosen.seeds, "lines": 400, "results": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
