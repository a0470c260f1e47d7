"""Approvals: somebody listened to what a gate held, and released it. Text beside the manifest, for version control.

One file a target in `<manifest stem>.lines/`. An approval is bound to what is heard and read: to the digest of all
that the finished file was made from, so that it outlives the workspace and a new signature, and lapses with any change
of a line, a voice or the sound. It covers the gates that it names and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from manifests.errors import Finding, InputError, StoreError


@dataclass(frozen=True, slots=True)
class Approval:
    """Who released what."""

    lesson: str
    language: str
    content: str
    """Digest of what the finished file was made from."""
    gates: tuple[str, ...]
    at: str
    """Date and time, ISO 8601."""
    by: str = ""
    reason: str = ""


@lru_cache(maxsize=64)
def folder(manifest: Path) -> Path:
    """What people made for a manifest's course."""
    return manifest.with_name(f"{manifest.stem}.lines")


def name(lesson: str, language: str) -> str:
    """How the file of a target's approval is called, in that folder."""
    return f"{lesson}.{language}.approval.json"


def path(manifest: Path, lesson: str, language: str) -> Path:
    """The file of a target's approval."""
    return folder(manifest) / name(lesson, language)


def read(manifest: Path, lesson: str, language: str) -> Approval | None:
    """A target's approval, if there is one. Raises InputError for a file that is none."""
    file = path(manifest, lesson, language)
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        found = Approval(**facts | {"gates": tuple(facts["gates"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file} is no approval.", remedy="Restore it, or delete it and approve again.") from error
    return found if (found.lesson, found.language) == (lesson, language) else None


def faults(manifest: Path, targets: Iterable[tuple[str, str]]) -> list[Finding]:
    """The approvals of these targets (lesson and language) that cannot be understood."""
    findings: list[Finding] = []
    for lesson, language in targets:
        try:
            read(manifest, lesson, language)
        except InputError as error:
            findings.append(Finding(str(path(manifest, lesson, language)), 1, str(error)))
    return findings


def write(manifest: Path, approval: Approval) -> Path:
    """Remember an approval, in place of an earlier one. Raises StoreError where its folder takes none."""
    file = path(manifest, approval.lesson, approval.language)
    draft = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps(asdict(approval), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}.", remedy="Make its folder writable.") from error
    return file
