"""The translation memory: what people wrote for a source text, in any lesson of a course, for every other one.

Its text is the human lines beside the manifest themselves (`manifests.human_lines`); here they are indexed by what was
said, in an SQLite file of the workspace that anybody may delete.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from manifests import human_lines
from manifests.approvals import folder
from manifests.errors import ManifestError, StoreError
from manifests.human_lines import HumanLine
from manifests.looking import asked_once

_SCHEMA = """
create table if not exists files (path text primary key, size integer, mtime_ns integer, sha256 text);
create table if not exists lines (path text, key text, source text, text text, at real);
create index if not exists by_key on lines (key);
create index if not exists by_path on lines (path);
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One line of the memory."""

    key: str
    """What was said, as it is compared (`plain`)."""
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of one course and target language."""

    lines: tuple[Remembered, ...]
    """In order of lesson and time."""
    state: str
    """Digest of all of it."""


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
            f"select key, source, text from lines where path in ({marks}) order by path, at",  # noqa: S608 (marks only)
            [str(file) for file in files],
        ).fetchall()
    lines = tuple(Remembered(*row) for row in rows)
    return Memory(lines, hashlib.sha256("".join(states).encode()).hexdigest()) if lines else None


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
            "insert into lines values (?, ?, ?, ?, ?)",
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


@contextmanager
def _opened(file: Path) -> Generator[sqlite3.Connection]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=60)) as index, index:
            index.executescript(_SCHEMA)
            index.execute("begin immediate")  # of two workers one indexes a file, the other finds it done
            yield index
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot use {file}: {error}.", remedy="Delete it: it is made again.") from error
