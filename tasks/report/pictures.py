"""The report's pictures, drawn by matplotlib as SVG that stands inside the page.

Colours are the page's own (CSS variables), so a picture follows the reader's light or dark mode; text stays text.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch

INKS: Final = {
    "ink": "#010101",
    "muted": "#020202",
    "rule": "#030303",
    "accent": "#040404",
    "good": "#050505",
    "warn": "#060606",
    "bad": "#070707",
    "wave": "#080808",
    "card": "#090909",
}
"""Variable of the page's style sheet to the colour that stands for it while matplotlib draws."""

PEAKS: Final = 900
"""Points of a waveform."""

DOTS: Final = 200
"""Targets of which the loudness is drawn, at most; of more, as many are taken from end to end."""

_SETTINGS: Final = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": INKS["rule"],
    "axes.labelcolor": INKS["muted"],
    "xtick.color": INKS["muted"],
    "ytick.color": INKS["muted"],
    "text.color": INKS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "hatch.color": INKS["bad"],
    "hatch.linewidth": 0.7,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One line in the timeline's picture; times in seconds."""

    id: str
    source: tuple[float, float]
    placed: tuple[float, float] | None
    rate: float | None
    flagged: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything in the timeline's picture of one target."""

    seconds: float
    bars: tuple[Bar, ...]
    source_peaks: NDArray[np.float32] | None
    dub_peaks: NDArray[np.float32] | None
    soft_max: float
    hard_max: float


def timeline(lane: Lane, name: str, said: str) -> str:
    """Source speech above, placed lines below, each joined to its own, rates as colour and as a curve of steps.

    `said` is the same in words, for who cannot see it.
    """
    width = float(np.clip(lane.seconds * 0.16, 9, 60))
    with _drawing(name, width, 3.1, below=0.3) as (figure, axes):
        lines, rates = axes
        for top, peaks in ((2.0, lane.source_peaks), (0.0, lane.dub_peaks)):
            _wave(lines, lane.seconds, peaks, top)
        _bars(lines, lane, width)
        lines.set(xlim=(0, lane.seconds), ylim=(-0.62, 2.9), yticks=[2.0, 0.0])
        lines.set_yticklabels(["source", "dub"])
        lines.tick_params(axis="y", length=0)
        lines.spines["bottom"].set_visible(False)
        lines.tick_params(axis="x", bottom=False, labelbottom=False)
        _rates(rates, lane)
    return _drawn(figure, name, said)


def _wave(axes: Axes, seconds: float, peaks: NDArray[np.float32] | None, middle: float) -> None:
    if peaks is None or not len(peaks):
        axes.axhline(middle, color=INKS["rule"], linewidth=0.8)
        return
    at = (np.arange(len(peaks)) + 0.5) * seconds / len(peaks)
    height = (peaks / max(float(peaks.max()), 1e-3)) ** 0.7 * 0.5
    axes.fill_between(at, middle - height, middle + height, color=INKS["wave"], linewidth=0, zorder=1)


def _bars(axes: Axes, lane: Lane, width: float) -> None:
    """All lines; what looks the same is one path, so that the picture of a long lesson stays small."""
    shapes: dict[tuple[str, str], list[tuple[tuple[float, float], ...]]] = {}
    for bar in lane.bars:
        begins, ends = bar.source
        shapes.setdefault(("source", INKS["muted"]), []).append(_box(begins, ends, 1.55))
        if bar.placed is None:
            shapes.setdefault(("missing", INKS["bad"]), []).append(_box(begins, ends, -0.45))
            continue
        starts, stops = bar.placed
        colour = _colour(bar, lane.soft_max)
        joined = ((begins, 1.55), (ends, 1.55), (stops, 0.45), (starts, 0.45))
        shapes.setdefault(("joined", colour), []).append(joined)
        shapes.setdefault(("placed", colour), []).append(_box(starts, stops, -0.45))
    for (what, colour), outlines in shapes.items():
        axes.add_patch(_together(outlines, colour, what))
    flagged = [(bar.placed or bar.source) for bar in lane.bars if bar.flagged]
    at = [(starts + stops) / 2 for starts, stops in flagged]
    axes.plot(at, [-0.55] * len(at), linestyle="none", marker="^", markersize=5, color=INKS["warn"], clip_on=False)
    every = max(1, round(len(lane.bars) * 0.16 / width))
    for bar in lane.bars[::every]:
        middle = sum(bar.source) / 2
        axes.text(middle, 2.5, bar.id, ha="center", va="bottom", fontsize=7, color=INKS["muted"], clip_on=True)


def _box(left: float, right: float, bottom: float) -> tuple[tuple[float, float], ...]:
    return (left, bottom), (right, bottom), (right, bottom + 0.9), (left, bottom + 0.9)


_OPACITY: Final = {"source": 0.28, "joined": 0.13, "placed": 0.5}


def _together(outlines: Sequence[Sequence[tuple[float, float]]], colour: str, what: str) -> PathPatch:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    whole = Path.make_compound_path(*(Path([*outline, outline[0]], closed=True) for outline in outlines))
    if what == "missing":
        return PathPatch(whole, facecolor="none", edgecolor=colour, hatch="////", zorder=3)
    return PathPatch(whole, facecolor=colour, alpha=_OPACITY[what], linewidth=0, zorder=2)


def _colour(bar: Bar, soft_max: float) -> str:
    return INKS["warn"] if bar.rate is not None and round(bar.rate, 2) > soft_max else INKS["accent"]


def _rates(axes: Axes, lane: Lane) -> None:
    spoken = [(bar.placed, bar.rate, bar) for bar in lane.bars if bar.placed is not None and bar.rate is not None]
    highest = max([lane.hard_max, *(rate for _, rate, _ in spoken)])
    lowest = min([0.8, *(rate for _, rate, _ in spoken)])
    axes.axhline(1.0, color=INKS["rule"], linewidth=0.8)
    axes.axhline(lane.soft_max, color=INKS["warn"], linewidth=0.8, linestyle=(0, (4, 3)))
    for colour in {_colour(bar, lane.soft_max) for _, _, bar in spoken}:
        of_colour = [(span, rate) for span, rate, bar in spoken if _colour(bar, lane.soft_max) == colour]
        at = [value for (starts, stops), _ in of_colour for value in (starts, stops, np.nan)]
        heights = [value for _, rate in of_colour for value in (rate, rate, np.nan)]
        axes.plot(at, heights, color=colour, linewidth=2.6, solid_capstyle="butt")
    told = [1.0, lane.soft_max] if lane.soft_max > 1.08 else [lane.soft_max]  # no two labels on each other
    axes.set(xlim=(0, lane.seconds), ylim=(lowest - 0.05, highest + 0.08), yticks=told)
    axes.set_yticklabels([f"{rate:.2f}x" for rate in told])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(_clock)
    axes.tick_params(axis="x", length=3)


def _clock(seconds: float, _: Any = None) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def speeds(edges: Sequence[float], counts: Sequence[int], soft_max: float, name: str, said: str) -> str:
    """A histogram of how fast lines are heard, in the bins between `edges`."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    with _drawing(name, 3.6, 2.4, rows=1) as (figure, (axes,)):
        middles = [(low + high) / 2 for low, high in pairwise(edges)]
        colours = [INKS["warn"] if low >= soft_max - 1e-6 else INKS["accent"] for low in edges[:-1]]
        axes.bar(middles, counts, width=(edges[1] - edges[0]) * 0.86, color=colours)
        axes.axvline(soft_max, color=INKS["warn"], linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set(xlim=(edges[0], edges[-1]), ylabel="lines")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.1f}x"))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=INKS["rule"], linewidth=0.5)
        axes.set_axisbelow(True)
    return _drawn(figure, name, said)


def levels(levels_lufs: Sequence[tuple[float, float | None]], name: str, said: str) -> str:
    """Each target's loudness as a dot, where it was aimed as a tick behind it; in order of loudness."""
    ordered = sorted(levels_lufs, key=lambda pair: pair[0])
    ordered = ordered[:: -(-len(ordered) // DOTS)]
    with _drawing(name, 3.6, 2.4, rows=1) as (figure, (axes,)):
        places = np.arange(len(ordered))
        aims = [(place, aim) for place, (_, aim) in zip(places, ordered, strict=True) if aim is not None]
        if aims:
            axes.plot(*zip(*aims, strict=True), linestyle="none", marker="_", markersize=9, color=INKS["muted"])
        axes.plot(
            places, [heard for heard, _ in ordered], linestyle="none", marker="o", markersize=4.5, color=INKS["accent"]
        )
        values = [value for pair in ordered for value in pair if value is not None]
        axes.set(ylabel="LUFS", xticks=[], xlim=(-1, len(ordered)), ylim=(min(values) - 2, max(values) + 2))
        axes.set_xlabel("targets: dots heard, dashes aimed at")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color=INKS["rule"], linewidth=0.5)
        axes.set_axisbelow(True)
    return _drawn(figure, name, said)


def stage_times(stages: Sequence[tuple[str, float]], name: str, said: str) -> str:
    """Hours of work of each stage, as bars in the order of the work."""
    unit, per = ("hours", 3600.0) if sum(took for _, took in stages) > 5400 else ("minutes", 60.0)
    with _drawing(name, 3.6, 2.4, rows=1, left=0.95) as (figure, (axes,)):
        places = np.arange(len(stages))[::-1]
        axes.barh(places, [took / per for _, took in stages], color=INKS["accent"], height=0.66)
        axes.set(yticks=places, xlabel=unit)
        axes.set_yticklabels([stage for stage, _ in stages])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=INKS["rule"], linewidth=0.5)
        axes.set_axisbelow(True)
    return _drawn(figure, name, said)


@contextmanager
def _drawing(
    name: str, width: float, height: float, rows: int = 2, left: float = 0.55, below: float = 0.42
) -> Generator[tuple[Figure, Sequence[Axes]]]:
    """A figure of its own (no global state of pyplot's), with the page's colours while it is drawn; sizes in inches."""
    from matplotlib.figure import Figure

    with _inks(name):
        figure = Figure(figsize=(width, height))
        margins = {
            "left": left / width,
            "right": 1 - 0.15 / width,
            "bottom": below / height,
            "top": 1 - 0.1 / height,
            "hspace": 0.06,
        }
        ratios = {"height_ratios": [2.6, 1]} if rows == 2 else {}
        axes = figure.subplots(rows, 1, sharex=rows == 2, squeeze=False, gridspec_kw=margins | ratios)
        yield figure, [row[0] for row in axes]


def _inks(name: str) -> AbstractContextManager[None]:
    """The page's colours and sizes, and ids that are the same every time."""
    from matplotlib import rc_context

    settings: dict[Any, Any] = {**_SETTINGS, "svg.hashsalt": name}
    return rc_context(settings)


def _drawn(figure: Figure, name: str, said: str) -> str:
    """The figure as an `<svg>` for a page, told in words too."""
    written = StringIO()
    with _inks(name):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    # The page has its own fonts and line joins.
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r" font-family: [^;\"]*;?| transform=\"rotate\(-0[^\"]*\"", "", text)
    text = re.sub(r'(?<= d=")[^"]+', lambda path: _short(path[0]), text)
    for ink, colour in INKS.items():
        text = text.replace(colour, f"var(--{ink})")
    # Ids are the document's: two pictures must not share one.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    head, rest = text.split(">", 1)
    return f'{head} role="img" aria-label="{escape(said)}">{rest}'


def _short(path: str) -> str:
    """A path's data with its coordinates to a tenth of a point."""
    return " ".join(re.sub(r"(\.\d)\d+", r"\1", path).split())
