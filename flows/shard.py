"""A shard on a worker: its lessons, each under a claim, in one process that loads every model once."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prefect import State, flow, get_run_logger
from prefect.runtime import flow_run
from prefect.states import Failed

from flows.cancelling import cancellable
from flows.claiming import claims_of_this_process, lesson_held
from flows.heir import heir_of_this_process
from flows.lesson import dub_lesson, explain
from flows.looking_back import LookingBack
from flows.progress import watching
from flows.shards import Shard
from flows.side_by_side import side_by_side
from flows.stages import workspace
from flows.wanted import Wanted
from manifests import locks
from manifests.claims import LEASE_S
from manifests.errors import ClaimLost, DubError, LedgerError


@flow(name="dub-shard", flow_run_name="{shard.name}")
def dub_shard(shard: Shard, accelerator: bool = False, lease_s: float = LEASE_S) -> State[None] | None:
    """Bring a shard's lessons up to date; the ledger says of each where it stands, and this run is failed where one
    did not finish.

    `accelerator` says that it came by a pool whose workers have a GPU, which it then has to itself. A lesson goes to
    another worker when nothing was heard of this process for `lease_s`.
    """
    log = get_run_logger()
    try:
        selection = shard.selection()
        order = shard.errand.order()
        space = workspace(order.workspace)
    except DubError as error:
        return Failed(message=str(error))  # the course flow sends the lessons to another, or says this of them
    at_once = max(1, min(order.cores, len(selection.lessons)))
    looking_back = LookingBack(selection, space)

    def work(item: Wanted) -> None:
        with lesson_held(mine, item, space.ledger, log.info):
            log.info("%s: begun", item.job.name)
            try:
                dub_lesson.fn(order, item.job, item.languages, max(1, order.cores // at_once))
            except Exception as error:
                log.warning("%s: %s", item.job.name, error)
                if not isinstance(error, ClaimLost):
                    explain(order, item, error)
                    raise
            finally:
                looking_back.done(item)

    with ExitStack() as ends:
        ends.enter_context(cancellable())
        ends.enter_context(watching())
        heir = ends.enter_context(heir_of_this_process(space.root))
        mine = ends.enter_context(claims_of_this_process(space.claims, lease_s, heir))
        ends.enter_context(mine.held(alive(str(flow_run.id)), log.info))
        if accelerator:
            ends.enter_context(own_device(log.info))
        outcomes = side_by_side(work, selection.lessons, at_once)
        looking_back.look()
    for outcome in outcomes:
        if isinstance(outcome, LedgerError):
            raise outcome
    broken = [item.job.name for item, outcome in zip(selection.lessons, outcomes, strict=True) if outcome is not None]
    if not broken:
        return None
    return Failed(message=f"{len(broken)} of {len(outcomes)} lessons did not finish: {', '.join(broken)}")


def alive(run: str) -> str:
    """The claim by which a shard's process shows, to whoever waits for it, that it lives."""
    return f"shards/{run}"


@contextmanager
def own_device(waiting: Callable[[str], None]) -> Generator[None]:
    """Have this machine's GPU, or those that CUDA_VISIBLE_DEVICES names, for the block, alone among our processes.

    The lock is the system's and goes with the process, however that ends.
    """
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace(os.sep, "-")
    with (Path(tempfile.gettempdir()) / f"dubflow-gpu-{devices}.lock").open("a") as lock:
        if not locks.take(lock):
            waiting("waiting for another process of dubflow to be done with the GPU")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
