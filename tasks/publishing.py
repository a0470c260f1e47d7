"""Publishing: a text that people read, beside what it is about; there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from manifests.errors import StoreError


def publish(text: str, path: Path) -> None:
    """Write a file that appears whole or not at all. Raises StoreError where its folder takes none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}.",
            remedy="Make the folder writable, free some space, or choose another one with --out.",
        ) from error
