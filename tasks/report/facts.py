"""What a course's report tells: where every target stands, and which lines a human should look at first.

Records are read one at a time and let go: what is kept of a target is small, however long its lesson is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from manifests.model import Job
from manifests.record import LineVoice, Problem, Record, RecordLine
from manifests.shelves import held
from manifests.target_row import TargetRow
from tasks.told_problems import in_a_row, problems_text
from tasks.utterances import DOUBTFUL

State = Literal["failed", "blocked", "partial", "review", "running", "new", "done"]

Kind = Literal["missing", "flagged", "over soft max", "low confidence", "check"]

KINDS: tuple[Kind, ...] = ("missing", "flagged", "over soft max", "low confidence", "check")
"""Why a line wants a human, the most urgent first."""

KEPT = 25
"""Lines of one target that are kept of those that want a human: a page of a library shows no more of it anyway."""

_TOLD_OTHERWISE = ("fast ", "low confidence")
"""Flags that say what a kind of its own says."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command to type, and why."""

    command: str
    why: str

    def as_dict(self) -> dict[str, str]:
        return {"command": self.command, "why": self.why}


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One line of one target that wants a human."""

    target: str
    """`lesson:language`."""
    id: str
    kind: Kind
    why: str
    severity: float
    """Within its kind; more is more urgent."""
    source: str
    text: str
    start: float

    @property
    def urgency(self) -> tuple[int, float, str, float]:
        """Sorts the most urgent line first."""
        return KINDS.index(self.kind), -self.severity, self.target, self.start


@dataclass(frozen=True, slots=True)
class VoiceUse:
    """A voice in a target, and how many lines it speaks there."""

    speaker: str
    kind: str
    name: str
    engine: str
    person: str
    consent: str
    reason: str
    lines: int
    similarity: float | None
    """The least of its lines'."""


@dataclass(frozen=True, slots=True)
class Away:
    """A finished file at an address."""

    address: str
    fetch: Callable[[Path], Path | None]
    """Copies it into a folder; None where it is gone."""
    beside: bool
    """Whether the page goes to the same address, so that it can link to what lies there."""


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """Where one target stands, and what its record says in short. Times in seconds, levels in LUFS and dBTP."""

    job: Job
    state: State
    reason: str
    """Why it is not done; empty where it is."""
    stage: str = ""
    updated: str = ""
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    record: Path | None = None
    output: Path | None = None
    away: Away | None = None
    """Of a target whose finished file is at an address."""
    subtitles: Path | None = None
    duration_s: float | None = None
    lines: int = 0
    missing: int = 0
    rates: tuple[float, ...] = ()
    """How fast each line is heard, the engine's own speed included."""
    lufs: float | None = None
    aimed_lufs: float | None = None
    peak_dbtp: float | None = None
    disclosure: Mapping[str, Any] = field(default_factory=dict[str, Any])
    voices: tuple[VoiceUse, ...] = ()
    attention: tuple[LineFacts, ...] = ()
    """The most urgent of the lines that want a human; `wanting` is how many there are, by kind."""
    wanting: Mapping[Kind, int] = field(default_factory=dict[Kind, int])
    notes: tuple[str, ...] = ()

    @property
    def linked(self) -> bool:
        """Whether the page, where it lies, can link to the files."""
        return self.away is None or self.away.beside

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def language(self) -> str:
        return self.job.language or ""


def survey(jobs: Iterable[Job], known: Mapping[tuple[str, str], TargetRow]) -> Iterator[TargetFacts]:
    """What is known of every target, in the manifest's order: what the ledger says, and the record beside its output.

    Without a row (the workspace may be gone) the record alone speaks; a record that cannot be read is said to be so.
    """
    for job in jobs:
        row = known.get((job.lesson_id, job.language or ""))
        path = _record_path(job, row)
        if path is None:
            yield _without_record(job, row)
            continue
        try:
            record = Record.read(path)
        except (OSError, ValidationError):
            facts = _without_record(job, row)
            yield _noted(facts, f"the record {path.name} cannot be read")
            continue
        yield _with_record(job, row, path, record)


def _record_path(job: Job, row: TargetRow | None) -> Path | None:
    """Where the target's record is: beside the output that the ledger names, in its place, or held for review."""
    name = f"{job.lesson_id}.{job.language}.dub.json"
    beside = [Path(row.output).with_name(name)] if row is not None and row.output else []
    places = (*beside, held(job.out / name), job.out / name)
    return next((place for place in places if place.is_file()), None)


def _without_record(job: Job, row: TargetRow | None) -> TargetFacts:
    if row is None:
        return TargetFacts(job, "new", "It never ran.")
    return TargetFacts(
        job, row.state, _reason(row), stage=row.stage, updated=row.updated, stages=row.stages, notes=_unheard(row)
    )


def _unheard(row: TargetRow) -> tuple[str, ...]:
    gone = row.state in ("done", "partial", "review") and row.output
    return (f"{Path(row.output).name} and its record are gone; the next run makes them again",) if gone else ()


def _noted(facts: TargetFacts, note: str) -> TargetFacts:
    return replace(facts, notes=(*facts.notes, note))


def _with_record(job: Job, row: TargetRow | None, path: Path, record: Record) -> TargetFacts:
    state: State = row.state if row is not None else record.state
    output = path.parent / Path(record.output.path).name
    subtitles = output.with_suffix(".srt")
    wanting = sorted(attention(job, record), key=lambda line: line.urgency)
    earlier = state in ("failed", "blocked")
    stages = (row.stages if row is not None else None) or {
        name: run.model_dump(mode="json") for name, run in record.stages.items()
    }
    return TargetFacts(
        job,
        state,
        _reason(row) if row is not None else problems_text(map(Problem.model_dump, record.problems)),
        stage=row.stage if row is not None else "",
        updated=row.updated if row is not None else "",
        stages=stages,
        record=path,
        output=output if output.is_file() else None,
        subtitles=subtitles if subtitles.is_file() else None,
        duration_s=record.output.duration,
        lines=len(record.lines),
        missing=sum(line.placed is None for line in record.lines),
        rates=tuple(rate for line in record.lines if (rate := heard_rate(line)) is not None),
        lufs=record.loudness.integrated_lufs,
        aimed_lufs=record.mix.target_lufs if record.mix else None,
        peak_dbtp=record.loudness.true_peak_dbtp,
        disclosure=record.disclosure.model_dump(mode="json"),
        voices=_voices(record.lines),
        attention=tuple(wanting[:KEPT]),
        wanting=Counter(line.kind for line in wanting),
        notes=(*(("what lies there is of an earlier run",) if earlier else ()), *record.notes),
    )


def _reason(row: TargetRow) -> str:
    return row.message or problems_text(row.problems)


def heard_rate(line: RecordLine) -> float | None:
    """How many times its natural speed a listener hears a line at; None where it is not spoken."""
    if line.take is None or line.placed is None:
        return None
    return line.placed.rate * line.take.engine_rate


def attention(job: Job, record: Record) -> Iterator[LineFacts]:
    """The lines of a record that want a human, each with the most urgent of its reasons first and all of them said."""
    missing = {problem.line: problem.message for problem in record.problems if problem.line}
    for line in record.lines:
        reasons = list(_reasons(line, missing.get(line.id), job.course.timing.soft_max))
        if not reasons:
            continue
        kind, severity, _ = reasons[0]
        yield LineFacts(
            target=job.name,
            id=line.id,
            kind=kind,
            why=in_a_row(why for _, _, why in reasons),
            severity=severity,
            source=line.source.text,
            text=line.text.value,
            start=line.placed.start if line.placed else line.source.start,
        )


def _reasons(line: RecordLine, problem: str | None, soft_max: float) -> Iterator[tuple[Kind, float, str]]:
    """Kind, severity and words, the most urgent first."""
    if problem is not None or line.placed is None:
        yield "missing", line.source.end - line.source.start, problem or "it is not spoken"
    flags = [flag for flag in line.flags if not flag.startswith(_TOLD_OTHERWISE)]
    if flags:
        yield "flagged", float(len(flags)), ", ".join(flags)
    rate = heard_rate(line)
    if rate is not None and round(rate, 2) > soft_max:
        yield "over soft max", rate, f"spoken at {rate:.2f}x, above {soft_max:g}x"
    if line.source.text and line.source.confidence < DOUBTFUL:
        yield "low confidence", 1 - line.source.confidence, f"heard with confidence {line.source.confidence:.2f}"
    if line.text.checks:
        yield "check", float(len(line.text.checks)), ", ".join(line.text.checks)


def _voices(lines: Sequence[RecordLine]) -> tuple[VoiceUse, ...]:
    used: dict[tuple[str, LineVoice], list[float | None]] = {}
    for line in lines:
        voice = line.voice.model_copy(update={"similarity": None, "seed": None})
        used.setdefault((line.speaker, voice), []).append(line.voice.similarity)
    return tuple(
        VoiceUse(
            speaker=speaker,
            kind=voice.kind,
            name=voice.name,
            engine=voice.engine,
            person=voice.person or "",
            consent=voice.consent or "",
            reason=voice.reason or "",
            lines=len(similar),
            similarity=min((value for value in similar if value is not None), default=None),
        )
        for (speaker, voice), similar in used.items()
    )
