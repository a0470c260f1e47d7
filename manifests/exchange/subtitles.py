"""Subtitles: one cue a line, its number or identifier the line's id, its time the utterance's; emphasis in italics.

WebVTT carries the notes before each cue; SubRip has no place for any.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from manifests.errors import Finding, ManifestError
from manifests.exchange.entry import Entry, Heading, Returned, decoded, pieces, tidy

_ARROW = re.compile(r"^\s*(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?\s*-->")
_ITALICS = re.compile(r"<(/?)(?:i|em)>", re.IGNORECASE)
_NO_CUE = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_OTHER_TAG = re.compile(r"</?(?:b|u|font|c|v|lang|ruby|rt)(?:[\s.][^<>]*)?>|\{\\[^{}]*\}|<\d[\d:.]*>", re.IGNORECASE)


def subrip(entries: Sequence[Entry], heading: Heading) -> str:
    """Lines as SubRip."""
    return "\n".join(
        f"{each.id}\n{_clock(each.start, ',')} --> {_clock(each.end, ',')}\n{_marked(each.text)}\n" for each in entries
    )


def webvtt(entries: Sequence[Entry], heading: Heading) -> str:
    """Lines as WebVTT, with notes."""
    of = f"{heading.course}, {heading.lesson}, {heading.source_language} to {heading.language}"
    blocks = [f"WEBVTT\n\nNOTE {_noted(of)}\n"]
    for each in entries:
        notes = [
            f"{each.id}: {each.source}",
            *(f"{about}: {note}" for about, note in each.notes),
            f"now: {each.origin}",
        ]
        rows = "\n".join(_noted(note) for note in notes)
        times = f"{_clock(each.start, '.')} --> {_clock(each.end, '.')}"
        blocks.append(f"NOTE\n{rows}\n\n{each.id}\n{times}\n{_marked(each.text)}\n")
    return "\n".join(blocks)


def read(raw: bytes, name: str) -> list[Returned]:
    """The cues of a SubRip or WebVTT file. Raises ManifestError where one has no id, or there is none."""
    rows = re.split(r"\r\n|\r|\n", decoded(raw))
    arrows = [at for at, row in enumerate(rows) if "-->" in row]
    findings: list[Finding] = []
    out: list[Returned] = []
    for number, at in enumerate(arrows):
        start = _ARROW.match(rows[at])
        if start is None:
            findings.append(Finding(name, at + 1, f"`{rows[at].strip()}` is no time; keep what was exported."))
            continue
        body = rows[at + 1 : _body_end(rows, at, arrows[number + 1] if number + 1 < len(arrows) else None)]
        hours, minutes, seconds, fraction = start.groups()
        begins = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
        identity = rows[at - 1].strip() if at else ""
        out.append(Returned(at + 1, identity, _plain(" ".join(body)), start=begins))
    if not out and not findings:
        findings.append(Finding(name, 1, "no cue: a row with `-->` between two times is missing."))
    if findings:
        raise ManifestError(findings)
    return out


def _body_end(rows: Sequence[str], at: int, following: int | None) -> int:
    """Where the text of a cue ends: before the next cue's id, or a note."""
    end = len(rows) if following is None else following
    if following is not None and rows[following - 1].strip():
        end = following - 1
    blocks = (row for row in range(at + 2, end) if _NO_CUE.match(rows[row]) and not rows[row - 1].strip())
    return next(blocks, end)


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"


def _marked(text: str) -> str:
    return "".join(
        f"<i>{_escaped(part)}</i>" if emphasized else _escaped(part) for part, emphasized in pieces(tidy(text))
    )


def _escaped(text: str) -> str:
    """Without what a reader would take for a tag, an entity or an arrow."""
    text = re.sub(r"&(?=[#\w])", "&amp;", text)
    return re.sub(r"<(?=[/\w])", "&lt;", text).replace("-->", "--&gt;").replace("{\\", "&#123;\\")


def _noted(text: str) -> str:
    return tidy(text).replace("-->", "-- >")


def _plain(text: str) -> str:
    """The text of a cue as lines have it: italics are emphasis, other markup is an editor's."""
    italics = _ITALICS.sub(r"<\1em>", _OTHER_TAG.sub("", text))
    return tidy(html.unescape(italics))
