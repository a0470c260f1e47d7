"""`dub doctor`: what this machine can do, and the command that mends each lack."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.answering import print_json
from manifests import settings
from manifests.engines import GROUPS, installed
from manifests.errors import EngineUnavailable, ManifestError
from tasks.engines import catalogue
from tasks.engines.apertium import available_pairs
from tasks.needs import offered

PROGRAMS = {
    "ffmpeg": ("-version", "ffmpeg", "LGPL-2.1-or-later or GPL-2.0-or-later, as built"),
    "ffprobe": ("-version", "ffmpeg", "LGPL-2.1-or-later or GPL-2.0-or-later, as built"),
    "espeak-ng": ("--version", "espeak-ng", "GPL-3.0-or-later, run as a process of its own"),
    "apertium": ("-V", "apertium", "GPL-2.0-or-later, run as a process of its own; its language data too"),
    "flite": ("--version", "flite", "BSD-like; only for the demo"),
}
"""Program: how it tells its version, its Debian package, its licence."""

WEIGHTS = (
    ("whisperx", "assets/pytorch_model.bin", "pyannote segmentation, inside the whisperx package", "MIT"),
    ("resemblyzer", "pretrained.pt", "GE2E speaker encoder, inside the resemblyzer package", "Apache-2.0"),
    (
        "faster_whisper",
        "assets/silero_vad_v6.onnx",
        "silero-vad speech detector, inside the faster-whisper package",
        "MIT",
    ),
    (
        "pocketsphinx",
        "model/en-us",
        "English acoustic and language model, inside the pocketsphinx package",
        "BSD-2-Clause",
    ),
)
"""Package, path inside it, what it is, licence of the weights."""

MIN_FREE_GB = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    what: str
    ok: bool
    found: str
    mend: str = ""


def show_doctor(licences: bool, json_wanted: bool) -> None:
    """Print every check; exit 0 whatever they say."""
    if licences:
        _show_licences(json_wanted)
        return
    checks = list(examine())
    if json_wanted:
        print_json({"checks": [asdict(check) for check in checks]})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "to mend it"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        table.add_row("[green]ok[/]" if check.ok else "[red]no[/]", check.what, check.found, check.mend)
    Console().print(table)


def examine() -> Iterator[Check]:
    """Look at settings, programs, weights, engines, models, languages, disk and accelerator, in that order."""
    yield _settings()
    yield from (_program(name) for name in PROGRAMS)
    yield from (_weights(package, inside, what) for package, inside, what, _ in WEIGHTS)
    yield _engines()
    yield from _models()
    yield _pairs()
    yield _disk(Path.cwd())
    yield _accelerator()
    yield Check("processor", True, f"{os.cpu_count()} cores")


def _settings() -> Check:
    """Which files of settings are in force here, the one that wins last, and what the environment sets over them."""
    try:
        settings.of()
    except ManifestError as error:
        return Check("settings", False, str(error), "mend the line, or remove it")
    found = [str(path) for path in settings.files()]
    found += [name for name in settings.ENVIRONMENT.values() if os.environ.get(name)]
    return Check("settings", True, ", ".join(found) or "defaults")


def _program(name: str) -> Check:
    flag, package, _ = PROGRAMS[name]
    if shutil.which(name) is None:
        return Check(name, False, "not installed", f"sudo apt-get install {package}")
    said = subprocess.run([name, flag], capture_output=True, text=True, timeout=20, check=False)
    version = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return Check(name, True, version.group() if version else "installed")


def _weights(package: str, inside: str, what: str) -> Check:
    try:
        there = any(str(file).endswith(inside) or f"/{inside}/" in str(file) for file in metadata.files(package) or [])
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return Check(what, False, "package not installed", "make setup")
    return Check(what, there, f"{package} {version}", "" if there else "make setup")


def _engines() -> Check:
    """The engines that a manifest may name, by stage."""
    return Check("engines", True, "; ".join(f"{stage}: {', '.join(installed(stage))}" for stage in GROUPS))


def _models() -> Iterator[Check]:
    """The models that are in the folder for them; each that is there in part, with the command that completes it."""
    try:
        folder = settings.of().models
    except ManifestError:
        return  # said above already
    if folder is None:
        yield Check("models", True, "none: DUB_MODELS names no folder; the embedded profile needs none")
        return
    known = {need.model.name: need.model for need in offered()}
    whole = [name for name, model in known.items() if model.there]
    found = f"{', '.join(whole) or 'none'} in {folder}"
    yield Check("models", True, found if whole else f"{found}; dub models list COURSE.yaml names what a course needs")
    for name, model in known.items():
        if name not in whole and (folder / name).is_dir():
            yield Check(f"model {name}", False, model.named(folder), f"dub models pull {name}")


def _pairs() -> Check:
    try:
        pairs = available_pairs()
    except EngineUnavailable as error:
        return Check("language pairs", False, error.message, error.remedy)
    text = ", ".join(f"{source}-{target}" for source, target in pairs)
    return Check(
        "language pairs", bool(pairs), text or "none", "" if pairs else "sudo apt-get install apertium-eng-spa"
    )


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free / 1e9
    enough = free >= MIN_FREE_GB
    return Check(
        "disk", enough, f"{free:.0f} GB free here", "" if enough else "free some space, or --workspace elsewhere"
    )


def _accelerator() -> Check:
    if shutil.which("nvidia-smi") is None:
        return Check("accelerator", True, "none; the embedded profile needs none")
    said = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return Check("accelerator", said.returncode == 0, said.stdout.strip() or said.stderr.strip())


def _show_licences(json_wanted: bool) -> None:
    rows = [(name, licence) for name, (_, _, licence) in PROGRAMS.items()]
    rows += [(what, licence) for _, _, what, licence in WEIGHTS]
    rows += list(_engine_licences())
    rows += sorted(_package_licences())
    if json_wanted:
        print_json(dict(rows))
        return
    table = Table("what", "licence", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _engine_licences() -> Iterator[tuple[str, str]]:
    """Every engine that speaks, and every model that is known, with the licences of code and weights."""
    for name in installed("synthesize"):
        engine = catalogue.synthesizer(name)
        yield f"engine {name}", f"code {engine.code_licence}; weights {engine.weights_licence}"
    yield from ((f"model {need.model.name}", need.model.licence) for need in offered())


def _package_licences() -> Iterator[tuple[str, str]]:
    """Every installed Python package, with the licence that its own metadata declares."""
    for package in metadata.distributions():
        told: Any = package.metadata  # its interface is untyped where it matters
        classifiers = [
            line.split(" :: ")[-1] for line in told.get_all("Classifier") or [] if line.startswith("License ::")
        ]
        plain = (told.get("License") or "").strip().splitlines()
        licence = told.get("License-Expression") or ", ".join(classifiers) or (plain[0] if plain else "not declared")
        yield f"{told['Name']} {package.version}", licence
