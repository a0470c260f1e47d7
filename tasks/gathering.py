"""Gathering a person's enrolment from the lessons in which the manifest names them.

It is made from the first lesson, in the manifest's order, that holds enough of their speech, or from the first few
together, and then stands for the whole course: every lesson is spoken in the one voice that is trained from it, and a
later lesson in which the manifest calls somebody else by that name is found out. It is made anew only where one of
these lessons changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from manifests.script import Diarization, Script
from manifests.spans import RATE, Span, samples
from tasks.speech_file import read
from voiceclone.enrolment import Origin
from voiceclone.excerpts import TOTAL, best_spans, speaker_print
from voiceclone.matching import CLEAR
from voiceclone.quality import Recording
from voiceclone.voiceprint import Print, likeness

ENOUGH = samples(30)
"""Speech from which on no further lesson is listened to: a voice is all but as good as with more."""

LEAST = samples(10)
"""Clean speech from which on a voice is made of that alone."""

CLEAN_DB = 21.0
"""Signal to noise from which on an excerpt is clean: a decibel above what the enrolment gate rejects."""

MOST_LESSONS = 5
"""The most lessons that are listened to for one person: all other lessons wait meanwhile."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """A lesson in which a person speaks, under a label."""

    course: str
    lesson: str
    source_sha256: str
    label: str
    turns: Diarization
    script: Script
    speech: Path
    """Mono, 16 kHz."""
    programme: Path
    """48 kHz, the source's channels."""


def gathered(appearances: Iterable[Appearance]) -> tuple[list[Recording], list[Origin]]:
    """The best excerpts of a person from the first lessons that hold enough of them, and where each comes from.

    By how clean they are and how like the rest of the person's speech, never by how well they were recognized. What is
    too noisy for a voice is left out, unless there is nothing else: it still tells who somebody is. A lesson whose
    speaker is not clearly the first one's is passed over. Raises EngineUnavailable where the speech detector or the
    speaker encoder is missing.
    """
    clean: list[tuple[Recording, Origin]] = []
    noisy: list[tuple[Recording, Origin]] = []
    first: Print | None = None
    total = 0
    for each in appearances:
        hear = partial(read, each.speech)
        voice = speaker_print(each.turns, each.label, hear)
        if voice is None or (first is not None and likeness(voice, first) < CLEAR):
            continue
        first = voice if first is None else first
        for excerpt in best_spans(each.turns, each.label, hear, total=TOTAL - total):
            text = said(each.script, each.label, excerpt.span)
            if not text:
                continue
            name = f"{each.lesson} {excerpt.span.start_s:.1f} s"
            origin = Origin(
                course=each.course,
                lesson=each.lesson,
                source_sha256=each.source_sha256,
                label=each.label,
                start=round(excerpt.span.start_s, 3),
                end=round(excerpt.span.end_s, 3),
            )
            fit = excerpt.snr_db >= CLEAN_DB
            (clean if fit else noisy).append((_cut(each.programme, excerpt.span, name, text), origin))
            total += excerpt.span.length if fit else 0
        if total >= ENOUGH:
            break
    kept = clean if total >= LEAST else clean + noisy
    return [recording for recording, _ in kept], [origin for _, origin in kept]


def said(script: Script, label: str, span: Span) -> str:
    """What a speaker says in a span: the words whose middles lie in it."""
    words = (word for utterance in script.utterances if utterance.speaker == label for word in utterance.words)
    return " ".join(word.text for word in words if span.start <= (word.span.start + word.span.end) // 2 < span.end)


def _cut(programme: Path, span: Span, name: str, text: str) -> Recording:
    import soundfile

    with soundfile.SoundFile(str(programme)) as sound:
        sound.seek(span.start)
        frames = sound.read(span.length, dtype="float32", always_2d=True)
    return Recording(name, frames.mean(axis=1), RATE, text)
