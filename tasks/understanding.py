"""Who understands what a dub says: which engine of a course can hear its target language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from manifests.engines import PROFILES, chosen
from manifests.errors import DubError, EngineUnavailable, InputError
from manifests.model import EngineChoice, Job
from tasks.engines import catalogue
from tasks.engines.models import Model
from tasks.engines.protocols import Hearing


def listener(job: Job) -> Hearing:
    """The course's own recognizer where it has the target language, else its profile's.

    Raises EngineUnavailable, naming everyone's reason, where none has, or its model is not here.
    """
    reasons: list[DubError] = []
    for wanted in _candidates(job):
        try:
            catalogue.transcriber(wanted.engine).check(wanted)
        except (EngineUnavailable, InputError) as error:
            reasons.append(error)
        else:
            return wanted
    said = " ".join(dict.fromkeys(error.message for error in reasons))
    remedy = next((error.remedy for error in reasons if "models pull" in error.remedy), "")
    raise EngineUnavailable(said, remedy=remedy)


def reading(job: Job) -> tuple[Hearing | None, str]:
    """Who can read the job's dub back; else nobody, and why."""
    try:
        return listener(job), ""
    except EngineUnavailable as error:
        return None, str(error)


def unread(jobs: Iterable[Job]) -> list[str]:
    """In which languages a dub that is to be read back is held for want of a reader, and why; each said once."""
    said: dict[str, None] = {}
    for job in {job.language: job for job in jobs}.values():  # no lesson of a language differs from another in this
        if job.course.quality.read_back is not None and (why := reading(job)[1]):
            said[f"{job.language}: nobody here can read the dub back, and each waits for review: {why}"] = None
    return list(said)


def models(job: Job) -> tuple[tuple[str, Model], ...]:
    """The models that hearing the target language takes, each with its engine; none where no engine could."""
    for wanted in _candidates(job):
        try:
            return tuple((wanted.engine, model) for model in catalogue.needs("transcribe", wanted.engine, wanted))
        except (EngineUnavailable, InputError):
            continue
    return ()


def _candidates(job: Job) -> Iterator[Hearing]:
    own, usual = chosen(job.course, "transcribe"), EngineChoice(name=PROFILES[job.course.profile]["transcribe"])
    for choice in (own, usual) if usual.name != own.name else (own,):
        about = getattr(catalogue.transcriber(choice.name), "of_a_language", ())
        options = {name: value for name, value in choice.options.items() if name not in about}
        yield Hearing(job.language or "", choice.name, choice.model, options=options)
