"""A CSV of lessons: one row a lesson, one column a key of it, `translations.es` for a key of a mapping.

The `speakers` column takes one name (who speaks throughout), a number (how many speak), or labels to people as
`SPEAKER_00=amara; SPEAKER_01=stock`.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from typing import Any

from manifests.document import At
from manifests.errors import Finding, ManifestError

COLUMNS = ("media", "id", "captions", "speakers", "audio_language")
TRANSLATION = "translations."


@dataclass(frozen=True, slots=True)
class LessonSheet:
    """Lessons as a manifest would hold them, and the line of each."""

    name: str
    """The file as findings name it."""
    lessons: list[dict[str, Any]]
    lines: list[int]
    faults: tuple[Finding, ...]

    def line(self, at: At) -> int:
        """Line (from 1) in which the row of `(index, …)` begins; a quoted field may run over several lines."""
        index = at[0] if at else None
        return self.lines[index] if isinstance(index, int) and index < len(self.lines) else 1


def parse(text: str, name: str) -> LessonSheet:
    """Read the text of a CSV file, separated by commas, semicolons or tabs as its first line is.

    Raises ManifestError where the table cannot be read at all.
    """
    header_line = text.partition("\n")[0]
    separator = max(",;\t", key=header_line.count)
    header = [column.strip() for column in cells(text, name, separator, width=None, rows=1, known=f": {_known()}")[0]]
    if "media" not in header:
        raise ManifestError([Finding(name, 1, f"no column `media`; the first line names columns: {_known()}.")])
    faults = [Finding(name, 1, message) for message in _header_faults(header)]
    table = cells(text, name, separator, width=len(header), rows=None)
    lessons: list[dict[str, Any]] = []
    lines: list[int] = []
    line = 1
    for row in table:
        if line > 1 and any(cell.strip() for cell in row):
            lessons.append(_lesson(header, row))
            lines.append(line)
        line += 1 + sum(cell.count("\n") for cell in row)
    if not lessons:
        faults.append(Finding(name, 1, "no lessons; each further line is one, its media file first."))
    return LessonSheet(name, lessons, lines, tuple(faults))


def cells(
    text: str, name: str, separator: str, *, width: int | None, rows: int | None, known: str = ""
) -> list[list[str]]:
    """Every cell of a CSV as it is written, the first line and empty lines included; `known` names its columns.

    Raises ManifestError, by line, where it is no table.
    """
    # By name: it has no type stubs. Here: it takes a second to import, and most manifests are YAML.
    pandas: Any = importlib.import_module("pandas")

    try:
        frame = pandas.read_csv(
            StringIO(text),
            sep=separator,
            dtype=str,
            header=None,
            names=None if width is None else range(width),
            index_col=False,
            nrows=rows,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
        )
    except pandas.errors.EmptyDataError as error:
        raise ManifestError([Finding(name, 1, f"the file is empty; its first line names columns{known}.")]) from error
    except pandas.errors.ParserError as error:
        record, message = _parser_fault(str(error))
        before = cells(text, name, separator, width=width, rows=record) if record else []
        line = 1 + sum(1 + sum(cell.count("\n") for cell in row) for row in before)
        raise ManifestError([Finding(name, line, message)]) from error
    return [[str(cell) for cell in row] for row in frame.to_numpy().tolist()]


def _parser_fault(text: str) -> tuple[int, str]:
    """Rows before the one that pandas could not read, and why it could not. Pandas counts rows, not lines."""
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        expected, record, saw = map(int, found.groups())
        return (
            record - 1,
            f"{saw} values where the first line names {expected}; put a value that holds commas in quotes.",
        )
    if found := re.search(r"EOF inside string starting at row (\d+)", text):
        return int(found[1]), 'this row opens a quote (") that is never closed.'
    return 0, f"this is not a table: {text.strip()}."


def _header_faults(header: list[str]) -> list[str]:
    faults: list[str] = []
    for column in header:
        if header.count(column) > 1 and column:
            message = f"the column `{column}` is there twice."
            faults += [message] if message not in faults else []
        elif column in COLUMNS or (column.startswith(TRANSLATION) and column != TRANSLATION):
            continue
        else:
            near = get_close_matches(column.lower(), [*COLUMNS, TRANSLATION], n=1)
            advice = f"did you mean `{near[0]}`?" if near else f"the columns are {_known()}."
            faults.append(f"unknown column `{column}`; {advice}" if column else f"a column has no name; {advice}")
    return faults


def _known() -> str:
    return ", ".join(f"`{column}`" for column in (*COLUMNS, TRANSLATION + "es"))


def _lesson(header: list[str], row: list[str]) -> dict[str, Any]:
    """One row as a manifest's lesson; empty cells are keys that are not given."""
    lesson: dict[str, Any] = {}
    for column, cell in zip(header, (cell.strip() for cell in row), strict=True):
        if not cell:
            continue
        if column == "speakers":
            lesson[column] = _speakers(cell)
        elif column.startswith(TRANSLATION):
            lesson.setdefault("translations", {})[column.removeprefix(TRANSLATION)] = cell
        elif column in COLUMNS:
            lesson[column] = cell
    return lesson


def _speakers(cell: str) -> dict[str, Any]:
    if "=" in cell:
        pairs = [part.partition("=") for part in re.split(r"[;,]", cell) if part.strip()]
        return {label.strip(): person.strip() for label, _, person in pairs}
    return {"num_speakers": int(cell)} if re.fullmatch(r"\d{1,3}", cell) else {"single": cell}
