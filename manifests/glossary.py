"""A course's glossary: how terms are said in each target language, and which are not translated.

A CSV with the columns `source`, `target language`, `term`, `pronunciation`. An empty `target language` or `*` is every
language; an empty `term` means that the source's own word stays as it is. A `pronunciation` is a respelling
(`foto síntesis`) or, in `[[…]]`, phonemes as espeak-ng writes them. Subtitles show the term, voices say how it
is pronounced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Final

from manifests import document, languages, lesson_sheet
from manifests.errors import Finding, ManifestError

COLUMNS: Final = ("source", "target language", "term", "pronunciation")
EVERY: Final = "*"


@dataclass(frozen=True, slots=True)
class Term:
    """One row."""

    source: str
    language: str
    """BCP-47, or `*`."""
    term: str
    """What is said for it; the source itself where it is not to be translated."""
    pronunciation: str = ""


@dataclass(frozen=True, slots=True)
class Glossary:
    """The rows that can be used, and what is wrong with the others."""

    terms: tuple[Term, ...]
    findings: tuple[Finding, ...]

    def of(self, language: str) -> tuple[Term, ...]:
        """The terms of a BCP-47 tag, one a source: its own rows go before its language's, those before every one's."""
        base = language.split("-", maxsplit=1)[0]
        chosen: dict[str, Term] = {}
        for tag in (language, base, EVERY):
            for term in self.terms:
                if term.language == tag:
                    chosen.setdefault(term.source.casefold(), term)
        return tuple(chosen.values())

    def sources(self) -> tuple[str, ...]:
        """What may be heard, in order, each once."""
        return tuple(dict.fromkeys(term.source for term in self.terms))


def load(path: Path) -> Glossary:
    """A glossary without fault. Raises ManifestError with everything that is wrong with it."""
    found = read(path)
    if found.findings:
        raise ManifestError(found.findings)
    return found


def read(path: Path, targets: Sequence[str] = ()) -> Glossary:
    """A glossary with its findings, by file and line; `targets`, if given, are the languages that rows may be for."""
    try:
        standing = path.stat()
        return _read(path, tuple(targets), standing.st_mtime_ns, standing.st_size)
    except OSError:
        return Glossary((), (Finding(str(path), 1, "there is no such glossary."),))
    except ManifestError as error:
        return Glossary((), error.findings)


@lru_cache(maxsize=8)
def _read(path: Path, targets: tuple[str, ...], changed: int, size: int) -> Glossary:
    del changed, size  # a file that changed is read again
    name = str(path)
    text = document.read_text(path, name)
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    known = f": {', '.join(COLUMNS)}"
    header = [
        column.strip().lower().replace("_", " ")
        for column in lesson_sheet.cells(text, name, separator, width=None, rows=1, known=known)[0]
    ]
    if faults := _header_faults(header):
        raise ManifestError([Finding(name, 1, fault) for fault in faults])
    line = 1
    terms: list[tuple[Term, int]] = []
    findings: list[Finding] = []
    for row in lesson_sheet.cells(text, name, separator, width=len(header), rows=None):
        if line > 1 and any(cell.strip() for cell in row):
            cells = dict(zip(header, (" ".join(cell.split()) for cell in row), strict=True))
            made = _term(cells, targets)
            fault = made if isinstance(made, str) else _clash(made, terms)
            if fault or isinstance(made, str):
                findings.append(Finding(name, line, fault))
            else:
                terms.append((made, line))
        line += 1 + sum(cell.count("\n") for cell in row)
    return Glossary(tuple(term for term, _ in terms), tuple(findings))


def _header_faults(header: Sequence[str]) -> list[str]:
    faults = [
        f"no column `{column}`; there are: {', '.join(COLUMNS)}." for column in COLUMNS[:3] if column not in header
    ]
    for column in dict.fromkeys(header):
        if column not in COLUMNS:
            near = get_close_matches(column, COLUMNS, n=1)
            faults.append(
                f"unknown column `{column}`; {f'did you mean `{near[0]}`?' if near else 'it means nothing here.'}"
            )
        elif header.count(column) > 1:
            faults.append(f"the column `{column}` is there twice.")
    return faults


def _term(cells: dict[str, str], targets: tuple[str, ...]) -> Term | str:
    """A row, or what is wrong with it."""
    source, tag = cells["source"], cells["target language"] or EVERY
    if not any(map(str.isalnum, source)):
        return "`source` is empty; it is the term in the language of the lessons."
    if tag != EVERY:
        try:
            tag = languages.parse(tag)
        except ValueError as error:
            return str(error)
        bases = {target.split("-", maxsplit=1)[0] for target in targets}
        if targets and tag not in targets and tag not in bases:
            return f"`{tag}` is not among the targets: {', '.join(targets)}."
    return Term(source, tag, cells["term"] or source, cells.get("pronunciation", ""))


def _clash(term: Term, before: Sequence[tuple[Term, int]]) -> str:
    """What an earlier row says of the same term in the same language, or nothing."""
    for other, line in before:
        if (other.source.casefold(), other.language) == (term.source.casefold(), term.language):
            if other.term == term.term and other.pronunciation == term.pronunciation:
                return f"`{term.source}` is there twice for {term.language}, first in line {line}."
            if other.term == term.term:
                return f"`{term.source}` is said otherwise for {term.language} in line {line}; keep one of the two."
            return (
                f"`{term.source}` is `{term.term}` for {term.language}, and `{other.term}` in line {line};"
                " keep one of the two."
            )
    return ""
