"""`dub assemble`: takes that exist already, placed, mixed and remuxed."""

from __future__ import annotations

import sys
import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, get_args

import typer

from flows.answering import print_json
from flows.progress import Watcher, watching
from flows.remaining import expected
from flows.standing import as_json, exit_code
from manifests.cue_list import read
from manifests.errors import InputError
from manifests.target_row import TargetRow
from tasks.loudness import Name


def assemble_takes(
    cues: Path,
    *,
    media: Path,
    out: Path,
    loudness: str,
    subtitles: str,
    anchored: bool,
    synthetic: bool,
    json_wanted: bool,
) -> NoReturn:
    """Assemble a cue list, say what was made and what is missing, exit."""
    from tasks.assemble import UNSAID, Request, Subtitles, assemble

    profile: Name = _one_of("loudness", loudness, get_args(Name))
    ways = (way.strip() for way in subtitles.split(","))
    shown: dict[Subtitles, None] = {_one_of("way of subtitles", way, get_args(Subtitles)): None for way in ways if way}
    listed = read(cues)
    out = out.expanduser().absolute()
    name = f"{media.stem}:{listed.language}"
    with watching(quiet=json_wanted) as watcher:
        stages = _Stages(name, watcher)
        record = assemble(
            Request(
                listed,
                media.expanduser().absolute(),
                out,
                loudness=profile,
                subtitles=tuple(shown),
                anchored=anchored,
                synthetic=synthetic,
                tell=stages.told,
            )
        )
    problems = [problem.model_dump(exclude_none=True) for problem in record.problems]
    row = TargetRow(
        course=record.course,
        lesson=record.lesson,
        language=record.language,
        state=record.state,
        output=str(out),
        problems=problems,
        stages={stage: run.model_dump() for stage, run in record.stages.items()},
    )
    if UNSAID in record.notes:
        sys.stderr.write(f"dub: {UNSAID}. If a machine speaks in them, run again with --synthetic.\n")
    if json_wanted:
        print_json(as_json(record.course, [row]))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _rows(record.state, out, problems)))
    raise typer.Exit(exit_code([row]))


def _one_of(kind: str, name: str, known: tuple[Any, ...]) -> Any:
    """A name that is known. Raises InputError, with the nearest one there is, for any other."""
    if name in known:
        return name
    near = get_close_matches(name, known, n=1)
    advice = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    raise InputError(f"there is no {kind} `{name}`.", remedy=advice)


class _Stages:
    """Tells a watcher of stages by the shares of them that are done."""

    def __init__(self, name: str, watcher: Watcher) -> None:
        self._name = name
        self._watcher = watcher
        self._began: dict[str, float] = {}
        stages = ("split", "place", "mix", "remux", "verify")
        watcher.expect(expected(((name, stage) for stage in stages), {}, {}), 1)

    def told(self, stage: str, share: float) -> None:
        if stage not in self._began:
            self._began[stage] = time.monotonic()
            self._watcher.started(self._name, stage)
        elif share >= 1:
            self._watcher.finished(self._name, stage, time.monotonic() - self._began[stage], False)
        else:
            self._watcher.share(self._name, stage, share)


def _rows(state: str, out: Path, problems: list[dict[str, str]]) -> list[str]:
    """What a person reads: the finished file, and every line that is not in it."""
    missing = [f"  line {problem['line']}: {problem['message']}" for problem in problems if "line" in problem]
    return [str(out), *([f"{state}, not spoken:", *missing] if missing else [])]
