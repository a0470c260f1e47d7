"""Rubbish: what lies in a store and no record needs any more.

Needed are the latest result of every stage of every target, whatever course it is of; results that the ledger knows
nothing of, since it may have been lost; finished files that are still there; and the small works, such as single
takes, that any of these were made from. Of a finished file in somebody's own voice the commit stays even when the file
is gone from its place: a revocation has to name it. What people made, and their enrolments, are not in the store.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from manifests.commits import Commit, Stored
from manifests.ledger import Place
from manifests.store import Store
from manifests.workspace import Workspace

TAKEN_UP_S = 7 * 86_400.0
"""For so long small works wait for the stage that failed after it had made them."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What must stay."""

    commits: frozenset[str]
    """`stage/key`."""
    objects: frozenset[str]
    works: Mapping[str, tuple[str, ...]]
    """Small works that nothing was made from yet, and the objects of each."""


@dataclass(frozen=True, slots=True)
class Rubbish:
    """What may go."""

    commits: tuple[tuple[str, str], ...]
    """Stage and key."""
    objects: tuple[Stored, ...]
    kept: Counter[str] = field(default_factory=Counter[str])
    """`objects` and `bytes` of what stays."""
    leftover_bytes: int = 0
    """In scratch folders of runs that were killed."""
    mirrored: tuple[tuple[Path, int], ...] = ()
    """Finished files that never left for their address, with their bytes: whoever works on them now makes them anew."""

    @property
    def size(self) -> int:
        """Bytes that are freed."""
        return sum(each.size for each in self.objects) + self.leftover_bytes + sum(size for _, size in self.mirrored)

    @property
    def stages(self) -> dict[str, int]:
        """How many results of each stage go."""
        return dict(sorted(Counter(stage for stage, _ in self.commits).items()))


def needed(commits: Iterable[Commit], latest: Mapping[Place, str], is_there: Callable[[Commit], bool]) -> Needed:
    """What the latest results need, and finished files that are there (`is_there` looks)."""
    current = {(stage, key) for (_, _, _, stage), key in latest.items()}
    kept: set[str] = set()
    objects: set[str] = set()
    used: set[str] = set()
    works: dict[str, tuple[str, ...]] = {}
    for commit in commits:
        name, place = f"{commit.stage}/{commit.key}", _place(commit)
        is_current = (commit.stage, commit.key) in current or (place is not None and place not in latest)
        if is_current or (commit.delivered and is_there(commit)):
            kept.add(name)
            objects.update(commit.objects_named)
            used.update(commit.works)
        elif commit.delivered and commit.people:
            kept.add(name)
        elif place is None and not commit.delivered:
            works[name] = commit.objects_named
    for name in used & works.keys():
        kept.add(name)
        objects.update(works.pop(name))
    return Needed(frozenset(kept), frozenset(objects), works)


def rubbish(space: Workspace, running_since: float | None) -> Rubbish:
    """What may go of a workspace's store; changes nothing.

    `running_since` says when the run began that works there now, in seconds since 1970. Beside it only that goes which
    no commit names and which lay there before: whatever is there a run may use, and name what it made later. What small
    works a stage had made before it failed stays for a week. Raises StoreError where a commit cannot be read.
    """
    store = space.store
    if running_since is not None:
        named = {name for commit in store.commits() for name in commit.objects_named}
        return _sorted_out(store, named, lambda each: each.since < running_since, (), store.leftover_bytes())
    with space.depots.surveyed():
        keep = needed(store.commits(), space.ledger.latest(), space.is_partly_there)
    begun = max(space.ledger.unfinished_since() or math.inf, time.time() - TAKEN_UP_S)
    young = {each.name for each in store.objects() if each.since >= begun}
    waiting = {name for name, objects in keep.works.items() if not young.isdisjoint(objects)}
    stay = keep.objects | young | {each for name in waiting for each in keep.works[name]}
    gone = tuple(
        (commit.stage, commit.key)
        for commit in store.commits()
        if (name := f"{commit.stage}/{commit.key}") not in keep.commits and name not in waiting
    )
    found = _sorted_out(store, stay, lambda each: True, gone, store.leftover_bytes())
    return replace(found, mirrored=tuple(_mirrored(space.root, begun)))


def _mirrored(root: Path, before: float) -> Iterator[tuple[Path, int]]:
    """The files of the mirrors that were written before a time, in seconds since 1970, and their bytes."""
    for path in (root / "outputs").rglob("*"):
        if path.is_file() and (facts := path.stat()).st_mtime < before:
            yield path, facts.st_size


def remove(found: Rubbish, store: Store) -> None:
    """Remove it: commits first, since an object that is gone is missed by whoever reads its commit.

    Done again, it goes on where it was interrupted. Raises StoreError where the store does not let go.
    """
    for stage, key in found.commits:
        store.forget(stage, key)
    for each in found.objects:
        store.discard(each.name)
    for path, _ in found.mirrored:
        path.unlink(missing_ok=True)
    if found.leftover_bytes:
        store.sweep()


def _sorted_out(
    store: Store,
    stay: Iterable[str],
    old: Callable[[Stored], bool],
    commits: tuple[tuple[str, str], ...],
    leftover_bytes: int = 0,
) -> Rubbish:
    stay, gone, kept = frozenset(stay), list[Stored](), Counter[str]()
    for each in store.objects():
        if each.name in stay or not old(each):
            kept.update(objects=1, bytes=each.size)
        else:
            gone.append(each)
    return Rubbish(commits, tuple(gone), kept, leftover_bytes)


def _place(commit: Commit) -> Place | None:
    """Whose result it is; None for small works and reports."""
    notes = commit.notes
    if "lesson" not in notes:
        return None
    return notes["course"], notes["lesson"], notes["language"], commit.stage
