"""Synthesize: what each line says in the end, and one take of it, each kept in the store on its own, so that a changed
line is one new take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from manifests import emphasis
from manifests.engines import chosen
from manifests.errors import EngineUnavailable, InputError
from manifests.model import Job
from manifests.script import Casting, Lines, Script, dump, load
from manifests.timeline import Takes
from tasks import clone, licences, voice_terms
from tasks import terms as glossary
from tasks.engines import catalogue
from tasks.fitting import Talk, fitted
from tasks.media import Media
from tasks.place import Limits
from tasks.scenes import Scenes
from tasks.speaking import How
from tasks.stage import Made, Stage, Workbench


@dataclass(frozen=True, slots=True)
class Params:
    how: How
    limits: Limits = field(default_factory=Limits)
    """How fast, early and late a line may be: its text and its speed are chosen by them."""


def synthesize(
    lines: Lines,
    script: Script,
    casting: Casting,
    length: int,
    params: Params,
    bench: Workbench,
    anchors: tuple[int, ...] = (),
) -> tuple[Lines, Takes]:
    """Speak every line that holds a letter or a digit, in order, for a programme of `length` samples whose picture
    changes at `anchors`: the lines as they are said, and their takes.

    A line of signs alone, or without a sound in its voice, has no take: the record names it as missing. Raises
    InputError where a line is refined that the lesson does not have, or an `<em>` does not pair up, EngineUnavailable
    or StageFailed, naming the line, and ConsentRefused as soon as a person's voice may no longer be used.
    """
    speakers = {utterance.id: utterance.speaker for utterance in script.utterances}
    if unknown := params.how.lines.keys() - speakers.keys():
        raise InputError(
            f"the manifest refines line {min(unknown, key=int)}, and this lesson has {len(speakers)} lines.",
            remedy="Look up the ids of lines in the record (.dub.json) or in `dub script export`.",
        )
    spoken = [line for line in lines.lines if any(sign.isalnum() for sign in emphasis.plain(line.text))]
    voices = {line.id: casting.voices[speakers[line.id]] for line in spoken}
    said, takes = fitted(spoken, Talk(script, voices, length, anchors, params.limits), params.how, bench)
    of_line = {line.id: line for line in said}
    return (
        Lines(lines.language, tuple(of_line.get(line.id, replace(line, renderings=())) for line in lines.lines)),
        Takes(lines.language, tuple(takes)),
    )


def params(job: Job) -> Params:
    terms = voice_terms.terms(job)
    refined = {
        name: person.model_dump(exclude={"consent"}, exclude_none=True)
        for name, person in sorted(job.course.people.items())
        if terms is not None and name in terms.consents
    }
    lines = {name: how.model_dump(exclude_none=True) for name, how in sorted(job.lesson.refine.items())}
    pronounced = tuple((term.term, term.pronunciation) for term in glossary.of(job) if term.pronunciation)
    how = How(job.language or "", voice_terms.wanted(job), terms, refined, lines, pronounced)
    return Params(how, Limits(soft_max=job.course.timing.soft_max, hard_max=job.course.timing.hard_max))


def check(job: Job) -> None:
    """Raises EngineUnavailable where the engine cannot speak the language here, or not for a course that is sold."""
    asked = voice_terms.wanted(job)
    engine = catalogue.synthesizer(asked.engine)
    engine.check(asked)
    licences.require(job, "synthesize", asked)
    if job.course.commercial and not chosen(job.course, "synthesize").commercial and not engine.commercial(asked):
        raise EngineUnavailable(
            f"the course is `commercial: true`, and the engine {asked.engine} may not be used for that"
            f" (its weights: {engine.weights_licence}).",
            remedy="Choose another engine under `engines: {synthesize: …}`.",
        )


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    lines, takes = synthesize(
        load(Lines, inputs["translate/lines.json"]),
        load(Script, inputs["transcribe/script.json"]),
        load(Casting, inputs["clone/casting.json"]),
        load(Media, inputs["split/media.json"]).duration,
        params,
        bench,
        load(Scenes, inputs["split/scenes.json"]).anchors,
    )
    return Made(
        {
            "lines.json": dump(lines, bench.scratch / "lines.json"),
            "takes.json": dump(takes, bench.scratch / "takes.json"),
        },
        objects=tuple(sorted({take.audio for take in takes.takes})),
        notes={"takes": len(takes.takes), "shortened": sum(bool(line.trimmed) for line in lines.lines)},
    )


STAGE = Stage(
    name="synthesize",
    version=7,
    scope="target",
    needs=(
        "split/media.json",
        "split/scenes.json",
        "transcribe/script.json",
        "translate/lines.json",
        "clone/casting.json",
    ),
    makes=("lines.json", "takes.json"),
    params=params,
    run=run,
    engine=clone.engine,
    check=check,
)
