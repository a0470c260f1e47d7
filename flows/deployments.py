"""Deployments on a Prefect server: a course flow for every manifest, a shard flow for every pool, all of the installed
package: workers import them, and fetch no code from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import get_current_settings
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from flows.dispatch import dispatch_course
from flows.shard import dub_shard
from flows.version import code_version
from manifests.model import Course

DEAD_RUNS: Final = "dubflow: runs whose process died"

MISSED_HEARTBEATS: Final = 3

USUAL_HEARTBEAT_S: Final = 180
"""Prefect's own; workers on which PREFECT_FLOWS_HEARTBEAT_FREQUENCY is not set send so often."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One deployment that is there now."""

    name: str
    """`flow/deployment`, as `prefect deployment run` takes it."""
    pool: str
    schedule: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"deployment": self.name, "pool": self.pool, "schedule": self.schedule}


def register(
    client: SyncPrefectClient,
    courses: Mapping[Path, Course],
    *,
    course_pool: str,
    pool: str,
    gpu_pool: str,
    shard: int,
    flags: Mapping[str, str | None],
) -> list[Deployed]:
    """Make or renew pools, deployments and the watch for dead runs; returns the deployments.

    A course's run holds its place as long as it waits for its shards: in a pool of its own, so that however many
    courses run, none takes the place that the shards of another, or its own, need to go on.
    """
    made: list[Deployed] = []
    _make_pool(client, course_pool)
    for name, accelerator in ((pool, False), (gpu_pool, True)):
        _make_pool(client, name)
        made.append(_register_shards(name, accelerator))
    for manifest, course in courses.items():
        given = {name: value for name, value in flags.items() if value is not None}
        parameters = {"manifest": str(manifest), "pool": pool, "gpu_pool": gpu_pool, "shard": shard, **given}
        made.append(_register_course(course, course_pool, parameters))
    _watch_for_dead_runs(client)
    return made


def _make_pool(client: SyncPrefectClient, name: str) -> None:
    """A pool of processes, where there is none of this name; one that is there stays as its operator made it."""
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        try:
            client.create_work_pool(WorkPoolCreate(name=name, type=ProcessWorker.type, base_job_template=template))
        except ObjectAlreadyExists:
            return


def _register_shards(pool: str, accelerator: bool) -> Deployed:
    deployment = RunnerDeployment.from_flow(
        dub_shard,
        name=pool,
        parameters={"accelerator": accelerator},
        work_pool_name=pool,
        version=code_version(),
        entrypoint_type=EntrypointType.MODULE_PATH,
        description="Lessons of a course that is dispatched; sent by its course flow.",
    )
    deployment.apply()
    return Deployed(deployment.full_name, pool)


def _register_course(course: Course, pool: str, parameters: Mapping[str, Any]) -> Deployed:
    """A course flow that never runs twice at once: a time that comes round while it still runs is left out."""
    deployment = RunnerDeployment.from_flow(
        dispatch_course,
        name=course.course,
        parameters=dict(parameters),
        schedules=[CronSchedule(cron=course.schedule, timezone=course.timezone or "UTC")] if course.schedule else [],
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        work_pool_name=pool,
        version=code_version(),
        entrypoint_type=EntrypointType.MODULE_PATH,
        description=f"Brings the course {course.course} up to date.",
    )
    deployment.apply()
    when = f"{course.schedule} {course.timezone or 'UTC'}" if course.schedule else ""
    return Deployed(deployment.full_name, pool, when)


def _watch_for_dead_runs(client: SyncPrefectClient) -> None:
    """An automation that sets a run to crashed whose heartbeats end: a machine that died tells nobody.

    Without it such a run stays `Running` for good, and its course's next night would be left out.
    """
    beat = max(get_current_settings().flows.heartbeat_frequency or 0, USUAL_HEARTBEAT_S)  # workers may have either
    trigger = EventTrigger(
        posture=Posture.Proactive,
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        threshold=1,
        within=timedelta(seconds=MISSED_HEARTBEATS * beat),
    )  # pyright: ignore[reportCallIssue]  (its fields come from a base that is read at run time)
    wanted = AutomationCore(
        name=DEAD_RUNS,
        description="Made by `dub deploy`.",
        trigger=trigger,
        actions=[
            ChangeFlowRunState(
                name="Crashed", state=StateType.CRASHED, message="its process sends no heartbeat any more", force=False
            )
        ],
    )
    found = client.find_automation(DEAD_RUNS)
    if found is None:
        client.create_automation(wanted)
    else:
        client.update_automation(found.id, wanted)
