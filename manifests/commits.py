"""What a store holds: objects, each named by the digest of its bytes, and commits, each saying what a stage made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter

from manifests.errors import StoreError

MARK_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Names one object: its digest and the suffix that tells what it is."""

    digest: str
    suffix: str

    @property
    def name(self) -> str:
        return self.digest + self.suffix

    @classmethod
    def named(cls, name: str) -> Ref:
        digest, dot, suffix = name.partition(".")
        return cls(digest, dot + suffix)


@dataclass(frozen=True, slots=True)
class Commit:
    """What one run of a stage made."""

    stage: str
    key: str
    outputs: dict[str, str]
    """Output name (`script.json`) to object name."""
    objects: tuple[str, ...] = ()
    """Further objects that the outputs name, such as the takes of a list of takes."""
    delivered: dict[str, str] = field(default_factory=dict[str, str])
    """Files outside the store (finished videos) to their SHA-256: paths, or addresses below `address`."""
    people: tuple[str, ...] = ()
    """Whose voices the objects carry: what a revocation deletes."""
    engine: dict[str, str] = field(default_factory=dict[str, str])
    """`name`, `version` and, where there are weights, `weights_sha256` of what did the work."""
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict[str, Any])
    works: tuple[str, ...] = ()
    """The small works that it was made from, such as the takes of single lines: `stage/key` of each."""
    address: str = ""
    """The course's folder of finished files, where that is an address."""

    @property
    def group(self) -> str:
        """The name of its finished files as a group, for a depot: `lesson-01.es`, `lesson-01.multi`, `report.html`."""
        if "lesson" not in self.notes:
            return next(iter(self.delivered), "").rpartition("/")[2]
        return f"{self.notes.get('lesson', '')}.{self.notes.get('language') or self.stage}"

    @property
    def objects_named(self) -> tuple[str, ...]:
        """Every object that the commit names."""
        return (*self.outputs.values(), *self.objects)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it lies in the store."""

    name: str
    size: int
    """Bytes."""
    since: float
    """When it was put there, or asked for again, in seconds since 1970."""


COMMIT = TypeAdapter(Commit)


def told(data: bytes, place: str) -> Commit:
    """The commit that lies at a place. Raises StoreError, naming it, where it is damaged."""
    try:
        return COMMIT.validate_json(data)
    except ValueError as error:
        raise StoreError(
            f"the commit {place} is damaged.", remedy="Delete it: what it told of is made again by the next run."
        ) from error


def mark(name: str) -> int:
    """A short form of an object's name, long enough to tell it from a million others."""
    return int(name[:MARK_DIGITS], 16)
