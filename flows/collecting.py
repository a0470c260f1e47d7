"""`dub gc`: free what no record needs, and say how much that is."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from flows.answering import print_json
from flows.order import shown
from flows.wanted import manifest_path
from manifests.errors import InputError
from manifests.rubbish import Rubbish, remove, rubbish
from manifests.settings import personal
from manifests.workspace import Workspace, locate

LATELY_S = 3600.0
"""Whoever shares the store and began a stage within this time may still be at work."""


def collect(manifest: Path | None, *, workspace: Path | None, dry_run: bool, json_wanted: bool) -> None:
    """Free the rubbish of a workspace, or with `dry_run` only look for it, and print what that comes to."""
    root = locate(manifest_path(manifest) if manifest else Path.cwd() / "course.yaml", workspace)
    if not root.is_dir():
        raise InputError(f"there is no workspace {root}.", remedy="Name the manifest, or the folder with --workspace.")
    known = personal()
    if known.store is not None and known.ledger is None:
        raise InputError(
            "the store is shared and the ledger is not, so nobody here knows which results others need.",
            remedy="Set DUB_LEDGER to the database that all workers share.",
        )
    space = Workspace.open(root)
    with space.idle() as here:
        running_since = min(filter(None, (here, _elsewhere(space))), default=None)
        found = rubbish(space, running_since)
        forgotten = space.ledger.prune(dry_run=dry_run)
        if not dry_run:
            remove(found, space.store)
    if json_wanted:
        facts = _facts(found, root, dry_run=dry_run, beside_a_run=running_since is not None, forgotten=forgotten)
        print_json(facts)
        return
    sys.stdout.write(_in_words(found, dry_run) + "\n")
    if forgotten:
        verb = "would forget" if dry_run else "forgot"
        sys.stdout.write(f"{verb} {forgotten} old runs of stages in the ledger\n")
    if running_since is not None:
        since = time.strftime("%H:%M", time.localtime(running_since))
        sys.stderr.write(
            f"A run is at work on {shown(root)} since {since}: only what no result names was looked at."
            " Do it again when it has ended.\n"
        )


def _elsewhere(space: Workspace) -> float | None:
    """Since when other machines work with the same store, in seconds since 1970, by the ledger; None where none do."""
    return space.ledger.at_work_since(time.time() - LATELY_S) if space.store.shared else None


def _facts(found: Rubbish, root: Path, *, dry_run: bool, beside_a_run: bool, forgotten: int) -> dict[str, Any]:
    return {
        "workspace": str(root),
        "dry_run": dry_run,
        "beside_a_run": beside_a_run,
        "freed_bytes": found.size,
        "objects": len(found.objects),
        "results": found.stages,
        "leftover_bytes": found.leftover_bytes,
        "kept_bytes": found.kept["bytes"],
        "kept_objects": found.kept["objects"],
        "forgotten_runs": forgotten,
    }


def _in_words(found: Rubbish, dry_run: bool) -> str:
    verb = "would free" if dry_run else "freed"
    results = ", ".join(f"{count} of {stage}" for stage, count in found.stages.items())
    said = [f"{verb} {in_bytes(found.size)}: {len(found.objects)} objects"]
    said += [f"{len(found.commits)} results ({results})"] if results else []
    said += [f"{in_bytes(found.leftover_bytes)} that killed runs left"] if found.leftover_bytes else []
    return f"{', '.join(said)}\nkept {in_bytes(found.kept['bytes'])}: {found.kept['objects']} objects"


def in_bytes(size: float) -> str:
    """`12.3 MB`, by thousands."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
