"""Which workspaces ever used whose voice, so that a revocation reaches all of them.

`workspaces.jsonl` in the registry's folder has a line for each workspace, person and consent. A workspace is entered
before anything is made there in the person's voice, and stays: one that is gone by then costs nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from voiceclone import private
from voiceclone.private import explained

FILE = "workspaces.jsonl"


@dataclass(frozen=True, slots=True)
class Known:
    """Where a person's voice was used."""

    folders: tuple[Path, ...]
    """Workspaces, in order of path; a folder may be gone by now."""
    unreadable: int
    """Lines of the list that say nothing, because it was damaged: a workspace may be missing."""


def note(registry: Path, workspace: Path, *, person: str, consent: str) -> None:
    """Enter a workspace's folder into the list of a registry's folder, where it is not there yet.

    To be called before a grant is used. Safe among threads and processes. Raises RegistryError where the list cannot be
    written: then the voice must not be used.
    """
    path = registry / FILE
    wanted = {"person": person, "consent": consent, "workspace": str(workspace.absolute())}
    with explained("enter the workspace into the consent registry", path):
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            data = private.read(path)
            if any(_entry(line) == wanted for line in data.splitlines()):
                return
            torn = b"\n" if data and not data.endswith(b"\n") else b""
            private.write_all(descriptor, torn + json.dumps(wanted).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def known(registry: Path, person: str) -> Known:
    """Every workspace that used a person's voice. Raises RegistryError where the list is there and cannot be read."""
    path = registry / FILE
    if not os.path.lexists(path):
        return Known((), 0)
    with explained("read the list of workspaces", path):
        entries = [_entry(line) for line in private.read(path).splitlines()]
    folders = {Path(entry["workspace"]) for entry in entries if entry is not None and entry["person"] == person}
    return Known(tuple(sorted(folders)), entries.count(None))


def everywhere(registry: Path) -> tuple[Path, ...]:
    """Every workspace that used anybody's voice and is still there, in order of path. Raises as `known` does."""
    path = registry / FILE
    if not os.path.lexists(path):
        return ()
    with explained("read the list of workspaces", path):
        entries = [_entry(line) for line in private.read(path).splitlines()]
    folders = {Path(entry["workspace"]) for entry in entries if entry is not None}
    return tuple(folder for folder in sorted(folders) if folder.is_dir())


def _entry(line: bytes) -> dict[str, str] | None:
    try:
        entry: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    fields = cast("dict[str, Any]", entry)
    whole = {"person", "consent", "workspace"} <= fields.keys() and all(
        isinstance(each, str) for each in fields.values()
    )
    return cast("dict[str, str]", fields) if whole else None
