"""Lines that cannot be spoken in their time, told before anybody has spoken them.

Where a target's lines are known and its takes are not, each line is given the length that its shortest text would
take, by its letters and without pauses, less what such guesses are off by; a line that placement cannot find room for
even then is named.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from manifests.model import Job
from manifests.script import Line, Lines, Script, Voice, load
from manifests.spans import samples
from manifests.timeline import Take, Takes, Unplaced
from manifests.workspace import Workspace
from tasks.perform import Products, media_seconds
from tasks.place import Limits, unplaceable
from tasks.speech_length import Pace, estimated

DOUBT: Final = 0.1
"""The share of a guessed length that is not counted, because voices differ from the usual one by so much
(`tasks.speech_length` is off by 3.4 % with phones; letters are further from them in some languages)."""


def cannot_fit(job: Job, products: Products, workspace: Workspace) -> tuple[Unplaced, ...]:
    """The lines of a target that no voice could say in their time at `hard_max`, and the seconds that each lacks.

    Nothing where script or lines are not known yet. Raises StoreError where they cannot be read.
    """
    made, length_s = products.objects, media_seconds(products)
    if length_s is None or not {"transcribe/script.json", "translate/lines.json"} <= made.keys():
        return ()
    script = load(Script, workspace.store.get(made["transcribe/script.json"]))
    lines = load(Lines, workspace.store.get(made["translate/lines.json"]))
    takes = tuple(_guessed(line) for line in lines.lines)
    timing = job.course.timing
    limits = Limits(soft_max=timing.soft_max, hard_max=timing.hard_max)
    spoken = Takes(lines.language, tuple(take for take in takes if take.length))
    return unplaceable(script, spoken, samples(length_s), limits)


def _guessed(line: Line) -> Take:
    """A take of the shortest text of a line, as long as it should be at least."""
    texts = (line.text, *(each.text for each in line.renderings))
    length = samples(min(Pace().of(replace(estimated(text), breaks=0)) for text in texts) * (1 - DOUBT))
    return Take(line.id, "", length, length, 1.0, Voice("stock", "", ""))
