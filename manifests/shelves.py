"""Where finished files lie: in the course's folder, or on a shelf beside it.

A target's files are written to `out/review/<course>/` and moved to `out/<course>/` when they were verified and no gate
holds them. So the course's folder never holds what nobody has looked at. What may no longer be used lies in
`out/withdrawn/<course>/`, where it is out of the way and its owner can still delete or keep it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

REVIEW, WITHDRAWN = "review", "withdrawn"

SHELVES = (REVIEW, WITHDRAWN)


def shelf(out: Path, name: str) -> Path:
    """A shelf of a course, by its folder of finished files (`<out>/<course>`)."""
    return out.parent / name / out.name


def held(path: Path) -> Path:
    """Where a finished file lies until it is released."""
    return shelf(path.parent, REVIEW) / path.name


def lies_at(path: Path, is_it: Callable[[Path], bool]) -> Path | None:
    """Where a finished file is, in its place or held; None where neither is the one that is meant.

    `is_it` looks at the content: an earlier version may lie in the place while a later one is held.
    """
    return next((place for place in (held(path), path) if place.is_file() and is_it(place)), None)


def places(name: str) -> tuple[str, str]:
    """Where a finished file may lie, by its place: held, and in it. As texts: a library has hundreds of thousands."""
    folder, _, file = name.rpartition("/")
    out, _, course = folder.rpartition("/")
    return f"{out}/{REVIEW}/{course}/{file}", name


def release(path: Path) -> None:
    """Move a held file into its place, over what lies there. Raises OSError."""
    waiting = held(path)
    if waiting.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting.replace(path)


def hold(path: Path) -> None:
    """Take a file out of its place, into the review shelf. Raises OSError."""
    waiting = held(path)
    waiting.parent.mkdir(parents=True, exist_ok=True)
    path.replace(waiting)


def belongings(folder: Path, name: str) -> tuple[Path, ...]:
    """The files of a target, `<lesson>.<language>`, in a folder: the finished file, and those beside it.

    Not those of a lesson whose own name begins like that.
    """
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if path.is_file() and belongs(path.name, name)))


def belongs(file: str, name: str) -> bool:
    """Whether a file is one of a target's, by its name."""
    return (
        re.fullmatch(re.escape(name) + r"\.(?:dub\.json|(?:(?:forced|sdh)\.)?[a-z0-9]{2,4}(?:\.c2pa)?)", file)
        is not None
    )


def streams(out: Path, lesson: str) -> Path:
    """The folder of a lesson's streams (HLS), in all its languages."""
    return out / f"{lesson}.hls"


def put_away_streams(out: Path, lesson: str) -> None:
    """Move a lesson's streams to the withdrawn shelf, over what lies there. Raises OSError."""
    folder = streams(out, lesson)
    away = shelf(out, WITHDRAWN) / folder.name
    if folder.is_dir():
        away.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(away, ignore_errors=True)
        folder.rename(away)


def put_away(out: Path, name: str, *, from_review: bool = False) -> tuple[Path, ...]:
    """Move a target's files to the withdrawn shelf, those that are held too if asked; returns where they are now.

    The record goes last: it says what the others are.
    """
    folders = (out, shelf(out, REVIEW)) if from_review else (out,)
    files = [path for folder in folders for path in belongings(folder, name)]
    files.sort(key=lambda path: path.name.endswith(".dub.json"))
    away = shelf(out, WITHDRAWN)
    if files:
        away.mkdir(parents=True, exist_ok=True)
    return tuple(path.replace(away / path.name) for path in files)


def tidy(out: Path) -> None:
    """Remove a course's review shelf where nothing is on it; not while any target of the course is being made."""
    for folder in (shelf(out, REVIEW), shelf(out, REVIEW).parent):
        try:
            os.rmdir(folder)  # noqa: PTH106 (only where it is empty, which is for the system to know)
        except OSError:
            return
