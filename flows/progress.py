"""What a person sees while a run works: live bars on a terminal, plain lines elsewhere.

Stages report to whatever `watching` put in place; flows running on a worker report to nobody and lose nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text


class Watcher(Protocol):
    """Hears what stages do. Called from several threads."""

    def expect(self, stages: int) -> None: ...
    def started(self, name: str, stage: str) -> None: ...
    def share(self, name: str, stage: str, done: float) -> None: ...
    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None: ...
    def broken(self, name: str, stage: str, message: str) -> None: ...


class Silent:
    """Nobody watches."""

    def expect(self, stages: int) -> None: ...
    def started(self, name: str, stage: str) -> None: ...
    def share(self, name: str, stage: str, done: float) -> None: ...
    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None: ...
    def broken(self, name: str, stage: str, message: str) -> None: ...


class Lines(Silent):
    """One line an event, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()

    def _say(self, text: str) -> None:
        elapsed = time.monotonic() - self._begun
        self._console.print(f"{elapsed:7.1f} s  {text}", markup=False, highlight=False, soft_wrap=True)

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        self._say(f"{name}  {stage}  {'cached' if cached else f'{seconds:.1f} s'}")

    def broken(self, name: str, stage: str, message: str) -> None:
        self._say(f"{name}  {stage}  failed: {message}")


class Bars(Silent):
    """A bar for the whole and one for each stage at work."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            _Remaining(),
            console=console,
            transient=True,
        )
        self._lock = threading.Lock()
        self._whole = self._progress.add_task("all stages", total=None)
        self._bars: dict[tuple[str, str], int] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, stages: int) -> None:
        self._progress.update(self._progress.task_ids[0], total=stages)

    def started(self, name: str, stage: str) -> None:
        with self._lock:
            self._bars[name, stage] = self._progress.add_task(f"  {name}  {stage}", total=100)

    def share(self, name: str, stage: str, done: float) -> None:
        bar = self._bars.get((name, stage))
        if bar is not None:
            self._progress.update(self._progress.task_ids[self._index(bar)], completed=round(100 * done))

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        self._close(name, stage)
        if not cached:
            self._progress.console.print(f"{name}  {stage}  {seconds:.1f} s", markup=False, highlight=False)

    def broken(self, name: str, stage: str, message: str) -> None:
        self._close(name, stage)
        self._progress.console.print(f"{name}  {stage}  failed: {message}", markup=False, highlight=False, style="red")

    def _index(self, bar: int) -> int:
        return list(self._progress.task_ids).index(bar)  # pyright: ignore[reportArgumentType]  (TaskID is an int)

    def _close(self, name: str, stage: str) -> None:
        with self._lock:
            bar = self._bars.pop((name, stage), None)
            if bar is not None:
                self._progress.remove_task(self._progress.task_ids[self._index(bar)])
            self._progress.advance(self._progress.task_ids[0])


class _Remaining(ProgressColumn):
    """How long the rest will take, from the pace so far; nothing for single stages."""

    def render(self, task: Task) -> Text:
        if task.id != 0 or not task.total or not task.completed or not task.elapsed:
            return Text("")
        left = task.elapsed / task.completed * (task.total - task.completed)
        return Text(f"about {left:.0f} s left" if left < 90 else f"about {left / 60:.0f} min left")


_watcher: Watcher = Silent()


def watcher() -> Watcher:
    """Whoever watches this process's run."""
    return _watcher


@contextmanager
def watching(quiet: bool = False) -> Generator[Watcher]:
    """Show progress on stderr while the block runs."""
    global _watcher  # noqa: PLW0603  (one run a process; flows may run in threads that inherit no context)
    console = Console(file=sys.stderr)
    before = _watcher
    try:
        if quiet:
            _watcher = Silent()
            yield _watcher
        elif console.is_terminal:
            with Bars(console) as bars:
                _watcher = bars
                yield bars
        else:
            _watcher = Lines(console)
            yield _watcher
    finally:
        _watcher = before
