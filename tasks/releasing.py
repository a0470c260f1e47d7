"""Where a verified target goes: into the course's folder, or onto the review shelf until somebody approves it.

A target that waits leaves nothing in the course's folder: an earlier version is not what the manifest asks for any
more, and is put away among what was withdrawn, so that nobody takes it for the current one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from manifests.approvals import Approval
from manifests.errors import StageFailed
from manifests.record import Problem
from manifests.shelves import REVIEW, belongings, held, hold, lies_at, put_away, release, shelf
from manifests.store import file_sha256
from voiceclone.credentials import sidecar


def find_delivered(path: Path, sha256: str) -> Path:
    """Where a delivered file is, in its place or held. Raises StageFailed where it is in neither."""
    alone = not (path.is_file() and held(path).is_file())
    found = lies_at(path, lambda place: alone or file_sha256(place) == sha256)
    if found is None:
        raise StageFailed(f"{path.name} is gone.", remedy="Run again with --force remux.")
    return found


def settle(files: Mapping[Path, str], out: Path, name: str, *, waits: bool) -> None:
    """Put a target's files, by the paths that they have once released, with their SHA-256, where they belong.

    `name` is `<lesson>.<language>`. Raises OSError, and StageFailed as `find_delivered`.
    """
    for path, sha256 in files.items():
        waiting = find_delivered(path, sha256) != path
        if waits and not waiting:
            hold(path)
            (out / f"{name}.dub.json").unlink(missing_ok=True)  # it says that the same files are released
        elif waiting and not waits:
            release(path)
    waited = {held(path) for path in files} if waits else set[Path]()
    for earlier in belongings(shelf(out, REVIEW), name):
        if earlier not in waited:
            earlier.unlink()
    if waits:
        put_away(out, name)
        return
    for path in files:
        if sidecar(path) not in files:
            sidecar(path).unlink(missing_ok=True)  # an earlier version's would call this one altered


def covers(approval: Approval | None, content: str, below: Sequence[Problem]) -> bool:
    """Whether somebody released exactly this, with all that is below a gate."""
    return approval is not None and approval.content == content and {each.gate for each in below} <= {*approval.gates}
