"""The lines of a target that people wrote and that need no engine.

First what a linguist wrote for the line, then the translation that the manifest names, then what people wrote for the
same words elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from manifests import cues, human_lines
from manifests.human_lines import HumanLine
from manifests.model import Job
from manifests.script import Line, Script, Utterance
from tasks import remembered
from tasks.bound_lines import Bound, bound
from tasks.remembered import Offers
from tasks.translated_lines import ABSENT, OF_ANOTHER, Translated, translated

HUMAN = "human lines"
TRANSLATION = "translation"
CAPTIONS = "captions"
MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a target's lines before an engine is asked."""

    lines: Mapping[str, Line] = field(default_factory=dict[str, Line])
    """By utterance."""
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What is to be said of lines, whoever translates them."""
    checks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def remarked(self, line: Line) -> Line:
        """A line with what is to be said of it."""
        more, checks = self.flags.get(line.id, ()), self.checks.get(line.id, ())
        return replace(line, flags=(*line.flags, *more), checks=(*line.checks, *checks)) if more or checks else line


def files(job: Job) -> dict[str, Path]:
    """The files beside the manifest in which people wrote lines of this target, and what those were made from."""
    folder, language = job.manifest.parent, job.language or ""
    out: dict[str, Path] = {}
    if (written := human_lines.path(job.manifest, job.lesson_id, language)).is_file():
        out[HUMAN] = written
    if language in job.lesson.translations:
        out[TRANSLATION] = folder / job.lesson.translations[language]
        if job.lesson.captions:
            out[CAPTIONS] = folder / job.lesson.captions
    return out


def found(job: Job, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """What a translation memory has for the script."""
    return remembered.file_of(job, inputs)


def given(
    script: Script, inputs: Mapping[str, Path], rough: Callable[[Sequence[str]], Sequence[str]] | None = None
) -> Given:
    """The lines that people wrote for a script; `rough` translates texts, to compare a translation with.

    Raises InputError where a file of theirs cannot be understood.
    """
    written = bound(human_lines.read(inputs[HUMAN]) if HUMAN in inputs else (), script)
    lines = {name: Line(name, text, origin="human", checks=checks) for name, (text, checks) in written.lines.items()}
    told = _translation(script, inputs, rough)
    memory = remembered.read(inputs[MEMORY]) if MEMORY in inputs else Offers()
    theirs = {name: Line(name, text, origin="human") for name, text in told.texts.items()} if told else {}
    lines = {name: Line(name, text, origin="memory") for name, text in memory.same.items()} | theirs | lines
    flags = _flags(told, script, lines) if told else {}
    like = {name: offers for name, offers in memory.like.items() if name not in lines}
    checks = _together(_lost(written, script), _left(told) if told else {})
    return Given(lines, flags, _together(checks, like))


def _translation(
    script: Script, inputs: Mapping[str, Path], rough: Callable[[Sequence[str]], Sequence[str]] | None
) -> Translated | None:
    if TRANSLATION not in inputs:
        return None
    captions = cues.read(inputs[CAPTIONS]).cues if CAPTIONS in inputs else ()
    return translated(cues.read(inputs[TRANSLATION]).cues, script, captions, rough)


def _flags(found: Translated, script: Script, written: Mapping[str, Line]) -> dict[str, tuple[str, ...]]:
    """What is said of the lines that the translation does not have."""
    flag = OF_ANOTHER if found.foreign else ABSENT
    missing = [utterance.id for utterance in script.utterances if utterance.id not in {**written, **found.texts}]
    return dict.fromkeys(missing, (flag,))


def _left(found: Translated) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(f'in the translation, and for no line: "{text}"' for text in texts)
        for name, texts in found.left.items()
    }


def _together(one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: (*one.get(name, ()), *other.get(name, ())) for name in {**one, **other}}


def _lost(written: Bound, script: Script) -> dict[str, tuple[str, ...]]:
    """Lines whose utterance is gone, told with the utterance that is nearest to where it was."""
    out: dict[str, tuple[str, ...]] = {}
    for line in written.lost if script.utterances else ():
        nearest = min(script.utterances, key=lambda utterance: _apart(line, utterance)).id
        out[nearest] = (*out.get(nearest, ()), f'no longer said, at {line.start:.1f} s: "{line.source}": "{line.text}"')
    return out


def _apart(line: HumanLine, utterance: Utterance) -> float:
    middle = (line.start + line.end) / 2
    return max(utterance.span.start_s - middle, middle - utterance.span.end_s, 0.0)
