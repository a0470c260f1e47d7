"""Looking a course over: which parts of its lessons are up to date, without looking twice at what did not change.

What a lesson's results depend on beside its own files is the same for the whole course (`flows.common_facts`), so it is
asked for once; what was up to date under the same answers, with the same files and commits, still is. One language
that is not does not make the others, nor other lessons, be looked at anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from flows.common_facts import NOBODY, common_facts
from flows.wanted import Selection, Wanted
from manifests import approvals
from manifests.commits import mark
from manifests.model import Job
from manifests.seen import LESSON, TOGETHER, Seen, Sighting, at_rest
from manifests.workspace import Workspace
from tasks.perform import media_seconds
from tasks.pipeline import JOINT, LESSON_STAGES, PIPELINE, TARGET_STAGES
from tasks.plan import Walk
from tasks.voice_terms import unspoken

_BATCH = 2_000
"""Sightings that are written at once."""

_AHEAD = 100
"""Lessons whose latest keys are read at once, at most."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target that is up to date, as a plan tells it."""

    language: str
    stale: Mapping[str, str]
    """Stages that are stale, and why; those that are done once a lesson are among them."""
    why: Mapping[str, str]
    """What is to be said of stages though they are cached."""
    unspoken: Mapping[str, str]
    state: str
    """`done`, `partial` or `review`."""
    problems: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class UpToDate:
    """What of a lesson is up to date."""

    length_s: float | None = None
    targets: Mapping[str, Target] = field(default_factory=dict[str, Target])
    """By language; with any of them the lesson's own stages are."""
    whole: bool = False
    """Whether nothing at all is to be done: all that was wanted is among `targets`, and what carries them is there."""


NOTHING: Final = UpToDate()


class Lookout:
    """Remembers, in the workspace, which parts of the lessons of a selection were up to date."""

    def __init__(self, selection: Selection, space: Workspace, *, only_looks: bool = False) -> None:
        """One who `only_looks`, as a plan does, does not tell the ledger that what was found is the latest: what
        `gc` keeps is decided by runs."""
        self._selection, self._space, self._only_looks = selection, space, only_looks
        # Asked before anything is looked at: what changes meanwhile is another answer next time.
        self._common = common_facts(selection.lessons[0].job, space) if selection.lessons else NOBODY
        self._seen = Seen(space.root / "seen.sqlite")
        self._fresh: dict[tuple[str, str], Sighting] = {}
        self._found: dict[tuple[str, str, str], str] = {}
        self._gone: list[tuple[str, str]] = []
        self._held: tuple[str, Mapping[str, Sighting]] = ("", {})
        self._last: dict[str, dict[tuple[str, str, str], str]] = {}
        self._ahead = 1

    def known(self, item: Wanted, *, refresh: bool = False) -> UpToDate:
        """What was up to date of a lesson, and still is; with `refresh` what is stale is not."""
        held = self._holding(item, self._seen.of(self._course, item.job.lesson_id))
        self._held = item.job.lesson_id, held
        if LESSON not in held:
            return NOTHING
        lesson = held[LESSON].told
        targets: dict[str, Target] = {}
        for language in item.languages:
            if language in held:
                told = held[language].told
                targets[language] = Target(
                    language,
                    stale={**lesson["stale"], **told["stale"]},
                    why={**lesson["why"], **told["why"]},
                    unspoken=told["unspoken"],
                    state=told["state"],
                    problems=tuple(told["problems"]),
                )
        if refresh:
            targets = {language: each for language, each in targets.items() if not each.stale}
        whole = TOGETHER in held and len(targets) == len(item.languages)
        return UpToDate(lesson["length"], targets, whole)

    def note(self, item: Wanted, lesson: Walk, made: Mapping[str, Walk], joint: Sequence[Walk] | None) -> None:
        """Remember what is complete of a lesson: its own stages, the languages that were walked, and what carries all
        of them, where that was looked at (`joint`)."""
        noted = self._noted(item.job, LESSON, [lesson], self._facts(item), {"length": media_seconds(lesson.products)})
        if noted is None:
            return
        held = self._held[1] if self._held[0] == item.job.lesson_id else {}
        parts = dict(held) if LESSON in held and held[LESSON].commits == noted.commits else {}
        for target in item.targets:
            language = target.language or ""
            if language in made:
                parts.pop(language, None)
                facts = self._facts_of_target(item, language, noted)
                told = {"unspoken": unspoken(target)}
                if (each := self._noted(target, language, [made[language]], facts, told)) is not None:
                    parts[language] = each
        if joint is not None:
            self._noted(item.job, TOGETHER, joint, self._facts_together(item, parts), {})
        if len(self._fresh) >= _BATCH:
            self.save()

    def last(self, lesson: str) -> Mapping[tuple[str, str, str], str]:
        """The ledger's latest keys of a lesson, as its `keys` has them."""
        if lesson not in self._last:
            at = self._order[lesson]
            # One who asks of one lesson after the other is told of more and more at once, and who asks of few, of few.
            in_a_row = bool(self._last) and at == self._order[next(reversed(self._last))] + 1
            self._ahead = min(self._ahead * 2, _AHEAD) if in_a_row else 1
            lessons = [item.job.lesson_id for item in self._selection.lessons[at : at + self._ahead]]
            self._last = self._space.ledger.keys_of(self._course, lessons)
        return self._last[lesson]

    def forget(self, item: Wanted, languages: Sequence[str], *, lesson: bool) -> None:
        """Something is going to be done of these languages, or of all: of the lesson's own stages."""
        if self._held[0] == item.job.lesson_id:
            parts = {*languages, TOGETHER} | (set(self._held[1]) if lesson else set[str]())
            self._gone += [(item.job.lesson_id, part) for part in parts & self._held[1].keys()]

    def save(self) -> None:
        """Write down what was noted, and forget what is to be forgotten."""
        self._seen.close()
        if self._gone:
            self._seen.forget(self._course, self._gone)
            self._gone = []
        # Before anything is built on it: what the ledger knows as the latest is what `gc` keeps.
        if self._found:
            self._space.ledger.found(self._course, self._found, {})
            self._found = {}
        if self._fresh:
            self._seen.remember(self._course, self._fresh)
            self._fresh = {}

    def _noted(
        self, job: Job, part: str, walks: Sequence[Walk], facts: str | None, told: Mapping[str, Any]
    ) -> Sighting | None:
        """A part that is complete, remembered; None for one that is not, or of which nothing can be said now."""
        if facts is None or not all(walk.complete for walk in walks):
            return None
        commits = [walk.products.outcomes[step.stage].commit for walk in walks for step in walk.steps]
        places = {(job.lesson_id, job.language or "", commit.stage): commit.key for commit in commits}
        others = {place: key for place, key in places.items() if self.last(job.lesson_id).get(place) != key}
        if self._only_looks and others:
            return None
        self._found |= others
        if part == TOGETHER:
            read: list[Path] = []
        else:
            stages = LESSON_STAGES if part == LESSON else TARGET_STAGES
            read = [path for stage in stages for path in stage.given(job).values()]
            read += [job.media] if part == LESSON else _approval(job)
        finished = [
            self._space.lies_at(name, sha256)
            for commit in commits
            for name, sha256 in commit.delivered.items()
            if not commit.address
        ]
        away = [
            self._space.depots.at(commit.address).marks_of(commit.group, commit.delivered)
            for commit in commits
            if commit.address and commit.delivered
        ]
        files = at_rest([*read, *(path for path in finished if path is not None)])
        if files is None or None in away:
            return None
        steps = [step for walk in walks for step in walk.steps]
        told = {
            **told,
            "stale": {step.stage: step.stale for step in steps if step.stale},
            "why": {step.stage: step.why for step in steps if step.why},
        }
        if part not in (LESSON, TOGETHER):
            notes = next(commit.notes for commit in commits if commit.stage == "verify")
            told |= {"state": notes["state"], "problems": notes.get("problems", [])}
        lying = sorted(mark(each) for marks in away for each in marks or ())
        keys = (*(mark(commit.key) for commit in commits), *lying)
        objects = tuple({mark(name) for commit in commits for name in commit.objects_named})
        sighting = Sighting(facts, files, keys, objects, told)
        self._fresh[job.lesson_id, part] = sighting
        return sighting

    def _holding(self, item: Wanted, sightings: Mapping[str, Sighting]) -> dict[str, Sighting]:
        """Those parts of a lesson of which everything is as it was."""
        held: dict[str, Sighting] = {}

        def look(part: str, facts: Callable[[], str | None]) -> None:
            sighting = sightings.get(part)
            now = facts() if sighting is not None else None
            if sighting is not None and now is not None and sighting.holds(now, self._commits, self._objects):
                held[part] = sighting

        look(LESSON, lambda: self._facts(item))
        if LESSON in held:
            for language in item.job.course.targets:
                look(language, lambda language=language: self._facts_of_target(item, language, held[LESSON]))
            look(TOGETHER, lambda: self._facts_together(item, held))
        return held

    @cached_property
    def _order(self) -> Mapping[str, int]:
        return {item.job.lesson_id: number for number, item in enumerate(self._selection.lessons)}

    @property
    def _course(self) -> str:
        return self._selection.course.course

    @cached_property
    def _commits(self) -> frozenset[int]:
        """Of results, and the marks of finished files at an address: they too are there, or not."""
        stages = (*(stage.name for stage in PIPELINE), *JOINT)
        made = frozenset([mark(key) for stage in stages for key in self._space.store.keys(stage)])
        address = self._selection.lessons[0].job.address
        return made.union(map(mark, self._space.depots.at(address).marks())) if address else made

    @cached_property
    def _objects(self) -> frozenset[int] | None:
        return self._space.store.marks()

    def _facts(self, item: Wanted) -> str:
        job = item.job
        places = (str(job.media), str(job.out), job.address)
        return _digest(self._common.lesson, job.lesson_id, places, job.lesson.model_dump_json())

    def _facts_of_target(self, item: Wanted, language: str, lesson: Sighting) -> str | None:
        """None while people write for the language."""
        common = self._common.languages.get(language)
        if common is None:
            return None
        written = self._common.of_target(item.job.lesson_id, language)
        return _digest(common, lesson.facts, lesson.commits, written)

    def _facts_together(self, item: Wanted, parts: Mapping[str, Sighting]) -> str | None:
        """None where a language is not up to date."""
        targets = item.job.course.targets
        if not all(language in parts for language in targets):
            return None
        return _digest(self._common.together, [(parts[each].facts, parts[each].commits) for each in targets])


def _digest(*facts: object) -> str:
    """SHA-256 of texts, numbers and lists of them, by how Python writes them: a library asks for it at every part."""
    return hashlib.sha256(repr(facts).encode(errors="surrogateescape")).hexdigest()


def _approval(job: Job) -> list[Path]:
    """The file in which a target was approved, where there is one."""
    path = approvals.path(job.manifest, job.lesson_id, job.language or "")
    return [path] if path.exists() else []
