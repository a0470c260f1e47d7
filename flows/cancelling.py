"""Ending a run that somebody cancels, whatever became of Prefect's own watch for that.

Prefect's worker (3.8.8) is told of a cancel, or asks; but half a minute after the server went away it has given up for
good, and a run that is cancelled later goes on for hours, shown as `Cancelled`. So a run asks for itself, and leaves
the first half minute to its worker.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, NoReturn
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException, TerminationSignal
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run
from prefect.states import Cancelled

ASK_S: Final = 30.0
"""How often a run asks whether it is cancelled; it ends when it has heard so twice."""


@contextmanager
def cancellable() -> Generator[None]:
    """End this process, as its worker would, where somebody cancels the run that it is; what the block holds is let go.

    To be entered by the flow of a process that is a worker's, in its main thread.
    """
    run, over, cancelled = UUID(str(flow_run.id)), threading.Event(), threading.Event()
    threading.Thread(target=_watch, args=(run, over, cancelled), name="cancelled?", daemon=True).start()
    try:
        yield
    except TerminationSignal:
        if cancelled.is_set():
            _end(run)
        raise
    finally:
        over.set()


def _watch(run: UUID, over: threading.Event, cancelled: threading.Event) -> None:
    """Ask until the block is over; tell the process to end where it is cancelled, and nobody else has told it."""
    heard = 0
    with get_client(sync_client=True) as client:
        while not over.wait(ASK_S):
            try:
                state = client.read_flow_run(run).state
            except (httpx.HTTPError, PrefectException, RuntimeError):
                continue  # the server is away: it is asked again
            heard = heard + 1 if state is not None and (state.is_cancelling() or state.is_cancelled()) else 0
            if heard > 1:
                cancelled.set()
                os.kill(os.getpid(), signal.SIGTERM)
                return


def _end(run: UUID) -> NoReturn:
    """Say that the run is cancelled, and end without waiting for threads that are still at work."""
    try:
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run, Cancelled(message="it was cancelled"), force=True)
        APILogHandler().flush()
    finally:
        os._exit(0)
