"""Values that do not fit the model: what is wrong and what would be right, in words, with the place in the manifest."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from manifests.document import At
from manifests.model import Course, Delivery, Disclosure, EngineChoice, Lesson, Part, Person, Quality, Speakers, Timing
from manifests.names import name_fault

_PARTS: Final[tuple[tuple[At, type[Part]], ...]] = (
    ((), Course),
    (("people", "*"), Person),
    (("speakers",), Speakers),
    (("delivery",), Delivery),
    (("delivery", "disclosure"), Disclosure),
    (("engines", "*"), EngineChoice),
    (("timing",), Timing),
    (("quality",), Quality),
    (("lessons", "*"), Lesson),
    (("lessons", "*", "speakers"), Speakers),
)

_EXAMPLES: Final[Mapping[At, str]] = {
    ("targets",): "targets: [es, pt-BR]",
    ("engines",): "engines: {translate: apertium}",
    ("engines", "*"): "translate: apertium, or translate: {name: argos, options: {…}}",
    ("people",): "people: {amara: {consent: amara-2026}}",
    ("people", "*"): "amara: {consent: amara-2026}",
    ("speakers",): "speakers: auto, or {single: amara}",
    ("delivery",): "delivery: {loudness: web}",
    ("delivery", "disclosure"): "disclosure: {watermark: false, reason: marked elsewhere}",
    ("delivery", "subtitles"): "subtitles: [srt, embedded]",
    ("timing",): "timing: {hard_max: 1.4}",
    ("quality",): "quality: {timing: 0.9}",
    ("lessons",): "lessons: [{media: media/lesson-01.mp4}]",
    ("lessons", "*"): "- media: media/lesson-01.mp4",
    ("lessons", "*", "speakers"): "speakers: {SPEAKER_00: amara, SPEAKER_01: stock}, or {single: amara}",
    ("lessons", "*", "translations"): "translations: {es: media/lesson-01.es.srt}",
}

_STAND_IN: Final[Mapping[At, Any]] = {
    # something valid in place of a faulty value that has no default, so that everything else is still looked at
    ("course",): "course",
    ("targets",): ["es"],
    ("targets", "*"): "es",
    ("lessons",): [{"media": "in place of a faulty lesson"}],
    ("lessons", "*"): {"media": "in place of a faulty lesson"},
    ("lessons", "*", "media"): "in place of a faulty lesson",
    ("people", "*"): {},
    ("delivery", "subtitles", "*"): "srt",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, at a place in the manifest."""

    at: At
    message: str


def validate(data: dict[str, Any]) -> tuple[Course | None, list[Fault]]:
    """A course and what is wrong with it.

    The faulty values are left out of the course (see `_STAND_IN`); it is None where that does not help, such as for an
    unknown key in a place that cannot be left out.
    """
    faults: dict[Fault, None] = {}  # in order, each once
    remains = data
    for _ in range(3):  # leaving one fault out can bring another to light, but not without end
        try:
            return Course.model_validate_json(_json(remains), strict=True), list(faults)
        except ValidationError as error:
            found = list(_explained(error, remains))
            faults |= dict.fromkeys(found)
            remains = copy.deepcopy(remains)
            for fault in sorted(found, key=lambda fault: len(fault.at), reverse=True):
                _leave_out(remains, fault.at)
    return None, list(faults)


def nearest(word: str, words: Iterable[str]) -> str:
    """`did you mean …?`, or the words that there are."""
    known = list(words)
    near = (
        [name for name in known if name.startswith(f"{word}_")]
        or get_close_matches(word.lower().replace("-", "_"), known, n=1)
        or get_close_matches(word, known, n=1)
    )
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(f'`{name}`' for name in known)}." if known else "there are none."


def shape(at: At) -> At:
    """A place without its own names: `("lessons", 3, "media")` -> `("lessons", "*", "media")`."""
    return tuple(
        "*" if isinstance(step, int) or at[:index] in {("people",), ("engines",)} else step
        for index, step in enumerate(at)
    )


def _json(data: Any) -> str:
    """As JSON, because that is where pydantic's strict mode takes a list for a tuple, but no number for a text."""
    return json.dumps(data)


def _explained(error: ValidationError, data: Any) -> Iterator[Fault]:
    details = error.errors(include_url=False)
    for detail in details:
        at = _place(detail["loc"], data)
        beneath = (other["loc"] for other in details if len(other["loc"]) > len(detail["loc"]))
        if detail["type"] == "too_short" and any(loc[: len(detail["loc"])] == detail["loc"] for loc in beneath):
            continue  # pydantic counts only the items that are right
        yield Fault(at, _message(detail, at))


def _place(loc: Sequence[str | int], data: Any) -> At:
    """Where a fault stands in the data: pydantic's location without the names of unions, with a missing key's own."""
    at: list[str | int] = []
    for step in loc:
        if (isinstance(data, dict) and step in data) or (isinstance(data, list) and isinstance(step, int)):
            data = cast("Any", data)[step]
        elif step == loc[-1] and step != "[key]" and isinstance(data, dict):
            data = None
        else:
            continue
        at.append(step)
    return tuple(at)


@dataclass(frozen=True, slots=True)
class _Said:
    """What pydantic says of a value, at hand for wording it."""

    at: At
    value: Any
    context: Mapping[str, Any]
    is_key: bool

    @property
    def name(self) -> str:
        """The nearest key, without quotes."""
        return next((step for step in reversed(self.at) if isinstance(step, str)), "the manifest")


def _message(detail: ErrorDetails, at: At) -> str:
    if shape(at)[:-1] == ("engines", "*", "options"):
        return f"`{at[-1]}` is {_shown(detail['input'])}; an engine's option is text, a number, or true or false."
    said = _Said(at, detail["input"], detail.get("ctx", {}), detail["loc"][-1:] == ("[key]",))
    return _WORDING.get(detail["type"], _wrong_kind)(said)


def _wrong_kind(said: _Said) -> str:
    return f"`{said.name}` is {_shown(said.value)}; write {_example(said.at)}."


def _not_text(said: _Said) -> str:
    if not isinstance(said.value, (bool, int, float)):
        return _wrong_kind(said)
    shown = str(said.value).lower() if isinstance(said.value, bool) else str(said.value)
    kind = "true or false" if isinstance(said.value, bool) else "a number"
    return f'`{said.name}` is text, and {shown} without quotes is {kind}; write "{shown}".'


def _not_a_choice(said: _Said) -> str:
    if not said.is_key and shape(said.at) in _EXAMPLES:  # `speakers`, where a word is but one way of saying it
        return _wrong_kind(said)
    words = re.findall(r"'([^']*)'", str(said.context["expected"]))
    subject = f"unknown stage `{said.at[-1]}` in `engines`" if said.is_key else f"`{said.name}` is {_shown(said.value)}"
    return f"{subject}; {nearest(str(said.value), words)}"


def _not_a_name(said: _Said) -> str:
    return name_fault(str(said.value), colons=said.name != "id") or f"`{said.name}` cannot be {said.value!r}."


_WORDING: Final[Mapping[str, Callable[[_Said], str]]] = {
    "value_error": lambda said: str(said.context["error"]),
    "missing": lambda said: f"`{said.name}` is missing; write {_example(said.at)}.",
    "extra_forbidden": lambda said: _unknown_key(said.at),
    "string_type": _not_text,
    "string_too_short": lambda said: f"`{said.name}` is empty; give it a value or leave the key out.",
    "string_too_long": lambda said: (
        f"`{said.name}` has {len(said.value)} characters; at most {said.context['max_length']} fit into file names."
    ),
    "string_pattern_mismatch": _not_a_name,
    "literal_error": _not_a_choice,
    "too_short": lambda said: f"`{said.name}` is empty; write {_example(said.at)}.",
    "bool_type": lambda said: f"`{said.name}` is true or false, not {_shown(said.value)}.",
    "int_type": lambda said: f"`{said.name}` is a whole number, not {_shown(said.value)}.",
    "int_from_float": lambda said: f"`{said.name}` is a whole number, not {_shown(said.value)}.",
    "float_type": lambda said: f"`{said.name}` is a number, not {_shown(said.value)}.",
    "greater_than_equal": lambda said: f"`{said.name}` is {said.value}; it is at least {said.context['ge']:g}.",
    "less_than_equal": lambda said: f"`{said.name}` is {said.value}; it is at most {said.context['le']:g}.",
}
"""By pydantic's error type; every other type is a value of the wrong kind."""


def _unknown_key(at: At) -> str:
    place = shape(at[:-1])
    known = next((list(part.model_fields) for where, part in _PARTS if where == place), list[str]())
    word = str(at[-1])
    elsewhere = {"at the top of the manifest": Course, "in a lesson": Lesson, "in `delivery`": Delivery}
    elsewhere |= {"in `timing`": Timing, "in `speakers`": Speakers, "in `people`": Person}
    if not get_close_matches(word.lower().replace("-", "_"), known, n=1):
        for where, part in elsewhere.items():
            if word in part.model_fields:
                return f"`{word}` does not belong here; it stands {where}."
    return f"unknown key `{word}`; {nearest(word, known)}"


def _example(at: At) -> str:
    place = shape(at)
    if place in _EXAMPLES:
        return f"`{_EXAMPLES[place]}`"
    samples = {"course": "course: intro-biology", "media": "media: media/lesson-01.mp4"}
    name = str(at[-1]) if at else "course"
    return f"`{samples.get(name, f'{name}: text')}`"


def _shown(value: Any) -> str:
    if value is None:
        return "without a value"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value}`" if isinstance(value, str) else str(value)


def _leave_out(data: Any, at: At) -> None:
    """Take a faulty value out of the data, or put something right in its place."""
    for step in at[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if not at:
        return
    stand_in = _STAND_IN.get(shape(at))
    if stand_in is not None and not isinstance(data, str):
        data[at[-1]] = copy.deepcopy(stand_in)
    elif isinstance(data, dict):
        cast("dict[str, Any]", data).pop(str(at[-1]), None)
