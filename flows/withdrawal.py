"""What becomes of finished outputs whose voice may no longer be used, where the manifest requires consent."""

from __future__ import annotations

import json
from pathlib import Path

from manifests.model import Job
from manifests.shelves import held, put_away, put_away_streams


def withdraw(job: Job) -> tuple[Path, ...]:
    """Move a target's outputs, and what carries all languages, to `out/withdrawn/<course>/`.

    Returns where the files are now.

    Only where the record beside them says that a person's own voice speaks.
    """
    stem = f"{job.lesson_id}.{job.language}"
    records = (job.out / f"{stem}.dub.json", held(job.out / f"{stem}.dub.json"))
    if not any(_in_somebodys_voice(record) for record in records):
        return ()
    put_away_streams(job.out, job.lesson_id)
    return put_away(job.out, stem, from_review=True) + put_away(job.out, f"{job.lesson_id}.multi")


def _in_somebodys_voice(record: Path) -> bool:
    try:
        lines = json.loads(record.read_text(encoding="utf-8"))["lines"]
    except (FileNotFoundError, ValueError, KeyError):
        return False
    return any(line["voice"]["kind"] == "clone" for line in lines)
