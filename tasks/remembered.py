"""What the translation memory has for a script: the very lines that people wrote for the same words elsewhere, and
offers for like ones.

Written to a file of the workspace, which is an input of the translation: so a line that somebody corrects is another
input for the lessons that say the same, and for no other.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manifests.errors import StoreError
from manifests.memory import Memory, plain, recall
from manifests.model import Job
from manifests.script import Script, dump, load

ALIKE = 75
"""Percent from which on two sources are like enough that one's translation helps with the other."""

VERSION = 1
"""Changes when the same memory would offer something else."""

_LEAST = 12  # letters and spaces of a source that is worth an offer for a like one


@dataclass(frozen=True, slots=True)
class Offers:
    """What a memory has, by utterance."""

    same: dict[str, str] = field(default_factory=dict[str, str])
    """The text that people wrote for the same words; where they wrote several, the most frequent, then the latest."""
    like: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    """Remarks that tell a like source, how like it is, and its text."""


def file_of(job: Job, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """The file of offers for a job's script, under `memory`, made where it is not there; nothing without an offer.

    The script, `transcribe/script.json` of the inputs, is asked for only where there is a memory.
    """
    if job.workspace is None or (memory := recall(job.manifest, job.language or "", job.workspace)) is None:
        return {}
    script = inputs["transcribe/script.json"]
    what = f"{VERSION} {hashlib.sha256(script.read_bytes()).hexdigest()} {memory.state}"
    file = job.workspace / "memory" / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.json"
    if not file.is_file():
        _write(offers(load(Script, script), memory), file)
    return {"memory": file} if json.loads(file.read_bytes()) != {"same": {}, "like": {}} else {}


def read(file: Path) -> Offers:
    """The offers in a file that `file_of` wrote."""
    return load(Offers, file)


def offers(script: Script, memory: Memory) -> Offers:
    """What a memory has for each utterance of a script."""
    texts: dict[str, list[str]] = {}
    for line in memory.lines:
        texts.setdefault(line.key, []).append(line.text)
    keys = {utterance.id: plain(utterance.text) for utterance in script.utterances}
    same = {name: _usual(texts[key]) for name, key in keys.items() if key and key in texts}
    sources = {line.key: line.source for line in memory.lines}
    wanted = {name: key for name, key in keys.items() if name not in same and len(key) >= _LEAST}
    return Offers(same, _like(wanted, sources, texts))


def _usual(texts: Sequence[str]) -> str:
    often = Counter(texts)
    return max(reversed(texts), key=lambda text: often[text])


def _like(
    wanted: Mapping[str, str], sources: Mapping[str, str], texts: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    from rapidfuzz import fuzz, process

    out: dict[str, tuple[str, ...]] = {}
    choices = [key for key in sources if len(key) >= _LEAST]
    for name, key in wanted.items():
        found = process.extractOne(key, choices, scorer=fuzz.ratio, score_cutoff=ALIKE)
        if found is not None:
            like, percent, _ = found
            out[name] = (f'memory, {percent:.0f} % alike: "{sources[like]}": "{_usual(texts[like])}"',)
    return out


def _write(made: Offers, file: Path) -> None:
    draft = file.with_name(f".{file.name}.{hashlib.sha256(str(id(made)).encode()).hexdigest()[:8]}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        dump(made, draft).replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}.", remedy="Make its folder writable.") from error
