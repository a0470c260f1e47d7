"""Other people's voices, against which a score of two recordings is judged.

How alike two recordings of one person are depends on the room and the microphone as much as on the person. Speakers
of the operator's own lessons were recorded alike, so they tell how alike *other* people are there: adaptive symmetric
score normalization (AS-norm; Matějka et al. 2017, "Analysis of Score Normalization in Multilingual Speaker
Recognition", Interspeech):

    s' = ½ · ((s - µ(Eₑ)) / σ(Eₑ) + (s - µ(Eₜ)) / σ(Eₜ))

with Eₑ and Eₜ the scores of either recording with the `NEAREST` cohort voices most like it. Those n voices are a
sample, so another person's score lies above s' = t(n-1, 1-p) · √(1 + 1/n) with probability p, the prediction bound of
Student's distribution: few voices ask for a clearer score, by themselves.

Prints of people who were never asked are personal data. They are computed from the store when a statement is checked,
held in memory while it is, and written nowhere; a record says only how many voices there were.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from manifests import settings
from manifests.errors import StoreError
from manifests.script import Diarization, load
from manifests.spans import RATE as TICKS
from manifests.spans import Span
from manifests.workspace import open_ledger, open_store
from voiceclone import excerpts, matching, voiceprint
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import RATE, Mono, Print

if TYPE_CHECKING:
    import soundfile

NEAREST = 20
"""Voices of a larger cohort that count for a side: those that are most like it."""
MOST = 60
"""Voices that are looked for."""
ENOUGH_S, LEAST_S = 20.0, 6.0
"""Speech that is heard of each voice, and below which it is left out."""
_SPREAD = 0.01
"""Standard deviation below which a cohort's is not believed."""


def normalized(score: float, sides: Sequence[NDArray[np.float64]]) -> float:
    """AS-norm of a score, by the cohort's scores with either of the two recordings, (voices,) each."""
    parts: list[float] = []
    for side in sides:
        nearest = np.sort(side)[-NEAREST:]
        parts.append((score - float(nearest.mean())) / max(float(nearest.std(ddof=1)), _SPREAD))
    return float(np.mean(parts))


def bound(voices: int, share: float) -> float:
    """The normalized score that a share of other people exceeds, for a cohort of so many voices."""
    from scipy.special import stdtrit

    count = min(voices, NEAREST)
    return float(stdtrit(count - 1, 1 - share)) * math.sqrt(1 + 1 / count)


def others(workspaces: Iterable[Path], enrolled: Print) -> tuple[Mono, ...]:
    """Speech (mono, 16 kHz, without pauses) of people in these workspaces' lessons who are not the one enrolled.

    One person counts once, in however many lessons they speak. Whoever sounds clearly like the enrolled person is taken
    for them. A workspace that is gone, or cannot be read, gives none.
    """
    voices: list[Print] = [enrolled]
    found: list[Mono] = []
    for speech in _speakers(workspaces):
        own = voiceprint.print_of(speech)
        if max(voiceprint.likeness(own, other) for other in voices) >= matching.CLEAR:
            continue
        voices.append(own)
        found.append(speech)
        if len(found) == MOST:
            break
    return tuple(found)


def _speakers(workspaces: Iterable[Path]) -> Iterator[Mono]:
    shared = settings.personal()
    once = shared.store is not None and shared.ledger is not None  # then every workspace has the same lessons
    for workspace in islice(workspaces, 1 if once else None):
        for turns, sound in _lessons(workspace):
            try:
                diarization = load(Diarization, turns)
            except (OSError, ValueError):
                continue
            for speaker in diarization.speakers:
                speech = _heard(diarization, speaker.label, sound)
                if len(speech) >= LEAST_S * RATE:
                    yield speech


def _lessons(workspace: Path) -> Iterator[tuple[Path, Path]]:
    """Who speaks when, and the sound, of every lesson of a workspace that was diarized."""
    if not (workspace / "store").is_dir():
        return
    try:
        store, ledger = open_store(workspace), open_ledger(workspace)
        lessons = ledger.lesson_keys()
        ledger.close()
    except (StoreError, SQLAlchemyError):
        return
    for keys in lessons.values():
        made = [store.committed(stage, keys[stage]) if stage in keys else None for stage in ("diarize", "split")]
        if made[0] is not None and made[1] is not None:
            yield store.get(made[0].outputs["turns.json"]), store.get(made[1].outputs["speech.wav"])


def _heard(diarization: Diarization, label: str, path: Path) -> Mono:
    """The longest stretches in which somebody speaks alone, pauses cut out."""
    import soundfile

    parts: list[Mono] = [np.zeros(0, np.float32)]
    try:
        with soundfile.SoundFile(str(path)) as file:
            for span in sorted(excerpts.alone(diarization, label), key=lambda span: (-span.length, span.start)):
                parts.append(_speech(file, span))
                if sum(map(len, parts)) >= ENOUGH_S * RATE:
                    break
    except (soundfile.LibsndfileError, OSError):
        return np.zeros(0, np.float32)
    return np.concatenate(parts)[: round(ENOUGH_S * RATE)]


def _speech(file: soundfile.SoundFile, span: Span) -> Mono:
    start, end = (min(at * RATE // TICKS, file.frames) for at in (span.start, span.end))
    file.seek(start)
    sound = np.asarray(file.read(min(end - start, round(2 * ENOUGH_S * RATE)), dtype="float32"), np.float32)
    return joined(sound, speaking(sound))
