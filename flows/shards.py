"""Shards: the lessons that one worker's process does with the models that it loads once, as JSON to be sent to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from flows.order import Order, cores_here
from flows.pending import Pending
from flows.version import code_version
from flows.wanted import Selection, Wanted, as_it_was_read, wanted
from manifests.engines import GROUPS, chosen
from manifests.errors import EngineUnavailable, InputError
from manifests.model import Course, Job, Stage
from manifests.workspace import locate
from tasks.engines import catalogue
from tasks.stage import digest
from voiceclone.chain import fingerprint

USUAL_LESSONS: Final = 20
"""Lessons in a shard: enough that starting a process and loading its models is a small part of the work."""


class Errand(BaseModel):
    """What a course flow and its shards are asked to do, in terms that hold on any machine.

    Where the workspace is not named, each machine finds its own, as `dub run` there would.
    """

    model_config = ConfigDict(frozen=True)

    manifest: Path
    workspace: Path | None = None
    out: str | None = None
    profile: str | None = None
    only: tuple[str, ...] = ()
    """`LESSON` or `LESSON:LANG`; empty for everything."""
    force: frozenset[Stage] = frozenset()
    refresh: bool = False

    def order(self) -> Order:
        """The same as an order to this machine."""
        return Order(
            manifest=self.manifest,
            workspace=locate(self.manifest, self.workspace),
            out=self.out,
            only=self.only,
            force=self.force,
            refresh=self.refresh,
            profile=self.profile,
            cores=cores_here(),
            grain="target",
        )


class Shard(BaseModel):
    """Some lessons of an errand, and what a worker must agree on with whoever planned them."""

    model_config = ConfigDict(frozen=True)

    course: str
    errand: Errand
    read: str
    """The manifest as it was read when these lessons were planned, with no others, as JSON: whoever edits it meanwhile
    edits it for the next run."""
    planned: str
    """Digest of what is wanted of these lessons."""
    code: str
    signer: str
    """Certificate that signs the outputs, by its digest."""

    @property
    def name(self) -> str:
        first, *others = self.errand.only
        return f"{self.course} {first}" + (f" and {len(others)} more" if others else "")

    @property
    def digest(self) -> str:
        return digest(self.model_dump(mode="json"))[:16]

    def selection(self) -> Selection:
        """What is to be done, as it is understood here.

        Raises InputError where that is not what was planned, EngineUnavailable where this machine would make something
        else of it than the one that planned it.
        """
        if (here := code_version()) != self.code:
            raise EngineUnavailable(
                f"this worker runs dubflow {here}, and the course was planned with {self.code}.",
                remedy="Install one version on all machines, restart the workers, and run the course again.",
            )
        if (here := fingerprint()) != self.signer:
            raise EngineUnavailable(
                "this worker would sign finished files by another certificate than the course was planned with.",
                remedy="Name one chain for all in DUB_SIGNING_CHAIN and DUB_SIGNING_KEY, or share DUB_KEYS.",
            )
        manifest = self.errand.manifest
        if not manifest.exists():
            raise InputError(
                f"there is no {manifest} on this machine.", remedy="Mount the same folder at the same place everywhere."
            )
        with as_it_was_read(manifest, self.read):
            selection = wanted(self.errand.order())
        if planned(selection.lessons) != self.planned:
            raise InputError(
                f"this worker would do something else with these lessons of {manifest} than was planned.",
                remedy="Give all machines the same settings, and mount the same folder at the same place.",
            )
        return selection


def planned(lessons: Iterable[Wanted]) -> str:
    """Digest of what is wanted of lessons."""
    return digest(
        [
            [item.job.model_dump(mode="json", exclude=_own(item.job)), item.languages]
            for item in sorted(lessons, key=lambda item: item.job.lesson_id)
        ]
    )


def _own(job: Job) -> set[str]:
    """What of a job is each machine's own: where it works, and makes what goes to an address."""
    return {"workspace", "out"} if job.address else {"workspace"}


def sharded(course: Course, work: Sequence[Pending], errand: Errand, size: int) -> Iterator[tuple[bool, Shard]]:
    """Shards of at most so many lessons, and for each whether it is for an accelerator."""
    accelerated = stages_for_accelerators(course)
    for fast in (True, False):
        some = [each.item for each in work if bool(each.stages & accelerated) == fast]
        for at in range(0, len(some), size):
            part = some[at : at + size]
            names = tuple(name for item in part for name in _names(item, course))
            yield (
                fast,
                Shard(
                    course=course.course,
                    errand=errand.model_copy(update={"only": names}),
                    read=_read(course, part),
                    planned=planned(part),
                    code=code_version(),
                    signer=fingerprint(),
                ),
            )


def _read(course: Course, part: Iterable[Wanted]) -> str:
    """The course with some lessons only; a glob stands for all of its files. What the manifest left out is left out."""
    lessons = {id(item.job.lesson): item.job.lesson for item in part}
    return course.model_copy(update={"lessons": tuple(lessons.values())}).model_dump_json(exclude_unset=True)


def stages_for_accelerators(course: Course) -> frozenset[str]:
    """The stages whose chosen engines want a GPU."""
    return frozenset(stage for stage in GROUPS if catalogue.accelerated(stage, chosen(course, stage).name))


def _names(item: Wanted, course: Course) -> Sequence[str]:
    """A lesson as `--only` takes it: whole, or the languages that are wanted of it."""
    if len(item.languages) == len(course.targets):
        return (item.job.lesson_id,)
    return tuple(target.name for target in item.targets)
