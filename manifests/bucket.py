"""A bucket: small named blobs that several machines share, in a folder here or, in `remote`, at an address.

What claims and erasures are written in. A blob appears whole or not at all, and of two that create one name one wins.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from manifests import settings
from manifests.errors import StoreError

if TYPE_CHECKING:
    from manifests.remote import Remote


class Bucket(Protocol):
    """Names are relative, with slashes. Every method raises StoreError where the place cannot be reached."""

    def read(self, name: str) -> bytes | None:
        """What a blob holds; None where there is none."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write a blob that is not there yet; False where it is."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a blob, over what it held."""
        ...

    def delete(self, name: str) -> None:
        """Remove a blob where it is there."""
        ...

    def names(self, folder: str) -> Iterator[str]:
        """The full names of the blobs that lie right in a folder, in no order; none where it is not there."""
        ...


class FolderBucket:
    """A bucket in a folder that all who share it have mounted, on a file system with hard links."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault("read", name, error) from error

    def create(self, name: str, data: bytes) -> bool:
        try:
            draft = self._draft(name, data)
            try:
                os.link(draft, self.root / name)
            except FileExistsError:
                return False
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise self._fault("write", name, error) from error
        return True

    def write(self, name: str, data: bytes) -> None:
        try:
            self._draft(name, data).replace(self.root / name)
        except OSError as error:
            raise self._fault("write", name, error) from error

    def delete(self, name: str) -> None:
        try:
            (self.root / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._fault("delete", name, error) from error

    def names(self, folder: str) -> Iterator[str]:
        try:
            found = os.listdir(self.root / folder)  # noqa: PTH208 (a library has a hundred thousand: names, no more)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._fault("read", folder, error) from error
        yield from [f"{folder}/{name}" for name in found if not name.startswith(".")]

    def _draft(self, name: str, data: bytes) -> Path:
        """The blob under a temporary name beside its own, flushed to the disk."""
        folder = (self.root / name).parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(prefix=".", dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            Path(path).unlink(missing_ok=True)
            raise
        return Path(path)

    def _fault(self, verb: str, name: str, error: OSError) -> StoreError:
        return StoreError(
            f"cannot {verb} {name} in the store {self.root}: {error.strerror or error}.",
            remedy="Make the folder readable and writable and free some space, then run again.",
        )


def bucket_of(root: Path) -> FolderBucket | Remote:
    """The bucket of a workspace's store, its own or the shared one that the user's settings name, and no more of it.

    Raises StoreError where it cannot be opened, ManifestError for faulty settings.
    """
    place = settings.personal().store
    if place is None:
        return FolderBucket(root / "store")
    if settings.is_address(place):
        from manifests.remote import Remote

        return Remote(place)
    return FolderBucket(Path(place))
