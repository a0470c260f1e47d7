"""Translate: the script's utterances become lines of the target language.

What people wrote stands as they wrote it (`tasks.given_lines`); an engine translates the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from manifests.engines import chosen
from manifests.errors import EngineUnavailable
from manifests.glossary import Term
from manifests.model import Job
from manifests.script import Line, Lines, Rendering, Script, Utterance, dump, load
from tasks import given_lines, licences, terms
from tasks.engines import apertium, catalogue
from tasks.engines.protocols import Translated, Translating
from tasks.given_lines import Given
from tasks.line_checks import checked
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.trimming import keeps, shortened

RETRANSLATED = 0.03
"""What it costs to say a line by another translation: it is one more guess of the engine's."""


@dataclass(frozen=True, slots=True)
class Params:
    wanted: Translating
    route: tuple[str, ...]
    """The models by which the engine goes, so that another way between the languages is another result; none where
    there is no way, and people have written lines."""
    terms: tuple[Term, ...] = ()
    """The glossary's, for this language."""


def translate(
    script: Script,
    wanted: Translating,
    known: Given | None = None,
    glossary: Sequence[Term] = (),
    *,
    cores: int = 1,
    tell: Callable[[float], None] = lambda share: None,
    spent: dict[str, float] | None = None,
) -> Lines:
    """One line for each utterance, in order: the one that people gave, else an engine's; each with its checks.

    What the engine says that it took (tokens, cost) is added to `spent`. Raises EngineUnavailable where an engine is
    needed and nothing leads to the language.
    """
    known = known or Given()
    rest = [utterance for utterance in script.utterances if utterance.id not in known.lines]
    made = machine(rest, wanted, glossary, cores=cores, tell=tell, spent=spent)
    lines = {**known.lines, **{line.id: line for line in made}}
    return Lines(
        wanted.target,
        tuple(
            known.remarked(_looked_over(lines[utterance.id], utterance, wanted, glossary))
            for utterance in script.utterances
        ),
    )


def machine(
    utterances: Sequence[Utterance],
    wanted: Translating,
    glossary: Sequence[Term] = (),
    *,
    cores: int,
    tell: Callable[[float], None],
    spent: dict[str, float] | None = None,
) -> list[Line]:
    """Lines by an engine, in order, with shorter renderings of each for where there is no time for all of it.

    Those are the translation trimmed (`tasks.trimming`), translations of the source trimmed, and the engine's other
    hypotheses. Raises EngineUnavailable where nothing leads to the language.
    """
    if not utterances:
        return []
    said = [utterance.text for utterance in utterances]
    briefer = [_ends(shortened(text, wanted.source)) for text in said]
    texts = [*said, *(each.text for each in chain.from_iterable(briefer))]
    translator = catalogue.translator(wanted.engine)
    asked = replace(wanted, terms=tuple((term.source, term.term) for term in glossary))

    def say(texts: Sequence[str], tell: Callable[[float], None] = lambda share: None) -> list[Translated]:
        said = translator.translate(texts, asked, cores=cores, tell=tell)
        if spent is not None:
            for answer in said:
                _count(answer, spent)
        return said

    pair = (wanted.source, wanted.target)
    answers = say(texts, tell)
    if glossary:
        answers = terms.kept(texts, answers, glossary, pair, say, translator.placeholder)
    of_briefer = iter(answers[len(said) :])
    return [
        Line(
            utterance.id,
            answer.text,
            checks=_checks(answer),
            renderings=tuple(
                each
                for each in _renderings(answer, [(each, next(of_briefer)) for each in sources], wanted.target)
                if not _loses(utterance.text, answer.text, each.text, glossary, pair)
            ),
        )
        for utterance, answer, sources in zip(utterances, answers, briefer, strict=False)
    ]


def _count(answer: Translated, spent: dict[str, float]) -> None:
    for name, amount in zip(("tokens_in", "tokens_out", "cost"), (*answer.tokens, answer.cost), strict=True):
        if amount:
            spent[name] = round(spent.get(name, 0) + amount, 6)


def _looked_over(line: Line, utterance: Utterance, wanted: Translating, glossary: Sequence[Term]) -> Line:
    """A line and its renderings, each with what is wrong with it."""

    def wrong(text: str) -> tuple[str, ...]:
        return checked(utterance.text, wanted.source, text, wanted.target, glossary)

    renderings = tuple(replace(each, checks=(*each.checks, *wrong(each.text))) for each in line.renderings)
    return replace(line, checks=(*line.checks, *wrong(line.text)), renderings=renderings)


def _loses(source: str, full: str, shorter: str, glossary: Sequence[Term], pair: tuple[str, str]) -> bool:
    """Whether a rendering lacks a term that the full text has."""
    lack = [set(terms.lacking(glossary, source, pair[0], text, pair[1])) for text in (full, shorter)]
    return bool(lack[1] - lack[0])


def _rough(source: str, language: str) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """A quick translation, to compare with what people wrote, whichever engine is wanted; None where there is none."""
    try:
        pairs = apertium.route(source, language)
    except EngineUnavailable:
        return None
    return lambda texts: [answer.text for answer in apertium.translate(texts, pairs)]


def _ends(renderings: Sequence[Rendering]) -> list[Rendering]:
    """The mildest and the shortest."""
    return list(dict.fromkeys([*renderings[:1], *renderings[-1:]]))


def _renderings(
    full: Translated, of_sources: Sequence[tuple[Rendering, Translated]], language: str
) -> tuple[Rendering, ...]:
    """From the mildest on, each shorter than all milder ones."""
    found = [replace(each, checks=_checks(full)) for each in shortened(full.text, language)]
    for rank, text in enumerate(full.hypotheses, 1):
        if keeps(full.text, text, language):
            found.append(Rendering(text, ("another translation",), rank * RETRANSLATED, _checks(full)))
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


def _checks(answer: Translated) -> tuple[str, ...]:
    unknown = tuple(f"unknown word: {word}" for word in answer.unknown)
    return unknown + tuple(f"not inflected: {word}" for word in answer.uninflected)


def wanted(job: Job) -> Translating:
    """What the engine is asked for."""
    choice = chosen(job.course, "translate")
    return Translating(job.course.source_language, job.language or "", choice.name, choice.model, choice.options)


def params(job: Job) -> Params:
    asked = wanted(job)
    try:
        route = catalogue.translator(asked.engine).route(asked)
    except EngineUnavailable:
        if not given_lines.files(job):
            raise
        route = ()
    return Params(asked, route, terms.of(job))


def check(job: Job) -> None:
    """Raises EngineUnavailable where nothing leads to the target, and people wrote nothing."""
    if params(job).route:
        asked = wanted(job)
        licences.require(job, "translate", asked)
        catalogue.translator(asked.engine).check(asked)


def engine(job: Job) -> Engine | None:
    """Who translates; None where people wrote the lines and no engine could."""
    asked = wanted(job)
    if not params(job).route:
        return None
    return catalogue.translator(asked.engine).identity(asked)


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    script = load(Script, inputs["transcribe/script.json"])
    known = given_lines.given(script, inputs, _rough(script.language, params.wanted.target))
    spent: dict[str, float] = {}
    lines = translate(script, params.wanted, known, params.terms, cores=bench.cores, tell=bench.tell, spent=spent)
    unknown = sum(check.startswith("unknown word") for line in lines.lines for check in line.checks)
    by_people = sum(line.origin != "machine" for line in lines.lines)
    notes = {"unknown_words": unknown} | ({"by_people": by_people} if by_people else {}) | spent
    return Made({"lines.json": dump(lines, bench.scratch / "lines.json")}, notes=notes)


STAGE = Stage(
    name="translate",
    version=9,
    scope="target",
    needs=("transcribe/script.json",),
    makes=("lines.json",),
    params=params,
    run=run,
    given=given_lines.files,
    found=given_lines.found,
    engine=engine,
    check=check,
)
