"""What a run was asked to do: small, frozen, and JSON, so that a flow run can carry it to another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from manifests.model import Stage


class Order(BaseModel):
    """One `dub run` or `dub rerun`."""

    model_config = ConfigDict(frozen=True)

    manifest: Path
    workspace: Path
    out: Path | None = None
    only: tuple[str, ...] = ()
    """`LESSON` or `LESSON:LANG`; empty for everything."""
    force: frozenset[Stage] = frozenset()
    """Stages that are done again although their results are there."""
    refresh: bool = False
    """Whether stages are done again whose results another version of their engine made."""
    lines: tuple[str, ...] = ()
    """Lines, by id, whose takes are made again where the stage that makes them runs; of one lesson."""
    profile: str | None = None
    cores: int = 1
    grain: Literal["stage", "target"] = "stage"
    """What is one Prefect task: every stage; or, where there are thousands, a target with all its stages."""

    @property
    def resume(self) -> str:
        """The command that goes on where this run stopped."""
        only = "".join(f" --only {shown(name)}" for name in self.only)
        return f"dub run {shown(self.manifest)}{only}{' --refresh' if self.refresh else ''}"


def cores_here() -> int:
    """The processor cores that this process may use: no more than its container, or `taskset`, gives it."""
    import os

    return len(os.sched_getaffinity(0)) or 1


def shown(value: object) -> str:
    """A value as a shell takes it, relative to where the user is where that is shorter."""
    import shlex

    text = str(value)
    if isinstance(value, Path):
        here = Path.cwd()
        if value.is_relative_to(here):
            text = str(value.relative_to(here))
        if text.startswith("-"):
            text = f"./{text}"
    return shlex.quote(text)
