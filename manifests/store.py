"""The content-addressed store: what was made, under the digest of its bytes, and which key made it.

* `objects/ab/<sha256>.<suffix>` are files, never changed once there.
* `commits/<stage>/<key>.json` says which objects a stage made from which inputs. A commit is made once: of two
  workers that race, the first wins and the second gets the first one's.

Everything is written to a temporary name in the store first and appears whole or not at all, so a process that is
killed leaves only rubbish in `tmp/`, never half an object.
"""

from __future__ import annotations

import copy
import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from manifests import scratch
from manifests.bucket import Bucket, FolderBucket
from manifests.commits import COMMIT, Commit, Ref, Stored, mark, told
from manifests.errors import ObjectLost
from manifests.store_folder import explained, flush, moved, temporary


class Store:
    """A store in a folder: a workspace's own, or one that several machines have mounted.

    `root` is the workspace's `store/`, with the scratch folders; `folder` is where objects and commits lie, if not
    there. Raises StoreError, naming the folder, where it cannot be read or written.
    """

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        self.root = root
        self.folder = folder or root
        self._used: set[str] | None = None
        self._whole: set[tuple[str, int, int]] = set()
        self._surveying = False
        self._lying: frozenset[int] | None = None
        self.bucket: Bucket = FolderBucket(self.folder)
        """For claims, and whatever else those who share the store tell each other."""
        for made in (root / "tmp", self.folder / "objects", self.folder / "commits", self.folder / "tmp"):
            with explained("open", made.parent):
                made.mkdir(parents=True, exist_ok=True)

    @property
    def shared(self) -> bool:
        """Whether others work with it too, whom this workspace knows nothing of."""
        return self.folder != self.root

    @property
    def place(self) -> str:
        """Where the store is, for messages: a folder, or an address without its secrets."""
        return str(self.folder)

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """A temporary folder in the workspace, whence a store of its own takes what was made without copying it; gone
        afterwards."""
        with temporary(self.root) as folder:
            yield folder

    def put(self, path: Path) -> Ref:
        """Take a file into the store; a file in a scratch folder is moved, any other is copied."""
        ref = Ref(file_sha256(path), "".join(path.suffixes[-1:]))
        target = self.path(ref)
        # What a disk damaged must not stand for what was made well just now.
        if self._is_whole(ref.name) and self._freshened(target):
            return ref
        with explained("write to", self.folder):
            target.parent.mkdir(exist_ok=True)
            if not ((self.root / "tmp") in path.parents and moved(path, target)):
                with temporary(self.folder) as folder:
                    copy = folder / path.name
                    shutil.copyfile(path, copy)
                    flush(copy)
                    copy.replace(target)
        return ref

    def put_bytes(self, data: bytes, suffix: str) -> Ref:
        with self.scratch() as folder, explained("write to", self.root):
            path = folder / f"object{suffix}"
            path.write_bytes(data)
            return self.put(path)

    def path(self, ref: Ref) -> Path:
        """Where an object lies, or would lie."""
        return self.folder / "objects" / ref.digest[:2] / ref.name

    def has(self, ref: Ref) -> bool:
        # A plan of a library asks for hundreds of thousands: a Path each would take most of its time.
        return os.path.exists(f"{self.folder}/objects/{ref.digest[:2]}/{ref.digest}{ref.suffix}")  # noqa: PTH110

    def get(self, name: str) -> Path:
        """Path of an object that is there; raises ObjectLost where it is not."""
        path = self.path(Ref.named(name))
        if not path.exists():
            raise self._missing(name)
        return path

    def commit(self, made: Commit) -> Commit:
        """Record what a stage made; returns the commit that counts, which is another worker's if it was first."""
        target = self._commit_path(made.stage, made.key)
        with temporary(self.folder) as folder, explained("write to", self.folder):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = folder / "commit.json"
            draft.write_bytes(COMMIT.dump_json(made, indent=1))
            flush(draft)
            try:
                os.link(draft, target)
            except FileExistsError:
                standing = self.committed(made.stage, made.key)
                if standing is not None:
                    return standing
                draft.replace(target)
        return made

    def committed(self, stage: str, key: str) -> Commit | None:
        """The commit of a key, or None where there is none or one of its objects is gone."""
        try:
            commit = COMMIT.validate_json(_read(f"{self.folder}/commits/{stage}/{key}.json"))
        except FileNotFoundError:
            return None
        except ValueError:
            return None
        if not all(self._lies(name) for name in commit.objects_named):
            return None
        self._note(stage, key)
        return commit

    def _lies(self, name: str) -> bool:
        """Whether an object is there; what came after the listing of a survey is looked for where it would lie."""
        return (self._surveying and mark(name) in (self.marks() or ())) or self.has(Ref.named(name))

    def sound(self, stage: str, key: str) -> Commit | None:
        """The commit of a key, where every object of it that lies here is what its name says; else None.

        One that is not goes into `quarantine/`, so that the stage makes it again. Each is read once by a process.
        """
        commit = self.committed(stage, key)
        if commit is None:
            return None
        damaged = [name for name in commit.objects_named if not self._is_whole(name)]
        return self.committed(stage, key) if damaged else commit

    def forget(self, stage: str, key: str) -> None:
        """Drop a commit, so that the stage runs again."""
        self._commit_path(stage, key).unlink(missing_ok=True)

    def keys(self, stage: str) -> Iterator[str]:
        """The key of every commit of a stage; nothing is read for it."""
        folder = f"commits/{stage}"
        yield from [name[len(folder) + 1 : -len(".json")] for name in self.bucket.names(folder)]

    def marks(self) -> frozenset[int] | None:
        """The `mark` of every object that lies here; None where all that a commit names is taken as there."""
        if self._surveying and self._lying is not None:
            return self._lying
        folders = os.listdir(self.folder / "objects")  # noqa: PTH208 (of a library there are a million: names, no more)
        found = (os.listdir(f"{self.folder}/objects/{folder}") for folder in folders)  # noqa: PTH208
        lying = frozenset([mark(name) for names in found for name in names])
        self._lying = lying if self._surveying else None
        return lying

    def commits(self) -> Iterator[Commit]:
        """Every commit in the store, in no order that means anything. Raises StoreError where one is damaged."""
        for path in sorted((self.folder / "commits").glob("*/*.json")):
            yield told(path.read_bytes(), str(path))

    def objects(self) -> Iterator[Stored]:
        """Every object in the store, in no order that means anything."""
        for path in (self.folder / "objects").glob("*/*"):
            try:
                facts = path.stat()
            except FileNotFoundError:  # somebody else removed it meanwhile
                continue
            yield Stored(path.name, facts.st_size, facts.st_mtime)

    def discard(self, name: str) -> None:
        """Delete an object, where it is there. Raises StoreError where the folder does not let it go."""
        with explained("delete from", self.folder):
            self.path(Ref.named(name)).unlink(missing_ok=True)

    def leftover_bytes(self) -> int:
        """Size of everything in scratch folders of processes that were killed."""
        return sum(scratch.abandoned_bytes(folder) for folder in self._scratch_folders)

    def sweep(self) -> None:
        """Remove the scratch folders of processes that were killed; never one in which somebody works."""
        for folder in self._scratch_folders:
            scratch.sweep(folder)

    @property
    def _scratch_folders(self) -> frozenset[Path]:
        return frozenset({self.root / "tmp", self.folder / "tmp"})

    def erase(self, names: Iterable[str]) -> None:
        """Delete objects that carry the voice of somebody who withdrew, wherever they are kept. Raises StoreError."""
        for name in names:
            self.discard(name)

    @contextmanager
    def surveyed(self) -> Generator[None]:
        """Within it objects are looked up in a listing, made once: for one who asks of a whole library, and makes
        nothing of it."""
        self._surveying, before = True, self._surveying
        try:
            yield
        finally:
            self._surveying = before
            if not before:
                self._lying = None

    def using(self, used: set[str]) -> Store:
        """This store, for one who wants to know which small works were used: `used` gets `stage/key` of each."""
        noting = copy.copy(self)
        noting._used = used
        return noting

    def outputs(self, commit: Commit) -> Mapping[str, Path]:
        """Output names to where they lie."""
        return {name: self.get(ref) for name, ref in commit.outputs.items()}

    def made(self, stage: str, key: str, make: Callable[[Path], Path], **more: Any) -> Path:
        """The one output of a small keyed piece of work, such as one line's take: from the store, or made now.

        `make` gets a scratch folder and returns the file it wrote there.
        """
        standing = self.sound(stage, key)
        if standing is None:
            with self.scratch() as folder:
                ref = self.put(make(folder))
            standing = self.commit(Commit(stage, key, {"it": ref.name}, **more))
            self._note(stage, key)
        return self.get(standing.outputs["it"])

    def _missing(self, name: str) -> ObjectLost:
        return ObjectLost(f"object {name} is missing from {self.place}.", remedy="Run again: it will be made anew.")

    def _damaged(self, name: str) -> ObjectLost:
        return ObjectLost(
            f"object {name} in {self.place} is damaged, and was put into quarantine/ there.",
            remedy="Run again: it will be made anew.",
        )

    def _is_whole(self, name: str) -> bool:
        """Whether the bytes of an object have the digest that it is named by, if it lies here; else it is set aside."""
        path = self.path(Ref.named(name))
        while True:
            try:
                facts = path.stat()
            except FileNotFoundError:
                return True  # it is elsewhere, or gone, which others notice
            state = (name, facts.st_size, facts.st_mtime_ns)
            if state in self._whole:
                return True
            if _has_digest(path, Ref.named(name).digest):
                self._whole.add(state)
                return True
            with suppress(FileNotFoundError):
                if os.path.samestat(facts, path.stat()):
                    self._set_aside(name)
                    return False
            # Another thread, which works on another lesson, set it aside and made it again.

    def _set_aside(self, name: str) -> None:
        with explained("put a damaged object aside in", self.folder), suppress(FileNotFoundError):
            (self.folder / "quarantine").mkdir(exist_ok=True)
            self.path(Ref.named(name)).replace(self.folder / "quarantine" / name)

    def _note(self, stage: str, key: str) -> None:
        if self._used is not None:
            self._used.add(f"{stage}/{key}")

    def _freshened(self, path: Path) -> bool:
        """Whether an object is there. Somebody counts on it from now on, though no commit need name it: it is new."""
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        except OSError:  # a store that may only be read
            return path.exists()
        return True

    def _commit_path(self, stage: str, key: str) -> Path:
        return self.folder / "commits" / stage / f"{key}.json"


def _read(path: str) -> bytes:
    """All bytes of a small file, as `read_bytes` gives them at three times the cost. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        whole = bytearray()
        while block := os.read(file, 1 << 16):
            whole += block
            if len(block) < 1 << 16:
                break
        return bytes(whole)
    finally:
        os.close(file)


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return file_sha256(path) == digest
    except OSError:
        return False  # a disk that cannot read it any more


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
