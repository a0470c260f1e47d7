"""Which code this is: its release, and a digest of its own text, by which two machines tell whether theirs differ."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

PACKAGES: Final = ("flows", "tasks", "voiceclone", "manifests")


@lru_cache
def code_version() -> str:
    """Such as `0.1.0+9f86d081884c`; the same wherever the same files are installed."""
    root = Path(__file__).parents[1]
    seen = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            seen.update(f"{path.relative_to(root).as_posix()}\0".encode())
            seen.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{version('dubflow')}+{seen.hexdigest()[:12]}"
