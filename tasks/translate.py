"""Translate: the script's utterances become lines of the target language.

What people wrote stands as they wrote it (`tasks.given_lines`); an engine translates the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from manifests.errors import EngineUnavailable
from manifests.model import Job
from manifests.script import Line, Lines, Rendering, Script, Utterance, dump, load
from tasks import given_lines
from tasks.engines import apertium
from tasks.given_lines import Given
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.trimming import keeps, shortened

RETRANSLATED = 0.03
"""What it costs to say a line by another translation: it is one more guess of the engine's."""


@dataclass(frozen=True, slots=True)
class Params:
    language: str
    modes: tuple[str, ...]
    """The chain of Apertium modes, so that another way between the languages is another result; none where there is no
    way, and people have written lines."""


def translate(script: Script, language: str, known: Given | None = None) -> Lines:
    """One line for each utterance, in order: the one that people gave, else an engine's.

    Raises EngineUnavailable where an engine is needed and nothing leads to the language.
    """
    known = known or Given()
    rest = [utterance for utterance in script.utterances if utterance.id not in known.lines]
    lines = {**known.lines, **{line.id: line for line in machine(rest, script.language, language)}}
    return Lines(language, tuple(known.remarked(lines[utterance.id]) for utterance in script.utterances))


def machine(utterances: Sequence[Utterance], source: str, language: str) -> list[Line]:
    """Lines by an engine, in order, with shorter renderings of each for where there is no time for all of it.

    Those are the translation trimmed (`tasks.trimming`), and translations of the source trimmed. Raises
    EngineUnavailable where nothing leads to the language.
    """
    if not utterances:
        return []
    pairs = apertium.route(source, language)
    said = [utterance.text for utterance in utterances]
    briefer = [_ends(shortened(text, source)) for text in said]
    texts = [*said, *(each.text for each in chain.from_iterable(briefer))]
    answers = apertium.translate(texts, pairs)
    of_briefer = iter(answers[len(said) :])
    return [
        Line(
            utterance.id,
            answer.text,
            checks=_checks(answer),
            renderings=_renderings(answer, [(each, next(of_briefer)) for each in sources], language),
        )
        for utterance, answer, sources in zip(utterances, answers, briefer, strict=False)
    ]


def _ends(renderings: Sequence[Rendering]) -> list[Rendering]:
    """The mildest and the shortest."""
    return list(dict.fromkeys([*renderings[:1], *renderings[-1:]]))


def _renderings(
    full: apertium.Translated, of_sources: Sequence[tuple[Rendering, apertium.Translated]], language: str
) -> tuple[Rendering, ...]:
    """From the mildest on, each shorter than all milder ones."""
    found = [replace(each, checks=_checks(full)) for each in shortened(full.text, language)]
    for source, answer in of_sources:
        if set(answer.unknown) <= set(full.unknown) and keeps(full.text, answer.text, language):
            trimmed = tuple(f"{what} in the source" for what in source.trimmed)
            again = Rendering(answer.text, trimmed, source.cost + RETRANSLATED, _checks(answer))
            found += [again, *(_after(again, each) for each in shortened(answer.text, language))]
    out: list[Rendering] = []
    for each in sorted(found, key=lambda each: (each.cost, len(each.text))):
        if len(each.text) < min([len(full.text), *(len(milder.text) for milder in out)]):
            out.append(replace(each, cost=round(each.cost, 3)))
    return tuple(out)


def _after(first: Rendering, second: Rendering) -> Rendering:
    return Rendering(second.text, (*first.trimmed, *second.trimmed), first.cost + second.cost, first.checks)


def _checks(answer: apertium.Translated) -> tuple[str, ...]:
    unknown = tuple(f"unknown word: {word}" for word in answer.unknown)
    return unknown + tuple(f"not inflected: {word}" for word in answer.uninflected)


def params(job: Job) -> Params:
    language = job.language or ""
    try:
        route = apertium.route(job.course.source_language, language)
    except EngineUnavailable:
        if not given_lines.files(job):
            raise
        route = ()
    return Params(language, tuple(pair.mode for pair in route))


def check(job: Job) -> None:
    """Raises EngineUnavailable where no chain of installed pairs leads to the target, and people wrote nothing."""
    params(job)


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    script = load(Script, inputs["transcribe/script.json"])
    lines = translate(script, params.language, given_lines.given(script, inputs))
    unknown = sum(check.startswith("unknown word") for line in lines.lines for check in line.checks)
    by_people = sum(line.origin != "machine" for line in lines.lines)
    notes = {"unknown_words": unknown} | ({"by_people": by_people} if by_people else {})
    return Made({"lines.json": dump(lines, bench.scratch / "lines.json")}, notes=notes)


STAGE = Stage(
    name="translate",
    version=4,
    scope="target",
    needs=("transcribe/script.json",),
    makes=("lines.json",),
    params=params,
    run=run,
    given=given_lines.files,
    engine=lambda job: Engine("apertium", apertium.version()),
    check=check,
)
