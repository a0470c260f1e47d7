"""Numbers about runs for a monitoring system, by OpenTelemetry; off unless its standard variables name a receiver.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318      or …_METRICS_ENDPOINT; `none` in OTEL_METRICS_EXPORTER is off

| metric | unit | by |
|---|---|---|
| `dubflow.stages` | stages that ended | stage; outcome: done, cached, failed, blocked |
| `dubflow.stage.duration` | seconds of a stage that did work | stage |
| `dubflow.stages.queued`, `dubflow.stages.running` | stages of this process | |
| `dubflow.targets` | targets of a course, as a run left them | course, state |
| `dubflow.lines` | lines spoken in the targets that a run made | course, language, voice |
| `dubflow.lines.unspoken` | their lines that are not spoken | course, language |

What is said in a lesson, whose voice it is and what a lesson is called is in none of them. OpenTelemetry is
imported where it is asked for; a receiver that does not answer costs a run nothing but a line that says so.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flows.remaining import Work
from flows.saying import say
from manifests.target_row import TargetRow

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExporter

    from flows.progress import Watcher

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

STATES: Final = ("done", "partial", "failed", "blocked", "review")
"""Every state is reported, with 0 too: a gauge that is not reported keeps its old value."""

FLUSH_MS: Final = 5000
"""How long the end of a run waits for a receiver."""

_SECONDS: Final = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)


def asked() -> bool:
    """Whether the environment names a receiver."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_METRICS_EXPORTER") == "none":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


def metered(watcher: Watcher) -> Watcher:
    """A watcher that also counts what it hears; the same watcher where nobody asks for numbers."""
    return Metered(watcher, meters()) if asked() else watcher


def count(course: str, rows: Sequence[TargetRow], since: str) -> None:
    """Tell how a run left the targets of its course; `since` (as the ledger writes moments) is when it began.

    Nothing where nobody asks.
    """
    if not asked():
        return
    told = meters()
    states = Counter(row.state for row in rows)
    for state in STATES:
        told.targets.set(states[state], {"course": course, "state": state})
    for row in rows:
        if row.updated >= since:
            for voice, lines in _voices(row).items():
                told.lines.add(lines, {"course": course, "language": row.language, "voice": voice})
            told.unspoken.add(
                sum(1 for problem in row.problems if problem.get("line")), {"course": course, "language": row.language}
            )
    told.provider.force_flush(FLUSH_MS)


def _voices(row: TargetRow) -> Mapping[str, int]:
    """How many lines of a target are spoken in which kind of voice, as the record beside its output says."""
    record = Path(row.output).parent / f"{row.lesson}.{row.language}.dub.json"
    try:
        lines: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8"))["lines"]
    except (OSError, ValueError, KeyError):
        return {}  # what was never made has none
    return Counter(line["voice"]["kind"] for line in lines if line.get("placed"))


class Meters:
    """The instruments, and the provider that sends what they are told."""

    def __init__(self, provider: MeterProvider) -> None:
        self.provider = provider
        meter = provider.get_meter("dubflow", version("dubflow"))
        self.stages = meter.create_counter("dubflow.stages", "{stage}", "Stages that ended")
        self.seconds = meter.create_histogram(
            "dubflow.stage.duration", "s", "Stages that did work", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self.queued = meter.create_up_down_counter("dubflow.stages.queued", "{stage}", "Stages to be done")
        self.running = meter.create_up_down_counter("dubflow.stages.running", "{stage}", "Stages at work")
        self.targets = meter.create_gauge("dubflow.targets", "{target}", "Targets as the last run left them")
        self.lines = meter.create_counter("dubflow.lines", "{line}", "Lines spoken in what a run made")
        self.unspoken = meter.create_counter("dubflow.lines.unspoken", "{line}", "Lines that could not be spoken")


@lru_cache(maxsize=1)
def meters() -> Meters:
    """This process's; made once, and sent from a thread of their own until the process ends."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.addHandler(_Once())
    facts = {"service.version": version("dubflow")}
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        facts["service.name"] = "dubflow"
    return Meters(MeterProvider([PeriodicExportingMetricReader(_exporter())], Resource.create(facts)))


def _exporter() -> MetricExporter:
    """By HTTP, unless OTEL_EXPORTER_OTLP_PROTOCOL says `grpc`; it reads address, headers and certificates."""
    default = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if os.environ.get("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", default) == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as ByGrpc

        return ByGrpc()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as ByHttp

    return ByHttp()


class _Once(logging.Handler):
    """Says the first thing that went wrong with sending, in the form of the run's own log, and no more."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._said:
            self._said = True
            say(f"Metrics could not be sent: {re.sub(r'//[^/@]*@', '//', record.getMessage())}")


class Metered:
    """A watcher that counts, and hands on all that it hears. Called from several threads."""

    def __init__(self, inner: Watcher, meters: Meters) -> None:
        self._inner = inner
        self._meters = meters
        self._lock = threading.Lock()
        self._queued = set[tuple[str, str]]()
        self._begun: dict[tuple[str, str], float] = {}

    def expect(self, work: Iterable[Work], at_once: int) -> None:
        known = list(work)
        with self._lock:
            new = {(each.name, each.stage) for each in known} - self._queued
            self._queued |= new
        self._meters.queued.add(len(new))
        self._inner.expect(known, at_once)

    def started(self, name: str, stage: str) -> None:
        with self._lock:
            self._begun[name, stage] = time.monotonic()
        self._meters.running.add(1)
        self._inner.started(name, stage)

    def share(self, name: str, stage: str, done: float) -> None:
        self._inner.share(name, stage, done)

    def finished(self, name: str, stage: str, seconds: float, cached: bool) -> None:
        self._ended(name, stage, "cached" if cached else "done", None if cached else seconds)
        self._inner.finished(name, stage, seconds, cached)

    def broken(self, name: str, stage: str, message: str, state: str) -> None:
        begun = self._begun.get((name, stage))
        self._ended(name, stage, state, None if begun is None else time.monotonic() - begun)
        with self._lock:  # what would have come after it does not
            dropped = {each for each in self._queued if each[0] == name or each[0].startswith(f"{name}:")}
            self._queued -= dropped
        self._meters.queued.add(-len(dropped))
        self._inner.broken(name, stage, message, state)

    def _ended(self, name: str, stage: str, outcome: str, seconds: float | None) -> None:
        with self._lock:
            queued = (name, stage) in self._queued
            self._queued.discard((name, stage))
            running = self._begun.pop((name, stage), None) is not None
        self._meters.queued.add(-int(queued))
        self._meters.running.add(-int(running))
        self._meters.stages.add(1, {"stage": stage, "outcome": outcome})
        if seconds is not None:
            self._meters.seconds.record(seconds, {"stage": stage})
