"""Translate: the script's utterances become lines of the target language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from manifests.model import Job
from manifests.script import Line, Lines, Rendering, Script, dump, load
from tasks.engines import apertium
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.trimming import keeps, shortened

RETRANSLATED = 0.03
"""What it costs to say a line by another translation: it is one more guess of the engine's."""


@dataclass(frozen=True, slots=True)
class Params:
    language: str
    modes: tuple[str, ...]
    """The chain of Apertium modes, so that another way between the languages is another result."""


def translate(script: Script, language: str) -> Lines:
    """One line for each utterance, in order, with shorter renderings of it for where there is no time for all.

    Those are the translation trimmed (`tasks.trimming`), and translations of the source trimmed. Raises
    EngineUnavailable where nothing leads to the language.
    """
    pairs = apertium.route(script.language, language)
    said = [utterance.text for utterance in script.utterances]
    briefer = [_ends(shortened(text, script.language)) for text in said]
    texts = [*said, *(each.text for each in chain.from_iterable(briefer))]
    answers = apertium.translate(texts, pairs)
    of_briefer = iter(answers[len(said) :])
    return Lines(
        language,
        tuple(
            Line(
                utterance.id,
                answer.text,
                checks=_checks(answer),
                renderings=_renderings(answer, [(each, next(of_briefer)) for each in sources], language),
            )
            for utterance, answer, sources in zip(script.utterances, answers, briefer, strict=False)
        ),
    )


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
    return Params(language, tuple(pair.mode for pair in apertium.route(job.course.source_language, language)))


def check(job: Job) -> None:
    """Raises EngineUnavailable where no chain of installed pairs leads to the target."""
    apertium.route(job.course.source_language, job.language or "")


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    lines = translate(load(Script, inputs["transcribe/script.json"]), params.language)
    unknown = sum(check.startswith("unknown word") for line in lines.lines for check in line.checks)
    return Made({"lines.json": dump(lines, bench.scratch / "lines.json")}, notes={"unknown_words": unknown})


STAGE = Stage(
    name="translate",
    version=3,
    scope="target",
    needs=("transcribe/script.json",),
    makes=("lines.json",),
    params=params,
    run=run,
    engine=lambda job: Engine("apertium", apertium.version()),
    check=check,
)
