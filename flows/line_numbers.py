"""Lines as a command names them: `3,7-9`."""

from __future__ import annotations

import re

from manifests.errors import InputError

_MOST = 100_000


def named_lines(text: str) -> tuple[str, ...]:
    """The ids in a list of numbers and ranges, each once, in order. Raises InputError for anything else.

    >>> named_lines("7-9, 3")
    ('3', '7', '8', '9')
    """
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,6})\s*(?:[-–]\s*(\d{1,6})\s*)?", part, re.ASCII)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= _MOST:
            raise InputError(f"`{text}` names no lines.", remedy="Write numbers and ranges, such as --lines 3,7-9.")
        numbers.update(range(first, last + 1))
    return tuple(str(number) for number in sorted(numbers))
