"""Depots: a course's finished files at an address, such as `s3://bucket/prefix/course`, as a workspace sees them.

Files are made in a mirror of the address in the workspace, and leave it when they were delivered: each whole, a
target's record last. What was put where is noted in `deliveries/` of the store, with the size and the tag that the
address gave it: so one listing tells whoever shares the store whether a file still lies there as it was made.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from manifests.bucket import Bucket
from manifests.errors import StoreError
from manifests.remote import AT_ONCE, Remote
from manifests.shelves import REVIEW, SHELVES, WITHDRAWN, belongings, belongs, lies_at, shelf
from manifests.store import file_sha256

NOTES: Final = "deliveries"

_SIDECAR, _RECORD = ".c2pa", ".dub.json"


@dataclass(frozen=True, slots=True)
class Put:
    """What was put under a name."""

    sha256: str
    size: int
    tag: str


Known = dict[str, Put]
"""By name below the folder of all courses: `biology/lesson-01.es.mp4`, or `review/biology/lesson-01.es.mp4`."""

Lying = Mapping[str, tuple[int, str]]
"""Size and tag of what lies at the address, by the same names."""


class Depot:
    """The finished files of one course at an address, and `mirror`, the course's folder in the workspace.

    A `group` is what is delivered together: a target (`<lesson>.<language>`), the file of all languages
    (`<lesson>.multi`) or the streams (`<lesson>.hls`). Methods raise StoreError where the address, or the store that
    the notes are in, does not answer.
    """

    def __init__(self, address: str, remote: Remote, bucket: Bucket, mirror: Path) -> None:
        """`remote` is the folder of all courses, `bucket` the store's."""
        self.address, self.mirror = address, mirror
        self._base, _, self._course = address.rpartition("/")
        self._remote, self._bucket = remote, bucket
        self._notes = f"{NOTES}/{_digest(address)}"
        self._surveying = False
        self._listed: Lying | None = None
        self._noted: dict[str, Known] | None = None

    def place(self, path: Path) -> str:
        """The address of a file of the mirror, or of one of its folders."""
        return f"{self._base}/{self._name(path)}"

    def here(self, place: str) -> Path:
        """Where in the mirror what belongs to an address is made."""
        return self.mirror.parent / self._below(place)

    def missing(self, group: str, files: Mapping[str, str]) -> frozenset[str]:
        """Which of a group's finished files, by the addresses of their places, are not as they were made: neither in
        their place, nor held there, nor still in the mirror."""
        waits = {place for place, sha256 in files.items() if _in_mirror(self.here(place), sha256)}
        away = {place: sha256 for place, sha256 in files.items() if place not in waits}
        return frozenset(away).difference(self._found(group, away)) if away else frozenset()

    def where(self, group: str, place: str, sha256: str) -> str | None:
        """The address where a finished file lies as it was made, in its place or held; None where nowhere."""
        found = self._found(group, {place: sha256})
        return f"{self._base}/{found[place][0]}" if found else None

    def marks_of(self, group: str, files: Mapping[str, str]) -> frozenset[str] | None:
        """What names each of a group's finished files as it lies there, and changes with it; None where one is not as
        it was made."""
        found = self._found(group, files)
        return frozenset(self._mark(*each) for each in found.values()) if len(found) == len(files) else None

    def lies(self, group: str, path: Path) -> bool:
        """Whether there is a file at the address of one of a group's paths in the mirror, whatever it holds."""
        return self._name(path) in self._lying(group)

    def marks(self) -> Generator[str]:
        """The mark of every file that lies there, as `marks_of` has it."""
        yield from (self._mark(name, facts) for name, facts in self._lying("").items())

    def read(self, path: Path) -> bytes | None:
        """What a small file, such as a record, holds at the address; None where it is not there."""
        return self._remote.read(self._name(path))

    def records(self) -> Generator[tuple[Path, bytes]]:
        """Every record of the course, held ones too, by its path in the mirror."""
        names = [name for name in self._lying("") if name.endswith(_RECORD)]
        yield from ((self.mirror.parent / name, data) for name, data in _read_all(self._remote, names))

    def fetch(self, group: str, files: Mapping[Path, str]) -> None:
        """Copy finished files into the mirror, from where they lie as they were made; what is in the mirror stays.

        `files` are their places there and their SHA-256. One that lies nowhere is left out.
        """
        wanted = {self.place(path): sha256 for path, sha256 in files.items() if not _in_mirror(path, sha256)}
        for place, (name, _) in self._found(group, wanted).items() if wanted else ():
            _download(self._remote, name, self.mirror.parent / name, wanted[place])

    def deliver(self, group: str, paths: Sequence[Path], holding: Callable[[], None] = lambda: None) -> None:
        """Take a group's files from the mirror to the address, in this order, and what they replace out of the way.

        What lies there already is not sent again. `holding` is asked before each file and raises where somebody else
        has the lesson by now. Where this raises, every file that lies there is whole, and the next call goes on.
        """
        lying, known = self._lying(group), self._known(group)
        sent: dict[str, str] = {}
        try:
            for path in paths:
                name = self._name(path)
                sent[name] = file_sha256(path)
                if not _is(lying.get(name), known.get(name), sent[name]):
                    holding()
                    known[name] = self._put(path, name, sent[name])
            holding()
            self._replace(group, sent, lying, known)
        except StoreError:
            with suppress(StoreError):
                self._note(group, known)
            raise
        self._note(group, known)
        self.clear(group)

    def try_out(self) -> None:
        """Raise StoreError where the address takes nothing, which no wait mends: it is said before anything is made."""
        if error := self._remote.refusal(f"{self._course}/.{uuid4().hex}.part"):
            raise error

    def put(self, path: Path, file: str) -> str:
        """Put a file that is of no lesson, such as a report, beside the finished ones; returns its address."""
        name = f"{self._course}/{file}"
        self._note(file, {name: self._put(path, name, file_sha256(path))})
        return f"{self._base}/{name}"

    def put_away(self, group: str, *, from_review: bool = False) -> tuple[str, ...]:
        """Move a group's files to the withdrawn shelf, those that are held too if asked; returns where they are now.

        The record goes last: it says what the others are.
        """
        known = self._known(group)
        away: list[str] = []
        for name, file in sorted(self._of(group, self._lying(group)), key=lambda each: each[0].endswith(_RECORD)):
            if from_review or not name.startswith(f"{REVIEW}/{self._course}/"):
                to = f"{WITHDRAWN}/{self._course}/{file}"
                self._remote.move(name, to)
                known.pop(name, None)
                away.append(f"{self._base}/{to}")
        if away:
            self._note(group, known)
        self.clear(group)
        return tuple(away)

    def clear(self, group: str) -> None:
        """Remove a group's files from the mirror."""
        for folder in (self.mirror, *(shelf(self.mirror, name) for name in SHELVES)):
            for path in belongings(folder, group):
                path.unlink(missing_ok=True)
            if group.endswith(".hls"):
                shutil.rmtree(folder / group, ignore_errors=True)

    def survey(self, on: bool) -> None:
        """Answer from one listing until this is ended: for one who asks about a whole course, and delivers nothing."""
        if on != self._surveying:
            self._surveying, self._listed, self._noted = on, None, None

    def _put(self, path: Path, name: str, sha256: str) -> Put:
        entry = self._remote.upload(path, name)
        return Put(sha256, entry.size, entry.tag)

    def _replace(self, group: str, sent: Mapping[str, str], lying: Lying, known: Known) -> None:
        """Remove, or put away, what a delivery takes the place of: what `tasks.releasing.settle` does in a folder."""
        review = f"{REVIEW}/{self._course}/"
        others = {name: file for name, file in self._of(group, lying) if name not in sent}
        if any(name.startswith(review) for name in sent):
            released = [name for name in others if not name.startswith(review)]
            same = {name for name in released if any(_is(lying[name], known.get(name), each) for each in sent.values())}
            # What is held now is gone from its place, with the record that says it is released; an earlier version is
            # not what the manifest asks for any more.
            gone = {name for name in others if name.startswith(review) or name in same}
            gone |= {name for name in released if same and name.endswith(_RECORD)}
        else:
            gone = {name for name in others if name.startswith(review) or name.endswith(_SIDECAR)}
            gone |= set(others) if group.endswith(".hls") else set()
            released = []
        for name in others:
            if name in gone:
                self._remote.delete(name)
            elif name in released:
                self._remote.move(name, f"{WITHDRAWN}/{name}")
            else:
                continue
            known.pop(name, None)

    def _of(self, group: str, names: Iterable[str]) -> list[tuple[str, str]]:
        """The names that are a group's, and what they are called in the course's folder or on its review shelf."""
        found: list[tuple[str, str]] = []
        for name in sorted(names):
            file = name.removeprefix(f"{REVIEW}/{self._course}/")
            file = file if file != name else name.removeprefix(f"{self._course}/")
            if file.startswith(f"{group}/") if group.endswith(".hls") else belongs(file, group):
                found.append((name, file))
        return found

    def _found(self, group: str, files: Mapping[str, str]) -> dict[str, tuple[str, tuple[int, str]]]:
        """Under which names files lie as they were made, their own or on the review shelf, with size and tag; by the
        addresses of their places. Those that do not are left out."""
        known = self._known(group)
        lying = self._lying(group) if known else {}
        names = {place: (f"{REVIEW}/{self._below(place)}", self._below(place)) for place in files}
        return {
            place: (name, lying[name])
            for place, sha256 in files.items()
            for name in reversed(names[place])
            if _is(lying.get(name), known.get(name), sha256)
        }

    def _lying(self, prefix: str) -> Lying:
        """What lies in the course's folder and on its review shelf, of names that begin so."""
        if self._surveying and self._listed is not None:
            return self._listed
        found = {
            entry.name: (entry.size, entry.tag)
            for folder in (self._course, f"{REVIEW}/{self._course}")
            for entry in self._remote.tree(folder, "" if self._surveying else prefix)
        }
        if self._surveying:
            self._listed = found
        return found

    def _known(self, group: str) -> Known:
        if self._surveying and isinstance(self._bucket, Remote):
            if self._noted is None:
                names = list(self._bucket.names(self._notes))
                self._noted = {name: _parsed(data) for name, data in _read_all(self._bucket, names)}
            return self._noted.get(self._note_of(group), {})
        return _parsed(self._bucket.read(self._note_of(group)))

    def _note(self, group: str, known: Known) -> None:
        told = {"of": f"{self.address}/{group}", "files": {name: astuple(put) for name, put in known.items()}}
        self._bucket.write(self._note_of(group), json.dumps(told).encode())

    def _note_of(self, group: str) -> str:
        return f"{self._notes}/{_digest(group)}.json"

    def _name(self, path: Path) -> str:
        return path.relative_to(self.mirror.parent).as_posix()

    def _below(self, place: str) -> str:
        return place.removeprefix(f"{self._base}/")

    def _mark(self, name: str, facts: tuple[int, str]) -> str:
        return _digest(f"{self._base}/{name} {facts[0]} {facts[1]}")


class Depots:
    """The depots of a workspace."""

    def __init__(self, root: Path, bucket: Bucket) -> None:
        """`bucket` is the store's."""
        self._root, self._bucket = root, bucket
        self._open: dict[str, Depot] = {}
        self._surveys = 0

    def at(self, address: str) -> Depot:
        """The depot at the address of a course's folder; nothing is asked of it yet. Raises StoreError for one that
        cannot be understood."""
        if address not in self._open:
            remote = Remote(address.rpartition("/")[0], setting="`out:` or --out")
            self._open[address] = Depot(address, remote, self._bucket, mirror(self._root, address))
            self._open[address].survey(self._surveys > 0)
        return self._open[address]

    @contextmanager
    def surveyed(self) -> Generator[None]:
        """Within it each depot is listed once."""
        self._surveys += 1
        for depot in self._open.values():
            depot.survey(True)
        try:
            yield
        finally:
            self._surveys -= 1
            for depot in self._open.values():
                depot.survey(self._surveys > 0)


def mirror(root: Path, address: str) -> Path:
    """Where in a workspace the files of a course's folder at an address are made."""
    base, _, course = address.rpartition("/")
    return root / "outputs" / _digest(base) / course


def fetched(address: str, folder: Path) -> Path | None:
    """A copy, in a folder, of a file at an address; None where it is not there. Raises StoreError as `Remote` does."""
    base, _, name = address.rpartition("/")
    return folder / name if _download(Remote(base, setting="the address"), name, folder / name) else None


def _download(remote: Remote, name: str, to: Path, sha256: str = "") -> bool:
    """Copy a file here, where it appears whole; False where it is not there, or not what is meant."""
    draft = to.with_name(f".{uuid4().hex}.part")
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not remote.download(name, draft) or (sha256 and file_sha256(draft) != sha256):
            return False
        draft.replace(to)
        return True
    finally:
        draft.unlink(missing_ok=True)


def _in_mirror(path: Path, sha256: str) -> bool:
    """Whether a finished file still waits in the mirror, in its place or held."""
    return lies_at(path, lambda each: file_sha256(each) == sha256) is not None


def _read_all(remote: Remote, names: Sequence[str]) -> Generator[tuple[str, bytes]]:
    for first in range(0, len(names), AT_ONCE):
        yield from remote.read_many(names[first : first + AT_ONCE]).items()


def _is(lies: tuple[int, str] | None, known: Put | None, sha256: str) -> bool:
    """Whether what lies somewhere is what was put there, and that is what is meant."""
    return known is not None and known.sha256 == sha256 and lies == (known.size, known.tag)


def _parsed(data: bytes | None) -> Known:
    """What a note says; nothing where it is damaged: then the files are delivered again."""
    try:
        return {name: Put(*put) for name, put in json.loads(data or b"{}").get("files", {}).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
