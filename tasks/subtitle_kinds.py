"""The lines of each kind of subtitles: all that is said, what the dub leaves unsaid, and what the deaf need besides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

from manifests.script import Lines, Script
from manifests.timeline import Timeline

Kind = Literal["full", "forced", "sdh"]

NAMED = ": "
"""Between a name and what is said."""


def further_kinds(
    asked: Collection[str], script: Script, lines: Lines, timeline: Timeline, names: Mapping[str, str]
) -> dict[Kind, Lines]:
    """The lines of each kind that is asked for beside the full subtitles; `names` of speakers as in `sdh`."""
    kinds: dict[Kind, Lines] = {}
    if "forced" in asked:
        kinds["forced"] = forced(lines, timeline)
    if "sdh" in asked:
        kinds["sdh"] = sdh(script, lines, names)
    return kinds


def forced(lines: Lines, timeline: Timeline) -> Lines:
    """What a viewer needs who hears the dub and understands it: the lines that are not spoken in it."""
    placed = {placement.line for placement in timeline.placements}
    return replace(lines, lines=tuple(line for line in lines.lines if line.id not in placed))


def sdh(script: Script, lines: Lines, names: Mapping[str, str]) -> Lines:
    """Every line, with who says it where that changes: by name where `names` (by speaker label) knows one, else by
    number. With one speaker throughout, whom everybody sees, nobody is named."""
    speakers = {utterance.id: utterance.speaker for utterance in script.utterances}
    order = list(dict.fromkeys(utterance.speaker for utterance in script.utterances))
    if len(order) < 2:
        return lines
    before, named = "", []
    for line in lines.lines:
        speaker = speakers.get(line.id, before)
        if speaker != before and line.text.strip():
            who = names.get(speaker) or str(order.index(speaker) + 1)
            line, before = replace(line, text=f"{who.upper()}{NAMED}{line.text}"), speaker  # noqa: PLW2901
        named.append(line)
    return replace(lines, lines=tuple(named))
