"""Models: weights that do not come with a package, each in a folder of its own below `DUB_MODELS`.

A model's folder is what its library loads; nothing is fetched while lessons are worked on. Engines declare theirs:
`offers` (every model that one knows), and `models(wanted)` (those that it takes for what is wanted).
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from manifests import settings
from manifests.errors import DubError, EngineUnavailable
from manifests.store import file_sha256
from tasks.engines import accelerator


@dataclass(frozen=True, slots=True)
class Model:
    """One set of weights, and the terms on which it may be used."""

    name: str
    """Its folder below `DUB_MODELS`, and what `dub models` calls it."""
    files: tuple[str, ...]
    """What must be in the folder, for the engine to load it; `one|other` where either will do, the better first."""
    licence: str
    """SPDX, of the weights."""
    commercial: bool
    """Whether a course that is sold may use it."""
    source: str = ""
    """Repository on the hub, or where else it comes from."""
    revision: str = "main"
    size: int = 0
    """Bytes, for `dub plan` and `dub models list`."""
    terms: str = ""
    """The page on which its terms are accepted, where it is gated."""
    languages: tuple[str, ...] = ()
    """BCP-47; empty where it does not depend on one."""
    optional: tuple[str, ...] = ()
    """What is fetched too, where the source has it."""

    @property
    def there(self) -> Path | None:
        """Its folder, where everything that must be in it is."""
        models = settings.of().models
        folder = models / self.name if models else None
        return folder if folder and not self.lacking(folder) else None

    def lacking(self, folder: Path) -> tuple[str, ...]:
        """What must be in a folder, and is not."""
        return tuple(file for file in self.files if not any((folder / name).exists() for name in file.split("|")))

    def folder(self) -> Path:
        """Raises EngineUnavailable, with the command that fetches it, where it is not there or not whole."""
        require((self,))
        folder = self.there
        assert folder is not None  # noqa: S101 - for the type checker: it was required
        return folder

    def named(self, models: Path | None) -> str:
        """Its name and, where it is there in part, what it lacks of it."""
        lacking = self.lacking(models / self.name) if models and (models / self.name).is_dir() else ()
        return f"{self.name} ({', '.join(lacking).replace('|', ' or ')} is missing)" if lacking else self.name


def require(models: Sequence[Model]) -> None:
    """Raises EngineUnavailable, with the command that fetches them, where some are not there or not whole."""
    missing = [model for model in models if model.there is None]
    if not missing:
        return
    folder = settings.of().models
    where = f"in {folder}" if folder else "here: DUB_MODELS names no folder"
    names = " and ".join(model.named(folder) for model in missing)
    what, verb = ("model", "is") if len(missing) == 1 else ("models", "are")
    raise EngineUnavailable(
        f"the {what} {names} {verb} not {where}.",
        remedy=f"dub models pull {' '.join(model.name for model in missing)}",
    )


@contextmanager
def loading(name: str) -> Generator[None]:
    """Whatever goes wrong while a library loads a model (another network, half a file) as EngineUnavailable."""
    try:
        yield
    except DubError:
        raise
    except Exception as error:
        if accelerator.out_of_memory(error):
            raise EngineUnavailable(
                f"the GPU has too little memory to load the model {name}.", remedy=accelerator.MORE_ROOM
            ) from error
        said = (str(error).strip().splitlines() or [""])[0][:200]
        raise EngineUnavailable(
            f"the model {name} cannot be loaded ({type(error).__name__}: {said}).",
            remedy=f"dub models verify {name} says whether it is whole; dub models pull {name} fetches it.",
        ) from error


def digest(folder: Path) -> str:
    """SHA-256 of everything in a model's folder by name; a file is read once as long as it stays as it is."""
    return _digest([(name, sha256_of(folder / name)) for name in contents(folder)])


def contents(folder: Path) -> tuple[str, ...]:
    """The names of a model's files, sorted, without hidden ones: those are notes of whoever fetched it."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return tuple(sorted(str(path) for path in paths if not any(part.startswith(".") for part in path.parts)))


def _digest(files: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256("".join(f"{name}\0{sha256}\n" for name, sha256 in files).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; read once in a process as long as it stays as it is."""
    standing = path.stat()
    return _of_standing_file(path, standing.st_size, standing.st_mtime_ns)


@lru_cache(maxsize=1024)
def _of_standing_file(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)
