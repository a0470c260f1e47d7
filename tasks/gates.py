"""Quality gates: where a finished target is below what its course asks for, each with the number that says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from manifests.glossary import Term
from manifests.record import Disclosure, Loudness, Problem, RecordLine, Timing
from tasks import terms
from tasks.loudness import PROFILES
from tasks.mix_measures import SQUEEZED, Mix
from tasks.numbers import lost
from tasks.read_back import ReadBack

Gate = Literal["timing", "loudness", "disclosure", "similarity", "numbers", "leakage", "glossary", "read_back"]

JUDGED_WORDS = 6
"""A line of at least so many words is judged by itself: reading a shorter one back is a matter of luck."""

PEAK_TOLERANCE = 0.1
"""Decibels that a true peak may be measured above its limit: the measure's own error (BS.1770-4, annex 2)."""


@dataclass(frozen=True, slots=True)
class Gates:
    """The limits of a course; None where there is no gate."""

    timing: float | None = None
    """Least share of speech between 0.90x and 1.25x. Overlaps, cut words and rates above `hard_max` never pass."""
    loudness: float | None = None
    """Most LU from the loudness that was aimed at; the profile's true peak holds too."""
    disclosure: float | None = None
    """Least watermark score in the finished file; what else the manifest asks for must be there too."""
    similarity: float | None = None
    """Least similarity of every cloned line to the person's voice."""
    numbers: float | None = None
    """Least share of the source's numbers that the dub says too."""
    leakage: float | None = None
    """Most of the original's voice that is left under the dub, as a share of its level."""
    glossary: float | None = None
    """Least share of the glossary's terms that the dub says as it has them."""
    read_back: float | None = None
    """Least share of the dub's words that are recognized in it; half of that for any line of `JUDGED_WORDS`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the gates look at."""

    timing: Timing
    loudness: Loudness
    disclosure: Disclosure
    mix: Mix
    hard_max: float
    titled: bool
    """Whether there is a subtitle file that could show the disclosure."""
    lines: tuple[RecordLine, ...] = ()
    source_language: str = "en"
    language: str = "en"
    terms: tuple[Term, ...] = ()
    read_back: ReadBack | None = None
    unread: str = ""
    """Why nobody could read the dub back."""


def failed(gates: Gates, found: Measured, speaks: bool) -> tuple[Problem, ...]:
    """What does not pass; nothing where the target says nothing and its sound is the source's own."""
    if not speaks:
        return ()
    said: dict[Gate, list[str]] = {
        "timing": list(_timing(gates.timing, found)) if gates.timing is not None else [],
        "loudness": list(_loudness(gates.loudness, found)) if gates.loudness is not None else [],
        "disclosure": list(_disclosure(gates.disclosure, found)) if gates.disclosure is not None else [],
        "similarity": list(_similarity(gates.similarity, found)) if gates.similarity is not None else [],
        "numbers": list(_numbers(gates.numbers, found)) if gates.numbers is not None else [],
        "leakage": list(_leakage(gates.leakage, found)) if gates.leakage is not None else [],
        "glossary": list(_glossary(gates.glossary, found)) if gates.glossary is not None else [],
        "read_back": list(_read_back(gates.read_back, found)) if gates.read_back is not None else [],
    }
    return tuple(Problem(stage="verify", gate=gate, message=message) for gate, all_ in said.items() for message in all_)


def _timing(limit: float, found: Measured) -> Iterator[str]:
    timing = found.timing
    if timing.overlap_s > 0:
        yield f"two lines speak at once for {timing.overlap_s:.3f} s."
    if timing.cut_s > 0:
        yield f"{timing.cut_s:.3f} s of takes are cut off."
    if timing.max_rate is not None and timing.max_rate > found.hard_max + 0.005:
        yield f"a line is spoken at {timing.max_rate:.2f}x; `hard_max` is {found.hard_max:.2f}."
    if timing.rate_compliance is not None and timing.rate_compliance < limit:
        yield f"{timing.rate_compliance:.2f} of the speech is between 0.90x and 1.25x; the gate asks for {limit:g}."


def _loudness(limit: float, found: Measured) -> Iterator[str]:
    profile, loudness = PROFILES[found.mix.profile], found.loudness
    aim, heard = found.mix.target_lufs, loudness.integrated_lufs
    if found.mix.profile == "source" and found.mix.limited_db > SQUEEZED:
        aim = found.mix.integrated_lufs  # a source beyond what its peaks allow is no norm: nobody could do better
    if aim is not None and not profile.of_speech:
        if heard is None:
            yield f"the dub is silent; {aim:.1f} LUFS were aimed at."
        elif abs(heard - aim) > limit:
            off = abs(heard - aim)
            yield f"{heard:.1f} LUFS, {off:.1f} LU from the {aim:.1f} aimed at; the gate allows {limit:g}."
    peak = loudness.true_peak_dbtp
    if peak is not None and peak > profile.peak_dbtp + PEAK_TOLERANCE:
        yield f"a true peak of {peak:.1f} dBTP; at most {profile.peak_dbtp:.1f} are allowed."


def _disclosure(limit: float, found: Measured) -> Iterator[str]:
    told = found.disclosure
    off = told.switched_off
    score = told.watermark_score or 0.0
    if "watermark" not in off and score < limit:
        yield f"the watermark scores {score:.2f} in the finished file; the gate asks for {limit:g}."
    if "credentials" not in off and told.content_credentials in ("none", "altered"):
        yield f"the content credentials are {told.content_credentials}."
    if "tags" not in off and not told.container_tag:
        yield "no tag of the file says that its speech is synthetic."
    if "subtitle" not in off and found.titled and not told.shown:
        yield "the subtitles do not say that the speech is synthetic."


def _similarity(limit: float, found: Measured) -> Iterator[str]:
    """Lines that are too short to be compared have no number, and are not judged."""
    spoken = ((line.id, line.voice) for line in found.lines if line.placed and line.voice.kind == "clone")
    alike = [(name, voice.similarity) for name, voice in spoken if voice.similarity is not None]
    below = [f"{name} ({value:.2f})" for name, value in alike if value < limit]
    if below:
        lines = "line sounds" if len(below) == 1 else "lines sound"
        yield f"{len(below)} cloned {lines} less like the person than {limit:g}: {_some(below)}."


def _numbers(limit: float, found: Measured) -> Iterator[str]:
    """Of the lines that are spoken; the others are problems of their own."""
    meant, missing, where = 0, 0, list[str]()
    for line in found.lines:
        if line.placed:
            count, gone = lost(line.source.text, found.source_language, line.text.value, found.language)
            meant, missing = meant + count, missing + len(gone)
            where += [f"{line.id} ({', '.join(gone)})"] if gone else []
    kept = 1 - missing / meant if meant else 1.0
    if kept < limit:
        share = f"{kept:.2f} of the source's numbers are said; the gate asks for {limit:g}"
        yield f"{share}. Lacking in line {_some(where)}."


def _glossary(limit: float, found: Measured) -> Iterator[str]:
    """Of the lines that are spoken, as `_numbers`."""
    meant, missing, where = 0, 0, list[str]()
    for line in found.lines:
        if line.placed:
            text = line.source.text
            meant += len(terms.wanted(found.terms, text, found.source_language))
            gone = terms.lacking(found.terms, text, found.source_language, line.text.value, found.language)
            missing += len(gone)
            where += [f"{line.id} ({', '.join(term.term for term in gone)})"] if gone else []
    kept = 1 - missing / meant if meant else 1.0
    if kept < limit:
        share = f"{kept:.2f} of the glossary's terms are said; the gate asks for {limit:g}"
        yield f"{share}. Lacking in line {_some(where)}."


def _read_back(limit: float, found: Measured) -> Iterator[str]:
    """A dub that nobody can read is for somebody to hear; where nothing was to be read, there is nothing to judge."""
    if found.read_back is None:
        yield f"nobody here can read the dub back: {found.unread} Let somebody listen who knows {found.language}."
        return
    share, lines = found.read_back.share, found.read_back.lines
    worst = sorted(lines, key=lambda name: lines[name].share)
    if share is not None and share < limit:
        said = f"{share:.2f} of the dub's words are understood when it is read back; the gate asks for {limit:g}"
        yield f"{said}. Least in line {_some([f'{name} ({lines[name].share:.2f})' for name in worst])}."
        return
    poor = [name for name in worst if lines[name].words >= JUDGED_WORDS and lines[name].share < limit / 2]
    if poor:
        which = "line is" if len(poor) == 1 else "lines are"
        below = _some([f"{name} ({lines[name].share:.2f})" for name in poor])
        yield f"{len(poor)} {which} not understood when read back, less than {limit / 2:g} of the words: {below}."


def _leakage(limit: float, found: Measured) -> Iterator[str]:
    """Where too little was heard to tell, there was too little to leak."""
    left = found.mix.leakage_db
    if left is not None and (share := 10 ** (left / 20)) > limit:
        yield f"{share:.3f} of the original's voice is left under the dub ({left:.0f} dB); the gate allows {limit:g}."


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
