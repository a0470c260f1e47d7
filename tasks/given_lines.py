"""The lines of a target that need no engine, since people wrote them; what is left is for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from manifests import human_lines
from manifests.human_lines import HumanLine
from manifests.model import Job
from manifests.script import Line, Script, Utterance
from tasks.bound_lines import Bound, bound

HUMAN = "human lines"


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a target's lines before an engine is asked."""

    lines: Mapping[str, Line] = field(default_factory=dict[str, Line])
    """By utterance."""
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What is to be said of lines, whoever translates them."""
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def remarked(self, line: Line) -> Line:
        """A line with what is to be said of it."""
        more, checks = self.flags.get(line.id, ()), self.checks.get(line.id, ())
        return replace(line, flags=(*line.flags, *more), checks=(*line.checks, *checks)) if more or checks else line


def files(job: Job) -> dict[str, Path]:
    """The files beside the manifest in which people wrote lines of this target."""
    written = human_lines.path(job.manifest, job.lesson_id, job.language or "")
    return {HUMAN: written} if written.is_file() else {}


def given(script: Script, inputs: Mapping[str, Path]) -> Given:
    """The lines that people wrote for a script. Raises InputError where a file of theirs cannot be understood."""
    written = bound(human_lines.read(inputs[HUMAN]) if HUMAN in inputs else (), script)
    lines = {name: Line(name, text, origin="human", checks=checks) for name, (text, checks) in written.lines.items()}
    return Given(lines, checks=_lost(written, script))


def _lost(written: Bound, script: Script) -> dict[str, tuple[str, ...]]:
    """Lines whose utterance is gone, told with the utterance that is nearest to where it was."""
    out: dict[str, tuple[str, ...]] = {}
    for line in written.lost if script.utterances else ():
        nearest = min(script.utterances, key=lambda utterance: _apart(line, utterance)).id
        out[nearest] = (*out.get(nearest, ()), f'no longer said, at {line.start:.1f} s: "{line.source}": "{line.text}"')
    return out


def _apart(line: HumanLine, utterance: Utterance) -> float:
    middle = (line.start + line.end) / 2
    return max(utterance.span.start_s - middle, middle - utterance.span.end_s, 0.0)
