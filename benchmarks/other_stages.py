"""Other stages in place of the pipeline's, in every process that a measurement or a test starts, however deep.

Python reads `sitecustomize` before anything else: one that lies first on PYTHONPATH changes the stages as soon as
somebody asks for the pipeline. All else of the program is as it is.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import shutil
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


def leave(folder: Path, source: str) -> None:
    """Make a folder that, on PYTHONPATH, puts other stages in; `source` defines `changed(stage)`, which gives the one
    that stands for a stage."""
    shutil.copyfile(__file__, folder / "other_stages.py")
    ending = "\n\nimport other_stages\n\nother_stages.put_in(changed)\n"
    (folder / "sitecustomize.py").write_text(source + ending, encoding="utf-8")


def put_in(changed: Callable[[Any], Any]) -> None:
    """Change the stages of this process's pipeline when it is loaded."""
    sys.meta_path.insert(0, _Finder(changed))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the pipeline where it lies, and changes it once it is loaded."""

    def __init__(self, changed: Callable[[Any], Any]) -> None:
        self._changed = changed

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != "tasks.pipeline":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        loader: Any = spec and spec.loader
        load = loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            module.LESSON_STAGES = tuple(map(self._changed, module.LESSON_STAGES))
            module.TARGET_STAGES = tuple(map(self._changed, module.TARGET_STAGES))
            module.PIPELINE = (*module.LESSON_STAGES, *module.TARGET_STAGES)

        loader.exec_module = exec_module
        return spec
