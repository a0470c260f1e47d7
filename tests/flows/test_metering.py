"""Numbers for a monitoring system: as a real receiver on loopback gets them, and nothing at all where nobody asks."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from flows import metering
from flows.progress import watcher, watching
from flows.remaining import Work
from manifests.target_row import TargetRow

Points = dict[str, dict[str, Any]]


class Receiver:
    """What OTLP over HTTP brought, the latest of each metric: by its attributes, in words, its value."""

    def __init__(self) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver.requests.append(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def points(self) -> Points:
        found: Points = {}
        for request in self.requests:
            for metric in (
                metric for each in request.resource_metrics for scope in each.scope_metrics for metric in scope.metrics
            ):
                data = (
                    metric.sum
                    if metric.HasField("sum")
                    else metric.gauge
                    if metric.HasField("gauge")
                    else metric.histogram
                )
                for point in data.data_points:
                    about = " ".join(
                        each.value.string_value for each in sorted(point.attributes, key=lambda each: each.key)
                    )
                    value = (
                        (point.count, point.sum) if metric.HasField("histogram") else point.as_int or point.as_double
                    )
                    found.setdefault(metric.name, {})[about] = value
        return found


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that this process's numbers go to; its meters are made for it and end with it."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.address)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    metering.meters.cache_clear()
    yield made
    metering.meters().provider.shutdown()
    metering.meters.cache_clear()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def row(tmp_path: Path, language: str, state: Any, updated: str, *voices: str) -> TargetRow:
    """A target with its record, as a run writes both."""
    lines = [{"voice": {"kind": voice}, "placed": {"start": 0, "end": 1, "rate": 1}} for voice in voices]
    (tmp_path / f"one.{language}.dub.json").write_text(json.dumps({"lines": lines}))
    problems = [{"line": "3", "message": "lacks 0.4 s"}] if state == "partial" else []
    return TargetRow(
        "biology", "one", language, state, output=str(tmp_path / "one.mp4"), problems=problems, updated=updated
    )


def test_a_run_is_told_as_it_goes_and_as_it_ends(receiver: Receiver, tmp_path: Path) -> None:
    """Stages by outcome with their seconds, what is queued, targets by state, lines by voice; and whose they are."""
    with watching(quiet=True):
        watcher().expect([Work("one", "split", 1), Work("one:es", "mix", 1), Work("two", "split", 1)], at_once=2)
        watcher().started("one", "split")
        watcher().finished("one", "split", 2.5, False)
        watcher().started("one:es", "mix")
        watcher().finished("one:es", "mix", 0.0, True)
        watcher().started("two", "split")
    rows = [
        row(tmp_path, "es", "done", "2026-11-27T02:00:00+00:00", "clone", "clone", "stock"),
        row(tmp_path, "ca", "partial", "2026-11-27T02:00:01+00:00", "stock"),
        row(tmp_path, "fr", "done", "2026-11-20T02:00:00+00:00", "stock"),  # of an earlier night
    ]
    metering.count("biology", rows, since="2026-11-27T01:59:00+00:00")
    points = receiver.points()
    assert points["dubflow.stages"] == {"done split": 1, "cached mix": 1}
    assert points["dubflow.stage.duration"] == {"split": (1, 2.5)}
    assert points["dubflow.stages.queued"] == {"": 1}
    assert points["dubflow.stages.running"] == {"": 1}
    assert points["dubflow.targets"] == {
        "biology done": 2,
        "biology partial": 1,
        "biology failed": 0,
        "biology blocked": 0,
        "biology review": 0,
    }
    assert points["dubflow.lines"] == {"biology es clone": 2, "biology es stock": 1, "biology ca stock": 1}
    assert points["dubflow.lines.unspoken"] == {"biology es": 0, "biology ca": 1}
    attributes = {
        each.key: each.value.string_value for each in receiver.requests[0].resource_metrics[0].resource.attributes
    }
    assert (attributes["service.name"], attributes["deployment.environment"]) == ("dubflow", "test")


def test_a_stage_that_breaks_takes_what_waited_for_it_off_the_queue(receiver: Receiver) -> None:
    """Its lesson's targets too; another lesson's stays."""
    with watching(quiet=True):
        watcher().expect([Work("one", "split", 1), Work("one:es", "mix", 1), Work("two", "split", 1)], at_once=1)
        watcher().started("one", "split")
        watcher().broken("one", "split", "unreadable", "failed")
    metering.count("biology", [], since="")
    points = receiver.points()
    assert points["dubflow.stages"] == {"failed split": 1}
    assert points["dubflow.stages.queued"] == {"": 1}
    assert points["dubflow.stages.running"] == {"": 0}


def test_where_nobody_asks_nothing_is_imported() -> None:
    """Nor is anything in the way of the watcher."""
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from flows.metering import count\n"
            "from flows.progress import Silent, watching\n"
            "with watching(quiet=True) as watcher: assert type(watcher) is Silent\n"
            "count('biology', [], since='')\n"
            "print([name for name in sys.modules if name.startswith('opentelemetry')])",
        ],
        env={"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.strip() == "[]"


def test_a_receiver_that_does_not_answer_is_said_once_without_its_password() -> None:
    """And costs the run nothing else: in a process of its own, as sending ends with it."""
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from flows.metering import count\n"
            "count('biology', [], since='')\n"
            "count('biology', [], since='')\n"
            "print('went on')",
        ],
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:hush@127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "COLUMNS": "300",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (told.returncode, told.stdout) == (0, "went on\n")
    assert told.stderr.count("Metrics could not be sent") == 1
    assert "hush" not in told.stderr
