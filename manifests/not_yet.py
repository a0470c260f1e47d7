"""What a manifest may say, and this version cannot do: refused by name, never ignored.

One row a feature. Whoever builds a feature deletes its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import BaseModel

from manifests.document import At
from manifests.faults import Fault
from manifests.model import Course


@dataclass(frozen=True, slots=True)
class Row:
    """One feature: where it stands (`*` is every item), which values ask for it, and what to do without it."""

    at: tuple[str, ...]
    asks: Callable[[Any], bool]
    says: str


def _given(value: Any) -> bool:
    return value is not None and value != {}


ROWS: Final[tuple[Row, ...]] = (
    *(
        Row(("quality", gate), _given, f"a gate on {what}; leave it out")
        for gate, what in (("read_back", "what is recognized in the dub"),)
    ),
)


def refused(course: Course) -> Iterator[Fault]:
    """Everything that the course asks for and does not get yet."""
    for row in ROWS:
        for at, value in _values(course, row.at):
            if row.asks(value):
                yield Fault(at, f"not yet: {row.says}.")


def _values(value: Any, pattern: tuple[str, ...], at: At = ()) -> Iterator[tuple[At, Any]]:
    """Everything in a course that stands where the pattern says."""
    if not pattern:
        yield at, value
        return
    step, rest = pattern[0], pattern[1:]
    if isinstance(value, BaseModel):
        yield from _values(getattr(value, step), rest, (*at, step))
    elif isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[Any, ...]", value)):
            yield from _values(item, rest, (*at, index))
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if step in {"*", key}:
                yield from _values(item, rest, (*at, key))
