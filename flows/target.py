"""One lesson in one language: translate, clone, synthesize, place, mix, remux, verify."""

from __future__ import annotations

import json
import re
from typing import Any

from prefect import Task, flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.order import Order
from flows.stages import run_stages, workspace
from flows.standing import finished, unfinished
from flows.withdrawal import withdraw
from manifests.errors import ClaimLost, ConsentRefused, DubError
from manifests.model import Job
from manifests.target_row import TargetRow
from tasks.perform import Products
from tasks.pipeline import TARGET_STAGES


@flow(name="dub-target", flow_run_name="{job.name}", validate_parameters=False)
def dub_target(order: Order, job: Job, products: Products, cores: int) -> Products:
    """Bring one target up to date and say in the ledger where it stands.

    Raises DubError where a stage fails or is blocked; the ledger knows of it by then.
    """
    try:
        products = run_stages(TARGET_STAGES, order, job, products, cores)
    except ClaimLost:
        raise  # where it stands is for the worker to say that has it now
    except DubError as error:
        space, told = workspace(order.workspace), error
        if isinstance(error, ConsentRefused):
            try:
                withdraw(job, space)
            except DubError as unmoved:  # then it is still where everybody may hear it
                told = unmoved.about(lesson=job.name, stage=error.stage)
        space.ledger.record(unfinished(job, told))
        raise told from error.__cause__
    row = finished(job, products)
    workspace(order.workspace).ledger.record(row)
    if not products.outcomes["verify"].cached:
        _show(job, row, products, order)
    return products


target_task = Task(
    dub_target.fn, name="dub-target", task_run_name="{job.name}", cache_policy=NO_CACHE, persist_result=False
)
"""A target as one task, for libraries: a second of heartbeat and a dozen rows fewer than a flow with its stages."""


def _show(job: Job, row: TargetRow, products: Products, order: Order) -> None:
    """A table of lines and metrics in the Prefect UI, one artifact a target."""
    record = json.loads(
        workspace(order.workspace).store.get(products.objects["verify/record.json"]).read_text(encoding="utf-8")
    )
    table = [_table_row(line) for line in record["lines"]]
    metrics = ", ".join(f"{name} {value}" for name, value in record["timing"].items())
    took = ", ".join(f"{name} {outcome.seconds:.1f} s" for name, outcome in products.outcomes.items())
    try:
        create_table_artifact(
            table=table or [{"line": "none", "text": "no speech"}],
            key=re.sub(r"[^a-z0-9]+", "-", f"{job.course.course}-{job.lesson_id}-{job.language}".lower()).strip("-"),
            description=f"{job.name}: {row.state}. {metrics}. Stages: {took}",
        )
    except Exception as error:  # noqa: BLE001  (a picture of what the record says: no target fails for want of it)
        get_run_logger().warning("%s: not shown in the Prefect UI: %s", job.name, error)


def _table_row(line: dict[str, Any]) -> dict[str, Any]:
    placed = line.get("placed") or {}
    return {
        "line": line["id"],
        "speaker": line["speaker"],
        "start": placed.get("start"),
        "end": placed.get("end"),
        "rate": placed.get("rate"),
        "voice": line["voice"]["kind"],
        "flags": ", ".join(line["flags"]),
    }
