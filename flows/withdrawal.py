"""What becomes of finished outputs whose voice may no longer be used, where the manifest requires consent."""

from __future__ import annotations

import json
from pathlib import Path

from manifests.model import Job
from manifests.shelves import held, put_away, put_away_streams, streams
from manifests.workspace import Workspace


def withdraw(job: Job, space: Workspace) -> tuple[str, ...]:
    """Move a target's outputs, and what carries all languages, to `out/withdrawn/<course>/`.

    Returns where the files are now.

    Only where the record beside them says that a person's own voice speaks. The record is moved last, so that a move
    that was interrupted is completed the next time.
    """
    stem = f"{job.lesson_id}.{job.language}"
    record = job.out / f"{stem}.dub.json"
    depot = space.depots.at(job.address) if job.address else None
    read = _read if depot is None else depot.read
    if not any(_in_somebodys_voice(read(each)) for each in (record, held(record))):
        return ()
    joint = put_away_joint(job, space)
    if depot is not None:
        return joint + depot.put_away(stem, from_review=True)
    return (*joint, *map(str, put_away(job.out, stem, from_review=True)))


def put_away_joint(job: Job, space: Workspace) -> tuple[str, ...]:
    """Move what carries all languages of a lesson, the file and the streams, to `out/withdrawn/<course>/`."""
    if job.address:
        depot = space.depots.at(job.address)
        streamed = depot.put_away(streams(job.out, job.lesson_id).name)
        return streamed + depot.put_away(f"{job.lesson_id}.multi")
    put_away_streams(job.out, job.lesson_id)
    return tuple(map(str, put_away(job.out, f"{job.lesson_id}.multi")))


def _read(record: Path) -> bytes | None:
    return record.read_bytes() if record.is_file() else None


def _in_somebodys_voice(record: bytes | None) -> bool:
    try:
        lines = json.loads(record or b"{}")["lines"]
    except (ValueError, KeyError):
        return False
    return any(line["voice"]["kind"] == "clone" for line in lines)
