"""The course report: one HTML file that holds everything it shows, and asks the network for nothing.

Bounded, whatever the course's size: all targets are in its table; in detail, with sound, are those with the most urgent
lines and a sample, and every other line plays from the files beside the page.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from manifests.languages import english_name
from manifests.store import Store
from tasks.report import pictures
from tasks.report.detail import Bounds, Detail, address, detail
from tasks.report.facts import KINDS, LineFacts, NextStep, TargetFacts
from tasks.report.tables import (
    STATES,
    by_language,
    count_states,
    speed_spread,
    stage_seconds,
    targets_table,
    voices_table,
)

URGENT_SHOWN = 60
"""Lines in the list of those that want a human first."""

NEEDS_HELP = ("failed", "blocked", "partial", "review")

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ConsentSeen:
    """How a consent that the course used stands now."""

    id: str
    standing: str
    """Why it covers nothing now; empty where it is in force."""


@dataclass(frozen=True, slots=True)
class Written:
    """A report that is ready to be published."""

    text: str
    people: frozenset[str]
    """Whose cloned voices are heard inside it."""
    urgent: tuple[LineFacts, ...]
    wanting: Mapping[str, int]


def page(
    course: str,
    facts: Sequence[TargetFacts],
    beside: Path,
    store: Store,
    *,
    steps: Sequence[NextStep],
    consents: Mapping[str, ConsentSeen],
    folder: Path,
    bounds: Bounds | None = None,
) -> Written:
    """The page for a course, to lie in `beside`; `folder` is where the commands of `steps` are meant for."""
    limits = bounds or Bounds()
    urgent = urgent_lines(facts)
    details = _details(facts, urgent, beside, store, limits)
    wanting = {kind: total for kind in KINDS if (total := sum(each.wanting.get(kind, 0) for each in facts))}
    people = frozenset(chain.from_iterable(each.people for each in details))
    table = targets_table(facts)
    text = _render(
        course=course,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        facts=facts,
        counts=count_states(table),
        languages=by_language(table),
        minutes=float(table["minutes"].sum()),
        steps=steps,
        folder=folder,
        urgent=urgent,
        wanting=wanting,
        details=details,
        recorded=sum(each.record is not None for each in facts),
        states_of={each.name: each.state for each in facts},
        heard=people,
        anchors={each.facts.name: each.anchor for each in details},
        players={(each.facts.name, view.line.id): view for each in details for view in each.lines},
        charts=_charts(facts),
        voices=voices_table(facts),
        consents=consents,
        disclosed=disclosed(facts),
        link=partial(address, folder=beside),
    )
    return Written(text, people, urgent, wanting)


def urgent_lines(facts: Iterable[TargetFacts]) -> tuple[LineFacts, ...]:
    """The lines of a course that want a human first, the most urgent first."""
    lines = chain.from_iterable(each.attention for each in facts)
    return tuple(heapq.nsmallest(URGENT_SHOWN, lines, key=lambda line: line.urgency))


def _details(
    facts: Sequence[TargetFacts], urgent: Sequence[LineFacts], beside: Path, store: Store, bounds: Bounds
) -> list[Detail]:
    """The targets in detail, in the manifest's order; the sound inside the page goes to the most urgent ones first."""
    made: dict[str, Detail] = {}
    left = bounds.clips
    for each in _in_detail(facts, urgent, bounds.targets):
        number = len(made) + 1
        one = detail(each, f"target-{number}", beside, store, replace(bounds, clips=left))
        if one is not None:
            made[each.name] = one
            left -= one.clips
    return [made[each.name] for each in facts if each.name in made]


def _in_detail(facts: Sequence[TargetFacts], urgent: Sequence[LineFacts], most: int) -> list[TargetFacts]:
    """Those with the most urgent lines, then those that need help, then a sample from all over the course."""
    recorded = {each.name: each for each in facts if each.record is not None}
    order = dict.fromkeys(line.target for line in urgent)
    order |= dict.fromkeys(each.name for each in facts if each.state in NEEDS_HELP)
    spread = max(1, len(facts) // max(1, most))
    order |= dict.fromkeys(each.name for each in (*facts[::spread], *facts[:most]))
    return [recorded[name] for name in order if name in recorded][:most]


def _charts(facts: Sequence[TargetFacts]) -> list[tuple[str, str, str]]:
    """Title, picture and caption of the course's charts; none where there is nothing to draw."""
    charts: list[tuple[str, str, str]] = []
    speeds = speed_spread(facts)
    if speeds.total:
        soft_max = facts[0].job.course.timing.soft_max
        fast = sum(count for low, count in zip(speeds.edges, speeds.counts, strict=False) if low >= soft_max - 1e-6)
        said = f"{speeds.total} lines; {fast} of them faster than {soft_max:.2f} times their natural speed."
        picture = pictures.speeds(speeds.edges, speeds.counts, soft_max, "speeds", f"Histogram of speed. {said}")
        charts.append(("How fast lines are heard", picture, said))
    levels = [(each.lufs, each.aimed_lufs) for each in facts if each.lufs is not None]
    if levels:
        heard = [level for level, _ in levels]
        peak = max((each.peak_dbtp for each in facts if each.peak_dbtp is not None), default=None)
        said = f"{min(heard):.1f} to {max(heard):.1f} LUFS over {len(heard)} targets"
        said += f"; highest true peak {peak:.1f} dBTP." if peak is not None else "."
        charts.append(("Loudness", pictures.levels(levels, "levels", f"Loudness of each target. {said}"), said))
    stages = stage_seconds(facts)
    if stages:
        whole = sum(took for _, took in stages)
        longest = max(stages, key=lambda stage: stage[1])
        said = f"{_lasting(whole)} of work in all; the longest is {longest[0]}, {_lasting(longest[1])}."
        charts.append(("Where the time went", pictures.stage_times(stages, "stages", f"Time by stage. {said}"), said))
    return charts


def _lasting(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def disclosed(facts: Sequence[TargetFacts]) -> dict[str, Any]:
    """How the finished files say that their speech is synthetic, summed over the course."""
    told = [each.disclosure for each in facts if each.disclosure]
    scores = [one["watermark_score"] for one in told if one["watermark_score"] is not None]
    credentials = [str(one["content_credentials"]) for one in told]
    return {
        "targets": len(told),
        "watermarked": len(scores),
        "least_score": min(scores, default=None),
        "credentials": {state: credentials.count(state) for state in dict.fromkeys(sorted(credentials))},
        "tagged": sum(bool(one["container_tag"]) for one in told),
        "shown": sum(bool(one["shown"]) for one in told),
        "spoken": sum(bool(one["spoken"]) for one in told),
        "switched_off": sorted({(name, one.get("reason") or "") for one in told for name in one["switched_off"]}),
    }


def _render(**told: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"clock": clock, "language": english_name, "lasting": _lasting}
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        **told,
        states=STATES,
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_digest=digest,
    )


def clock(seconds: float) -> str:
    """A moment of a programme: `1:02:03`, `2:03`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
