"""The one place where a stage becomes a Prefect task."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE

from flows.order import Order
from flows.progress import watcher
from flows.standing import state_of
from manifests.errors import DubError
from manifests.model import Job
from manifests.workspace import Workspace
from tasks.perform import Outcome, Products, perform
from tasks.stage import Stage


@lru_cache(maxsize=8)
def workspace(root: Path) -> Workspace:
    """The workspace in this process; opened once."""
    return Workspace.open(root)


@cache
def stage_task(name: str) -> Task[..., Outcome]:
    """The Prefect task of a stage. Our own store does the caching: it knows content, Prefect knows arguments."""

    return Task(_run_stage, name=name, task_run_name="{job.name} " + name, cache_policy=NO_CACHE, persist_result=False)


def _run_stage(order: Order, job: Job, stage: Any, products: Products, cores: int) -> Outcome:
    return perform(
        stage,
        job,
        products,
        workspace(order.workspace),
        cores=cores,
        force=stage.name in order.force,
        redo=frozenset(order.lines),
        refresh=order.refresh,
        tell=lambda share: watcher().share(job.name, stage.name, share),
    )


def run_stages(stages: tuple[Stage, ...], order: Order, job: Job, products: Products, cores: int) -> Products:
    """Run stages one after the other; returns the products with theirs added.

    Each is a task of the flow that is running, unless the order's grain is the target. Raises DubError from the first
    stage that fails.
    """
    for stage in stages:
        watcher().started(job.name, stage.name)
        run = stage_task(stage.name) if order.grain == "stage" else _run_stage
        try:
            outcome = run(order, job, stage, products, cores)
        except DubError as error:
            watcher().broken(job.name, stage.name, str(error), state_of(error))
            raise
        watcher().finished(job.name, stage.name, outcome.seconds, outcome.cached)
        products = products.plus(outcome)
    return products
