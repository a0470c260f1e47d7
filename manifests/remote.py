"""A place on any address that fsspec understands, such as `s3://bucket/prefix`: a bucket, and whole files to and fro.

Every call outlasts a network that fails for a while: it is repeated, ever more slowly, for `patience_s` at least. What
was done twice for that reason does no harm: files carry their content's name, and a creation whose answer was lost is
known by what it wrote.
"""

from __future__ import annotations

import errno
import inspect
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

from manifests.errors import StoreError

PATIENCE_S: Final = 90.0

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 8.0

AT_ONCE: Final = 200
"""Small files that are asked for together."""

PART_BYTES: Final = 16 << 20
"""Of a large file so much is in memory at once."""

_WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "memory"})
"""Protocols by which a file appears whole or not at all; by others it is given its name when it is there."""

_LASTING: Final = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "ParamValidationError", "UnknownEndpointError"}
)
"""Errors that no repetition mends."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file at the address."""

    name: str
    size: int
    """Bytes."""
    since: float
    """When it was written, by the server's clock, in seconds since 1970."""
    tag: str
    """Changes with the content, as far as the server tells."""


class Remote:
    """Files below an address. Safe to use from threads.

    Every method raises StoreError where the place does not answer for `patience_s`, or refuses. Secrets of an address
    are in no message.
    """

    def __init__(self, address: str, patience_s: float = PATIENCE_S, setting: str = "DUB_STORE") -> None:
        """`setting` is where another place is chosen, for messages."""
        self.place = without_secrets(address)
        self._setting = setting
        self._patience_s = patience_s
        protocol = address.partition("://")[0]
        options: dict[str, Any] = {"use_listings_cache": False}
        if protocol in ("s3", "s3a"):
            # Retries are ours: s3fs' own give up within seconds.
            options["config_kwargs"] = {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 1}}
        try:
            from fsspec.core import url_to_fs

            if protocol in ("s3", "s3a"):
                from manifests.s3_session import session

                options["session"] = session()
            self._fs, self._root = url_to_fs(address, **options)
        except ImportError as error:
            raise StoreError(
                f"the place {self.place} needs a package that is not there: {error}.",
                remedy="Install it: uv pip install 'dubflow[server]'",
            ) from error
        except (ValueError, OSError) as error:
            raise StoreError(
                f"the place {self.place} cannot be understood.", remedy="Write it as s3://bucket/prefix."
            ) from error
        self._whole = protocol in _WHOLE
        find = getattr(self._fs, "_find", None)
        self._finds_prefixes = find is not None and "prefix" in inspect.signature(find).parameters

    def read(self, name: str) -> bytes | None:
        try:
            return self._persist("read", name, lambda: self._fs.cat_file(self._at(name)))
        except FileNotFoundError:
            return None

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """What some blobs hold, asked for together; those that are gone are left out."""
        wanted = {self._at(name): name for name in names}
        if not wanted:
            return {}
        found: dict[str, bytes] = {}

        def ask() -> None:
            missing = [path for path, name in wanted.items() if name not in found]
            for path, data in self._fs.cat(missing, on_error="return").items():
                if isinstance(data, bytes):
                    found[wanted[path]] = data
                elif isinstance(data, FileNotFoundError):
                    wanted.pop(path)
                else:
                    raise data

        self._persist("read", next(iter(wanted.values())), ask)
        return found

    def create(self, name: str, data: bytes) -> bool:
        try:
            self._persist("write", name, lambda: self._fs.pipe_file(self._at(name), data, mode="create"))
        except FileExistsError:
            return self.read(name) == data  # then it was this call that created it, and the answer was lost
        except FileNotFoundError as error:
            raise self._fault("write", name, error) from error
        return True

    def write(self, name: str, data: bytes) -> None:
        try:
            self._persist("write", name, lambda: self._fs.pipe_file(self._at(name), data))
        except FileNotFoundError as error:
            raise self._fault("write", name, error) from error

    def delete(self, name: str) -> None:
        try:
            self._persist("delete", name, lambda: self._fs.rm_file(self._at(name)))
        except FileNotFoundError:
            return

    def names(self, folder: str) -> Iterator[str]:
        yield from (entry.name for entry in self.entries(folder))

    def entries(self, folder: str, prefix: str = "") -> Iterator[Entry]:
        """The files that lie right in a folder, and whose names there begin with `prefix`."""

        def ask() -> list[dict[str, Any]]:
            if prefix and self._finds_prefixes:
                return list(self._fs.find(self._at(folder), maxdepth=1, detail=True, prefix=prefix).values())
            return self._fs.ls(self._at(folder), detail=True)

        try:
            listed = self._persist("list", folder, ask)
        except FileNotFoundError:
            return
        here = self._at(folder).rpartition("://")[2]
        for told in listed:
            path = str(told["name"]).rstrip("/")
            base = path.rpartition("/")[2]
            # An emptied folder is a file without content to some servers, and lies in itself.
            if told["type"] == "file" and base.startswith(prefix) and path != here:
                yield _entry(f"{folder}/{base}", told)

    def tree(self, folder: str, prefix: str = "") -> Iterator[Entry]:
        """The files at any depth below a folder whose paths there begin with `prefix`, in one listing."""

        def ask() -> dict[str, dict[str, Any]]:
            if prefix and self._finds_prefixes:
                return self._fs.find(self._at(folder), detail=True, prefix=prefix)
            return self._fs.find(self._at(folder), detail=True)

        try:
            listed = self._persist("list", folder, ask)
        except FileNotFoundError:
            return
        here = f"{str(self._root).rpartition('://')[2].rstrip('/')}/"
        for path, told in listed.items():
            name = path.removeprefix(here)
            if told["type"] == "file" and name.startswith(f"{folder}/{prefix}") and not name.endswith("/"):
                yield _entry(name, told)

    def folders(self, folder: str) -> tuple[str, ...]:
        """The names of the folders that lie right in a folder."""
        try:
            listed = self._persist("list", folder, lambda: self._fs.ls(self._at(folder), detail=True))
        except FileNotFoundError:
            return ()
        found = (str(told["name"]).rstrip("/").rpartition("/")[2] for told in listed if told["type"] == "directory")
        return tuple(sorted(found))

    def entry(self, name: str) -> Entry | None:
        """A file's facts; None where it is not there."""
        try:
            told = self._persist("look for", name, lambda: self._fs.info(self._at(name)))
        except FileNotFoundError:
            return None
        return _entry(name, told)

    def upload(self, path: Path, name: str) -> Entry:
        """Write a file, whole, over what was there; its facts there."""
        size = path.stat().st_size
        draft = name if self._whole else f"{name}.{uuid4().hex}.part"
        options = {"chunksize": PART_BYTES} if "s3" in self._fs.protocol else {}

        def send() -> Entry:
            self._make_folder(name)
            self._fs.put_file(str(path), self._at(draft), **options)
            told = self._fs.info(self._at(draft))
            if told["size"] != size:
                raise OSError(errno.EIO, "less arrived than was sent")
            if not self._whole:
                self._fs.mv(self._at(draft), self._at(name))
                told = self._fs.info(self._at(name))
            return _entry(name, told)

        try:
            return self._persist("write", name, send)
        except (FileNotFoundError, StoreError) as error:
            if not self._whole:
                with suppress(Exception):  # a half file under a name that nobody asks for; the error says more
                    self._fs.rm_file(self._at(draft))
            if isinstance(error, StoreError):
                raise
            raise self._fault("write", name, error) from error

    def refusal(self, name: str) -> StoreError | None:
        """Why nothing can be written here, whoever waits for how long; None where a small file of this name could be,
        which is deleted again, and where nobody answers just now."""
        try:
            self._make_folder(name)
            self._fs.pipe_file(self._at(name), b"?")
            self._fs.rm_file(self._at(name))
        except Exception as error:  # noqa: BLE001  (an outage is for whoever writes there later to sit out)
            if isinstance(error, FileNotFoundError) or not _passes(error):
                return self._fault("write", name, error)
        return None

    def download(self, name: str, path: Path) -> bool:
        """Copy a file here; False where it is not there. What arrived is for the caller to judge."""
        try:
            self._persist("read", name, lambda: self._fs.get_file(self._at(name), str(path)))
        except FileNotFoundError:
            return False
        return True

    def move(self, name: str, to: str) -> None:
        """Rename a file, over what was there; nothing where it is not there."""

        def rename() -> None:
            self._make_folder(to)
            self._fs.cp_file(self._at(name), self._at(to))
            self._fs.rm_file(self._at(name))

        try:
            self._persist("move", name, rename)
        except FileNotFoundError:
            return

    def _make_folder(self, name: str) -> None:
        """The folder of a file, where folders have to be made; an object's name needs none."""
        if not self._whole:
            self._fs.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _persist(self, verb: str, name: str, work: Callable[[], T]) -> T:
        """Do something, again and again while the place does not answer."""
        started, pause = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                return work()
            except (FileNotFoundError, FileExistsError):
                raise
            except Exception as error:
                if _exists(error):
                    raise FileExistsError(errno.EEXIST, "it is there", name) from error
                if not _passes(error) or time.monotonic() - started > self._patience_s:
                    raise self._fault(verb, name, error) from error
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 (so that many workers do not ask in step)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _fault(self, verb: str, name: str, error: Exception) -> StoreError:
        if isinstance(error, PermissionError) or type(error).__name__ in _LASTING:
            remedy = (
                "Give this machine's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY the right to read and write there."
            )
        elif isinstance(error, FileNotFoundError):
            remedy = "Make the bucket, or correct the address."
        elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = f"Free some space there and on this machine's disk, or choose another place with {self._setting}."
        else:
            remedy = "See that the network and the server work, then run again: what is finished is kept."
        said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        return StoreError(f"cannot {verb} {name} at {self.place}: {' '.join(said.split())}.", remedy=remedy)


def address_fault(address: str) -> str:
    """What is wrong with an address that others are to read, such as one of outputs; empty where nothing is."""
    from fsspec import available_protocols

    protocol, _, rest = address.partition("://")
    if "?" in rest or re.match(r"[^@]*:[^@]*@", rest):
        return (
            "the address of outputs is written into records, so it holds no password and no key; give them in the"
            " AWS_* variables, or in fsspec's own settings."
        )
    if not rest.strip("/"):
        return f"`{protocol}://` names no place; write it as s3://bucket/prefix."
    if protocol not in available_protocols():
        return f"`{protocol}` is no protocol that fsspec knows; write the address as s3://bucket/prefix."
    return ""


def without_secrets(address: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", address).partition("?")[0]


def _exists(error: Exception) -> bool:
    """Whether an S3 server refused to create what is there; s3fs knows AWS's words for that, and not every server's."""
    answer: dict[str, Any] = getattr(error.__cause__ or error, "response", None) or {}
    return answer.get("Error", {}).get("Code") == "PreconditionFailed"


def _passes(error: Exception) -> bool:
    """Whether an error may be gone the next time: the network's and the server's, not ours and not this disk's."""
    if isinstance(error, OSError):
        return error.errno not in (errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    if type(error).__name__ in _LASTING:
        return False
    return type(error).__module__.partition(".")[0] in (
        "botocore",
        "aiobotocore",
        "aiohttp",
        "asyncio",
        "urllib3",
        "fsspec",
    )


def _entry(name: str, told: dict[str, Any]) -> Entry:
    tag = next((told[each] for each in ("ETag", "etag", "md5Hash", "generation") if told.get(each)), _since(told))
    return Entry(name, int(told["size"] or 0), _since(told), str(tag))


def _since(told: dict[str, Any]) -> float:
    names = ("LastModified", "last_modified", "mtime", "modified", "created")
    when = next((told[name] for name in names if told.get(name)), 0.0)
    return when.timestamp() if isinstance(when, datetime) else float(when)
