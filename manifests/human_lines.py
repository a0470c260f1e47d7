"""Human lines: what people wrote for the utterances of a target. Text beside the manifest, for version control.

One file a target in `<manifest stem>.lines/`, one JSON object a row in order of time, so that two people's changes of
different lines merge. A line belongs to what was said and when, not to a number: a script that is recognized again may
count differently.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from manifests.approvals import folder
from manifests.errors import Finding, InputError, ManifestError, StoreError


@dataclass(frozen=True, slots=True, order=True)
class HumanLine:
    """One line as a person wrote it, or confirmed it."""

    start: float
    """Seconds, as `end`, of the utterance that it was written for."""
    end: float
    source: str
    """What that utterance said."""
    text: str


_LINE = TypeAdapter(HumanLine)


def name(lesson: str, language: str) -> str:
    """How the file of a target's human lines is called, in that folder."""
    return f"{lesson}.{language}.lines.jsonl"


def path(manifest: Path, lesson: str, language: str) -> Path:
    """The file of a target's human lines, whether or not it is there."""
    return folder(manifest) / name(lesson, language)


def read(file: Path) -> tuple[HumanLine, ...]:
    """The lines in a file, in its order; none where there is no file.

    Raises ManifestError with every row that is no line, and InputError where the file cannot be read.
    """
    found: list[HumanLine] = []
    findings: list[Finding] = []
    for number, row in rows(file):
        try:
            line = _LINE.validate_json(row)
        except ValidationError as error:
            (first, *_) = error.errors()
            about = f"`{first['loc'][-1]}`: " if first["loc"] else ""
            findings.append(Finding(str(file), number, f"this is no line: {about}{first['msg']}."))
            continue
        if not 0 <= line.start <= line.end < float("inf"):
            times = f"{line.start:g} s to {line.end:g} s"
            findings.append(Finding(str(file), number, f"this is no line: `start` and `end` say {times}."))
        found.append(line)
    if findings:
        raise ManifestError(findings)
    return tuple(found)


def faults(manifest: Path) -> list[Finding]:
    """Every row that is no line in all the files of human lines beside a manifest, by file and line."""
    findings: list[Finding] = []
    for file in sorted(folder(manifest).glob("*.lines.jsonl")):
        try:
            read(file)
        except ManifestError as error:
            findings += error.findings
        except InputError as error:
            findings.append(Finding(str(file), 1, str(error)))
    return findings


def write(file: Path, lines: Iterable[HumanLine]) -> Path:
    """Write lines in order of time, in place of what was there. Raises StoreError where the folder takes none."""
    return write_rows(file, (asdict(line) for line in sorted(set(lines))))


def rows(file: Path) -> list[tuple[int, str]]:
    """The rows of a text file that are not empty, with their numbers; none where there is no file.

    Raises InputError where it cannot be read, and for the marks that an unfinished merge leaves.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}.", remedy="Restore it from version control.") from error
    numbered = [(number, row) for number, row in enumerate(text.split("\n"), 1) if row.strip()]
    for number, row in numbered:
        if row.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            raise ManifestError([Finding(str(file), number, "a merge was left half done; keep one of the two sides.")])
    return numbered


def write_rows(file: Path, facts: Iterable[dict[str, Any]]) -> Path:
    """One JSON object a row, in place of what was there; whole or not at all. Raises StoreError."""
    text = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in facts)
    draft = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(exist_ok=True)
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}.", remedy="Make its folder writable.") from error
    return file
