"""Looking a course over: which lessons are up to date, without looking twice at what did not change.

A lesson's results depend on the manifest, on files beside it, on the consent registry, enrolments, engines and signing
keys. All of these but the lesson's own files are the same for a whole course, so they are asked for once, on its first
lesson and in each language; what was up to date under the same answers, with the same files and commits, still is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.wanted import Selection, Wanted
from manifests import approvals
from manifests.errors import DubError
from manifests.model import Job
from manifests.seen import Seen, Sighting, at_rest, identity
from manifests.shelves import lies_at
from manifests.store import mark
from manifests.workspace import Workspace
from tasks.perform import media_seconds
from tasks.pipeline import LESSON_STAGES, PIPELINE, TARGET_STAGES
from tasks.plan import Walk
from tasks.stage import Stage, digest
from tasks.voice_terms import unspoken
from voiceclone.enrolments import Enrolments
from voiceclone.registry import Registry

_BATCH = 500
"""Sightings that are written at once."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target that is up to date, as a plan tells it."""

    language: str
    stale: Mapping[str, str]
    unspoken: Mapping[str, str]
    state: str
    """`done`, `partial` or `review`."""
    problems: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class UpToDate:
    """A lesson of which nothing is to be done."""

    length_s: float | None
    targets: tuple[Target, ...]


class Lookout:
    """Remembers, in the workspace, which lessons of a selection were up to date."""

    def __init__(self, selection: Selection, space: Workspace, *, only_looks: bool = False) -> None:
        """One who `only_looks`, as a plan does, does not tell the ledger that what was found is the latest: what
        `gc` keeps is decided by runs."""
        self._selection, self._space, self._only_looks = selection, space, only_looks
        self._seen = Seen(space.root / "seen.sqlite")
        self._fresh: dict[tuple[str, str], Sighting] = {}
        self._found: dict[tuple[str, str, str], str] = {}
        self._gone: list[str] = []

    def known(self, item: Wanted, *, refresh: bool = False) -> UpToDate | None:
        """A lesson that was up to date, and still is; none with something stale, where that is to be done."""
        sighting = self._sightings.get(_at(item))
        if sighting is None or not sighting.holds(self._facts_of(item), self._commits, self._objects):
            return None
        told = sighting.told
        if refresh and any(each["stale"] for each in told["targets"]):
            return None
        return UpToDate(
            told["length"],
            tuple(Target(**each | {"problems": tuple(each["problems"])}) for each in told["targets"]),
        )

    def note(self, item: Wanted, lesson: Walk, made: Sequence[Walk], joint: Sequence[Walk]) -> None:
        """Remember a lesson that is up to date: its own stages, those of each target, those of all languages."""
        jobs = (item.job, *item.targets, *(item.job for _ in joint))
        walks = (lesson, *made, *joint)
        found = {
            (job.lesson_id, job.language or "", step.stage): walk.products.outcomes[step.stage].commit.key
            for job, walk in zip(jobs, walks, strict=True)
            for step in walk.steps
        }
        if self._only_looks and any(self._last.get(place) != key for place, key in found.items()):
            return
        self._found |= found
        if self._course_facts is None:
            return
        commits = [walk.products.outcomes[step.stage].commit for walk in walks for step in walk.steps]
        digests = self._space.digests
        inputs = [item.job.media, *(path for job in (item.job, *item.targets) for path in _given(job))]
        finished = [
            lies_at(Path(name), lambda path, sha256=sha256: digests.of(path) == sha256)
            for commit in commits
            for name, sha256 in commit.delivered.items()
            if not commit.address
        ]
        away = [
            self._space.depots.at(commit.address).marks_of(commit.group, commit.delivered)
            for commit in commits
            if commit.address and commit.delivered
        ]
        files = at_rest([*inputs, *(path for path in finished if path is not None)])
        if files is None or None in away:
            return
        targets = [
            {
                "language": target.language,
                "stale": lesson.stale | walk.stale,
                "unspoken": unspoken(target),
                "state": (notes := walk.products.outcomes["verify"].commit.notes)["state"],
                "problems": notes.get("problems", []),
            }
            for target, walk in zip(item.targets, made, strict=True)
        ]
        length = media_seconds(lesson.products)
        there = (
            *(f"{commit.stage}/{commit.key}" for commit in commits),
            *frozenset[str]().union(*(each or () for each in away)),
        )
        objects = tuple({mark(name) for commit in commits for name in commit.objects_named})
        told = {"length": length, "targets": targets}
        self._fresh[_at(item)] = Sighting(self._facts_of(item), files, there, objects, told)
        if len(self._fresh) >= _BATCH:
            self.save()

    def save(self) -> None:
        """Write down what was noted, and forget what is to be forgotten."""
        if self._gone:
            self._seen.forget(self._course, self._gone)
            self._gone = []
        # Before anything is built on it: what the ledger knows as the latest is what `gc` keeps.
        if self._found and not self._only_looks:
            self._space.ledger.found(self._course, self._found, self._last)
        self._found = {}
        if self._fresh:
            self._seen.remember(self._course, self._fresh)
            self._fresh = {}

    def forget(self, item: Wanted) -> None:
        """Something of this lesson is going to be done."""
        if self._sightings.get(_at(item)) is not None:
            self._gone.append(item.job.lesson_id)

    @property
    def _course(self) -> str:
        return self._selection.course.course

    @cached_property
    def _last(self) -> Mapping[tuple[str, str, str], str]:
        return self._space.ledger.keys(self._course)

    @cached_property
    def _sightings(self) -> dict[tuple[str, str], Sighting]:
        return self._seen.of(self._course) if self._course_facts is not None else {}

    @cached_property
    def _commits(self) -> frozenset[str]:
        """Of results, and the marks of finished files at an address: they too are there, or not."""
        stages = (*(stage.name for stage in PIPELINE), "multi", "hls")
        made = frozenset(f"{stage}/{key}" for stage in stages for key in self._space.store.keys(stage))
        address = self._selection.lessons[0].job.address
        return made.union(self._space.depots.at(address).marks()) if address else made

    @cached_property
    def _objects(self) -> frozenset[int] | None:
        return self._space.store.marks()

    def _facts_of(self, item: Wanted) -> str:
        lesson = item.job.lesson.model_dump_json()
        return digest([self._course_facts, item.job.lesson_id, item.job.media, item.job.out, lesson, item.languages])

    @cached_property
    def _course_facts(self) -> str | None:
        """Digest of all that is the same for every lesson; None where something is missing: then each must be asked."""
        course, space = self._selection.course, self._space
        if not self._selection.lessons:
            return None
        job = self._selection.lessons[0].job
        registry, voices = Registry.default(), Enrolments.of(space.root)
        anybody = job.model_copy(update={"lesson": job.lesson.model_copy(update={"speakers": None})})
        consents = [person.consent for person in course.people.values() if person.consent]
        try:
            asked: list[Any] = [_asked(stage, job) for stage in LESSON_STAGES]
            for language in course.targets:
                target = job.model_copy(update={"language": language})
                asked += [_asked(stage, target) for stage in TARGET_STAGES]
                asked.append(unspoken(anybody.model_copy(update={"language": language})))
            people = {name: voices.get(name).digest for name in voices.people()}
        except DubError:
            return None
        written = approvals.folder(job.manifest)
        by_people = {path.name: identity(path) for path in written.iterdir()} if written.is_dir() else {}
        beside = [identity(job.manifest.parent / course.glossary)] if course.glossary else []
        manifest = course.model_dump_json(exclude={"lessons"})
        return digest([str(job.manifest), manifest, asked, registry.state_digest(consents), people, by_people, beside])


def _at(item: Wanted) -> tuple[str, str]:
    return item.job.lesson_id, ",".join(item.languages)


def _asked(stage: Stage, job: Job) -> list[Any]:
    """What a stage's key is made of beside inputs, with its engine's version. Raises DubError where it is blocked."""
    stage.check(job)
    engine = stage.engine(job)
    return [stage.name, stage.version, asdict(stage.params(job)), engine.as_dict() if engine else None]


def _given(job: Job) -> list[Path]:
    return [path for stage in (TARGET_STAGES if job.language else LESSON_STAGES) for path in stage.given(job).values()]
