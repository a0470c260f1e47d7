"""The cue list: takes that exist already, and the source lines that each of them replaces.

A JSON file that a studio or another system writes, for `dub assemble`:

    {"language": "es", "lines": [{"id": "1", "start": 0.5, "end": 2.0, "audio": "takes/1.wav", "text": "Hola."}]}

Every fault is found at once, each by file and line, before anything is started.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from json import scanner
from pathlib import Path
from typing import Any, Final, cast

from manifests import languages
from manifests.document import read_text
from manifests.errors import Finding, ManifestError
from manifests.spans import Span

EXAMPLE: Final = '{"language": "es", "lines": [{"id": "1", "start": 0.5, "end": 2.0, "audio": "takes/1.wav"}]}'

KEYS: Final = ("language", "synthetic", "lines")
LINE_KEYS: Final = ("id", "start", "end", "audio", "text", "speaker", "synthetic")

UNNAMED: Final = "SPEAKER_00"
"""Who speaks a line that does not say."""

LONGEST_S: Final = 100 * 3600.0
"""Seconds that no programme exceeds: a larger number is in milliseconds, or frames."""


@dataclass(frozen=True, slots=True)
class CueLine:
    """One line: when the source says it, and the take that is to be heard instead."""

    id: str
    span: Span
    audio: Path
    """As it is written, or below the cue list's folder where that is relative."""
    text: str = ""
    speaker: str = UNNAMED
    synthetic: bool | None = None
    """Whether a machine speaks; None where nobody says."""
    at: int = 1
    """Line of the file that it begins in."""


@dataclass(frozen=True, slots=True)
class CueList:
    """What a cue list says, its lines in order of start."""

    path: Path
    language: str
    lines: tuple[CueLine, ...]
    in_order: bool
    """Whether the file has them in that order too."""

    def finding(self, line: CueLine, message: str) -> Finding:
        """What is wrong with a line, by the place where it stands."""
        return Finding(str(self.path), line.at, f"line {line.id}: {message}")


def read(path: Path) -> CueList:
    """Read a cue list. Raises ManifestError with all findings where it cannot be understood."""
    name = str(path)
    text = read_text(path, name)
    reader = _Reader(name, text)
    try:
        document = reader.decode()
    except json.JSONDecodeError as error:
        raise ManifestError(
            [Finding(name, error.lineno, f"this is no JSON: {error.msg} (column {error.colno}).")]
        ) from error
    except RecursionError as error:
        raise ManifestError([Finding(name, 1, "lists and objects nest too deep for a cue list.")]) from error
    if not isinstance(document, dict):
        raise ManifestError([Finding(name, 1, f"a cue list is an object such as {EXAMPLE}.")])
    made = _Checker(name, path.absolute().parent, reader).cue_list(path, cast("dict[str, Any]", document))
    if reader.findings or made is None:
        raise ManifestError(sorted(reader.findings, key=lambda finding: finding.line))
    return made


class _Object(dict[str, Any]):
    """A JSON object that knows the line of the file in which it begins."""

    line = 1


class _Reader:
    """JSON as plain data whose objects know their lines; keys given twice are findings."""

    def __init__(self, name: str, text: str) -> None:
        self.findings: list[Finding] = []
        self._name = name
        self._text = text
        self._starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]

    def decode(self) -> Any:
        decoder: Any = json.JSONDecoder(object_pairs_hook=self._object)
        parse: Any = decoder.parse_object

        def placed(state: tuple[str, int], *rest: Any) -> tuple[Any, int]:
            value, end = parse(state, *rest)
            value.line = self._line(state[1])
            self.findings += [Finding(self._name, value.line, message) for message in value.pop("\0", ())]
            return value, end

        decoder.parse_object = placed
        decoder.scan_once = cast("Any", scanner).py_make_scanner(decoder)  # the C scanner asks no hook for places
        return decoder.decode(self._text)

    def _object(self, pairs: Sequence[tuple[str, Any]]) -> _Object:
        made = _Object()
        for key, value in pairs:
            if key in made:
                made.setdefault("\0", []).append(f"`{key}` is given twice.")
            made[key] = value
        return made

    def _line(self, offset: int) -> int:
        from bisect import bisect_right

        return bisect_right(self._starts, offset)


class _Checker:
    """Plain data to a cue list; adds to the reader's findings what is wrong."""

    def __init__(self, name: str, folder: Path, reader: _Reader) -> None:
        self._name = name
        self._folder = folder
        self._findings = reader.findings

    def cue_list(self, path: Path, document: dict[str, Any]) -> CueList | None:
        self._known(document, KEYS, "")
        language = self._language(document.get("language"))
        everywhere = self._flag(document, "")
        given = document.get("lines")
        if not isinstance(given, list):
            missing = "is missing" if "lines" not in document else "is not a list"
            self._say(1, f"`lines` {missing}; write {EXAMPLE}.")
            return None
        lines: list[CueLine] = []
        for number, entry in enumerate(cast("list[Any]", given), 1):
            if not isinstance(entry, _Object):
                self._say(
                    1, f"entry {number} of `lines` is {_shown(entry)}, not an object with id, start, end and audio."
                )
                continue
            line = self._line(entry, number, everywhere)
            if line is not None:
                lines.append(line)
        first: dict[str, CueLine] = {}
        for line in lines:
            if line.id in first:
                self._say(line.at, f"line {line.id}: this id stands in line {first[line.id].at} of the file already.")
            first.setdefault(line.id, line)
        if not given:
            self._say(1, "`lines` is empty: there is nothing to assemble.")
        ordered = sorted(lines, key=lambda line: line.span)
        return CueList(path, language, tuple(ordered), ordered == lines)

    def _line(self, entry: _Object, number: int, everywhere: bool | None) -> CueLine | None:
        said = len(self._findings)
        given = entry.get("id")
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        about = f"line {given}: " if isinstance(given, str) and given else f"entry {number}: "
        if not isinstance(given, str) or not given.strip():
            self._wrong(entry, "id", about, "a text", '"id": "1"')
        self._known(entry, LINE_KEYS, about)
        start, end = (self._seconds(entry, key, about) for key in ("start", "end"))
        if start is not None and end is not None and end <= start:
            self._say(entry.line, f"{about}it ends at {end:g} s, which is not after its start at {start:g} s.")
        audio = entry.get("audio")
        if not isinstance(audio, str) or not audio.strip() or "\0" in audio:
            self._wrong(entry, "audio", about, "the path of a sound file", '"audio": "takes/1.wav"')
        for key in ("text", "speaker"):
            if not isinstance(entry.get(key, ""), str):
                self._wrong(entry, key, about, "a text", f'"{key}": "…"')
        synthetic = self._flag(entry, about)
        if len(self._findings) > said or start is None or end is None:
            return None
        return CueLine(
            id=str(given).strip(),
            span=Span.of_seconds(start, end),
            audio=self._folder / Path(str(audio)).expanduser(),
            text=" ".join(str(entry.get("text", "")).split()),
            speaker=str(entry.get("speaker", "")).strip() or UNNAMED,
            synthetic=everywhere if synthetic is None else synthetic,
            at=entry.line,
        )

    def _seconds(self, entry: _Object, key: str, about: str) -> float | None:
        value = entry.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._wrong(entry, key, about, "a number of seconds", f'"{key}": 0.5')
            return None
        if value < 0:
            self._say(entry.line, f"{about}`{key}` is {value:g} s, before the programme begins.")
            return None
        if value > LONGEST_S:
            self._say(entry.line, f"{about}`{key}` is {value:g}; times are seconds, and no programme is that long.")
            return None
        return float(value)

    def _language(self, value: Any) -> str:
        if not isinstance(value, str):
            missing = "is missing" if value is None else f"is {_shown(value)}"
            self._say(1, f'`language` {missing}; write the language of the takes, such as "language": "es".')
            return "und"
        try:
            return languages.parse(value)
        except ValueError as error:
            self._say(1, f"`language`: {error}")
            return "und"

    def _flag(self, entry: Mapping[str, Any], about: str) -> bool | None:
        value = entry.get("synthetic")
        if value is not None and not isinstance(value, bool):
            self._wrong(entry, "synthetic", about, "true or false", '"synthetic": true')
            return None
        return value

    def _known(self, entry: Mapping[str, Any], keys: Sequence[str], about: str) -> None:
        for key in entry:
            if key not in keys:
                near = get_close_matches(key.lower(), keys, n=1)
                advice = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(keys)}."
                self._say(_line_of(entry), f"{about}unknown key `{key}`; {advice}")

    def _wrong(self, entry: Mapping[str, Any], key: str, about: str, kind: str, example: str) -> None:
        what = f"is {_shown(entry[key])}, not {kind}" if key in entry else "is missing"
        self._say(_line_of(entry), f"{about}`{key}` {what}; write {example}.")

    def _say(self, line: int, message: str) -> None:
        self._findings.append(Finding(self._name, line, message))


def _line_of(entry: Mapping[str, Any]) -> int:
    return entry.line if isinstance(entry, _Object) else 1


def overlaps(lines: Sequence[CueLine]) -> Iterator[tuple[CueLine, CueLine]]:
    """Each line (in order of start) with an earlier one of the same speaker that is not over when it begins."""
    last: dict[str, CueLine] = {}
    for line in lines:
        before = last.get(line.speaker)
        if before is not None and before.span.end > line.span.start:
            yield line, before
        if before is None or line.span.end > before.span.end:
            last[line.speaker] = line


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"
