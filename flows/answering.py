"""What a command answers on stdout, for a program or a pipe; what it says beside that is `flows.saying`'s."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast


def print_json(value: Mapping[str, Any] | Iterator[tuple[str, Any]]) -> None:
    """One JSON object, the whole answer of a command that was asked for `--json`: a key a line, and of a list that
    stands under a key an entry a line.

    An iterator is written as such a list, entry by entry, so that a library's is never whole in memory. Keys may come
    from an iterator too, where the value of one is known only when those before it were written.
    """
    empty = True
    for name, part in value.items() if isinstance(value, Mapping) else value:
        sys.stdout.write(f"{'{' if empty else ','}\n {_compact(name)}: ")
        empty = False
        if isinstance(part, list | tuple | Iterator):
            before = "["
            for entry in cast("Iterable[Any]", part):
                sys.stdout.write(f"{before}\n  {_compact(entry)}")
                before = ","
            sys.stdout.write("[]" if before == "[" else "\n ]")
        else:
            sys.stdout.write(_compact(part))
    sys.stdout.write("{}\n" if empty else "\n}\n")


def print_line(text: str) -> None:
    """One line, never folded."""
    sys.stdout.write(text + "\n")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
