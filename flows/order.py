"""What a run was asked to do: small, frozen, and JSON, so that a flow run can carry it to another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from manifests.model import Stage
from manifests.settings import is_address


class Order(BaseModel):
    """One `dub run` or `dub rerun`."""

    model_config = ConfigDict(frozen=True)

    manifest: Path
    workspace: Path
    out: str | None = None
    """A folder, absolute, or an address, instead of the manifest's."""
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
        """The command that goes on where this run stopped; what it was to do again, it does again."""
        stages: tuple[Stage, ...] = get_args(Stage)
        first = min((stages.index(stage) for stage in self.force), default=0)
        words = ["dub", "run", shown(self.manifest)]
        if self.lines or (self.only and self.force == frozenset(stages[first:])):
            words[1:] = ["rerun", shown(self.manifest), *map(shown, self.only)]
            words += ["--from", stages[first]] if first and not (self.lines and len(self.force) == 1) else []
            words += ["--lines", ",".join(self.lines)] if self.lines else []
        else:
            words += [word for name in self.only for word in ("--only", shown(name))]
            words += [word for stage in stages if stage in self.force for word in ("--force", stage)]
        words += ["--refresh"] if self.refresh else []
        out = Path(self.out) if self.out and not is_address(self.out) else self.out
        chosen = {"--profile": self.profile, "--out": out, "--workspace": self.chosen_workspace}
        words += [word for flag, value in chosen.items() if value is not None for word in (flag, shown(value))]
        return " ".join(words)

    @property
    def chosen_workspace(self) -> Path | None:
        """The workspace, where it is another than a command finds that names none."""
        from manifests.workspace import locate

        return None if locate(self.manifest) == self.workspace else self.workspace


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
