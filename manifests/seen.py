"""What was found up to date, and by which facts, so that a library of finished lessons is not looked through again.

One row for each part of a lesson (its own stages, each language, what carries all languages) in an SQLite file of the
workspace that anybody may delete: a digest of everything that its results depend on, the files that were looked at
with their inodes, sizes and times, and the commits and objects that were there. As long as all of that is as it was, so
is the answer.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from array import array
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from manifests.digests import AT_REST_NS, takes_nothing
from manifests.errors import StoreError

LESSON: Final = ""
"""The part of a lesson that is done once, whatever its languages; the parts of its languages are called by them."""

TOGETHER: Final = "*"
"""The part that carries all of its languages."""

_SCHEMA = """
create table if not exists sightings (
    course text, lesson text, part text, facts text, files text, commits blob, objects blob, told text,
    primary key (course, lesson, part)
) without rowid
"""

Identity = list[int]
"""Inode, size, and time of change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A part of a lesson that was up to date."""

    facts: str
    """Digest of everything that its results depend on, but for the content of `files`."""
    files: Mapping[str, Identity]
    commits: tuple[int, ...]
    """The marks of their keys, in the order of the stages."""
    objects: tuple[int, ...]
    """The marks of what they name, as the store's `marks` has them."""
    told: Mapping[str, Any]
    """What a plan says of it, as JSON."""

    def holds(self, facts: str, commits: frozenset[int], objects: frozenset[int] | None) -> bool:
        """Whether everything is as it was, given the commits and objects that are there; None takes those as there."""
        return (
            self.facts == facts
            and commits.issuperset(self.commits)
            and (objects is None or objects.issuperset(self.objects))
            and not any(identity(path) != was for path, was in self.files.items())
        )


def identity(path: str | Path) -> Identity | None:
    """What a file is told by without reading it; None where there is none."""
    try:
        facts = os.stat(path)  # noqa: PTH116  (a library has hundreds of thousands: a Path each would double the time)
    except OSError:
        return None
    return [facts.st_ino, facts.st_size, facts.st_mtime_ns]


def is_at_rest(known: Identity) -> bool:
    """Whether a file changed so long ago that another change would show in its time."""
    return known[2] <= time.time_ns() - AT_REST_NS


def at_rest(paths: Iterable[str | Path]) -> dict[str, Identity] | None:
    """The identities of files; None where one is missing, or changed so lately that its time proves nothing."""
    found: dict[str, Identity] = {}
    for path in paths:
        known = identity(path)
        if known is None or not is_at_rest(known):
            return None
        found[str(path)] = known
    return found


class Seen:
    """The sightings of a workspace. Raises StoreError where its file cannot be used."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reading: sqlite3.Connection | None = None

    def of(self, course: str, lesson: str) -> dict[str, Sighting]:
        """Those of one lesson, by part. What reads them stays open until `close`: a library asks for thousands."""
        query = "select part, facts, files, commits, objects, told from sightings where course = ? and lesson = ?"
        with self._explained():
            if self._reading is None:
                self._reading = self._connected()
            rows = self._reading.execute(query, (course, lesson)).fetchall()
        return {
            part: Sighting(
                facts,
                json.loads(files),
                tuple(array("Q", commits)),
                tuple(array("Q", objects)),
                json.loads(told),
            )
            for part, facts, files, commits, objects, told in rows
        }

    def remember(self, course: str, sightings: Mapping[tuple[str, str], Sighting]) -> None:
        """Write down sightings, by lesson and part, over earlier ones."""
        rows = (
            (
                course,
                *at,
                each.facts,
                json.dumps(dict(each.files)),
                array("Q", each.commits).tobytes(),
                array("Q", each.objects).tobytes(),
                json.dumps(dict(each.told)),
            )
            for at, each in sightings.items()
        )
        with self._writing() as index:
            index.executemany("insert or replace into sightings values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def forget(self, course: str, parts: Iterable[tuple[str, str]]) -> None:
        """Forget parts of lessons: something of them is going to be done."""
        with self._writing() as index:
            index.executemany(
                "delete from sightings where course = ? and lesson = ? and part = ?",
                ((course, *each) for each in parts),
            )

    def close(self) -> None:
        """Let go of the file; asked again, it is opened again."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _connected(self) -> sqlite3.Connection:
        index = sqlite3.connect(self._file, timeout=60)
        index.execute("pragma synchronous = off")  # losing it costs one slow look
        index.execute("drop table if exists seen")  # as an earlier version had it
        index.execute(_SCHEMA)
        return index

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """Write within the block, where the disk takes anything: what is not remembered is looked at again."""
        try:
            with self._explained(), closing(self._connected()) as index, index:
                yield index
        except StoreError as error:
            if not takes_nothing(error.__cause__):
                raise

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot use {self._file}: {error}.",
                remedy="Delete that file (it is made again), or choose another folder with --workspace.",
            ) from error
