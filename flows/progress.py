"""What a person sees while a run works: live bars on a terminal, plain lines elsewhere.

Stages report to whatever `watching` put in place; flows running on a worker report to nobody and lose nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Watcher(Protocol):
    """Hears what stages do. Called from several threads."""

    def expect(self, stages: Iterable[str]) -> None: ...
    def started(self, name: str, stage: str) -> None: ...
    def share(self, name: str, stage: str, done: float) -> None: ...
    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None: ...
    def broken(self, name: str, stage: str, message: str) -> None: ...


class Silent:
    """Nobody watches."""

    def expect(self, stages: Iterable[str]) -> None: ...
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


WEIGHTS = {"split": 1, "diarize": 30, "transcribe": 30, "mix": 8, "remux": 6, "multi": 6, "hls": 6, "verify": 2}
"""What share of the work a stage is, from the times of a 10-minute lesson (benchmarks/lesson.py); 1 where not named."""


class Bars(Silent):
    """A bar for the whole and one for each stage at work."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._lock = threading.Lock()
        self._whole = self._progress.add_task("starting", total=None, note="")
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._total = self._done = 0.0
        self._begun = time.monotonic()

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, stages: Iterable[str]) -> None:
        self._total = float(sum(WEIGHTS.get(stage, 1) for stage in stages))
        self._done = 0.0
        self._begun = time.monotonic()
        self._progress.update(self._whole, completed=0.0, total=self._total, description="all stages")

    def started(self, name: str, stage: str) -> None:
        with self._lock:
            self._bars[name, stage] = self._progress.add_task(f"  {name}  {stage}", total=1.0, note="")

    def share(self, name: str, stage: str, done: float) -> None:
        bar = self._bars.get((name, stage))
        if bar is not None:
            self._progress.update(bar, completed=done)

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        if not cached:
            self._progress.console.print(f"{name}  {stage}  {seconds:.1f} s", markup=False, highlight=False)
        self._close(name, stage, counts=not cached)

    def broken(self, name: str, stage: str, message: str) -> None:
        self._close(name, stage, counts=False)
        self._progress.console.print(f"{name}  {stage}  failed: {message}", markup=False, highlight=False, style="red")

    def _close(self, name: str, stage: str, counts: bool) -> None:
        """Count a stage as done, or take it out of the sum: what was cached says nothing about the pace."""
        weight = WEIGHTS.get(stage, 1)
        with self._lock:
            bar = self._bars.pop((name, stage), None)
            if bar is not None:
                self._progress.remove_task(bar)
            if counts:
                self._done += weight
            else:
                self._total = max(self._done, self._total - weight)
            self._progress.update(self._whole, completed=self._done, total=self._total, note=self._left())

    def _left(self) -> str:
        """How long the rest will take at the pace so far."""
        if not self._done:
            return ""
        left = (time.monotonic() - self._begun) / self._done * (self._total - self._done)
        return f"about {left:.0f} s left" if left < 90 else f"about {left / 60:.0f} min left"


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
