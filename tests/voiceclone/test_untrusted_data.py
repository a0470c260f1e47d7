"""What the code never does with data that somebody else may have written, read off the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "voiceclone", "manifests", "infra", "benchmarks")

RUNS_WHAT_IT_READS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
"""Modules that make objects, and so run code, from what they read."""

UNPACKS = {"tarfile", "zipfile", "patoolib", "py7zr"}
"""Modules whose archives can name files outside the folder that they are unpacked into."""


UNPACKING = "tasks/engines/archive.py"
"""The one module that unpacks: file by file, each name looked at first (`tests/tasks/test_archive.py` tries)."""


def faults(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines of a module that would trust what they read, and why."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for name in names:
                if name.split(".")[0] in RUNS_WHAT_IT_READS | UNPACKS:
                    yield node.lineno, f"imports {name}"
        if isinstance(node, ast.Call):
            yield from ((node.lineno, fault) for fault in call_faults(node))


def call_faults(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in {"torch.load", "load_checkpoint"} and given.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if name.endswith((".load", ".fromfile")) and given.get("allow_pickle", "False") != "False":
        yield "numpy unpickles"
    if name in {"np.load", "numpy.load"} and given.get("allow_pickle") != "False":
        yield "np.load without allow_pickle=False"
    if name.endswith("YAML") and given.get("typ", "'rt'") not in {"'rt'", "'safe'"}:
        yield "YAML that makes objects"
    if name in {"eval", "exec", "os.system", "os.popen"}:
        yield name
    if given.get("shell", "False") != "False":
        yield "a shell"
    if name.endswith((".unpack_archive", ".extractall")):
        yield "unpacks an archive"


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_runs_what_it_reads(package: str) -> None:
    """No pickle, no YAML tags, no shell; weights are loaded as tensors only; no archive is unpacked."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {why}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, why in faults(ast.parse(path.read_text(encoding="utf-8")))
        if (path.relative_to(ROOT).as_posix(), why) != (UNPACKING, "imports zipfile")
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from yaml import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "YAML(typ='unsafe')",
        "subprocess.run(command, shell=True)",
        "shutil.unpack_archive(path)",
        "eval(text)",
    ],
)
def test_the_check_finds_each_of_them(code: str) -> None:
    """Each is found by name, so that a pass means something."""
    assert len(list(faults(ast.parse(code)))) >= 1


def test_the_check_looks_at_the_whole_project() -> None:
    """The packages lie where the check looks for them."""
    assert len([path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]) > 50
