"""What was found up to date, and by which facts, so that a library of finished lessons is not looked through again.

One row a lesson in an SQLite file of the workspace that anybody may delete: a digest of everything that its results
depend on, the files that were looked at with their inodes, sizes and times, and the commits and objects that were
there. As long as all of that is as it was, so is the answer.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manifests.digests import AT_REST_NS
from manifests.errors import StoreError

_SCHEMA = """
create table if not exists seen (
    course text, lesson text, languages text, facts text, files text, commits text, objects text, told text,
    primary key (course, lesson, languages)
)
"""

Identity = tuple[int, int, int]
"""Inode, size, and time of change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A lesson that was up to date in some languages."""

    facts: str
    """Digest of everything that its results depend on, but for the content of `files`."""
    files: Mapping[str, Identity]
    commits: tuple[str, ...]
    """`stage/key`."""
    objects: tuple[int, ...]
    """The marks of what they name, as the store's `marks` has them."""
    told: Mapping[str, Any]
    """What a plan says of it, as JSON."""

    def holds(self, facts: str, commits: frozenset[str], objects: frozenset[int] | None) -> bool:
        """Whether everything is as it was, given the commits and objects that are there; None takes those as there."""
        return (
            self.facts == facts
            and all(identity(path) == was for path, was in self.files.items())
            and commits.issuperset(self.commits)
            and (objects is None or objects.issuperset(self.objects))
        )


def identity(path: str | Path) -> Identity | None:
    """What a file is told by without reading it; None where there is none."""
    try:
        facts = os.stat(path)  # noqa: PTH116  (a library has hundreds of thousands: a Path each would double the time)
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def at_rest(paths: Iterable[Path]) -> dict[str, Identity] | None:
    """The identities of files; None where one is missing, or changed so lately that its time proves nothing."""
    found: dict[str, Identity] = {}
    latest = time.time_ns() - AT_REST_NS
    for path in paths:
        known = identity(path)
        if known is None or known[2] > latest:
            return None
        found[str(path)] = known
    return found


class Seen:
    """The sightings of a workspace. Raises StoreError where its file cannot be used."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, course: str) -> dict[tuple[str, str], Sighting]:
        """By lesson and languages, with commas between them."""
        query = "select lesson, languages, facts, files, commits, objects, told from seen where course = ?"
        with self._opened() as index:
            return {
                (lesson, languages): Sighting(
                    facts,
                    {path: (each[0], each[1], each[2]) for path, each in json.loads(files).items()},
                    tuple(commits.split()),
                    tuple(int(each, 16) for each in objects.split()),
                    json.loads(told),
                )
                for lesson, languages, facts, files, commits, objects, told in index.execute(query, (course,))
            }

    def remember(self, course: str, sightings: Mapping[tuple[str, str], Sighting]) -> None:
        """Write down sightings, over earlier ones."""
        rows = (
            (
                course,
                *at,
                each.facts,
                json.dumps(dict(each.files)),
                " ".join(each.commits),
                " ".join(f"{object_:x}" for object_ in each.objects),
                json.dumps(dict(each.told)),
            )
            for at, each in sightings.items()
        )
        with self._opened() as index:
            index.executemany("insert or replace into seen values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def forget(self, course: str, lessons: Iterable[str]) -> None:
        """Forget lessons: something of them is going to be done."""
        with self._opened() as index:
            index.executemany("delete from seen where course = ? and lesson = ?", ((course, each) for each in lessons))

    @contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._file, timeout=60)) as index, index:
                index.execute("pragma synchronous = off")  # losing it costs one slow look
                index.execute(_SCHEMA)
                yield index
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot use {self._file}: {error}.",
                remedy="Delete that file (it is made again), or choose another folder with --workspace.",
            ) from error
