"""Lines from a translation that people made as subtitles: each utterance's words as they stand there.

Nothing in the file is lost without a word: what belongs to no utterance is told with its neighbour, an utterance
without words is flagged and left to the engine. A translation of something else is recognized by its words where an
engine is at hand to compare with, and not used.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from manifests.cues import Cue
from manifests.script import Script
from tasks.lining_up import Division, divided
from tasks.told import Telling, key, retimed, told

FOREIGN = 0.12
"""Share of a translation's telling words that an engine must have found too, at the least, in the same utterances. Of
right ones it finds 30 to 60 %, of others 0 to 6 %."""

ABSENT = "not in the translation"
"""The flag of a line that a translation lacks."""

OF_ANOTHER = "the translation is of something else"
"""The flag of all lines where it is not used."""

_ENOUGH = 15  # telling words, from which on their absence tells something


@dataclass(frozen=True, slots=True)
class Translated:
    """What a translation gives."""

    texts: Mapping[str, str]
    """By utterance; none where it is of something else."""
    left: Mapping[str, tuple[str, ...]]
    """What belongs to no utterance, by the one that is nearest."""
    moved_s: float
    """By how much the file's times were moved."""
    agreement: float | None
    """Share of its telling words that an engine has in the same utterances; None where nothing tells."""

    @property
    def foreign(self) -> bool:
        """Whether it is a translation of something else."""
        return self.agreement is not None and self.agreement < FOREIGN


def translated(
    cues: Sequence[Cue],
    script: Script,
    captions: Sequence[Cue] = (),
    engine: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> Translated:
    """Line a translation up with a script; `engine` gives a rough translation of texts, to compare with."""
    rough = list(engine([utterance.text for utterance in script.utterances])) if engine else []
    evidence = _evidence(script, rough)
    telling = retimed(told(cues), script, captions, evidence)
    division = divided(script.utterances, telling.words, evidence, trusted=telling.trusted)
    texts = {
        utterance.id: " ".join(telling.words[at].text for at in share)
        for utterance, share in zip(script.utterances, division.shares, strict=True)
        if share
    }
    agreement = _agreement(telling, division, rough) if rough else None
    result = Translated(texts, _left(telling, division, script), telling.moved_s, agreement)
    return Translated({}, {}, 0.0, agreement) if result.foreign else result


def _evidence(script: Script, rough: Sequence[str]) -> list[dict[str, float]]:
    """Of each utterance, the keys of words that its translation may hold, and how much each tells: 1 for one that no
    other utterance has, 0 for one that all have."""
    found = [
        {each for text in (utterance.text, *rough[at : at + 1]) for each in map(key, text.split()) if each}
        for at, utterance in enumerate(script.utterances)
    ]
    often = Counter(each for keys in found for each in keys)
    whole = math.log(len(found) + 1)
    return [{each: math.log((len(found) + 1) / often[each]) / whole for each in keys} for keys in found]


def _agreement(telling: Telling, division: Division, rough: Sequence[str]) -> float | None:
    """Share of the words of four letters and more that the engine has in the same utterance or in one beside it."""
    there = [{key(word) for word in text.split()} for text in rough]
    words = same = 0
    for at, share in enumerate(division.shares):
        near = set[str]().union(*there[max(0, at - 1) : at + 2])
        mine = [each for each in (key(telling.words[index].text) for index in share) if each]
        words += len(mine)
        same += sum(each in near for each in mine)
    words += sum(bool(key(telling.words[index].text)) for run in division.left for index in run)
    return same / words if words >= _ENOUGH else None


def _left(telling: Telling, division: Division, script: Script) -> dict[str, tuple[str, ...]]:
    """What nobody says, each with the utterance before it, else with the first."""
    out: dict[str, tuple[str, ...]] = {}
    for run in division.left:
        before = [at for at, share in enumerate(division.shares) if share and share.start < run.start]
        name = script.utterances[before[-1] if before else 0].id if script.utterances else ""
        out[name] = (*out.get(name, ()), " ".join(telling.words[at].text for at in run))
    return out
