"""What an earlier cut of a lesson leaves to do: where the new one sounds the same, the script stays as it was.

A source that is edited again, with an introduction before it or a passage less, is another file with other times. Its
utterances are looked for by their sound (`tasks.sound_print`); those that are found keep their words, and only what is
between them is recognized.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from manifests.commits import Commit, Ref
from manifests.errors import StoreError
from manifests.model import Job
from manifests.script import Diarization, Script, Turn, Utterance, load, parsed, written
from manifests.spans import Span, merged, samples
from manifests.workspace import Workspace
from tasks.activity import levels, voice
from tasks.sound_print import Print, Recording, found_in, prints, whole
from tasks.stage import Engine, digest
from tasks.utterances import sound_of

EARLIER = "earlier cut"
"""The name of the input, where there is one."""

FLAG = "as in the earlier cut"

VERSION = 1
"""To be raised when the same two cuts would keep something else."""

_MOST_CUTS = 8
_BESIDE_S = 0.25  # sound so near to a kept utterance belongs to it: a breath, the end of a word
_LEAST_S = 0.35  # of voice, for a rest between kept utterances to be worth listening to
_STEADY = samples(0.03)  # shifts that differ by less are one: an edit is longer


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier cut: its script, and what each utterance sounded like there."""

    script: Script
    """Its `pitch_hz` is of every speaker."""
    prints: Sequence[Print]


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier cut and this one have in common."""

    utterances: tuple[Utterance, ...]
    """In this cut's times, under this cut's speakers and the earlier cut's ids."""
    regions: tuple[Span, ...]
    """All that is as it was: these utterances, and the pauses between those that follow one another in both."""
    unrecognized: tuple[Span, ...]
    pitch_hz: dict[str, float]


def file_of(
    job: Job, inputs: Mapping[str, Path], stage: str, version: int, params: Any, engine: Engine
) -> dict[str, Path]:
    """The store's object that tells of the cut before this one, under `EARLIER`; nothing where there was none.

    It is decided once for each cut and way of hearing it, and noted in the workspace; elsewhere, what the cut's own
    script was made from tells it. Only what was heard in the same way is of any use. Cuts are told apart by their
    turns, which are small: a plan of a library fetches no sound.
    """
    if job.workspace is None or job.lesson.captions:
        return {}
    turns = inputs["diarize/turns.json"].name
    how = _how(version, params, engine)
    facts = {"as": VERSION, "course": job.course.course, "lesson": job.lesson_id, "turns": turns}
    decided, space = job.workspace / "cuts" / digest(how | facts)[:32], _workspace(job.workspace)
    if not decided.is_file():
        _write(_before(job, turns, stage, how, space) or "", decided)
    name = decided.read_text(encoding="utf-8")
    return {EARLIER: space.store.get(name)} if name and space.store.has(Ref.named(name)) else {}


def lines_to_keep(
    job: Job, last_keys: Mapping[tuple[str, str, str], str], stage: str, how: tuple[int, Any, Engine], space: Workspace
) -> int:
    """How many lines of the cut that was heard last another cut of the lesson keeps if all of them are heard in it.

    `how` is the version, the parameters and the engine with which that would be heard. Which of them are in it shows
    when it is listened to.
    """
    commit = _last_heard(last_keys.get((job.lesson_id, "", stage)), stage, _how(*how), space)
    if commit is None or job.lesson.captions or not all(map(space.store.has, _cut(commit))):
        return 0
    return commit.notes.get("utterances", 0)


def read(file: Path) -> Earlier:
    """What the object says of a cut."""
    with np.load(file, allow_pickle=False) as held:
        script = parsed(Script, bytes(held["script"]))
        every, edges = held["prints"].astype(np.float32) / 2, held["edges"]
    return Earlier(script, np.split(every, edges[1:-1]))


def kept(speech: Path, diarization: Diarization, earlier: Earlier) -> Kept:
    """What of an earlier cut is heard in this one, a mono 16 kHz file. Raises MediaError where it is none."""
    old = earlier.script.utterances
    recording = Recording(prints(speech, whole(speech)))
    spans = [utterance.span for utterance in old]
    places = [each[0] if each else None for each in found_in(list(zip(spans, earlier.prints, strict=True)), recording)]
    theirs = _speakers(old, places, diarization.turns)
    found: list[Utterance] = []
    regions: list[Span] = []
    gaps: list[tuple[Span, int]] = []
    before: tuple[int, Span, int] | None = None
    for at, (utterance, place) in enumerate(zip(old, places, strict=True)):
        if place is None:
            continue
        shift = place.start - utterance.span.start
        if before is not None and before[0] == at - 1 and abs(shift - before[2]) < _STEADY:
            gaps.append((Span(before[1].end, max(before[1].end, utterance.span.start)), shift))
            regions[-1] = Span(regions[-1].start, max(regions[-1].end, place.end))
        else:
            regions.append(place)
        before = at, utterance.span, shift
        found.append(
            replace(
                utterance,
                speaker=theirs[utterance.speaker],
                span=place,
                words=tuple(replace(word, span=word.span.shifted(shift)) for word in utterance.words),
                flags=tuple(dict.fromkeys((*utterance.flags, FLAG))),
                earlier=(*utterance.earlier, utterance.span)[-_MOST_CUTS:],
            )
        )
    return Kept(
        tuple(found),
        merged(regions),
        tuple(span.shifted(shift) for gap, shift in gaps for span in earlier.script.unrecognized if span.overlap(gap)),
        {theirs[label]: hz for label, hz in earlier.script.pitch_hz.items() if label in theirs},
    )


def rest(diarization: Diarization, speech: Path, known: Kept) -> Diarization:
    """Who speaks where nothing is known yet, in stretches that are worth listening to."""
    taken = merged(region.padded(samples(_BESIDE_S)) for region in known.regions)
    sounding = voice(levels(speech)) if diarization.turns else ()

    def left(turns: Sequence[Turn]) -> tuple[Turn, ...]:
        pieces = [Turn(turn.speaker, part) for turn in turns for part in _without(turn.span, taken)]
        return tuple(piece for piece in pieces if _heard(piece, sounding) >= samples(_LEAST_S))

    turns = left(diarization.turns)
    spoken = tuple(part for span in diarization.speech for part in _without(span, taken))
    there = [turn.span for turn in turns]
    speech_left = tuple(part for part in spoken if any(part.overlap(span) for span in there))
    return replace(diarization, turns=turns, speech=speech_left, exclusive=left(diarization.exclusive))


def joined(new: Script, known: Kept) -> Script:
    """One script of what was known and what was recognized now, numbered anew."""
    every = sorted((*known.utterances, *new.utterances), key=lambda each: (each.span, each.speaker))
    return Script(
        new.language,
        tuple(replace(utterance, id=str(number)) for number, utterance in enumerate(every, 1)),
        merged((*new.unrecognized, *known.unrecognized)),
        known.pitch_hz,
    )


def _heard(turn: Turn, sounding: tuple[Span, ...]) -> int:
    return sum(run.length for run in sound_of(turn.speaker, [turn], sounding) if run.overlap(turn.span))


def _without(span: Span, taken: Sequence[Span]) -> list[Span]:
    """The parts of a span that lie in none of the others, which are in order and do not overlap."""
    out: list[Span] = []
    start = span.start
    for other in taken:
        if other.end <= start or other.start >= span.end:
            continue
        if other.start > start:
            out.append(Span(start, other.start))
        start = max(start, other.end)
    return [*out, Span(start, span.end)] if start < span.end else out


def _speakers(old: Sequence[Utterance], places: Sequence[Span | None], turns: Sequence[Turn]) -> dict[str, str]:
    """Earlier labels to this cut's: whoever speaks most where they are heard now."""
    shared: dict[str, Counter[str]] = {}
    for utterance, place in zip(old, places, strict=True):
        if place is not None:
            votes = shared.setdefault(utterance.speaker, Counter())
            for turn in turns:
                votes[turn.speaker] += turn.span.overlap(place)
    return {label: votes.most_common(1)[0][0] if votes else label for label, votes in shared.items()}


def _before(job: Job, turns: str, stage: str, how: Mapping[str, Any], space: Workspace) -> str | None:
    """The object of the cut that was heard last, if it was of another sound, heard in the same way, and is still here;
    the one that was used, where this cut itself was."""
    last = space.ledger.keys(job.course.course, job.lesson_id)
    commit = _last_heard(last.get((job.lesson_id, "", stage)), stage, how, space)
    if commit is None:
        return None
    inputs: Mapping[str, str] = commit.notes["made_from"]["inputs"]
    sound, who = _cut(commit)
    if who.name == turns:
        return Ref(inputs[EARLIER], ".npz").name if EARLIER in inputs else None
    split = _result("split", last.get((job.lesson_id, "", "split")), space)
    if split is not None and split.outputs["speech.wav"] == sound.name:
        return None  # it is the same cut, in which other turns are heard: by another engine, or as the manifest says
    if not (space.store.has(sound) and space.store.has(who)):
        return None
    script = load(Script, space.store.get(commit.outputs["script.json"]))
    speakers = load(Diarization, space.store.get(who.name)).speakers
    measured = {each.label: each.pitch_hz for each in speakers if each.pitch_hz is not None} | script.pitch_hz
    speech = space.store.get(sound.name)
    heard = [prints(speech, utterance.span) for utterance in script.utterances]
    return _put(Earlier(replace(script, pitch_hz=measured), heard), space) if heard else None


def _how(version: int, params: Any, engine: Engine) -> dict[str, Any]:
    return {"version": version, "params": asdict(params), "engine": [engine.name, engine.weights_sha256]}


def _last_heard(key: str | None, stage: str, how: Mapping[str, Any], space: Workspace) -> Commit | None:
    """The result under a key, if its cut was heard in this way and without captions."""
    commit = _result(stage, key, space)
    if commit is None or "made_from" not in commit.notes:
        return None
    made_from = commit.notes["made_from"]
    by = [commit.engine.get("name"), commit.engine.get("weights_sha256")]
    was, now = [made_from["version"], made_from["params"], by], [how["version"], how["params"], how["engine"]]
    return commit if digest(was) == digest(now) and "captions" not in made_from["inputs"] else None


def _cut(commit: Commit) -> tuple[Ref, Ref]:
    """The sound, and who speaks in it, from which a script was made."""
    inputs: Mapping[str, str] = commit.notes["made_from"]["inputs"]
    return Ref(inputs.get("split/speech.wav", ""), ".wav"), Ref(inputs.get("diarize/turns.json", ""), ".json")


def _result(stage: str, key: str | None, space: Workspace) -> Commit | None:
    return space.store.committed(stage, key) if key else None


@lru_cache(maxsize=2)
def _workspace(root: Path) -> Workspace:
    return Workspace.open(root)


def _put(earlier: Earlier, space: Workspace) -> str:
    """Half decibels in a byte each."""
    with space.store.scratch() as scratch:
        file = scratch / "cut.npz"
        np.savez_compressed(
            file,
            script=np.frombuffer(written(earlier.script), np.uint8),
            prints=np.clip(np.round(np.concatenate(earlier.prints) * 2), -128, 127).astype(np.int8),
            edges=np.cumsum([0, *map(len, earlier.prints)]),
        )
        return space.store.put(file).name


def _write(text: str, file: Path) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}.", remedy="Make its folder writable.") from error
