"""What the ledger says of one target: a row, or the little of it that a plan of a library asks for."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TargetState = Literal["done", "partial", "failed", "blocked", "review", "running"]


class Stages(Mapping[str, dict[str, Any]]):
    """What a row says of its stages, parsed only when somebody asks: of most rows in a library nobody does, and as text
    they take a fifth of the memory."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __getitem__(self, stage: str) -> dict[str, Any]:
        return self._held()[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held())

    def __len__(self) -> int:
        return len(self._held())

    def items(self) -> ItemsView[str, dict[str, Any]]:
        return self._held().items()

    def _held(self) -> dict[str, dict[str, Any]]:
        return json.loads(self._text)


@dataclass(frozen=True, slots=True)
class TargetRow:
    """Where one target stands."""

    course: str
    lesson: str
    language: str
    state: TargetState
    stage: str = ""
    """The stage that failed or is blocked."""
    message: str = ""
    output: str = ""
    problems: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    stages: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    stale: bool = False
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one target stands, in short."""

    state: str
    stale: bool
