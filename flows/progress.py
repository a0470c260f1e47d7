"""What is shown while a run works: live bars on a terminal, plain lines elsewhere, JSON lines on request.

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

from flows.metering import metered
from flows.remaining import Remaining, Work, in_words
from flows.saying import emit, in_json


class Watcher(Protocol):
    """Hears what stages do. Called from several threads."""

    def expect(self, work: Iterable[Work], at_once: int) -> None: ...
    def started(self, name: str, stage: str) -> None: ...
    def share(self, name: str, stage: str, done: float) -> None: ...
    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None: ...
    def broken(self, name: str, stage: str, message: str, state: str) -> None: ...


class Silent:
    """Nobody watches."""

    def expect(self, work: Iterable[Work], at_once: int) -> None: ...
    def started(self, name: str, stage: str) -> None: ...
    def share(self, name: str, stage: str, done: float) -> None: ...
    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None: ...
    def broken(self, name: str, stage: str, message: str, state: str) -> None: ...


EVERY_S = 30.0
"""How often lines tell how far the whole is, at most."""


class Counting:
    """Keeps count of the work, and says from time to time how much is left."""

    def __init__(self) -> None:
        self.remaining = Remaining()
        self._told = time.monotonic()

    def expect(self, work: Iterable[Work], at_once: int) -> None:
        self.remaining.expect(work, at_once)

    def started(self, name: str, stage: str) -> None:
        self.remaining.started(name, stage)

    def share(self, name: str, stage: str, done: float) -> None:
        self.remaining.share(name, stage, done)
        self._tell()

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        self.remaining.finished(name, stage, cached=cached)
        self._tell()

    def broken(self, name: str, stage: str, message: str, state: str) -> None:
        self.remaining.broken(name)

    def progress(self, done: int, of: int, left_s: float) -> None:
        """Say how many stages are done, and in how many seconds the rest should be."""

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told < EVERY_S or (left := self.remaining.left_s()) is None:
            return
        self._told = now
        self.progress(*self.remaining.counts, left)


class Lines(Counting):
    """One line an event, for logs and pipes: since when, of which lesson and language, which stage, what."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._begun = time.monotonic()

    def _say(self, text: str) -> None:
        elapsed = time.monotonic() - self._begun
        self._console.print(f"{elapsed:7.1f} s  {text}", markup=False, highlight=False, soft_wrap=True)

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        self._say(f"{name}  {stage}  {'cached' if cached else f'{seconds:.1f} s'}")
        super().finished(name, stage, seconds, cached)

    def broken(self, name: str, stage: str, message: str, state: str) -> None:
        self._say(f"{name}  {stage}  {state}: {message}")
        super().broken(name, stage, message, state)

    def progress(self, done: int, of: int, left_s: float) -> None:
        self._say(f"{done} of {of} stages, {in_words(left_s)} left")


class JsonLines(Counting):
    """One JSON object an event, for programs."""

    def started(self, name: str, stage: str) -> None:
        emit("started", **_of(name), stage=stage)
        super().started(name, stage)

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        emit("finished", **_of(name), stage=stage, seconds=round(seconds, 3), cached=cached)
        super().finished(name, stage, seconds, cached)

    def broken(self, name: str, stage: str, message: str, state: str) -> None:
        emit(state, "error", **_of(name), stage=stage, message=message)
        super().broken(name, stage, message, state)

    def progress(self, done: int, of: int, left_s: float) -> None:
        emit("progress", done=done, of=of, seconds_left=round(left_s))


def _of(name: str) -> dict[str, str]:
    lesson, _, language = name.partition(":")
    return {"lesson": lesson} | ({"language": language} if language else {})


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
        self._remaining = Remaining()
        self._whole = self._progress.add_task("starting", total=None, note="")
        self._bars: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expect(self, work: Iterable[Work], at_once: int) -> None:
        self._remaining.expect(work, at_once)
        self._progress.update(self._whole, description="all stages")
        self._show()

    def started(self, name: str, stage: str) -> None:
        self._remaining.started(name, stage)
        with self._lock:
            self._bars[name, stage] = self._progress.add_task(f"  {name}  {stage}", total=1.0, note="")

    def share(self, name: str, stage: str, done: float) -> None:
        self._remaining.share(name, stage, done)
        bar = self._bars.get((name, stage))
        if bar is not None:
            self._progress.update(bar, completed=done)
            self._show()

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        if not cached:
            self._progress.console.print(f"{name}  {stage}  {seconds:.1f} s", markup=False, highlight=False)
        self._remaining.finished(name, stage, cached=cached)
        self._close(name, stage)

    def broken(self, name: str, stage: str, message: str, state: str) -> None:
        self._remaining.broken(name)
        self._close(name, stage)
        said = f"{name}  {stage}  {state}: {message}"
        self._progress.console.print(said, markup=False, highlight=False, style="red")

    def _close(self, name: str, stage: str) -> None:
        with self._lock:
            bar = self._bars.pop((name, stage), None)
            if bar is not None:
                self._progress.remove_task(bar)
        self._show()

    def _show(self) -> None:
        """How far the whole is, and how long the rest will take."""
        done, total = self._remaining.seconds
        left = self._remaining.left_s()
        note = "" if left is None else f"{in_words(left)} left"
        self._progress.update(self._whole, completed=done, total=total, note=note)


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
        if in_json():
            _watcher = metered(JsonLines())
            yield _watcher
        elif quiet:
            _watcher = metered(Silent())
            yield _watcher
        elif console.is_terminal:
            with Bars(console) as bars:
                _watcher = metered(bars)
                yield _watcher
        else:
            _watcher = metered(Lines(console))
            yield _watcher
    finally:
        _watcher = before
