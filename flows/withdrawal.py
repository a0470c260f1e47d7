"""What becomes of finished outputs whose voice may no longer be used, where the manifest requires consent."""

from __future__ import annotations

import json
from pathlib import Path

from manifests.model import Job


def withdraw(job: Job) -> tuple[Path, ...]:
    """Move a target's outputs, and the file of all languages, to `out/withdrawn/<course>/`; returns where they are now.

    Only where the record beside them says that a person's own voice speaks.
    """
    stem = f"{job.lesson_id}.{job.language}"
    if not _in_somebodys_voice(job.out / f"{stem}.dub.json"):
        return ()
    shelf = job.out.parent / "withdrawn" / job.out.name
    shelf.mkdir(parents=True, exist_ok=True)
    moved: list[Path] = []
    for path in sorted(job.out.iterdir()):
        if path.name.startswith((f"{stem}.", f"{job.lesson_id}.multi.")):
            moved.append(path.rename(shelf / path.name))
    return tuple(moved)


def _in_somebodys_voice(record: Path) -> bool:
    try:
        lines = json.loads(record.read_text(encoding="utf-8"))["lines"]
    except (FileNotFoundError, ValueError, KeyError):
        return False
    return any(line["voice"]["kind"] == "clone" for line in lines)
