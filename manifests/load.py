"""From a manifest on disk to a `Course`, with every fault told at once, by file and line.

A manifest is YAML. Its lessons may stand in a CSV: `lessons: lessons.csv` in the YAML, or a CSV as the manifest with a
YAML of the same stem beside it for everything else. Paths in either are relative to the manifest's folder.

Media and outputs lie where the operator says, absolute paths and `..` included; captions, translations, glossary and
the CSV stay below the manifest's folder, links followed, so that a manifest from elsewhere reads nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from manifests import document, faults, glossary, lesson_sheet, rules
from manifests.document import At, Document
from manifests.errors import Finding, ManifestError
from manifests.faults import Fault
from manifests.lesson_sheet import LessonSheet
from manifests.model import Course

YAML_SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one manifest, and where in them everything stands."""

    path: Path
    data: dict[str, Any]
    document: Document
    sheet: LessonSheet | None

    def finding(self, fault: Fault) -> Finding:
        """The fault by file and line."""
        if self.sheet is not None and fault.at[:1] == ("lessons",) and len(fault.at) > 1:
            return Finding(self.sheet.name, self.sheet.line(fault.at[1:]), fault.message)
        return Finding(self.document.name, self.document.line(fault.at), fault.message)

    def where(self, at: At) -> str:
        """`line 3`, for messages about another place in the same file."""
        return f"line {self.finding(Fault(at, '')).line}"


def load(path: Path) -> Course:
    """Read a manifest.

    Raises ManifestError with all findings where it cannot be understood.
    The glossary is read too. Whether media files are there is not looked at: see `lessons.check_media`.
    """
    source = read(path)
    course, found = faults.validate(source.data)
    if course is not None:
        ids = [(rules.lesson_id(lesson), at) for at, lesson in _written_lessons(course)]
        related = [*rules.broken(course, path.parent), *rules.clashes(ids, source.where)]
        # Where a value was faulty, only a stand-in was looked at.
        faulty = {fault.at for fault in found}
        found += [fault for fault in related if not any(fault.at[:end] in faulty for end in range(len(fault.at) + 1))]
    own = [*source.document.faults, *(source.sheet.faults if source.sheet else ())]
    if course is not None and course.glossary is not None and not any(fault.at == ("glossary",) for fault in found):
        terms = path.parent / course.glossary
        if terms.is_file():
            own = (*own, *glossary.read(terms, course.targets).findings)
        else:
            found.append(Fault(("glossary",), f"there is no file `{course.glossary}` in {path.parent}."))
    findings = {*own, *(source.finding(fault) for fault in found)}
    if findings or course is None:
        raise ManifestError(sorted(findings, key=lambda finding: (finding.file, finding.line, finding.message)))
    return course


def read(path: Path) -> Source:
    """The files of a manifest as plain data, not yet understood; raises ManifestError where they cannot be read."""
    name = str(path)
    if path.suffix.lower() == ".csv":
        defaults = next(
            (path.with_suffix(suffix) for suffix in YAML_SUFFIXES if path.with_suffix(suffix).exists()), None
        )
        text = document.read_text(path, name)
        if defaults is None:
            beside = path.with_suffix(".yaml").name
            message = f"{beside} is missing beside it: `course`, `targets` and so on of these lessons stand there."
            raise ManifestError([Finding(name, 1, message)])
        return _with_sheet(path, _parse(defaults), text, name)
    if path.suffix.lower() not in YAML_SUFFIXES and path.exists() and not path.is_dir():
        raise ManifestError([Finding(name, 1, "a manifest is a .yaml, .yml or .csv file.")])
    read_document = _parse(path)
    lessons = read_document.data.get("lessons")
    if isinstance(lessons, str) and lessons.lower().endswith(".csv"):
        if fault := rules.escape(lessons, path.parent):
            raise ManifestError([Finding(name, read_document.line(("lessons",)), fault)])
        if not (path.parent / lessons).exists():
            message = f"there is no file `{lessons}` in {path.parent}."
            raise ManifestError([Finding(name, read_document.line(("lessons",)), message)])
        sheet_name = str(path.parent / lessons)
        return _with_sheet(path, read_document, document.read_text(path.parent / lessons, sheet_name), sheet_name)
    return Source(path, read_document.data, read_document, None)


def _parse(path: Path) -> Document:
    name = str(path)
    return document.parse(document.read_text(path, name), name)


def _with_sheet(path: Path, of: Document, text: str, name: str) -> Source:
    lessons = of.data.get("lessons")
    if lessons is not None and not (isinstance(lessons, str) and lessons == Path(name).name) and path.suffix == ".csv":
        message = f"`lessons` stand in {Path(name).name} already; leave the key out here."
        raise ManifestError([Finding(of.name, of.line(("lessons",)), message)])
    sheet = lesson_sheet.parse(text, name)
    if not sheet.lessons:
        raise ManifestError(sheet.faults)
    return Source(path, of.data | {"lessons": sheet.lessons}, of, sheet)


def _written_lessons(course: Course) -> list[tuple[At, Any]]:
    """Lessons that are one file each; globs are opened by `lessons.jobs`."""
    return [
        (("lessons", index, "media" if lesson.id is None else "id"), lesson)
        for index, lesson in enumerate(course.lessons)
        if lesson.id is not None or not rules.is_glob(lesson.media)
    ]
