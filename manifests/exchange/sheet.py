"""The sheet: one row a line, `id,start,end,speaker,source,text,origin,notes`.

It comes back as Excel leaves it: with semicolons or tabs, a byte order mark, UTF-16, other columns and another order.
Only `id` and `text` have to be there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from manifests.errors import Finding, ManifestError
from manifests.exchange.entry import Entry, Heading, Returned, decoded, tidy

COLUMNS: Final = ("id", "start", "end", "speaker", "source", "text", "origin", "notes")
_SEPARATORS: Final = ",;\t|"
_EXCEL: Final = re.compile(r"#(?:NAME|VALUE|REF|DIV/0|NUM|N/A|NULL|ERROR)[?!]?", re.IGNORECASE)
_MOST_IN_A_CELL: Final = 1_000_000


def written(entries: Sequence[Entry], heading: Heading) -> str:
    """The sheet of some lines."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in entries:
        times = (f"{each.start:.3f}", f"{each.end:.3f}")
        writer.writerow(
            (each.id, *times, each.speaker, tidy(each.source), tidy(each.text), each.origin, tidy(each.noted))
        )
    return out.getvalue()


def read(raw: bytes, name: str) -> list[Returned]:
    """The lines of a sheet. Raises ManifestError with every row that is none."""
    text = decoded(raw)
    skipped = 1 if re.match(r"sep=.\r?\n", text) else 0
    text = text.partition("\n")[2] if skipped else text
    header, separator = _header(text, name, 1 + skipped)
    findings: list[Finding] = []
    out: list[Returned] = []
    for at, cells in _rows(text, separator, name, skipped):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            message = f"this row has {len(cells)} cells, the first one {len(header)}; put its text in quotation marks."
            findings.append(Finding(name, at, message))
            continue
        row = dict(zip(header, cells, strict=False))
        line = tidy(row.get("text", ""))
        if _EXCEL.fullmatch(line):
            findings.append(Finding(name, at, f"`{line}` is what Excel made of a text; write it again, as text."))
        out.append(Returned(at, _id(row.get("id", "")), line, tidy(row["source"]) if "source" in row else None))
    if findings:
        raise ManifestError(findings)
    return out


def _header(text: str, name: str, at: int) -> tuple[list[str], str]:
    """The columns in lower case, and what parts them."""
    first = text.split("\n", 1)[0].rstrip("\r")
    for separator in sorted(_SEPARATORS, key=first.count, reverse=True):
        header = [cell.strip().casefold() for cell in next(csv.reader([first], delimiter=separator), [])]
        if {"id", "text"} <= set(header):
            twice = next((column for column in header if column and header.count(column) > 1), None)
            if twice is not None:
                raise ManifestError([Finding(name, at, f"the column `{twice}` is there twice.")])
            return header, separator
    raise ManifestError(
        [Finding(name, at, f"the columns `id` and `text` are needed; a sheet has {','.join(COLUMNS)}.")]
    )


def _rows(text: str, separator: str, name: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header, with the line of the file in which each begins."""
    csv.field_size_limit(_MOST_IN_A_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    begins = 1 + skipped
    try:
        for number, cells in enumerate(reader):
            if number:
                yield begins, cells
            begins = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise ManifestError([Finding(name, begins, f"this row cannot be read: {error}.")]) from error


def _id(cell: str) -> str:
    """The id in a cell, where Excel may have taken it for a number."""
    found = re.fullmatch(r"(\d+)[.,]0+", cell.strip())
    return found[1] if found else cell.strip()
