"""What a stage is: a name, what it needs, what it makes, and the key under which that is stored.

A stage is a pure function of files and parameters. Its key is the digest of its name, its version, its parameters, the
digests of its inputs and its engine's name and weights; a commit under that key means there is nothing to do. A rerun,
a retry, a crash and a changed manifest are all this one mechanism.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from manifests.alike import asked_of_alike
from manifests.commits import Commit
from manifests.depot import Depot
from manifests.model import Job
from manifests.store import Store


@dataclass(frozen=True, slots=True)
class Engine:
    """Who does the work. `name` and `weights_sha256` are part of the key; `version` is only noted."""

    name: str
    version: str
    weights_sha256: str | None = None

    def as_dict(self) -> dict[str, str]:
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Made:
    """What a run of a stage hands back. `outputs` and `objects` are files in its scratch folder or the store."""

    outputs: Mapping[str, Path]
    """By the names that the stage declares in `makes`."""
    objects: tuple[str, ...] = ()
    """Names of further store objects that the outputs mention."""
    delivered: Mapping[Path, str] = field(default_factory=dict[Path, str])
    """Files written outside the store, with their SHA-256."""
    uploads: tuple[Path, ...] = ()
    """Finished files as they lie now, in the order in which they are taken to the address, where outputs go to one."""
    people: frozenset[str] = frozenset()
    """Whose cloned voices the outputs carry."""
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Small facts for tables and the record."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a stage may use while it works, none of which changes what it makes."""

    store: Store
    scratch: Path
    """A folder for its files, on the store's disk; gone when the stage ends."""
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    tell: Callable[[float], None] = lambda share: None
    """Called with the share done, 0 to 1, as often as is convenient."""
    history: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """What the earlier stages of this target did: `state`, `seconds`, `cached`, `engine`, `notes` by stage name."""
    redo: frozenset[str] = frozenset()
    """Lines that were asked for again: nothing that was kept of them alone, such as a take, is used."""
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    """SHA-256 of the inputs by name, as the key was made from: no file need be read twice."""
    refresh: bool = False
    """Whether what was kept of another version of its engine, such as a take, is made again."""
    depot: Depot | None = None
    """Where finished files go that are only made here."""

    def here(self, place: str) -> Path:
        """Where a finished file, or a folder of them, is made, by where it goes: there, or in the workspace."""
        return Path(place) if self.depot is None else self.depot.here(place)

    def place(self, path: Path) -> str:
        """Where a finished file goes, by where it is made."""
        return str(path) if self.depot is None else self.depot.place(path)

    def kept(self, stage: str, key: str, engine: Engine) -> Commit | None:
        """The commit of a small keyed piece of an engine's work, where it is there and need not be made again."""
        standing = self.store.sound(stage, key)
        if standing is not None and self.refresh and standing.engine.get("version") != engine.version:
            self.store.forget(stage, key)
            return None
        return standing


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline.

    `needs` names inputs: `source` is the lesson's media file, `split/speech.wav` an output of an earlier stage.
    `params` gives the frozen dataclass of everything in the job that the result depends on. `run` gets it back, with
    the inputs' paths by the names in `needs` and in what `given` says.
    """

    name: str
    version: int
    scope: Literal["lesson", "target"]
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    params: Callable[[Job], Any]
    run: Callable[[Any, Mapping[str, Path], Workbench], Made]
    given: Callable[[Job], Mapping[str, Path]] = lambda job: {}
    """Further inputs, by name: files beside the manifest that people made, such as captions, where the job has any."""
    found: Callable[[Job, Mapping[str, Path]], Mapping[str, Path]] = lambda job, inputs: {}
    """Further inputs, by name, that are found by what is in the others, such as a memory's offers for a script."""
    engine: Callable[[Job], Engine | None] = lambda job: None
    check: Callable[[Job], None] = lambda job: None
    """Light; raises what would block the stage (EngineUnavailable, ConsentRefused) where it is known beforehand."""
    changed: Callable[[Mapping[str, Any], Mapping[str, Any]], str] = lambda was, now: ""
    """Says what is different between two sets of parameters, as dictionaries, for a plan; empty for a plain reason."""

    def key(self, job: Job, digests: Mapping[str, str]) -> str:
        """The key for a job whose inputs, given and found ones included, have these digests.

        It is the digest of the object of `engine`, `inputs`, `params`, `stage` and `version`.
        """
        engine, params = asked_of_alike(self._asked, job, ("key", self.name))
        inputs = ",".join(f'{_name(name)}:"{digests[name]}"' for name in sorted(digests))
        own = f'"stage":{_name(self.name)},"version":{self.version}'
        return _sha256(f'{{"engine":{engine},"inputs":{{{inputs}}},"params":{params},{own}}}')

    def checked(self, job: Job) -> None:
        """Raise what would block the stage, as `check` does."""
        asked_of_alike(self.check, job, ("check", self.name))

    def _asked(self, job: Job) -> tuple[str, str]:
        """The engine and the parameters of a job, as the key has them."""
        engine = self.engine(job)
        return canonical([engine.name, engine.weights_sha256] if engine else None), canonical(self.params(job))


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in its canonical form; the same in every process."""
    return _sha256(canonical(value))


def canonical(value: Any) -> str:
    """A JSON value in its canonical form: sorted keys, no spaces. A dataclass is the object of its fields."""
    return _CANONICAL.encode(value)


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    """The name of a stage or an input in canonical form."""
    return canonical(name)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    raise TypeError(f"{type(value).__name__} has no canonical form: {value!r}")


_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
"""Made once: a look at a library encodes a hundred thousand values."""
