"""`dub serve`: run manifests on their schedules, from this process, until it is told to end.

Each run is a process of its own (`dub run`): its memory is given back, and a defect in it ends nothing else. A course
never runs twice at once: where its time comes round while it still runs, that time is left out, and said.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from types import FrameType
from typing import NoReturn
from zoneinfo import ZoneInfo

from cronsim import CronSim

from flows.order import shown
from flows.saying import choose_log_format, in_json, say
from flows.standing import DONE, INTERRUPTED
from flows.wanted import manifest_path
from manifests.errors import InputError, ManifestError
from manifests.load import load

POLL_S = 5.0
"""The longest time between two looks at the clock: an edited manifest or a clock that was set is noticed by then."""

PATIENCE_S = 60.0
"""How long a run may take to put down its work when it is told to end."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a course is run: five fields of cron, in a time zone (the machine's where none is named)."""

    cron: str
    zone: str | None = None

    @property
    def tz(self) -> tzinfo | None:
        return ZoneInfo(self.zone) if self.zone else None

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment, which knows its zone; what a clock change skips or repeats runs once."""
        return next(CronSim(self.cron, moment.astimezone(self.tz)))


def schedule_of(manifest: Path) -> Schedule:
    """What a manifest says. Raises ManifestError where it cannot be understood, InputError where it has no schedule."""
    course = load(manifest)
    if course.schedule is None:
        raise InputError(
            f"{shown(manifest)} has no schedule.", remedy='Add one, such as `schedule: "0 2 * * *"` for two at night.'
        )
    return Schedule(course.schedule, course.timezone)


@dataclass(slots=True)
class Served:
    """One manifest and its run, if it has one."""

    manifest: Path
    schedule: Schedule
    since: datetime
    """The moment up to which its times have been looked at."""
    run: subprocess.Popen[bytes] | None = None

    @property
    def next(self) -> datetime:
        return self.schedule.after(self.since)

    def comes_due(self, now: datetime) -> bool:
        """Whether one of its times has come since this was last asked; several at once count as one.

        A clock that was set back makes nothing wait until it shows the earlier time again.
        """
        due = now >= self.since and self.next <= now
        self.since = now
        return due


@dataclass(slots=True)
class Service:
    """The manifests that are served, and how the world is reached: its clock, its processes, whoever reads along."""

    courses: list[Served]
    start: Callable[[Path], subprocess.Popen[bytes]]
    say: Callable[[str], None]
    changed: dict[Path, float] = field(default_factory=dict[Path, float])

    def look(self, now: datetime) -> None:
        """Say what has ended, take up what was edited, start what has come due."""
        for served in self.courses:
            self._reap(served)
            self._read_again(served)
            if not served.comes_due(now):
                continue
            if served.run is not None:
                self.say(f"{shown(served.manifest)}: it still runs, so this time is left out")
                continue
            served.run = self.start(served.manifest)
            self.say(f"{shown(served.manifest)}: started as process {served.run.pid}")

    def end(self) -> bool:
        """Tell every run to put down its work, and wait for it; whether there was one."""
        running = [served for served in self.courses if served.run is not None and served.run.poll() is None]
        for served in running:
            if served.run is not None:
                served.run.terminate()
        limit = time.monotonic() + PATIENCE_S
        for served in running:
            if served.run is None:
                continue
            try:
                served.run.wait(max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                served.run.kill()  # what is finished is in the store: the next run goes on from there
                served.run.wait()
            self._reap(served)
        return bool(running)

    def _reap(self, served: Served) -> None:
        if served.run is None or (code := served.run.poll()) is None:
            return
        served.run = None
        more = "" if code == DONE else f"; dub status {shown(served.manifest)} says why"
        self.say(f"{shown(served.manifest)}: ended with exit code {code}{more}; next at {_told(served.next)}")

    def _read_again(self, served: Served) -> None:
        try:
            changed = served.manifest.stat().st_mtime
        except OSError:
            return  # the run will say so
        if self.changed.setdefault(served.manifest, changed) == changed:
            return
        self.changed[served.manifest] = changed
        try:
            served.schedule = schedule_of(served.manifest)
        except (ManifestError, InputError) as error:
            self.say(f"{error} (the schedule stays as it was)")
        else:
            self.say(f"{shown(served.manifest)}: read again; next at {_told(served.next)}")


def serve_manifests(manifests: Sequence[Path], flags: Mapping[str, Path | str | None]) -> NoReturn:
    """Serve until SIGINT or SIGTERM. Exits with 130 where that cut a run short, else with 0.

    `flags` are handed on to each `dub run`: `--workspace`, `--out`, `--profile`, `--log-format`.
    """
    paths = [manifest_path(manifest) for manifest in manifests]
    choose_log_format(str(flags["--log-format"]) if flags.get("--log-format") else None, paths[0].parent)
    if twice := next((path for index, path in enumerate(paths) if path in paths[:index]), None):
        raise InputError(f"{shown(twice)} is named twice.", remedy="Name every manifest once.")
    now = datetime.now().astimezone()
    courses = [Served(path, schedule_of(path), now) for path in paths]
    given = [text for flag, value in flags.items() if value is not None for text in (flag, str(value))]
    service = Service(courses, lambda manifest: _run(manifest, given), _say)
    for served in courses:
        _say(f"{shown(served.manifest)}: next at {_told(served.next)}")

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        while True:
            service.look(datetime.now().astimezone())
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        cut_short = service.end()
        _say("ended; what is finished is kept")
        sys.exit(INTERRUPTED if cut_short else DONE)


def _run(manifest: Path, flags: Sequence[str]) -> subprocess.Popen[bytes]:
    """`dub run`, which leaves a report, in a session of its own: a Ctrl-C on the terminal is this process's to hand
    on."""
    command = [sys.executable, "-m", "flows.cli", "run", str(manifest), "--report", *flags]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env=os.environ.copy())


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M %Z")


def _say(text: str) -> None:
    """A sentence, and when: runs' own lines come between."""
    say(text if in_json() else f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {text}")
