"""Argos packages on this disk, the ways between languages through them, and those that can be fetched.

A package is a folder below `DUB_MODELS/argos` with a `metadata.json`; an `.argosmodel` file that lies there is unpacked
beside itself when it is first looked at. Nothing here imports argostranslate.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from manifests import settings
from manifests.errors import EngineUnavailable, InputError
from tasks.engines.archive import BadArchive, unpack
from tasks.engines.models import Model

FOLDER: Final = "argos"
SUFFIX: Final = ".argosmodel"
FILES: Final = ("metadata.json", "model/model.bin", "sentencepiece.model|bpe.model")

_CODES: Final = {"pt-BR": "pb", "zh-Hant": "zt", "zh-TW": "zt", "zh-HK": "zt", "no": "nb"}
"""BCP-47 to Argos's own codes, where those differ."""

_VERSIONS: Final = {
    "ar": "1.0 1.0", "az": "1.5 1.5", "bg": "1.9 1.9", "bn": "1.9 1.9", "ca": "1.9 1.7", "cs": "1.9.6 1.9.6",
    "da": "1.9 1.9", "de": "1.0 1.0", "el": "1.9 1.9", "eo": "1.5 1.5", "es": "1.0 1.9", "et": "1.9 1.9",
    "eu": "1.9 1.9", "fa": "1.5 1.5", "fi": "1.9 1.9", "fr": "1.9 1.9", "ga": "1.1 1.1", "gl": "1.9 1.9",
    "he": "1.5 1.5", "hi": "1.1 1.1", "hu": "1.9 1.9", "id": "1.9 1.9", "it": "1.0 1.0", "ja": "1.1 1.1",
    "ko": "1.1 1.1", "ky": "1.4 1.4", "lt": "1.9 1.9", "lv": "1.9 1.9", "ms": "1.9 1.9", "nb": "1.9 1.9",
    "nl": "1.8 1.8", "pb": "1.9 1.9", "pl": "1.9 1.9", "pt": "1.9 1.9", "ro": "1.9 1.9", "ru": "1.9 1.9",
    "sk": "1.9 1.9", "sl": "1.9 1.9", "sq": "1.9 1.9", "sv": "1.5 1.5", "th": "1.9 1.9", "tl": "1.9 1.9",
    "tr": "1.5 1.5", "uk": "1.4 1.9", "ur": "1.9 1.9", "zh": "1.9 1.9", "zt": "1.9 1.9",
}  # fmt: skip
"""The packages of Argos's index by language: the version from English, and the one to it."""

_BYTES = 90_000_000  # about; they have 60 to 240 MB


@dataclass(frozen=True, slots=True)
class Package:
    """One direction that an unpacked package translates."""

    source: str
    target: str
    """Argos's codes."""
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.source}_{self.target}"


def _model(source: str, target: str, version: str) -> Model:
    file = f"translate-{source}_{target}-{version.replace('.', '_')}{SUFFIX}"
    return Model(
        f"{FOLDER}/{source}_{target}",
        FILES,
        licence="MIT OR CC0-1.0",
        commercial=True,
        source=f"https://argos-net.com/v1/{file}",
        revision=version,
        size=_BYTES,
        languages=(source, target),
    )


OFFERED: Final = tuple(
    _model(*pair, version)
    for code, versions in _VERSIONS.items()
    for pair, version in zip((("en", code), (code, "en")), versions.split(), strict=True)
)
"""What can be fetched: everything from and to English."""


def codes(tag: str) -> tuple[str, ...]:
    """Argos's codes for a BCP-47 tag, the closest first."""
    base = tag.split("-", maxsplit=1)[0].lower()
    return tuple(dict.fromkeys([_CODES.get(tag, base), _CODES.get(base, base)]))


def route(source: str, target: str) -> tuple[Package, ...]:
    """The shortest chain of packages between two languages, the same one every time.

    Raises InputError where both are one language, EngineUnavailable, with the command, where none connects them.
    """
    if codes(source)[0] == codes(target)[0]:
        raise InputError(f"{target} is the language of the source.", remedy="Take it out of the manifest's targets.")
    there, broken = packages()
    if (found := _found(source, target, there)) is not None:
        return found
    names = ", ".join(f"{package.source} to {package.target}" for package in there) or "none"
    wanted = missing(source, target, there)
    fetch = f"dub models pull {' '.join(model.name for model in wanted)}" if wanted else ""
    raise EngineUnavailable(
        f"no Argos package leads from {source} to {target}; there are, in {_folder() or 'no folder'}: {names}."
        + "".join(f" {said}" for said in broken),
        remedy=fetch or f"Argos publishes none; put an {SUFFIX} file of your own there, or choose another engine.",
    )


def needed(source: str, target: str) -> tuple[Model, ...]:
    """The models of the way between two languages: of the packages that are there, else of those to be fetched."""
    there, _ = packages()
    known = {model.name: model for model in OFFERED}
    if (found := _found(source, target, there)) is not None:
        names = [f"{FOLDER}/{package.folder.name}" for package in found]
        return tuple(known.get(name, Model(name, FILES, "the operator's to know", commercial=False)) for name in names)
    return missing(source, target, there)


def missing(source: str, target: str, there: Sequence[Package]) -> tuple[Model, ...]:
    """The models to be fetched for a way between two languages, by way of English where none is direct."""
    known = {model.name.removeprefix(f"{FOLDER}/"): model for model in OFFERED}
    having = {package.name for package in there}
    start = codes(source)[0]
    for end in codes(target):
        steps = [f"{start}_{end}"] if "en" in (start, end) else [f"{start}_en", f"en_{end}"]
        if all(step in known or step in having for step in steps):
            return tuple(known[step] for step in steps if step in known and step not in having)
    return ()


def _found(source: str, target: str, there: Sequence[Package]) -> tuple[Package, ...] | None:
    ways = (_shortest(start, end, there) for end in codes(target) for start in codes(source))
    return next((way for way in ways if way is not None), None)


def packages() -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """Every package there is, in order of their names, and what is wrong with those that cannot be used."""
    folder = _folder()
    if folder is None or not folder.is_dir():
        return (), ()
    found: dict[str, Package] = {}
    broken: list[str] = []
    for path in sorted([*folder.glob(f"*{SUFFIX}"), *folder.parent.glob(f"*{SUFFIX}")]):
        if fault := _unpack(path, folder):
            broken.append(fault)
    for path in sorted(folder.glob("*/metadata.json")):
        try:
            package = _read(path)
        except (OSError, ValueError, KeyError, TypeError):
            broken.append(f"{path} cannot be understood.")
            continue
        if lacking := Model(package.name, FILES, "", commercial=True).lacking(package.folder):
            broken.append(f"{package.folder} lacks {', '.join(lacking).replace('|', ' or ')}.")
        else:
            found.setdefault(package.name, package)
    return tuple(found.values()), tuple(broken)


def _folder() -> Path | None:
    models = settings.of().models
    return models / FOLDER if models else None


def _read(metadata: Path) -> Package:
    facts: Any = json.loads(metadata.read_text(encoding="utf-8"))
    return Package(str(facts["from_code"]), str(facts["to_code"]), metadata.parent)


def _unpack(path: Path, folder: Path) -> str:
    """Unpack a package file beside itself, whole or not at all; says what is wrong with one that cannot be."""
    to = folder / path.stem
    if (to / "metadata.json").exists():
        return ""
    draft = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder, prefix=".unpacking-"))
        unpack(path, draft)
        inside = [at.parent for at in draft.glob("**/metadata.json")]
        if not inside:
            return f"{path.name} holds no metadata.json."
        inside[0].chmod(0o755)
        inside[0].replace(to)
    except BadArchive as error:
        return f"{path.name} is no whole package ({error}): fetch or copy it again."
    except OSError as error:
        if not (to / "metadata.json").exists():  # else another process was first
            return f"{path.name} cannot be unpacked: {error.strerror or error}."
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
    return ""


def _shortest(start: str, end: str, there: Sequence[Package]) -> tuple[Package, ...] | None:
    """Breadth first, in order of names."""
    chains: list[tuple[Package, ...]] = [()]
    seen = {start}
    while chains:
        longer = list(_longer(chains, start, there))
        for chain in longer:
            if chain[-1].target == end:
                return chain
        chains = [chain for chain in longer if chain[-1].target not in seen]
        seen |= {chain[-1].target for chain in chains}
    return None


def _longer(
    chains: Sequence[tuple[Package, ...]], start: str, there: Sequence[Package]
) -> Iterator[tuple[Package, ...]]:
    for chain in chains:
        here = chain[-1].target if chain else start
        yield from ((*chain, package) for package in there if package.source == here)
