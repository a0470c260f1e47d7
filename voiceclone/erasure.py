"""Erasing a voice: everything in a store that carries it goes, and what was delivered in it is listed.

Objects go before the commits that name them, so an erasure that was interrupted finds, done again, what is left. An
object that a commit without this voice made too, byte for byte, is not derived from it alone and stays. Delivered files
are their owners': they are listed, not touched. What remains is a tombstone of hashes in the audit log.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.commits import Commit, Ref
from manifests.depot import Depots
from manifests.errors import InputError, StoreError
from manifests.shelves import held
from manifests.store import Store
from voiceclone.consent import ID
from voiceclone.registry import Registry

_BATCH = 500
"""Hashes that one entry of the audit log holds at most."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A finished file outside the store that used the voice."""

    path: Path | str
    """Where it lies, or was put: a path, or an address."""
    sha256: str
    there: bool | None
    """Whether a file still lies there; None where the address does not answer."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did."""

    person: str
    commits: tuple[str, ...]
    """`stage/key` of every commit that was dropped."""
    objects: tuple[str, ...]
    """Names of the objects that are gone, those included that an interrupted erasure had deleted before."""
    kept: tuple[str, ...]
    """Names of objects that stay, because a commit without this voice made them too."""
    folders: tuple[Path, ...]
    """Enrolment folders that were deleted."""
    delivered: tuple[Delivered, ...]
    """Finished files that used the voice."""


def outputs_of(store: Store, person: str) -> tuple[Delivered, ...]:
    """Every finished file that carries a person's cloned voice, in order of path; changes nothing."""
    return _delivered(_carrying(_commits(store), person), store)


def erase(
    person: str,
    *,
    store: Store,
    registry: Registry,
    consents: Sequence[str],
    enrolments: Iterable[Path] = (),
) -> Erased:
    """Delete whatever carries a person's voice and enter a tombstone for each of their consents.

    `enrolments` are folders that hold one folder a person (audio, embeddings, trained voices). Raises InputError for an
    id that is none, StoreError where something cannot be deleted; done again, it goes on where it stopped.
    """
    if not ID.fullmatch(person):
        raise InputError(f"{person!r} cannot be the id of a person.")
    commits = _commits(store)
    carrying = _carrying(commits, person)
    delivered = _delivered(carrying, store)
    elsewhere = {name for commit in commits if person not in commit.people for name in _objects(commit)}
    named = {name for commit in carrying for name in _objects(commit)}
    doomed = sorted(named - elsewhere)
    dropped = tuple(sorted(f"{commit.stage}/{commit.key}" for commit in carrying))
    try:
        store.erase(doomed)
        folders = tuple(folder for parent in enrolments if (folder := _remove(parent, person)) is not None)
    except OSError as error:
        raise StoreError(
            f"the voice of {person} could not be erased: {error.strerror}.",
            remedy=f"Make {error.filename} writable, then revoke again.",
        ) from error
    for consent in consents:
        _tombstone(registry, consent, dropped, doomed, delivered)
    for commit in carrying:
        store.forget(commit.stage, commit.key)
    return Erased(person, dropped, tuple(doomed), tuple(sorted(named & elsewhere)), folders, delivered)


def _commits(store: Store) -> tuple[Commit, ...]:
    try:
        return tuple(store.commits())
    except (StoreError, OSError) as error:
        raise StoreError(
            f"a commit in {store.place} cannot be read, so nobody can say whose voice it made.",
            remedy=f"Delete {store.place}: everything in it can be made again.",
        ) from error


def _carrying(commits: Iterable[Commit], person: str) -> tuple[Commit, ...]:
    return tuple(commit for commit in commits if person in commit.people)


def _objects(commit: Commit) -> tuple[str, ...]:
    return (*commit.outputs.values(), *commit.objects)


def _delivered(commits: Sequence[Commit], store: Store) -> tuple[Delivered, ...]:
    files = {(Path(path), sha256) for each in commits if not each.address for path, sha256 in each.delivered.items()}
    found = {Delivered(place, sha256, place.is_file()) for path, sha256 in files for place in _places(path)}
    found.update(_away([each for each in commits if each.address], Depots(store.root.parent, store.bucket)))
    return tuple(sorted(found, key=lambda each: (str(each.path), each.sha256)))


def _away(commits: Iterable[Commit], depots: Depots) -> Iterator[Delivered]:
    """What was delivered to addresses, each of which is listed once; one that does not answer keeps nobody waiting
    twice."""
    silent: set[str] = set()
    with depots.surveyed():
        for commit in commits:
            for place, sha256 in commit.delivered.items():
                lies: str | None = None
                if commit.address not in silent:
                    try:
                        lies = depots.at(commit.address).where(commit.group, place, sha256)
                    except StoreError:
                        silent.add(commit.address)
                there = None if commit.address in silent else lies is not None
                yield Delivered(lies or place, sha256, there)


def _places(path: Path) -> tuple[Path, ...]:
    """Where a finished file lies, in its place or held for review; its place where it is in neither."""
    return tuple(place for place in (path, held(path)) if place.is_file()) or (path,)


def _remove(parent: Path, person: str) -> Path | None:
    """Delete a person's folder; of a link, only the link."""
    folder = parent / person
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)
    else:
        return None
    return folder


def _tombstone(
    registry: Registry, consent: str, commits: Sequence[str], objects: Sequence[str], files: Sequence[Delivered]
) -> None:
    hashes = sorted({each.sha256 for each in files})
    registry.note("erase", consent, commits=len(commits), objects=len(objects), delivered=len(hashes))
    for kind, names in (
        ("commit", commits),
        ("object", [Ref.named(name).digest for name in objects]),
        ("delivered", hashes),
    ):
        for first in range(0, len(names), _BATCH):
            registry.note("erase", consent, kind=kind, ids=list(names[first : first + _BATCH]))
