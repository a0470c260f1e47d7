"""The store at an address that workers share, and what of it lies here: a cache that may be deleted at any time.

Names and layout are those of a store in a folder. An object is uploaded before the commit that names it, and downloaded
when somebody asks for it, whole, its digest checked, under a temporary name first. A commit is created exclusively, so
of two workers the first wins. `erasures/` tells every cache what was deleted because a person withdrew.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

from manifests import cache
from manifests.commits import COMMIT, Commit, Ref, Stored, told
from manifests.remote import AT_ONCE, Entry, Remote
from manifests.store import Store, file_sha256
from manifests.store_folder import explained, temporary

ERASURES: Final = "erasures"

CACHE_BYTES: Final = 100 * 10**9
"""What a workspace keeps of a shared store, where the settings say nothing."""

FRESH_S: Final = 86_400.0
"""An object that was written longer ago is written again when it is put: what is new is not collected."""

DIGITS: Final = "0123456789abcdef"


class RemoteStore(Store):
    """A store at an address, by a cache in a workspace's `store/cache/`. Raises StoreError as its `Remote` does."""

    def __init__(self, root: Path, remote: Remote, cache_bytes: int = CACHE_BYTES) -> None:
        super().__init__(root, root / "cache")
        self._cache_bytes, self._arrived = cache_bytes, 0
        self.remote = remote
        self.bucket = remote
        self._surveyed: dict[str, dict[str, str]] | None = None
        self._obey_erasures()
        cache.trim(self.folder / "objects", cache_bytes)

    @property
    def place(self) -> str:
        return self.remote.place

    def put(self, path: Path) -> Ref:
        ref = super().put(path)
        name, lies = _object(ref), self.path(ref)
        there = self.remote.entry(name)
        if there is None or there.size != lies.stat().st_size or time.time() - there.since > FRESH_S:
            self.remote.upload(lies, name)
            self._make_room(lies.stat().st_size)
        return ref

    def has(self, ref: Ref) -> bool:
        return super().has(ref) or self.remote.entry(_object(ref)) is not None

    def get(self, name: str) -> Path:
        ref = Ref.named(name)
        path = self.path(ref)
        with suppress(FileNotFoundError):
            os.utime(path)  # asked for now: what was asked for longest ago is the first to go
            return path
        for _ in range(2):  # a second time, because what arrived may have been damaged on its way
            with temporary(self.folder) as folder, explained("write to", self.folder):
                draft = folder / "object"
                if not self.remote.download(_object(ref), draft):
                    raise self._missing(name)
                if file_sha256(draft) == ref.digest:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    draft.replace(path)
                    os.utime(path)
                    self._make_room(path.stat().st_size)
                    return path
        self.remote.move(_object(ref), f"quarantine/{name}")
        raise self._damaged(name)

    def commit(self, made: Commit) -> Commit:
        name, data = _commit(made.stage, made.key), COMMIT.dump_json(made, indent=1)
        if not self.remote.create(name, data):
            standing = self.committed(made.stage, made.key)
            if standing is not None:
                return standing
            self.remote.write(name, data)
        return made

    def committed(self, stage: str, key: str) -> Commit | None:
        if self._surveyed is not None:
            return self._known(stage, key)
        try:
            commit = COMMIT.validate_json(self.remote.read(_commit(stage, key)) or b"")
        except ValueError:
            return None
        if not all(self.has(Ref.named(name)) for name in commit.objects_named):
            return None
        self._note(stage, key)
        return commit

    def forget(self, stage: str, key: str) -> None:
        self.remote.delete(_commit(stage, key))

    def marks(self) -> frozenset[int] | None:
        return None

    def commits(self) -> Iterator[Commit]:
        for stage in self.remote.folders("commits"):
            for digit in DIGITS:
                entries = iter(self.remote.entries(f"commits/{stage}", digit))
                while batch := [entry.name for entry in islice(entries, AT_ONCE)]:
                    for name, data in self.remote.read_many(batch).items():
                        yield told(data, f"{self.remote.place}/{name}")

    def objects(self) -> Iterator[Stored]:
        for folder in self.remote.folders("objects"):
            for entry in self.remote.entries(f"objects/{folder}"):
                yield Stored(entry.name.rpartition("/")[2], entry.size, entry.since)

    def discard(self, name: str) -> None:
        self.remote.delete(_object(Ref.named(name)))
        super().discard(name)

    def _set_aside(self, name: str) -> None:
        self.path(Ref.named(name)).unlink(missing_ok=True)  # only the copy here: it is fetched again

    def erase(self, names: Iterable[str]) -> None:
        doomed = sorted(names)
        if doomed:
            self.remote.write(f"{ERASURES}/{uuid4().hex}.json", json.dumps(doomed).encode())
        super().erase(doomed)

    @contextmanager
    def surveyed(self) -> Generator[None]:
        """Within it commits are looked up in a listing of their stage, made once, and their objects taken as there.

        For one who asks about a whole library, and makes nothing of it.
        """
        self._surveyed = {}
        try:
            yield
        finally:
            self._surveyed = None

    def _known(self, stage: str, key: str) -> Commit | None:
        """A commit by the survey, which reads a stage's commits together when it is first asked of one."""
        known = self._surveyed if self._surveyed is not None else {}
        if stage not in known:
            known[stage] = {entry.name: entry.tag for entry in self._listing(stage)}
            missing = iter([name for name, tag in known[stage].items() if not self._copy(name, tag).exists()])
            while batch := list(islice(missing, AT_ONCE)):
                for name, data in self.remote.read_many(batch).items():
                    self._keep(self._copy(name, known[stage][name]), data)
        name = _commit(stage, key)
        tag = known[stage].get(name)
        try:
            return COMMIT.validate_json(self._copy(name, tag).read_bytes()) if tag is not None else None
        except (FileNotFoundError, ValueError):
            return None

    def _make_room(self, arrived: int) -> None:
        """Keep the cache under its limit, looked at whenever a twentieth of that has come."""
        self._arrived += arrived
        if self._arrived > self._cache_bytes / 20:
            self._arrived = 0
            cache.trim(self.folder / "objects", self._cache_bytes)

    def _listing(self, stage: str) -> Iterator[Entry]:
        for digit in DIGITS:
            yield from self.remote.entries(f"commits/{stage}", digit)

    def _copy(self, name: str, tag: str) -> Path:
        """Where a commit as it is now is kept."""
        mark = "".join(letter for letter in tag if letter.isalnum())
        return self.folder / f"{name.removesuffix('.json')}.{mark}.json"

    def _keep(self, path: Path, data: bytes) -> None:
        with temporary(self.folder) as folder, explained("write to", self.folder):
            draft = folder / "commit.json"
            draft.write_bytes(data)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(path)

    def _obey_erasures(self) -> None:
        """Delete from the cache what was erased by others since it was last opened."""
        done = self.folder / ERASURES
        for name in self.remote.names(ERASURES):
            mark = self.folder / name
            if mark.exists():
                continue
            for erased in json.loads(self.remote.read(name) or b"[]"):
                self.path(Ref.named(erased)).unlink(missing_ok=True)
            with explained("write to", self.folder):
                done.mkdir(parents=True, exist_ok=True)
                mark.touch()


def _object(ref: Ref) -> str:
    return f"objects/{ref.digest[:2]}/{ref.name}"


def _commit(stage: str, key: str) -> str:
    return f"commits/{stage}/{key}.json"
