"""Reading a dub back: what a recognizer hears in the finished file where each line is spoken, against its text.

Whoever speaks a line, a machine or a person, it is heard as a viewer hears it: in its place and at its speed, over what
is left of the original, after the encoding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

from manifests import emphasis
from manifests import record as record_of
from manifests.errors import InputError
from manifests.record import LineReadBack, Record
from manifests.script import Lines, dump, load
from manifests.spans import ANALYSIS_RATE, RATE, Span, samples
from manifests.store import file_sha256
from manifests.timeline import Timeline
from tasks import speech_text
from tasks.best_take import word_errors
from tasks.engines import catalogue
from tasks.engines.protocols import Hearing, Reader
from tasks.process import file_argument, run_program
from tasks.spoken_form import spoken
from tasks.stage import Workbench, digest

VERSION = 1
"""Changes when the same sound would be read differently."""

_AROUND_S = 0.2
"""Quiet that is heard on either side of a line, as far as no other line speaks there."""

_TOGETHER_S = 0.3
"""From so much of it on, a line over which another one speaks is not judged: nobody could read both."""


_WORST = 5
"""Lines that the record names as the worst."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, read back."""

    heard: str
    """In lower case, numbers in words."""
    words: int
    """Of the text."""
    errors: int
    """Words that were heard wrong, left out or added, `words` at most."""

    @property
    def share(self) -> float:
        """Of its words, how many were understood."""
        return 1 - self.errors / self.words


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A dub, read back."""

    by: str
    """Name and version of who read."""
    lines: dict[str, Line]
    """By id; a line that says nothing, or over which another one speaks, is not there."""

    @property
    def share(self) -> float | None:
        """Share of all words that were understood; None where there was nothing to be read."""
        words = sum(line.words for line in self.lines.values())
        return 1 - sum(line.errors for line in self.lines.values()) / words if words else None


def read_back(
    finished: Path, track: int, lines: Lines, timeline: Timeline, hearing: Hearing, bench: Workbench
) -> ReadBack:
    """What is understood of audio track `track` of a finished file, line by line; the same sound is heard once.

    Raises EngineUnavailable or StageFailed where it cannot be decoded or the recognizer breaks.
    """
    engine = catalogue.transcriber(hearing.engine)
    who = engine.identity(hearing)
    texts = {line.id: said(emphasis.plain(line.text), lines.language) for line in lines.lines}
    parts = {name: span for name, span in places(timeline).items() if texts.get(name)}
    speech = _decoded(finished, track, bench.scratch / "read-back.wav", 600 + timeline.length / RATE)
    facts = {
        "version": VERSION,
        "sound": file_sha256(speech),
        "parts": [[name, span.start, span.end, texts[name]] for name, span in parts.items()],
        "by": [who.name, who.weights_sha256, hearing.language, hearing.options],
    }

    def make(folder: Path) -> Path:
        heard = _heard(speech, parts, texts, hearing, bench)
        return dump(ReadBack(f"{who.name} {who.version}", heard), folder / "read-back.json")

    try:
        return load(ReadBack, bench.store.made("read_back", digest(facts), make))
    finally:
        speech.unlink(missing_ok=True)


def read_by(hearing: Hearing) -> tuple[str, str | None]:
    """Who reads, for a stage's key."""
    who = catalogue.transcriber(hearing.engine).identity(hearing)
    return f"{who.name} {VERSION}", who.weights_sha256


def told(record: Record, read: ReadBack) -> Record:
    """A record with what was understood of the dub."""
    lines = tuple(
        line.model_copy(update={"read_back": LineReadBack(heard=found.heard, share=round(found.share, 4))})
        if (found := read.lines.get(line.id))
        else line
        for line in record.lines
    )
    worst = sorted(read.lines, key=lambda name: (read.lines[name].share, int(name)))[:_WORST]
    share = None if read.share is None else round(read.share, 4)
    summary = record_of.ReadBack(by=read.by, share=share, lines=len(read.lines), worst=tuple(worst))
    return record.model_copy(update={"lines": lines, "read_back": summary})


def places(timeline: Timeline) -> dict[str, Span]:
    """Where each line is heard, with a little quiet around it; not those over which others speak."""
    placed = sorted(timeline.placements, key=lambda placement: placement.span)
    shared = [0] * len(placed)
    for at, one in enumerate(placed):
        for after, other in enumerate(placed[at + 1 :], at + 1):
            if other.span.start >= one.span.end:
                break
            both = one.span.overlap(other.span)
            shared[at], shared[after] = shared[at] + both, shared[after] + both
    around = samples(_AROUND_S)
    edges = [0, *((one.span.end + other.span.start) // 2 for one, other in pairwise(placed)), timeline.length]
    return {
        placement.line: Span(
            min(placement.span.start, max(edges[at], placement.span.start - around)),
            max(placement.span.end, min(edges[at + 1], placement.span.end + around)),
        )
        for at, placement in enumerate(placed)
        if shared[at] < samples(_TOGETHER_S)
    }


def said(text: str, language: str) -> tuple[str, ...]:
    """A text's words as they are said, in lower case, whoever wrote it: a translator, a linguist or a recognizer."""
    return tuple(part for word in speech_text.said(text, language).split() for part in spoken(word, language))


def _heard(
    speech: Path,
    parts: Mapping[str, Span],
    texts: Mapping[str, tuple[str, ...]],
    hearing: Hearing,
    bench: Workbench,
) -> dict[str, Line]:
    engine = catalogue.transcriber(hearing.engine)
    if hasattr(engine, "read"):
        asked = [(span, texts[name]) for name, span in parts.items()]
        found: Sequence[tuple[str, ...]] = cast("Reader", engine).read(
            speech, asked, hearing, cores=bench.cores, tell=bench.tell
        )
    else:
        found = _dictated(speech, list(parts.values()), hearing, bench)
    return {name: _compared(texts[name], heard) for name, heard in zip(parts, found, strict=True)}


def _dictated(speech: Path, parts: Sequence[Span], hearing: Hearing, bench: Workbench) -> list[tuple[str, ...]]:
    """What is heard in each part by whom nobody tells what is said; nothing in what is clearly another language."""
    engine = catalogue.transcriber(hearing.engine)
    try:
        words = engine.recognize(speech, parts, hearing, cores=bench.cores, tell=bench.tell)
    except InputError:
        words = ()
    heard: list[list[str]] = [[] for _ in parts]
    for word in words:
        middle = (word.span.start + word.span.end) // 2
        at = next((at for at, part in enumerate(parts) if part.start <= middle < part.end), None)
        if at is not None:
            heard[at].append(word.text)
    return [said(" ".join(texts), hearing.language) for texts in heard]


def _compared(text: tuple[str, ...], heard: tuple[str, ...]) -> Line:
    wrong = min(1.0, word_errors(" ".join(text), " ".join(heard)))
    return Line(" ".join(heard), len(text), round(wrong * len(text)))


def _decoded(finished: Path, track: int, out: Path, timeout_s: float) -> Path:
    """A track as it is played, in one channel at 16 kHz."""
    timely = f"aresample={ANALYSIS_RATE}:async=1:first_pts=0"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", file_argument(finished), "-map", f"0:a:{track}"]
    run_program([*command, "-af", timely, "-ac", "1", "-c:a", "pcm_s16le", "-y", str(out)], timeout_s)
    return out
