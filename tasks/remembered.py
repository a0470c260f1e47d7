"""What the translation memory has for a script: the very lines that people wrote for the same words elsewhere, and
offers for like ones.

Written to a file of the workspace, which is an input of the translation: so a line that somebody corrects is another
input for the lessons that say the same, and for no other.

A memory may have a hundred thousand lines, and a library ten thousand scripts. What was found for a script is kept
beside, so that after a change of the memory only what is new in it is compared with the script's words.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from manifests.approvals import folder
from manifests.errors import StoreError
from manifests.memory import Memory, plain, recall
from manifests.model import Job
from manifests.script import Script, load, written

ALIKE = 75
"""Percent from which on two sources are like enough that one's translation helps with the other."""

VERSION = 2
"""Changes when the same memory would offer something else."""

_LEAST = 12  # letters and spaces of a source that is worth an offer for a like one


@dataclass(frozen=True, slots=True)
class Offers:
    """What a memory has, by utterance."""

    same: dict[str, str] = field(default_factory=dict[str, str])
    """The text that people wrote for the same words; where they wrote several, the most frequent, then the latest."""
    like: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    """Remarks that tell a like source, how like it is, and its text."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was found for a script, and in which memory."""

    state: str
    """The memory's, as `Memory` has it, and `index`."""
    index: str
    number: int
    """Of the latest line that was compared."""
    best: dict[str, str | None]
    """What the script says, as it is compared, to what is most like it; None where nothing is like enough."""
    file: str
    """The name of the file of offers; empty where there are none."""


def file_of(job: Job, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """The file of offers for a job's script, under `memory`, made where it is not there; nothing without an offer.

    The script, `transcribe/script.json` of the inputs, is asked for only where there is a memory.
    """
    if job.workspace is None or (memory := recall(job.manifest, job.language or "", job.workspace)) is None:
        return {}
    script = inputs["transcribe/script.json"]
    what = f"{VERSION} {folder(job.manifest)} {job.language} {hashlib.sha256(script.read_bytes()).hexdigest()}"
    kept = job.workspace / "memory"
    searched = kept / "searches" / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.json"
    search = load(Search, searched) if searched.is_file() else None
    if search is None or search.state != memory.state or not (kept / search.file).exists():
        found, best = offers(load(Script, script), memory, search if search and search.index == memory.index else None)
        name = ""
        if found.same or found.like:
            data = written(found)
            name = f"{hashlib.sha256(data).hexdigest()[:32]}.json"
            _write(data, kept / name)
        search = Search(memory.state, memory.index, memory.latest, best, name)
        _write(written(search), searched)
    return {"memory": kept / search.file} if search.file else {}


def read(file: Path) -> Offers:
    """The offers in a file that `file_of` wrote."""
    return load(Offers, file)


def offers(script: Script, memory: Memory, earlier: Search | None = None) -> tuple[Offers, dict[str, str | None]]:
    """What a memory has for each utterance of a script, and what is most like it, as in a `Search`.

    The same with what was found earlier, by the same index, as without.
    """
    keys = {utterance.id: plain(utterance.text) for utterance in script.utterances}
    same = {name: _usual(memory.texts[key]) for name, key in keys.items() if key and key in memory.texts}
    wanted = {name: key for name, key in keys.items() if name not in same and len(key) >= _LEAST}
    like = _like(list(dict.fromkeys(wanted.values())), memory, earlier)
    told = {key: _offer(memory, *found) for key, found in like.items() if found is not None}
    best = {key: found[0] if found is not None else None for key, found in like.items()}
    return Offers(same, {name: (told[key],) for name, key in wanted.items() if key in told}), best


def _usual(texts: Sequence[str]) -> str:
    often = Counter(texts)
    return max(reversed(texts), key=lambda text: often[text])


def _like(keys: Sequence[str], memory: Memory, earlier: Search | None) -> dict[str, tuple[str, float] | None]:
    """What is most like each text, and how like it is in percent; of several the first in the order of letters."""
    from rapidfuzz import fuzz, process

    choices = memory.since(0, _LEAST)
    new = memory.since(earlier.number, _LEAST) if earlier is not None else choices
    known = earlier.best if earlier is not None else {}
    out: dict[str, tuple[str, float] | None] = {}
    for key in keys:
        before = known.get(key)
        if key not in known or (before is not None and before not in memory.numbers):
            among = choices
        else:  # all that was there before is no more like it than what was found then
            among = sorted({*new, before}) if before is not None else new
        found = process.extractOne(key, among, scorer=fuzz.ratio, score_cutoff=ALIKE)
        out[key] = (found[0], found[1]) if found is not None else None
    return out


def _offer(memory: Memory, key: str, percent: float) -> str:
    return f'memory, {percent:.0f} % alike: "{memory.sources[key]}": "{_usual(memory.texts[key])}"'


def _write(data: bytes, file: Path) -> None:
    draft = file.with_name(f".{file.name}.{uuid4().hex[:8]}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}.", remedy="Make its folder writable.") from error
