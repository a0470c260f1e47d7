"""A course on many machines: planned here, done by workers in shards, reckoned up here from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from prefect import State, flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import TerminationSignal
from prefect.runtime import flow_run
from prefect.states import Failed

from flows.cancelling import cancellable
from flows.fleet import Fleet
from flows.gathering import gather_people
from flows.metering import count
from flows.notifying import interrupted, notify, stopped, summary
from flows.pending import Pending, pending
from flows.reporting import left_report
from flows.results import results
from flows.shards import USUAL_LESSONS, Errand, Shard, sharded
from flows.stages import workspace
from flows.standing import DONE, exit_code, unfinished
from flows.wanted import as_it_is_now, wanted
from manifests.claims import LEASE_S
from manifests.errors import DubError, StageFailed
from manifests.ledger import now
from manifests.looking import looking
from manifests.model import Stage
from manifests.shelves import tidy
from manifests.target_row import TargetRow
from manifests.workspace import Workspace
from tasks.pipeline import JOINT
from voiceclone.chain import signer

MOST_ATTEMPTS: Final = 3
"""How often a lesson is sent whose workers end before it does."""

_SHRINK: Final = 4
"""By how much shards are smaller at each further attempt: a lesson that ends its process takes few others with it."""

Known = Mapping[tuple[str, str], TargetRow]


@dataclass(frozen=True, slots=True)
class Pools:
    """Where work goes."""

    cpu: str
    gpu: str

    def of(self, accelerated: bool) -> str:
        return self.gpu if accelerated else self.cpu


@flow(name="dispatch-course", flow_run_name="{manifest.stem}")
def dispatch_course(
    manifest: Path,
    only: tuple[str, ...] = (),
    force: frozenset[Stage] = frozenset(),
    refresh: bool = False,
    profile: str | None = None,
    out: str | None = None,
    workspace: Path | None = None,
    pool: str = "cpu",
    gpu_pool: str = "gpu",
    shard: int = USUAL_LESSONS,
    lease_s: float = LEASE_S,
) -> State[None] | None:
    """Bring a course up to date as `dub run` does, on the workers of two pools, in shards of so many lessons.

    Paths are those of the workers: the manifest and its media lie where all of them have them mounted. A worker that
    shows no sign of life for `lease_s` is taken for dead. This run is failed where a target is not done.
    """
    errand = Errand(
        manifest=manifest, workspace=workspace, out=out, profile=profile, only=only, force=force, refresh=refresh
    )
    log = get_run_logger()
    order, begun = errand.order(), now()
    with ExitStack() as ends:
        ends.enter_context(cancellable())
        try:
            ends.enter_context(as_it_is_now(manifest))  # whoever edits it meanwhile edits it for the next run
            pools = Pools(pool, gpu_pool)
            rows, course = _brought_up_to_date(errand, pools, max(1, shard), lease_s=lease_s, say=log.info)
        except DubError as error:
            notify(stopped(order, manifest.stem, error, left_report(order, manifest.parent, log.info)), manifest.parent)
            return Failed(message=str(error))
        except TerminationSignal:
            notify(interrupted(order, manifest.stem), manifest.parent)
            raise
        count(course, rows, since=begun)
        report = left_report(order, manifest.parent, log.info)
        told = replace(summary(order, course, rows, report), folder=manifest.parent)  # a worker's own is gone tomorrow
    log.info(told.text)
    notify(told, manifest.parent)
    return None if exit_code(rows) == DONE else Failed(message=told.title)


def _brought_up_to_date(
    errand: Errand, pools: Pools, size: int, *, lease_s: float, say: Callable[[str], None]
) -> tuple[list[TargetRow], str]:
    """Do what is to be done; where every target stands then, and the course's name. Raises DubError."""
    order = errand.order()
    selection, space = wanted(order), workspace(order.workspace)
    if selection.course.delivery.disclosure.credentials:
        signer()  # makes the development chain where there is none: what is signed depends on who signs
    gather_people(order, selection.lessons)
    before = space.ledger.targets(selection.course.course)
    with looking():
        work = list(pending(selection, space, force=order.force, refresh=order.refresh, unopened=True))
    for address in {each.item.job.address for each in work} - {""}:
        space.depots.at(address).try_out()
    say(f"{selection.course.course}: {len(work)} of {len(selection.lessons)} lessons have something to do")
    with get_client(sync_client=True) as client:
        fleet = Fleet(client, space.claims, str(flow_run.id), lease_s, say)
        ended: Mapping[Shard, str] = {}
        for attempt in range(1, MOST_ATTEMPTS + 1):
            if not work:
                break
            lessons = max(1, size // _SHRINK ** (attempt - 1))
            shards = [(pools.of(fast), each) for fast, each in sharded(selection.course, work, errand, lessons)]
            ended = _carried_out(fleet, shards, attempt)
            known = space.ledger.targets(selection.course.course)
            with looking():
                work = [
                    each
                    for each in pending(selection, space, force=order.force, refresh=order.refresh, unopened=True)
                    if _untold(each, before, known)
                ]
            for how in dict.fromkeys(_ends(work, ended).values()):
                say(f"not finished, attempt {attempt} of {MOST_ATTEMPTS}: {how}")
        else:
            _give_up(work, _ends(work, ended), before, space)
    for folder in {item.job.out for item in selection.lessons}:
        tidy(folder)
    return results(selection, space), selection.course.course


def _carried_out(fleet: Fleet, shards: Sequence[tuple[str, Shard]], attempt: int) -> Mapping[Shard, str]:
    """Have shards done. Where somebody cancels the course, its shards are cancelled too; where only this process is
    told to end they go on, and a retry of the run waits for them."""
    try:
        return fleet.carry_out(shards, attempt)
    except TerminationSignal:
        if fleet.is_cancelled():
            fleet.cancel()
        raise


def _untold(each: Pending, before: Known, known: Known) -> tuple[str, ...]:
    """Of a lesson with something to do, the languages of which the ledger has said nothing since it was first sent."""
    lesson, joint = each.item.job.lesson_id, tuple(name for name in JOINT if name in each.stages)
    names = joint if len(joint) == len(each.stages) else each.item.languages
    return tuple(name for name in names if known.get((lesson, name)) == before.get((lesson, name)))


def _ends(work: Iterable[Pending], ended: Mapping[Shard, str]) -> dict[str, str]:
    """Lessons that are not finished to how their shard ended."""
    by_lesson = {name.partition(":")[0]: how for shard, how in ended.items() for name in shard.errand.only}
    return {
        name: by_lesson.get(name, "more of it is to be done by now") for each in work for name in (each.item.job.name,)
    }


def _give_up(work: Iterable[Pending], ends: Mapping[str, str], before: Known, space: Workspace) -> None:
    """Write down of lessons whose workers ended before they did, each time that they were sent."""
    for each in work:
        job = each.item.job
        error = StageFailed(
            f"sent to workers {MOST_ATTEMPTS} times, and not finished: {ends[job.name]}",
            lesson=job.name,
            remedy="The runs of dub-shard in Prefect tell more.",
        )
        known = space.ledger.targets(job.course.course)
        for language in _untold(each, before, known):
            space.ledger.record(unfinished(job.model_copy(update={"language": language}), error))
