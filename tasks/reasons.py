"""Why a stage is to be done again: what differs from what its last result was made from, by the manifest's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel

from manifests.commits import Commit
from manifests.model import Course, Job
from tasks.stage import Stage, digest

_FROM_ELSEWHERE = {"signer": "the signing certificate changed", "approval": "it was approved, or no longer is"}
"""Parameters that do not come from the manifest, and what to say where they changed."""

_LONGEST = 60
"""Characters of a setting that are shown; of a longer one it is said that it changed."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that differs."""

    kind: Literal["input", "version", "voice", "engine", "setting"]
    name: str
    """An input (`source`, `captions`, `split/speech.wav`), a key of the manifest (`timing.soft_max`), an engine's
    stage."""
    words: str
    was: str | None = None
    now: str | None = None

    def as_dict(self) -> dict[str, str]:
        facts = {"kind": self.kind, "name": self.name}
        if self.was is not None:
            facts["was"] = self.was
        if self.now is not None:
            facts["now"] = self.now
        return facts


def in_words(causes: tuple[Cause, ...]) -> str:
    """All of it in a line: inputs together, then the rest, one after the other."""
    inputs = [cause.words for cause in causes if cause.kind == "input"]
    others = [cause.words for cause in causes if cause.kind != "input"]
    return "; ".join([f"{', '.join(inputs)} changed"] * bool(inputs) + others)


def causes(stage: Stage, job: Job, digests: Mapping[str, str], last: Commit) -> tuple[Cause, ...]:
    """What differs from what `last` notes of its making; empty where it notes nothing, or nothing differs.

    `digests` are those of the inputs as they are now. Where inputs are other ones, the rest is told only where it
    differs too.
    """
    was: dict[str, Any] | None = last.notes.get("made_from")
    if was is None:
        return ()
    found = [*_inputs(was["inputs"], digests), *_engine(stage, job, last)]
    if was["version"] != stage.version:
        found.append(Cause("version", stage.name, "dubflow does this stage differently now"))
    now = asdict(stage.params(job))
    if said := stage.changed(was["params"], now):
        return (*found, Cause("voice", stage.name, said))
    return (*found, *_settings(was["params"], now))


def _inputs(was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Cause]:
    for name in dict.fromkeys((*now, *was)):
        if was.get(name) != now.get(name):
            yield Cause("input", name, name, was.get(name), now.get(name))


def _engine(stage: Stage, job: Job, last: Commit) -> Iterator[Cause]:
    before, engine = last.engine.get("name"), stage.engine(job)
    here = engine.name if engine else None
    if before and here and before != here:
        yield Cause("engine", f"engines.{stage.name}", f"the engine is {here}, and was {before}", before, here)
    elif engine and last.engine.get("weights_sha256") != engine.weights_sha256:
        yield Cause("engine", f"engines.{stage.name}", f"the weights of {here} are others")


def _settings(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Cause]:
    """Each key of the manifest once."""
    told: set[str] = set()
    for path, before, after in _differences(was, now, ()):
        if path[0] in _FROM_ELSEWHERE:
            cause = Cause("setting", path[0], _FROM_ELSEWHERE[path[0]])
        else:
            name = _key(path)
            shown = [_shown(before), _shown(after)]
            short = all(each is not None for each in shown)
            words = f"{name} is {shown[1]}, and was {shown[0]}" if short else f"{name} changed"
            cause = Cause("setting", name, words, *(shown if short else ()))
        if cause.name not in told:
            told.add(cause.name)
            yield cause


def _differences(was: Any, now: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Where two sets of parameters differ, down to the value."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        before, after = dict[str, Any](was), dict[str, Any](now)
        for name in dict.fromkeys((*after, *before)):
            yield from _differences(before.get(name), after.get(name), (*path, name))
    elif digest(was) != digest(now):
        yield path, was, now


def _key(path: tuple[str, ...]) -> str:
    """The manifest's key for a parameter, by the nearest of its names that the manifest has; else the parameter's."""
    return next((known for name in reversed(path) if (known := _keys().get(name))), path[-1].replace("_", " "))


@cache
def _keys() -> Mapping[str, str]:
    """Last part of every key of a manifest to the whole key; the shallowest where several end alike."""
    found: dict[str, str] = {}
    level: list[tuple[str, type[BaseModel]]] = [("", Course)]
    while level:
        below: list[tuple[str, type[BaseModel]]] = []
        for at, model in level:
            for name, field in model.model_fields.items():
                found.setdefault(name, f"{at}{name}")
                below += [(f"{at}{name}.", each) for each in _models(field.annotation)]
        level = below
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models right in a field; those of lists and tables have no one key, and stay out."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for each in get_args(annotation):
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each


def _shown(value: Any) -> str | None:
    """A value as a person reads it; None where that would be long, or nobody would recognize it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str):
        text = str(value) or "empty"
    elif isinstance(value, list | tuple) and all(isinstance(each, str | int | float) for each in value):
        text = f"[{', '.join(map(str, value))}]"
    else:
        return None
    looks_like_a_digest = len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
    return None if len(text) > _LONGEST or looks_like_a_digest else text
