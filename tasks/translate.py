"""Translate: the script's utterances become lines of the target language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manifests.model import Job
from manifests.script import Line, Lines, Script, dump, load
from tasks.engines import apertium
from tasks.stage import Engine, Made, Stage, Workbench


@dataclass(frozen=True, slots=True)
class Params:
    language: str
    modes: tuple[str, ...]
    """The chain of Apertium modes, so that another way between the languages is another result."""


def translate(script: Script, language: str) -> Lines:
    """One line for each utterance, in order. Raises EngineUnavailable where nothing leads to the language."""
    pairs = apertium.route(script.language, language)
    answers = apertium.translate([utterance.text for utterance in script.utterances], pairs)
    return Lines(
        language,
        tuple(
            Line(utterance.id, answer.text, checks=_checks(answer))
            for utterance, answer in zip(script.utterances, answers, strict=True)
        ),
    )


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
    version=2,
    scope="target",
    needs=("transcribe/script.json",),
    makes=("lines.json",),
    params=params,
    run=run,
    engine=lambda job: Engine("apertium", apertium.version()),
    check=check,
)
