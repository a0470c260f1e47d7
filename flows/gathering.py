"""Enrolling people from the lessons themselves, before any lesson is spoken: who consented, and is named by label.

A person's enrolment decides the keys of all their lessons, so it is made once, here, and not by whichever lesson comes
first: lessons run side by side in no order that could be relied on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from flows.order import Order
from flows.progress import watcher
from flows.remaining import expected
from flows.stages import run_stages, workspace
from flows.wanted import Wanted
from manifests.errors import ConsentRefused, DubError
from manifests.model import Job
from manifests.rules import STOCK
from manifests.script import Diarization, Script, load
from manifests.workspace import Workspace
from tasks import voice_terms
from tasks.gathering import MOST_LESSONS, Appearance, gathered
from tasks.identity import EVERYONE, leading
from tasks.perform import Products
from tasks.pipeline import LESSON_STAGES
from voiceclone.enrolment import Enrolment
from voiceclone.enrolments import Enrolments
from voiceclone.registry import Registry


def gather_people(order: Order, lessons: Sequence[Wanted]) -> None:
    """Enrol the people whom the manifest names and who are not enrolled yet, or whose lessons changed since.

    Errors are not reported here: the lesson in which one occurred will run into it again, and report it.
    """
    quietly = order.model_copy(update={"force": frozenset()})
    for person, theirs in _named(lessons).items():
        space = workspace(order.workspace)
        voices, registry = Enrolments.of(space.root), Registry.default()
        try:
            consent = _consent(person, theirs, registry)
            standing = _standing(voices, person)
            if consent is None or (standing is not None and _holds(standing, consent, person, theirs, space)):
                continue
            _expect(theirs[:MOST_LESSONS], space)
            first = theirs[0].job.course
            recordings, origins = gathered(islice(_appearances(person, theirs, quietly, space), MOST_LESSONS))
            if standing is not None:
                voices.delete(person)  # what it was made of is theirs no longer, or changed
            if recordings:
                voices.enrol(
                    person,
                    recordings,
                    consent=consent,
                    registry=registry,
                    language=theirs[0].job.lesson.audio_language or first.source_language,
                    course=first.course,
                    purpose=first.purpose,
                    origins=origins,
                )
        except DubError:
            continue


def _expect(lessons: Sequence[Wanted], space: Workspace) -> None:
    """Tell whoever watches that these lessons are transcribed, one after the other."""
    work = ((item.job.name, stage.name) for item in lessons for stage in LESSON_STAGES)
    lengths = space.ledger.lengths(lessons[0].job.course.course)
    watcher().expect(expected(work, space.ledger.pace(), lengths), 1)


def _named(lessons: Sequence[Wanted]) -> dict[str, list[Wanted]]:
    """The lessons in which each person is named, by label or throughout, in the manifest's order."""
    found: dict[str, list[Wanted]] = {}
    for item in lessons:
        people, _ = voice_terms.named_people(item.job)
        for person in sorted(set(people.values()) - {STOCK}):
            found.setdefault(person, []).append(item)
    return found


def _consent(person: str, lessons: Sequence[Wanted], registry: Registry) -> str | None:
    """The person's consent, where it covers a target of theirs."""
    for target in lessons[0].targets:
        asked = voice_terms.params(target)
        try:
            return asked.grant(person, registry).consent
        except ConsentRefused:
            continue
    return None


def _standing(voices: Enrolments, person: str) -> Enrolment | None:
    return voices.get(person) if person in voices.people() else None


def _holds(standing: Enrolment, consent: str, person: str, lessons: Sequence[Wanted], space: Workspace) -> bool:
    """Whether an enrolment was made by hand, or its lessons, as far as they are wanted now, are as they were."""
    if standing.gathered and standing.consent != consent:
        return False
    jobs = {item.job.lesson_id: item.job for item in lessons}
    for origin in standing.gathered:
        job = jobs.get(origin.lesson)
        if job is None or job.course.course != origin.course:
            continue
        people, _ = voice_terms.named_people(job)
        if people.get(origin.label, people.get(EVERYONE)) != person or _sha256(job, space) != origin.source_sha256:
            return False
    return True


def _appearances(person: str, lessons: Sequence[Wanted], order: Order, space: Workspace) -> Iterator[Appearance]:
    """The lessons in which a person speaks, each transcribed first; one that cannot be is skipped."""
    for item in lessons:
        job = item.job
        try:
            products = run_stages(LESSON_STAGES, order, job, Products(), order.cores)
        except DubError:
            continue
        turns = load(Diarization, _made(products, "diarize/turns.json", space))
        people, _ = voice_terms.named_people(job)
        theirs = [each for each in turns.speakers if people.get(each.label, people.get(EVERYONE)) == person]
        if theirs:
            yield Appearance(
                job.course.course,
                job.lesson_id,
                _sha256(job, space),
                leading(theirs),
                turns,
                load(Script, _made(products, "transcribe/script.json", space)),
                _made(products, "split/speech.wav", space),
                _made(products, "split/programme.flac", space),
            )


def _made(products: Products, name: str, space: Workspace) -> Path:
    return space.store.get(products.objects[name])


def _sha256(job: Job, space: Workspace) -> str:
    """The source's digest; empty where it cannot be read."""
    try:
        return space.digests.of(job.media)
    except OSError:
        return ""
