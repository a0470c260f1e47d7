"""Who speaks when.

The engine hears the lesson in stretches, so that memory does not grow with its length; the
voices of all stretches are then linked, so that a label means one voice throughout. Labels are numbered by first
speech.
"""

# pyworld and soundfile have no type stubs
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.engines import chosen
from manifests.model import Job, Speakers
from manifests.quiet import settle
from manifests.rules import STOCK
from manifests.script import Diarization, Speaker, Turn, dump, load
from manifests.spans import ANALYSIS_RATE, RATE, Span, merged, samples
from tasks import licences
from tasks.engines import catalogue
from tasks.engines.protocols import Listening
from tasks.speech_file import read
from tasks.stage import Engine, Made, Stage, Workbench

ONSET, OFFSET = 0.3, 0.1
"""How sure it must be that somebody speaks for a region to count, and to go on: low, so that no speech is left over."""

SCRAP_S = 0.3
"""A turn that is shorter and joins another's without a pause is that other's: nobody says a word so fast."""

JOINS_S = 0.05

PITCH_S = 60.0
"""Seconds of a speaker's speech that pitch is measured on."""

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker of one stretch: how they sound and where they speak."""

    embedding: Floats
    """Of length 1."""
    spans: tuple[Span, ...]
    alone: tuple[Span, ...] = ()
    """Where they are heard best; where the engine says so, no two voices' overlap."""
    weight: float = field(init=False)
    """Seconds of speech."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", sum(span.length_s for span in self.spans))


def diarize(
    speech: Path,
    pieces: Sequence[Span],
    wanted: Listening,
    *,
    cores: int = 1,
    tell: Callable[[float], None] = lambda share: None,
) -> Diarization:
    """Who speaks when in a mono 16 kHz file.

    Raises MediaError where the file is not that, EngineUnavailable where the engine lacks what it takes.
    """
    settle()
    engine = catalogue.diarizer(wanted.engine)
    stretches = grouped(pieces, samples(engine.stretch_s))
    voices: list[Voice] = []
    regions: list[Span] = []
    alone = len(stretches) == 1
    for number, stretch in enumerate(stretches):
        heard = engine.hear(
            read(speech, stretch),
            wanted,
            least=wanted.least if alone else None,
            most=wanted.most,
            cores=cores,
            tell=lambda share, number=number: tell((number + share) / len(stretches)),
        )
        for row, embedding in enumerate(heard.voices):
            if kept := _spans(heard.turns, row, stretch):
                voices.append(Voice(embedding, kept, _spans(heard.exclusive, row, stretch)))
        active = above(heard.activity, onset=ONSET, offset=OFFSET)
        regions += [
            Span.of_seconds(a * heard.frame_s, b * heard.frame_s).shifted(stretch.start).clipped(stretch)
            for a, b in active
        ]
    people = linked(voices, engine.same_voice, wanted.least, wanted.most)
    people.sort(key=lambda person: min(voice.spans[0] for voice in person))
    labels = [f"SPEAKER_{number:02d}" for number in range(len(people))]
    turns = turns_of(labels, [[span for voice in person for span in voice.spans] for person in people])
    exclusive = turns_of(labels, [[span for voice in person for span in voice.alone] for person in people])
    speakers = tuple(_speaker(speech, label, turns) for label in labels)
    anybody = merged([*regions, *(turn.span for turn in turns)]) if turns else ()
    return Diarization(speakers, turns, anybody, exclusive)


def _spans(turns: Iterable[tuple[int, float, float]], voice: int, stretch: Span) -> tuple[Span, ...]:
    """The turns of a voice of a stretch, in the programme."""
    spans = [Span.of_seconds(start, end) for row, start, end in turns if row == voice]
    clipped = [span.shifted(stretch.start).clipped(stretch) for span in spans]
    return tuple(span for span in clipped if span.length)


def turns_of(labels: Sequence[str], people: Sequence[Iterable[Span]]) -> tuple[Turn, ...]:
    """Everybody's turns in order, those of one person that touch made one, scraps of a turn given to it."""
    turns = [Turn(label, span) for label, spans in zip(labels, people, strict=True) for span in merged(spans)]
    long = [turn for turn in turns if turn.span.length >= samples(SCRAP_S)]
    theirs: dict[str, list[Span]] = {}
    for turn in turns:
        theirs.setdefault(_whose(turn, long), []).append(turn.span)
    settled = [Turn(label, span) for label, spans in theirs.items() for span in merged(spans)]
    return tuple(sorted(settled, key=lambda turn: (turn.span, turn.speaker)))


def _whose(turn: Turn, long: Sequence[Turn]) -> str:
    """Whose a turn is: its speaker's, or of a scrap theirs whose longer turn it joins. Nobody loses all that way."""
    if turn.span.length >= samples(SCRAP_S) or all(other.speaker != turn.speaker for other in long):
        return turn.speaker
    joined = [
        other
        for other in long
        if other.speaker != turn.speaker
        and max(other.span.start - turn.span.end, turn.span.start - other.span.end) <= samples(JOINS_S)
    ]
    return max(joined, key=lambda other: other.span.length).speaker if joined else turn.speaker


def _speaker(speech: Path, label: str, turns: Sequence[Turn]) -> Speaker:
    spans = [turn.span for turn in turns if turn.speaker == label]
    heard_s = round(sum(span.length for span in spans) / RATE, 3)
    return Speaker(label, pitch_hz(speech, own(spans, turns, label)), heard_s)


def grouped(pieces: Iterable[Span], longest: int) -> tuple[Span, ...]:
    """Neighbouring pieces joined to stretches of at most `longest` samples, or of one piece."""
    out: list[Span] = []
    for piece in pieces:
        if out and piece.end - out[-1].start <= longest:
            out[-1] = Span(out[-1].start, piece.end)
        else:
            out.append(piece)
    return tuple(out)


def linked(
    voices: Sequence[Voice], same: float, least: int | None = None, most: int | None = None
) -> list[tuple[Voice, ...]]:
    """The voices of each person: the two nearest are made one until no two are nearer than `same`.

    Never fewer than `least` people are left (of as many voices as there are), never more than `most`.
    """
    sums = [np.asarray(voice.embedding, dtype=np.float64) * voice.weight for voice in voices]
    people = [[voice] for voice in voices]
    while len(sums) > max(1, least or 1):
        lengths = [float(np.linalg.norm(total)) or 1.0 for total in sums]
        matrix = np.array([total / length for total, length in zip(sums, lengths, strict=True)])
        cosines = matrix @ matrix.T
        cosines[np.tril_indices(len(sums))] = -2.0
        first, second = (int(index) for index in np.unravel_index(int(cosines.argmax()), cosines.shape))
        if cosines[first, second] < same and not (most is not None and len(sums) > most):
            break
        sums[first] = sums[first] + sums.pop(second)
        people[first] += people.pop(second)
    return [tuple(person) for person in people]


def above(activity: Floats, onset: float, offset: float) -> list[tuple[int, int]]:
    """Runs of frames, end exclusive, that reach `onset` somewhere and stay at or above `offset`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (activity >= offset).astype(np.int8), [0]])))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start, end) for start, end in runs if activity[start:end].max() >= onset]


def own(spans: Iterable[Span], turns: Sequence[Turn], label: str) -> list[Span]:
    """The spans of a speaker in which nobody else has a turn; all of them where that leaves nothing."""
    spans = list(spans)
    clean = [span for span in spans if not any(turn.speaker != label and turn.span.overlap(span) for turn in turns)]
    return clean or spans


def pitch_hz(speech: Path, spans: Sequence[Span], seconds: float = PITCH_S) -> float | None:
    """Median fundamental frequency of the longest spans, up to `seconds` of them; None without voiced speech.

    WORLD's DIO, refined by StoneMask (Morise et al. 2009, 2016).
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
        import pyworld

    found: list[NDArray[np.float64]] = []
    left = samples(seconds)
    for span in sorted(spans, key=lambda span: (-span.length, span.start)):
        part = Span(span.start, min(span.end, span.start + left))
        wave = read(speech, part).astype(np.float64)
        if len(wave) >= ANALYSIS_RATE // 10:
            rough, times = pyworld.dio(wave, ANALYSIS_RATE, f0_floor=60.0, f0_ceil=500.0, frame_period=10.0)
            found.append(pyworld.stonemask(wave, rough, times, ANALYSIS_RATE))
        left -= part.length
        if left <= 0:
            break
    voiced = np.concatenate([track[track > 0] for track in found]) if found else np.zeros(0)
    return round(float(np.median(voiced)), 1) if len(voiced) >= 10 else None


def run(wanted: Listening, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    pieces = load(tuple[Span, ...], inputs["split/pieces.json"])
    found = diarize(inputs["split/speech.wav"], pieces, wanted, cores=bench.cores, tell=bench.tell)
    notes = {"speakers": len(found.speakers), "speech_s": round(sum(span.length for span in found.speech) / RATE, 3)}
    return Made({"turns.json": dump(found, bench.scratch / "turns.json")}, notes=notes)


def params(job: Job) -> Listening:
    choice = chosen(job.course, "diarize")
    least, most = counted(job.course.speakers if job.lesson.speakers is None else job.lesson.speakers)
    return Listening(choice.name, least, most, choice.model, choice.options)


def counted(speakers: object) -> tuple[int | None, int | None]:
    """How many may speak, from the manifest's `speakers`: anything but a `Speakers` leaves it open.

    So does a single person: they would be given whatever else is heard, such as a question from the room.
    """
    if not isinstance(speakers, Speakers):
        return None, None
    known = 1 if speakers.single == STOCK else speakers.num_speakers
    return (known, known) if known is not None else (speakers.min_speakers, speakers.max_speakers)


def check(job: Job) -> None:
    """Raises EngineUnavailable where the engine lacks what it takes."""
    wanted = params(job)
    licences.require(job, "diarize", wanted)
    catalogue.diarizer(wanted.engine).check(wanted)


def engine(job: Job) -> Engine:
    wanted = params(job)
    return catalogue.diarizer(wanted.engine).identity(wanted)


STAGE = Stage(
    name="diarize",
    version=3,
    scope="lesson",
    needs=("split/speech.wav", "split/pieces.json"),
    makes=("turns.json",),
    params=params,
    run=run,
    engine=engine,
    check=check,
)
