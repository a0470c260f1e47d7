"""The translation memory: what people wrote for a source text, in any lesson of a course, for every other one.

Its text is the human lines beside the manifest themselves (`manifests.human_lines`); here they are indexed by what was
said, in an SQLite file of the workspace that anybody may delete.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from manifests import human_lines
from manifests.approvals import folder
from manifests.errors import ManifestError, StoreError
from manifests.human_lines import HumanLine
from manifests.looking import asked_once

_SCHEMA = (
    "create table files (path text primary key, size integer, mtime_ns integer, sha256 text)",
    "create table lines"
    " (number integer primary key autoincrement, path text, key text, source text, text text, at real)",
    "create index by_path on lines (path)",
    "create table identity (name text)",
)

_ASKED = 4
"""Answers of `since` that are kept: after a change of the memory most scripts of a library ask the same."""

_VERSION = 1
"""Of these tables, as SQLite's `user_version`; tables of another one are made anew."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One line of the memory."""

    key: str
    """What was said, as it is compared (`plain`)."""
    source: str
    text: str
    number: int = field(default=0, compare=False)
    """Greater than that of every line that the index has taken in before, whether or not it is still there."""


@dataclass(frozen=True)
class Memory:
    """The memory of one course and target language."""

    lines: tuple[Remembered, ...]
    """In order of lesson and time."""
    state: str
    """Digest of all of it."""
    index: str = field(default="", compare=False)
    """Names the index that numbered the lines: those of another one are numbered otherwise."""

    @cached_property
    def texts(self) -> Mapping[str, Sequence[str]]:
        """What was said, as it is compared, to the texts that people wrote for it."""
        found: dict[str, list[str]] = {}
        for line in self.lines:
            found.setdefault(line.key, []).append(line.text)
        return found

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """The same to the words as they were said last."""
        return {line.key: line.source for line in self.lines}

    @cached_property
    def latest(self) -> int:
        """The greatest number of a line."""
        return max(line.number for line in self.lines)

    def since(self, number: int, letters: int) -> Sequence[str]:
        """What was said in lines with greater numbers, as it is compared, in the order of its letters; only what has
        so many of them."""
        question = number, letters
        if question not in self._asked:
            if len(self._asked) > _ASKED:
                self._asked.clear()
            found = (key for key, latest in self.numbers.items() if latest > number and len(key) >= letters)
            # Copies, made in a row, lie in a row: to go through them takes a third of the time.
            self._asked[question] = [" ".join(key.split()) for key in found]
        return self._asked[question]

    @cached_property
    def _asked(self) -> dict[tuple[int, int], list[str]]:
        return {}

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The same, in order of its letters, to the number of the latest line that has it."""
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.key] = max(line.number, found.get(line.key, 0))
        return dict(sorted(found.items()))


def _question(manifest: Path, language: str, workspace: Path) -> tuple[Path, str, Path]:
    return manifest, language, workspace


@asked_once(_question)
def recall(manifest: Path, language: str, workspace: Path) -> Memory | None:
    """The memory as the files beside the manifest have it now; None where there is none.

    Raises StoreError where the index cannot be used.
    """
    files = sorted(folder(manifest).glob(f"*.{language}.lines.jsonl"))
    if not files:
        return None
    with _opened(workspace / "memory.sqlite") as index:
        states = [_indexed(file, index) for file in files]
        marks = ",".join("?" * len(files))
        rows = index.execute(
            f"select key, source, text, number from lines where path in ({marks}) order by path, at",  # noqa: S608 (marks only)
            [str(file) for file in files],
        ).fetchall()
        (name,) = index.execute("select name from identity").fetchone()
    lines = tuple(Remembered(*row) for row in rows)
    return Memory(lines, hashlib.sha256("".join(states).encode()).hexdigest(), name) if lines else None


def plain(text: str) -> str:
    """A text as it is compared: letters and digits, without case and signs."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.casefold()).split())


def _indexed(file: Path, index: sqlite3.Connection) -> str:
    """Bring one file's lines up to date in the index; returns the digest of its bytes."""
    seen = file.stat()
    known = index.execute("select size, mtime_ns, sha256 from files where path = ?", (str(file),)).fetchone()
    if known is not None and known[:2] == (seen.st_size, seen.st_mtime_ns):
        return str(known[2])
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    if known is None or known[2] != sha256:
        index.execute("delete from lines where path = ?", (str(file),))
        index.executemany(
            "insert into lines (path, key, source, text, at) values (?, ?, ?, ?, ?)",
            [(str(file), plain(line.source), line.source, line.text, line.start) for line in _lines(file)],
        )
    index.execute("replace into files values (?, ?, ?, ?)", (str(file), seen.st_size, seen.st_mtime_ns, sha256))
    return sha256


def _lines(file: Path) -> Sequence[HumanLine]:
    """A file's lines; none of one that cannot be understood, which its own lesson tells of."""
    try:
        return human_lines.read(file)
    except ManifestError:
        return ()


def _make_tables(index: sqlite3.Connection) -> None:
    """Make the tables where they are not there, or are those of another version."""
    if index.execute("pragma user_version").fetchone() == (_VERSION,):
        return
    for table in ("files", "lines", "identity"):
        index.execute(f"drop table if exists {table}")
    for statement in _SCHEMA:
        index.execute(statement)
    index.execute("insert into identity values (?)", (uuid4().hex,))
    index.execute(f"pragma user_version = {_VERSION}")


@contextmanager
def _opened(file: Path) -> Generator[sqlite3.Connection]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=60)) as index, index:
            index.execute("begin immediate")  # of two workers one indexes a file, the other finds it done
            _make_tables(index)
            yield index
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot use {file}: {error}.", remedy="Delete it: it is made again.") from error
