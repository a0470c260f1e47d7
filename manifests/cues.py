"""Cue files: the subtitles and captions that people made, as SubRip, WebVTT or TTML.

Parsed by our own code, because what people made is often slightly broken and nothing of it may be lost: of the
libraries tried, pysubs2 takes a time stamp inside a WebVTT cue for a new cue and stops at a TTML paragraph that has a
duration instead of an end, and webvtt-py leaves out a SubRip block whose number is missing. Here a cue whose times
cannot be read keeps its text and is a finding.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from manifests.errors import Finding, InputError

FORMATS: Final = (".srt", ".vtt", ".ttml", ".dfxp", ".xml")
MOST_BYTES: Final = 20_000_000
"""A cue file of three hours holds a few hundred kilobytes."""

_ARROW = re.compile(r"^\s*(\S+)\s*-->\s*(\S*)")
_CLOCK = re.compile(r"^(-?)(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,6}))?$")
_TTML_FRAMES = re.compile(r"^(\d+):(\d{2}):(\d{2}):(\d+(?:\.\d+)?)$")
_TTML_OFFSET = re.compile(r"^(\d+(?:\.\d+)?)(h|ms|m|s|f|t)$")
_SPEAKER = re.compile(r"<v(?:\.[^\s>]+)*\s+([^>]+)>")
_MARKUP = re.compile(r"</?[A-Za-z0-9][^<>]*>|</>|\{\\[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at one time."""

    start: float | None
    """Seconds; None, as `end`, where the file's times make no sense."""
    end: float | None
    lines: tuple[str, ...]
    """Plain text without markup, a row each; never empty."""
    speaker: str | None
    at: int
    """The line of the file, from 1."""


@dataclass(frozen=True, slots=True)
class Cues:
    """A cue file as far as it can be understood."""

    cues: tuple[Cue, ...]
    """In the file's order."""
    findings: tuple[Finding, ...]
    """What is wrong in it and was tolerated."""


def read(path: Path) -> Cues:
    """Read a cue file. Raises InputError where it cannot be read, is of another kind, or holds no cue."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is too big for a cue file.", remedy=f"Name a {_known()} file.")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.", remedy="Check its name and its permissions."
        ) from error
    text, findings = _decoded(raw, path)
    if path.suffix.lower() in (".ttml", ".dfxp", ".xml") or text.lstrip().startswith(("<?xml", "<tt")):
        found = list(_timed_text(text, path, findings))
    else:
        found = list(_blocks(text, path, findings))
    cues = tuple(cue for cue in found if cue.lines)
    if not cues:
        raise InputError(f"{path} holds no cue.", remedy=f"It should be a {_known()} file with text in it.")
    return Cues(cues, tuple(findings))


def _known() -> str:
    return ", ".join(FORMATS[:-1]) + f" or {FORMATS[-1]}"


def _decoded(raw: bytes, path: Path) -> tuple[str, list[Finding]]:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace"), []
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        said = Finding(str(path), line, "this is not UTF-8; it is read as Windows-1252. Save it as UTF-8.")
        return raw.decode("cp1252", errors="replace"), [said]


def _blocks(text: str, path: Path, findings: list[Finding]) -> Iterator[Cue]:
    """SubRip and WebVTT: whatever follows a line with an arrow, up to a blank line or the next arrow."""
    rows = text.splitlines()
    arrows = [index for index, row in enumerate(rows) if "-->" in row]
    for index, following in pairwise([*arrows, len(rows)]):
        body: list[str] = []
        for at in range(index + 1, following):
            row = rows[at]
            is_number = row.strip().isdigit() and at + 1 == following and following < len(rows)
            if is_number or (not row.strip() and any(part.strip() for part in body)):
                break
            body.append(row)
        found = _ARROW.match(rows[index])
        times = tuple(_clock(part) for part in found.groups()) if found else (None, None)
        start, end = _sensible(*times, path=path, at=index + 1, shown=rows[index].strip(), findings=findings)
        speaker = _SPEAKER.search(" ".join(body))
        yield Cue(start, end, _plain(body), speaker[1].strip() if speaker else None, index + 1)


def _sensible(
    start: float | None, end: float | None, *, path: Path, at: int, shown: str, findings: list[Finding]
) -> tuple[float | None, float | None]:
    if start is None or end is None or start < 0 or end <= start:
        findings.append(Finding(str(path), at, f"`{shown}` is not a time that can be; its text is used without it."))
        return None, None
    return start, end


def _clock(text: str) -> float | None:
    found = _CLOCK.match(text)
    if not found:
        return None
    sign, hours, minutes, seconds, fraction = found.groups()
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return (-1 if sign else 1) * round(whole + float(f"0.{fraction or 0}"), 6)


def _plain(rows: list[str]) -> tuple[str, ...]:
    texts = (html.unescape(_MARKUP.sub("", row)).replace("\u200b", "").strip() for row in rows)
    return tuple(" ".join(text.split()) for text in texts if text)


def _timed_text(text: str, path: Path, findings: list[Finding]) -> Iterator[Cue]:
    """TTML 1 and 2, and its older name DFXP: every paragraph, its times relative to what holds it."""
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))  # noqa: S314 (expat bounds its entities)
    except ElementTree.ParseError as error:
        raise InputError(
            f"{path}:{error.position[0]}: this is not well-formed XML.", remedy="Export the captions again."
        ) from error
    settings = {_local(name): value for name, value in root.attrib.items()}
    frames = _number(settings.get("frameRate"), 30.0) * _ratio(settings.get("frameRateMultiplier"))
    ticks = _number(settings.get("tickRate"), frames)

    def walk(node: ElementTree.Element, origin: float) -> Iterator[Cue]:
        begin = _offset(node.get("begin", "0s"), frames, ticks)
        if _local(node.tag) != "p":
            for child in node:
                yield from walk(child, origin + (begin or 0.0))
            return
        last = _offset(node.get("end", ""), frames, ticks)
        lasts = _offset(node.get("dur", ""), frames, ticks)
        if last is None and begin is not None and lasts is not None:
            last = begin + lasts
        at = len(made) + 1
        shown = f"begin={node.get('begin')} end={node.get('end')}"
        start, end = _sensible(
            None if begin is None else origin + begin,
            None if last is None else origin + last,
            path=path,
            at=at,
            shown=shown,
            findings=findings,
        )
        made.append(at)
        yield Cue(start, end, _plain("".join(_spoken(node)).split("\n")), None, at)

    made: list[int] = []
    yield from walk(root, 0.0)


def _spoken(node: ElementTree.Element) -> Iterator[str]:
    yield " ".join((node.text or "").split("\n"))
    for child in node:
        if _local(child.tag) == "br":
            yield "\n"
        elif _local(child.tag) != "metadata":
            yield from _spoken(child)
        yield " ".join((child.tail or "").split("\n"))


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _offset(text: str, frames: float, ticks: float) -> float | None:
    """A TTML time expression (TTML2, 12.3.1) in seconds."""
    if found := _TTML_FRAMES.match(text):
        hours, minutes, seconds, count = found.groups()
        return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(count) / frames
    if found := _TTML_OFFSET.match(text):
        unit = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "f": 1 / frames, "t": 1 / ticks}[found[2]]
        return float(found[1]) * unit
    return _clock(text)


def _number(text: str | None, otherwise: float) -> float:
    return float(text) if text and re.fullmatch(r"\d+(\.\d+)?", text) and float(text) > 0 else otherwise


def _ratio(text: str | None) -> float:
    parts = (text or "").split()
    return _number(parts[0], 1.0) / _number(parts[1], 1.0) if len(parts) == 2 else 1.0
