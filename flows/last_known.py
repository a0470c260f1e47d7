"""Where the targets of a course stand, as the ledger has it: row after row, and then what they come to.

Of a library neither all rows nor what they say of stages is in memory at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flows.standing import stale_stages
from flows.wanted import Selection
from manifests.ledger import Ledger
from manifests.model import Job
from manifests.target_row import TargetRow
from tasks.pipeline import JOINT
from tasks.staleness import Versions

_AT_ONCE: Final = 200
"""Lessons whose rows are read together."""


@dataclass(slots=True)
class LastKnown:
    """What is told of a selection; all but the rows is whole when the last of them has been taken."""

    selection: Selection
    ledger: Ledger
    states: dict[str, str] = field(default_factory=dict[str, str])
    """Of every target by its name (`lesson:language`); `new` of one that never ran, which come last."""
    held: dict[str, str] = field(default_factory=dict[str, str])
    """Where the files lie of targets that a gate holds."""
    stale: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict[tuple[str, str], Mapping[str, str]])
    """Lesson and language to the stages that are stale, and why: of each row before it is handed out."""
    never: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Lesson and language of those that never ran."""

    def rows(self) -> Iterator[TargetRow]:
        """The rows in the order of the manifest, then those of what carries several languages where it failed."""
        course, lessons, versions = self.selection.course.course, self.selection.lessons, Versions()
        for first in range(0, len(lessons), _AT_ONCE):
            items = lessons[first : first + _AT_ONCE]
            known = self.ledger.targets(course, lessons=[item.job.lesson_id for item in items])
            for target in (target for item in items for target in item.targets):
                at = (target.lesson_id, target.language or "")
                if (row := known.get(at)) is None:
                    self.never.append(at)
                else:
                    yield self._seen(row, target, versions)
        for row in self.ledger.targets(course, languages=JOINT).values():
            yield self._seen(row, None, versions)
        self.states |= {f"{lesson}:{language}": "new" for lesson, language in self.never}

    def never_run(self) -> Iterator[dict[str, Any]]:
        """What `--json` says of those of which there is no row."""
        for lesson, language in self.never:
            yield {"lesson": lesson, "language": language, "state": "new", "stages": {}, "problems": []}

    @property
    def widths(self) -> tuple[int, int]:
        """Letters of the longest lesson and of the longest language, of a row or not."""
        lessons = max((len(item.job.lesson_id) for item in self.selection.lessons), default=0)
        return lessons, max(map(len, (*self.selection.course.targets, *JOINT)))

    def _seen(self, row: TargetRow, target: Job | None, versions: Versions) -> TargetRow:
        name = f"{row.lesson}:{row.language}"
        self.states[name] = row.state
        if row.state == "review":
            self.held[name] = row.output
        if target is not None and row.state in ("done", "partial", "review"):
            made_by = {stage: facts.get("engine", {}) for stage, facts in row.stages.items()}
            if stale := stale_stages(target, made_by, versions):
                self.stale[row.lesson, row.language] = stale
        return row
