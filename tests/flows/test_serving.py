"""Courses on their schedules: each at its time, never twice at once, whatever the clock and its readers do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.serving import Schedule, Served, Service, schedule_of
from manifests.errors import InputError

NIGHT = "course: night\nsource_language: en\ntargets: [es]\nlessons: [{media: a.mp4}]\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text(NIGHT + 'schedule: "0 2 * * *"\ntimezone: Europe/Madrid\n', encoding="utf-8")
    return path


class Night:
    """A service of one manifest, whose runs are processes that end at once or wait to be told."""

    def __init__(self, manifest: Path, since: str, seconds: float = 60) -> None:
        self.said: list[str] = []
        self.started = 0
        self.seconds = seconds
        self.served = Served(manifest, schedule_of(manifest), at(since))
        self.service = Service([self.served], self._start, self.said.append)

    def _start(self, manifest: Path) -> subprocess.Popen[bytes]:
        self.started += 1
        run = subprocess.Popen(["sleep", str(self.seconds)])
        if not self.seconds:
            run.wait()
        return run

    def look(self, *times: str) -> int:
        """Look at these times; how many runs were started in all."""
        for text in times:
            self.service.look(at(text))
        return self.started


def test_a_time_is_told_in_its_own_zone() -> None:
    """Two at night in Madrid is one o'clock UTC in winter, midnight in summer; a skipped hour runs once."""
    night = Schedule("0 2 * * *", "Europe/Madrid")
    assert night.after(at("2026-01-10T12:00+00:00")).astimezone(UTC) == at("2026-01-11T01:00+00:00")
    assert night.after(at("2026-07-10T12:00+00:00")).astimezone(UTC) == at("2026-07-11T00:00+00:00")
    half_past_two = Schedule("30 2 * * *", "Europe/Madrid")
    first = half_past_two.after(at("2026-03-28T12:00+00:00"))  # the night in which 02:30 does not exist
    second = half_past_two.after(first)
    assert timedelta(hours=20) < second - first < timedelta(hours=25)


def test_a_course_runs_once_when_its_time_comes(manifest: Path) -> None:
    """Not before, and not again at the next look."""
    night = Night(manifest, "2026-01-10T23:00+00:00", seconds=0)
    assert night.look("2026-01-11T00:59:58+00:00") == 0
    assert night.look("2026-01-11T01:00:03+00:00", "2026-01-11T01:00:08+00:00") == 1


def test_a_run_that_still_runs_is_not_started_again(manifest: Path) -> None:
    """The time that comes round meanwhile is left out, and said."""
    night = Night(manifest, "2026-01-10T23:00+00:00")
    try:
        assert night.look("2026-01-11T01:00:01+00:00", "2026-01-12T01:00:01+00:00") == 1
        assert night.said[-1].endswith("it still runs, so this time is left out")
    finally:
        assert night.service.end()
    assert night.served.run is None


def test_nights_that_were_slept_through_are_made_up_for_once(manifest: Path) -> None:
    """A machine that was suspended for a week starts one run, not seven."""
    night = Night(manifest, "2026-01-10T23:00+00:00", seconds=0)
    assert night.look("2026-01-18T09:00+00:00", "2026-01-18T09:00:05+00:00") == 1


def test_a_clock_that_is_set_back_starts_nothing_and_loses_no_night(manifest: Path) -> None:
    """The next two o'clock of the new time counts."""
    night = Night(manifest, "2026-06-10T23:00+00:00", seconds=0)
    assert night.look("2026-01-10T22:00+00:00") == 0
    assert night.look("2026-01-11T01:00:01+00:00") == 1


def test_an_edited_schedule_holds_from_then_on(manifest: Path) -> None:
    """A manifest that cannot be understood leaves the schedule as it was, and says its line."""
    night = Night(manifest, "2026-01-10T23:00+00:00", seconds=0)
    night.look("2026-01-10T23:00:05+00:00")
    manifest.write_text(NIGHT + 'schedule: "30 0 * * *"\ntimezone: UTC\n', encoding="utf-8")
    os.utime(manifest, (1, 1))
    assert night.look("2026-01-10T23:00:10+00:00", "2026-01-11T00:30:02+00:00") == 1
    manifest.write_text(NIGHT + "schedule: never\n", encoding="utf-8")
    os.utime(manifest, (2, 2))
    night.look("2026-01-11T00:31+00:00")
    assert f"{manifest}:5: `never` is no schedule" in night.said[-1]
    assert night.look("2026-01-12T00:30:02+00:00") == 2


def test_a_manifest_without_a_schedule_is_told_what_to_add(tmp_path: Path) -> None:
    """Nothing is served then."""
    path = tmp_path / "plain.yaml"
    path.write_text(NIGHT, encoding="utf-8")
    with pytest.raises(InputError, match="has no schedule") as refused:
        schedule_of(path)
    assert refused.value.remedy == 'Add one, such as `schedule: "0 2 * * *"` for two at night.'


@pytest.mark.slow
def test_the_command_runs_a_course_within_its_minute_and_ends_when_told(tmp_path: Path) -> None:
    """A real process: the run fails for want of its lesson, which is said, and leaves the report; SIGTERM ends the
    service with 0."""
    manifest = tmp_path / "often.yaml"
    manifest.write_text(NIGHT + 'schedule: "* * * * *"\n', encoding="utf-8")
    service = subprocess.Popen(
        [str(Path(sys.executable).with_name("dub")), "serve", str(manifest)], stderr=subprocess.PIPE, text=True
    )
    assert service.stderr
    said: list[str] = []
    limit = time.monotonic() + 300
    for line in service.stderr:
        said.append(line)
        if "ended with exit code 3" in line or time.monotonic() > limit:
            break
    service.send_signal(signal.SIGTERM)
    said += service.stderr.readlines()
    service.stderr.close()
    assert service.wait(30) in {0, 130}  # 130 where the next minute's run had begun
    assert any("started as process" in line for line in said)
    report = tmp_path / "out/night/report.html"
    assert f"The report: {report}\n" in said
    assert f"dub rerun {manifest} --failed" in report.read_text(encoding="utf-8")
    assert any(f"ended with exit code 3; dub status {manifest} says why; next at" in line for line in said)
