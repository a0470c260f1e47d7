"""The one place where a stage becomes a Prefect task."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from prefect import Task, task
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

    @task(name=name, task_run_name="{job.name} " + name, cache_policy=NO_CACHE, persist_result=False)
    def run_stage(order: Order, job: Job, stage: Any, products: Products, cores: int) -> Outcome:
        return perform(
            stage,
            job,
            products,
            workspace(order.workspace),
            cores=cores,
            force=name in order.force,
            redo=frozenset(order.lines),
            tell=lambda share: watcher().share(job.name, name, share),
        )

    return run_stage


def run_stages(stages: tuple[Stage, ...], order: Order, job: Job, products: Products, cores: int) -> Products:
    """Run stages one after the other as tasks of the flow that is running; returns the products with theirs added.

    Raises DubError from the first stage that fails.
    """
    for stage in stages:
        watcher().started(job.name, stage.name)
        try:
            outcome = stage_task(stage.name)(order, job, stage, products, cores)
        except DubError as error:
            watcher().broken(job.name, stage.name, str(error), state_of(error))
            raise
        watcher().finished(job.name, stage.name, outcome.seconds, outcome.cached)
        products = products.plus(outcome)
    return products
