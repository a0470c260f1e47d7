"""The engines by name: imported when asked for, made once in a process.

Making an engine costs nothing and loads no library; whatever is heavy waits for the first use.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, cast

from manifests.engines import GROUPS, installed
from manifests.errors import EngineUnavailable
from manifests.model import Stage
from tasks.engines.models import Model
from tasks.engines.protocols import Diarizer, Remote, Synthesizer, Transcriber, Translator


def diarizer(name: str) -> Diarizer:
    """Raises EngineUnavailable, here and below, where there is no engine of this name, naming those there are."""
    return cast("Diarizer", _engine("diarize", name))


def transcriber(name: str) -> Transcriber:
    return cast("Transcriber", _engine("transcribe", name))


def translator(name: str) -> Translator:
    return cast("Translator", _engine("translate", name))


def synthesizer(name: str) -> Synthesizer:
    return cast("Synthesizer", _engine("synthesize", name))


def remote(name: str) -> Remote:
    """A synthesizer that leaves people's voices with a service."""
    return cast("Remote", _engine("synthesize", name))


def needs(stage: Stage, name: str, wanted: Any) -> tuple[Model, ...]:
    """The models that an engine takes for what is wanted of it; none for one that declares none."""
    models = getattr(_engine(stage, name), "models", None)
    return tuple(models(wanted)) if models else ()


def offers(stage: Stage, name: str) -> tuple[Model, ...]:
    """Every model that an engine knows, for lists; none for one that declares none."""
    return tuple(getattr(_engine(stage, name), "offers", ()))


def accelerated(stage: Stage, name: str) -> bool:
    """Whether an engine is one that wants a GPU; not for one that does not say so, nor for one that cannot be made."""
    try:
        return bool(getattr(_engine(stage, name), "accelerated", False))
    except EngineUnavailable:
        return False


@lru_cache
def _engine(stage: Stage, name: str) -> Any:
    found = next(iter(entry_points(group=GROUPS[stage], name=name)), None)
    if found is None:
        raise EngineUnavailable(
            f"there is no engine called {name!r} for {stage}; there is {', '.join(installed(stage)) or 'none'}.",
            remedy=f"Mend `engines: {{{stage}: …}}` in the manifest, or install the package that brings it.",
        )
    try:
        return found.load()()
    except ImportError as error:
        raise EngineUnavailable(
            f"the engine {name} needs the Python package {error.name}, which is not installed.",
            remedy="Run `make setup`.",
        ) from error
