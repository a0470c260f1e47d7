"""Lines that came back from a linguist, held against the target as it is: what is changed, what cannot be used."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from manifests import emphasis
from manifests.errors import Finding, InputError
from manifests.exchange import Returned
from manifests.exchange.entry import tidy
from manifests.human_lines import HumanLine
from manifests.memory import plain
from manifests.script import Utterance
from tasks.bound_lines import SAME, alike, bound
from tasks.line_sheet import Known
from tasks.record_lines import in_order

_ELSEWHERE_S = 2.0
"""A subtitle that begins so far from its line, and at another one's time, has another one's number."""
_THERE_S = 0.5


@dataclass(frozen=True, slots=True)
class Import:
    """What an import comes to."""

    lines: tuple[HumanLine, ...]
    """All human lines of the target afterwards, those whose utterance is gone included."""
    human: tuple[str, ...]
    """Lines that are people's by this import, and were not or were another text."""
    unchanged: int
    faults: tuple[Finding, ...]
    """Why nothing of it can be used."""
    missing: tuple[tuple[str, Finding], ...]
    """Lines that the file leaves out, and where it does."""


def imported(
    returned: Sequence[Returned],
    known: Known,
    before: Sequence[HumanLine],
    *,
    file: str,
    language: str,
    approve_all: bool = False,
) -> Import:
    """Hold the lines of a file against a target and the human lines that it has already."""
    found = list(_matched(returned, known, file, language))
    faults = [fault for _, _, fault in found if fault is not None]
    utterances = {utterance.id: utterance for utterance in known.script.utterances}
    standing = bound(before, known.script)
    texts = {name: text for name, (text, _) in standing.lines.items()}
    human: list[str] = []
    for row, name, fault in found:
        if fault is not None:
            continue
        text = unicodedata.normalize("NFC", row.text)
        if not _differs(text, name, texts, known):
            if approve_all and name not in texts:
                human.append(name)
                texts[name] = text
        else:
            human.append(name)
            texts[name] = text
    lines = (_human_line(utterances[name], text) for name, text in texts.items())
    return Import(
        lines=tuple(sorted({*lines, *standing.lost})),
        human=tuple(human),
        unchanged=len(found) - len(human) - len(faults),
        faults=tuple(faults),
        missing=tuple(_missing(found, known, file)),
    )


def _human_line(utterance: Utterance, text: str) -> HumanLine:
    return HumanLine(round(utterance.span.start_s, 3), round(utterance.span.end_s, 3), utterance.text, text)


def _differs(text: str, name: str, texts: dict[str, str], known: Known) -> bool:
    """Whether a text is another than the line's; of a machine's line every rendering is its own."""
    if name in texts:
        return _same(text) != _same(texts[name])
    lines = [line for each in (known.translated, known.said) if each for line in each.lines if line.id == name]
    own = {text for line in lines for text in (line.text, *(rendering.text for rendering in line.renderings))}
    return _same(text) not in {_same(each) for each in own}


def _same(text: str) -> str:
    return unicodedata.normalize("NFC", tidy(text))


def _matched(
    returned: Iterable[Returned], known: Known, file: str, language: str
) -> Iterator[tuple[Returned, str, Finding | None]]:
    """Each row with the line that it is of, or with what is wrong about it."""
    utterances = {utterance.id: utterance for utterance in known.script.utterances}
    current = known.current()
    seen: dict[str, int] = {}
    for row in returned:
        name, fault = row.id, ""
        if row.language is not None and _base(row.language) != _base(language):
            fault = f"this file is in {row.language}, and the target in {language}."
        elif not name:
            fault = "this line has no id; keep the ids that were exported."
        elif name not in utterances:
            fault = f"there is no line {name[:40]}; this lesson has {len(utterances)} lines, by their ids 1, 2, …"
        elif name in seen:
            fault = f"the line {name} is there twice, first at {file}:{seen[name]}."
        elif not row.text and current[name].text:
            fault = f"the line {name} has no text; write what is to be said, or take the row out to leave it as it is."
        else:
            name, fault = _settled(row, utterances)
            fault = fault or _emphasis_fault(row.text)
        seen.setdefault(row.id, row.at)
        yield row, name, Finding(file, row.at, fault) if fault else None


def _settled(row: Returned, utterances: dict[str, Utterance]) -> tuple[str, str]:
    """The line that a row is of, where the script may have been recognized again since it was exported."""
    here = utterances[row.id]
    if row.source and alike(row.source, here.text) < SAME:
        same = [each.id for each in utterances.values() if plain(each.text) == plain(row.source)]
        if len(same) == 1:
            return same[0], ""
        if alike(row.source, here.text) < SAME / 2:
            return row.id, f'line {row.id} is now "{here.text[:60]}", and this is for something else; export it again.'
    if row.start is not None and abs(row.start - here.span.start_s) > _ELSEWHERE_S:
        other = next((each.id for each in utterances.values() if abs(row.start - each.span.start_s) < _THERE_S), None)
        if other is not None:
            return row.id, f"the cue {row.id} has the time of line {other}; keep the numbers that were exported."
    return row.id, ""


def _emphasis_fault(text: str) -> str:
    try:
        emphasis.parsed(text)
    except InputError as error:
        return str(error)
    return ""


def _missing(
    found: Sequence[tuple[Returned, str, Finding | None]], known: Known, file: str
) -> Iterator[tuple[str, Finding]]:
    """Lines that the file leaves out, each with the line of the file where it would stand."""
    there = {name: row.at for row, name, _ in found}
    at = 1
    for utterance in in_order(known.script):
        if utterance.id in there:
            at = there[utterance.id]
        else:
            yield utterance.id, Finding(file, at, f"line {utterance.id} is missing; it stays as it is.")


def _base(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()
