"""How a run went, as the ledger tells it: the row of every target that was wanted."""

from __future__ import annotations

from collections.abc import Sequence

from flows.wanted import Selection
from manifests.errors import StageFailed
from manifests.target_row import TargetRow
from manifests.workspace import Workspace
from tasks.pipeline import JOINT


def results(selection: Selection, space: Workspace) -> list[TargetRow]:
    """Where every target of a selection stands, and what carries all languages of a lesson where that is in trouble.

    Raises StageFailed where the ledger says nothing of a target: no run is green over what nobody knows.
    """
    known = space.ledger.targets(selection.course.course)
    rows = [
        row
        for item in selection.lessons
        for language in (*item.languages, *JOINT)
        if (row := known.get((item.job.lesson_id, language))) is not None
    ]
    _require_word(selection, rows)
    return rows


def _require_word(selection: Selection, rows: Sequence[TargetRow]) -> None:
    known = {(row.lesson, row.language) for row in rows}
    silent = [
        f"{item.job.lesson_id}:{language}"
        for item in selection.lessons
        for language in item.languages
        if (item.job.lesson_id, language) not in known
    ]
    if silent:
        raise StageFailed(
            f"the ledger does not know how these went: {', '.join(silent)}.", remedy="This is a defect of dubflow."
        )
