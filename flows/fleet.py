"""Sending shards to the workers of a Prefect server, and waiting for them, however long that server is away.

What a run's state says is only whether somebody still works on it; how its lessons went is the ledger's to tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeVar, cast
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Cancelling, Crashed

from flows.shard import alive
from flows.shards import Shard
from manifests.claims import SIGHTINGS, Claims
from manifests.errors import EngineUnavailable, InputError, StoreError

T = TypeVar("T")

POLL_S: Final = 4.0

PATIENCE_S: Final = 3600.0
"""How long the Prefect server may be away before a course gives up waiting for it."""

SILENCE_S: Final = 600.0
"""How long a run that a worker took may show no sign of life at all before it is given up."""

UNTAKEN_S: Final = 60.0
"""How long a shard waits for a worker before somebody is told that there may be none."""

_PAGE: Final = 100


@dataclass(slots=True)
class _Sign:
    """The last sign of life of a run: what it was, since when by this process's clock, and how often it was seen."""

    said: tuple[str, bytes | None]
    since: float
    times: int = 1


@dataclass(slots=True)
class Fleet:
    """The workers, by way of the server.

    `course_run` is the flow run that sends; a worker may show no sign of life for `lease_s`; `say` tells the operator.
    """

    client: SyncPrefectClient
    claims: Claims
    course_run: str
    lease_s: float
    say: Callable[[str], None]
    open: dict[UUID, Shard] = field(default_factory=dict[UUID, Shard])
    """Runs that are not over."""
    _signs: dict[UUID, _Sign] = field(default_factory=dict[UUID, _Sign])

    def carry_out(self, shards: Sequence[tuple[str, Shard]], attempt: int) -> Mapping[Shard, str]:
        """Send shards to their pools and wait until every run is over; how each ended, in words.

        Sent again, by a course flow that was retried, a shard that is still under way is waited for.
        Raises InputError where a pool has no deployment, EngineUnavailable where no server answers for an hour.
        """
        ended: dict[Shard, str] = {}
        for pool, shard in shards:
            self.open[self._send(pool, shard, attempt)] = shard
        self.say(f"{len(shards)} shards are with the workers")
        sent, told = time.monotonic(), False
        while self.open:
            time.sleep(POLL_S)
            runs = self._read(tuple(self.open))
            for run_id in tuple(self.open):
                if (how := self._end(run_id, runs.get(run_id))) is not None:
                    ended[self.open.pop(run_id)] = how
            waiting = [run for run in runs.values() if run.id in self.open and run.state and run.state.is_scheduled()]
            if waiting and len(waiting) == len(runs) and not told and time.monotonic() - sent > UNTAKEN_S:
                told = True
                pool = waiting[0].work_pool_name
                self.say(
                    f"no worker has taken any of {len(waiting)} shards yet; is there one? "
                    f"Start it with: prefect worker start --pool {pool} --type process --limit 2"
                )
        return ended

    def is_cancelled(self) -> bool:
        """Whether somebody cancels the course flow's own run."""
        state = self.client.read_flow_run(UUID(self.course_run)).state
        return state is not None and (state.is_cancelling() or state.is_cancelled())

    def cancel(self) -> None:
        """Ask the workers to put down what is under way."""
        for run_id in self.open:
            self._patiently(lambda run_id=run_id: self.client.set_flow_run_state(run_id, Cancelling()))

    def _send(self, pool: str, shard: Shard, attempt: int) -> UUID:
        """The run of a shard: a new one, or the one under way that was sent for the same before."""
        for again in count(1):
            key = f"{shard.course}/{self.course_run}/{shard.digest}/{attempt}.{again}"
            run = self._patiently(lambda key=key: self._sent(pool, shard, key))
            if run.state is None or not run.state.is_final():
                return run.id
        raise AssertionError

    def _sent(self, pool: str, shard: Shard, key: str) -> FlowRun:
        try:
            sent = run_deployment(
                f"dub-shard/{pool}",
                parameters={"shard": shard.model_dump(mode="json"), "lease_s": self.lease_s},
                flow_run_name=shard.name,
                timeout=0,
                tags=[shard.course],
                idempotency_key=key,
            )
        except ObjectNotFound as error:
            raise InputError(
                f"there is no deployment dub-shard/{pool} on the Prefect server.",
                remedy=f"Register it: dub deploy {shard.errand.manifest}",
            ) from error
        return cast("FlowRun", sent)  # a coroutine only where an event loop runs

    def _read(self, ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
        found: dict[UUID, FlowRun] = {}
        for at in range(0, len(ids), _PAGE):
            some = FlowRunFilter(id=FlowRunFilterId(any_=list(ids[at : at + _PAGE])))
            runs = self._patiently(lambda some=some: self.client.read_flow_runs(flow_run_filter=some, limit=_PAGE))
            found |= {run.id: run for run in runs}
        return found

    def _end(self, run_id: UUID, run: FlowRun | None) -> str | None:
        """How a run ended; None while it has not. One whose process is dead is set to crashed."""
        if run is None:
            return "its run was deleted"
        state = run.state
        if state is None or state.is_scheduled():
            return None
        if state.is_final():
            return state.message or state.type.value
        if (how := self._death(run_id, state.type.value)) is None:
            return None
        self._patiently(lambda: self.client.set_flow_run_state(run_id, Crashed(message=how), force=True))
        return how

    def _death(self, run_id: UUID, state: str) -> str | None:
        """How a run's process died, in words: it was killed, as its heir or this machine knows, or it has given no sign
        of life for the length of its lease. None where it may live.

        A store that cannot be read proves nothing about anybody: the wait then begins anew.
        """
        now = time.monotonic()
        try:
            held = self.claims.seen(alive(str(run_id)))
        except StoreError:
            self._signs.pop(run_id, None)
            return None
        if held is not None and held.gone:
            return "its process was killed: its worker was told to end, or there was no memory left"
        said = (state, held.content if held else None)
        sign = self._signs.get(run_id)
        if sign is None or sign.said != said:
            self._signs[run_id] = _Sign(said, now)
            return None
        sign.times += 1
        if now - sign.since <= (held.lease_s if held else SILENCE_S) or sign.times <= SIGHTINGS:
            return None
        return "its worker is gone: no sign of life came from it any more"

    def _patiently(self, call: Callable[[], T]) -> T:
        """What a call to the server returns, as soon as there is a server that answers it."""
        begun, told = time.monotonic(), False
        while True:
            try:
                return call()
            except (httpx.TransportError, PrefectHTTPStatusError, RuntimeError) as error:
                if not _is_away(error):
                    raise
                if time.monotonic() - begun > PATIENCE_S:
                    raise EngineUnavailable(
                        f"the Prefect server has not answered for {PATIENCE_S / 60:.0f} minutes: {error}.",
                        remedy="Start it again, then retry this run: what is finished is kept.",
                    ) from error
                if not told:
                    told = True
                    self.say("the Prefect server does not answer; waiting for it")
                time.sleep(POLL_S)


def _is_away(error: Exception) -> bool:
    """Whether an error says that the server is not there just now, rather than that it refuses something."""
    if isinstance(error, PrefectHTTPStatusError):
        return error.response.status_code >= 500
    return isinstance(error, httpx.TransportError) or str(error).startswith("Failed to reach API")
