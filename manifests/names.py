"""Names that become names of files and folders."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST_BYTES: Final = 200
"""File systems take 255; the rest is for the language, the ending and a temporary name's own."""


def name_fault(name: str, *, colons: bool = True) -> str:
    """Why files and folders cannot have a name, or nothing. `colons`: whether they may be in it."""
    size = len(name.encode(errors="surrogatepass"))
    faults = (
        (not name.strip(" ."), f"`{name}` is no name for a file; use letters or digits."),
        ("/" in name or "\\" in name, f"`{name}` holds a slash; it is one name, not a path."),
        (
            ":" in name and not colons,
            f"`{name}` holds a colon, which parts lesson and language in commands; give the lesson an `id` without.",
        ),
        (
            any(unicodedata.category(character) == "Cc" for character in name),
            f"{name!r} holds a control character; use letters, digits and spaces.",
        ),
        (
            any(unicodedata.category(character) == "Cs" for character in name),
            f"{name!r} is not text in UTF-8; rename the file, or give the lesson an `id`.",
        ),
        (size > LONGEST_BYTES, f"`{name[:40]}…` is {size} bytes long; at most {LONGEST_BYTES} leave room for endings."),
    )
    return next((message for wrong, message in faults if wrong), "")


def same_name(name: str) -> str:
    """A name as a file system that ignores case and composes accents sees it."""
    return unicodedata.normalize("NFC", name).casefold()
