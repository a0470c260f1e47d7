"""A glossary's terms in lines: found in whatever form they stand, and brought in where a translation lacks them.

First among an engine's other translations, then by putting a placeholder that the engine hands through in the place of
the term; what then still lacks one is told (`lacking`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from manifests import emphasis, glossary
from manifests.glossary import Term
from manifests.model import Job
from tasks.engines.protocols import Translated

_WORD = re.compile(r"[^\W_]+(?:['’·-][^\W_]+)*")
_ENDINGS = {
    "en": re.compile(r"(?:['’]s|s['’]|ies|es|y|s)$"),
    "de": re.compile(r"(?:ern|en|er|es|em|e|n|s)$"),
}
_OTHERS = re.compile(r"(?:[aeiouáéíóúàèìòùãõâêôäëïöü]{0,2}s|[aeiouáéíóúàèìòùãõâêôäëïöü]{1,2})$")
"""Vowels and an `s`: how the Romance languages tell gender and number, and many others cases."""
_LEAST = 3  # letters of a stem; shorter words have one form


def of(job: Job) -> tuple[Term, ...]:
    """The glossary's terms for a target, if the course has one. Raises ManifestError for a broken one."""
    if job.course.glossary is None or job.language is None:
        return ()
    return glossary.load(job.manifest.parent / job.course.glossary).of(job.language)


def present(term: str, text: str, language: str) -> bool:
    """Whether a term stands in a text, in any number, gender or case that its ending tells."""
    return bool(places(term, text, language))


def wanted(terms: Sequence[Term], source: str, source_language: str) -> tuple[Term, ...]:
    """The terms that a source text has: of one within another (`cell` in `stem cell`), the longer."""
    found = [(term, place) for term in terms for place in places(term.source, source, source_language)]
    widest = [
        term
        for term, (start, end) in found
        if not any(a <= start and end <= b and (a, b) != (start, end) for _, (a, b) in found)
    ]
    return tuple(dict.fromkeys(widest))


def lacking(terms: Sequence[Term], source: str, source_language: str, said: str, language: str) -> tuple[Term, ...]:
    """The terms that a source text has, and its translation has not as the glossary says."""
    text = emphasis.plain(said)
    return tuple(term for term in wanted(terms, source, source_language) if not present(term.term, text, language))


def kept(
    sources: Sequence[str],
    answers: Sequence[Translated],
    terms: Sequence[Term],
    languages: tuple[str, str],
    again: Callable[[Sequence[str]], Sequence[Translated]],
    placeholder: str,
) -> list[Translated]:
    """Translations that have the glossary's terms as far as the engine lets them; `languages` are source and target.

    `again` translates further texts; `placeholder` is a word with a `{}` for a number, which the engine leaves alone.
    """
    chosen = [_chosen(source, answer, terms, languages) for source, answer in zip(sources, answers, strict=True)]
    open_ = [at for at, source in enumerate(sources) if _lacks(source, chosen[at].text, terms, languages)]
    held = [_held(sources[at], terms, languages[0], placeholder) for at in open_]
    for at, (_, names), answer in zip(open_, held, again([text for text, _ in held]) if held else (), strict=True):
        text = _released(answer.text, names)
        if text is not None and not _lacks(sources[at], text, terms, languages):
            unknown = tuple(word for word in answer.unknown if word not in names)
            chosen[at] = Translated(text, unknown, answer.uninflected)
    return chosen


def _chosen(source: str, answer: Translated, terms: Sequence[Term], languages: tuple[str, str]) -> Translated:
    """The likeliest translation that has all the terms, where one has; only such ones are left beside it."""
    if not wanted(terms, source, languages[0]):
        return answer
    right = [text for text in (answer.text, *answer.hypotheses) if not _lacks(source, text, terms, languages)]
    return replace(answer, text=right[0], hypotheses=tuple(right[1:])) if right else answer


def _lacks(source: str, said: str, terms: Sequence[Term], languages: tuple[str, str]) -> bool:
    return bool(lacking(terms, source, languages[0], said, languages[1]))


def _held(source: str, terms: Sequence[Term], language: str, placeholder: str) -> tuple[str, dict[str, str]]:
    """A text with placeholders for its terms, and what each stands for."""
    names: dict[str, str] = {}
    for term in sorted(wanted(terms, source, language), key=lambda term: -len(term.source)):
        for start, end in reversed(places(term.source, source, language)):
            name = placeholder.format(len(names) + 1)
            names[name] = term.term
            source = source[:start] + name + source[end:]
    return source, names


def _released(said: str, names: dict[str, str]) -> str | None:
    """A translation with the terms in their places; None where a placeholder got lost, or there twice."""
    for name, term in names.items():
        said, count = re.subn(rf"(?<!\w){re.escape(name)}(?!\w)", lambda _, term=term: term, said, flags=re.IGNORECASE)
        if count != 1:
            return None
    return said


def places(term: str, text: str, language: str) -> list[tuple[int, int]]:
    """Where a term stands in a text, from its first letter to after its last."""
    meant = [_stem(word, language) for word in _WORD.findall(term)]
    words = list(_WORD.finditer(text))
    there = [_stem(word[0], language) for word in words]
    count = len(meant)
    return [
        (words[at].start(), words[at + count - 1].end())
        for at in range(len(words) - count + 1)
        if count and there[at : at + count] == meant
    ]


def _stem(word: str, language: str) -> str:
    word = word.casefold().replace("’", "'")
    stem = _ENDINGS.get(language.split("-", maxsplit=1)[0], _OTHERS).sub("", word)
    return stem if len(stem) >= _LEAST else word
