"""Lines on their way to a linguist and back: a sheet (`.csv`), subtitles (`.srt`, `.vtt`) or XLIFF 2 (`.xlf`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from manifests.errors import InputError
from manifests.exchange import sheet, subtitles, xliff
from manifests.exchange.entry import Entry, Heading, Returned

WRITERS: Final[Mapping[str, Callable[[Sequence[Entry], Heading], str]]] = {
    ".csv": sheet.written,
    ".srt": subtitles.subrip,
    ".vtt": subtitles.webvtt,
    ".xlf": xliff.written,
    ".xliff": xliff.written,
}
READERS: Final[Mapping[str, Callable[[bytes, str], list[Returned]]]] = {
    ".csv": sheet.read,
    ".srt": subtitles.read,
    ".vtt": subtitles.read,
    ".xlf": xliff.read,
    ".xliff": xliff.read,
}


def kind(path: Path) -> str:
    """The ending that says what a file is. Raises InputError for one that is none of these."""
    ending = path.suffix.lower()
    if ending not in WRITERS:
        raise InputError(
            f"{path} is of no kind that lines are exchanged in.", remedy="Name a .csv, .srt, .vtt or .xlf."
        )
    return ending


def written(path: Path, entries: Sequence[Entry], heading: Heading) -> str:
    """The text of a file of this kind with these lines. Raises InputError for another kind."""
    return WRITERS[kind(path)](entries, heading)


def read(path: Path) -> list[Returned]:
    """The lines that came back in a file, in its order.

    Raises InputError where it cannot be read or is of another kind, ManifestError with every row that is no line.
    """
    reader = READERS[kind(path)]
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.", remedy="Check its name and its permissions."
        ) from error
    return reader(raw, str(path))
