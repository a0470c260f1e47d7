"""What is wrong with a line, judged by its text and its source alone: remarks for a linguist, not gates. Each check
rarely complains about a correct line. What the languages' tables do not know is not judged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from manifests import emphasis
from manifests.glossary import Term
from tasks import terms as glossary
from tasks.numbers import lost
from tasks.trimming import table_of

_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"”»)]*[\w/]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_WORD = re.compile(r"[^\W\d_]+(?:['’·-][^\W\d_]+)*")
_UNIT = re.compile(r"\d\s?(km|kg|cm|mm|mg|ml|kwh|kw|mhz|ghz|hz|gb|mb|kb|tb|%|€|\$|£|°c|°f)(?![^\W\d_])", re.IGNORECASE)
_UNITS_IN_WORDS: Final[Mapping[str, str]] = {
    "km": "kil|quil|chil",
    "kg": "kil|quil|chil",
    "cm": "cent|zent",
    "mm": "mil|mil·l",
    "mg": "mil",
    "ml": "mil",
    "%": "por ?c|per c|pour c|prozent|percent",
    "€": "euro",
    "$": "d[oòóô]l|usd",
    "£": "libr|lliur|sterlin|pfund|livre",
    "°c": "grad|grau|degr",
    "°f": "grad|grau|degr",
}
_MONTHS: Final[Mapping[str, tuple[str, ...]]] = {
    tag: tuple(names.split())
    for tag, names in {
        "en": "january february - april - june july august september october november december",
        "es": "enero febrero - abril - junio julio agosto septiembre octubre noviembre diciembre",
        "ca": "gener febrer - abril - juny juliol agost setembre octubre novembre desembre",
        "gl": "xaneiro febreiro - abril - xuño xullo agosto setembro outubro novembro decembro",
        "pt": "janeiro fevereiro - abril - junho julho agosto setembro outubro novembro dezembro",
        "it": "gennaio febbraio - aprile - giugno luglio agosto settembre ottobre novembre dicembre",
        "fr": "janvier février - avril - juin juillet août septembre octobre novembre décembre",
        "de": "januar februar - april - juni juli august september oktober november dezember",
    }.items()
}
"""Without those that are other words too: `may`, `march`."""
_COMMON: Final[Mapping[str, frozenset[str]]] = {
    tag: frozenset(words.split())
    for tag, words in {
        "en": "the of and to is are was that this it with for you we they have be what which there",
        "es": "el la los las de y que en un una es son con por para se lo del al como más",
        "ca": "el la els les de i que en un una és són amb per es del al com més hi",
        "gl": "o a os as de e que en un unha é son con por para se do da no na",
        "pt": "o a os as de e que em um uma é são com por para se do da no na",
        "it": "il la i le di e che in un una è sono con per si del della come più non",
        "fr": "le la les de et que en un une est sont avec pour se du des au dans ce pas",
        "de": "der die das und ist sind mit für von zu den dem ein eine nicht auf es im wir",
    }.items()
}
_LENGTHS = (0.4, 2.5)
"""Letters of a line over its source's, between which nearly all translations between European languages lie."""
_JUDGED = 25  # letters from which on a length tells something
_UNSPACED = ("zh", "ja", "ko", "th", "lo", "km", "my")


def checked(source: str, source_language: str, text: str, language: str, terms: Sequence[Term] = ()) -> tuple[str, ...]:
    """What is wrong with a text as the translation of another; nothing where nothing is said."""
    said = emphasis.plain(text)
    if not source.strip() or not said.strip():
        return ()
    pair = (_base(source_language), _base(language))
    return (
        *_numbers(source, said, pair),
        *_units(source, said),
        *_dates(source, said, pair),
        *_negation(source, said, pair),
        *_addresses(source, said),
        *(
            f"glossary: `{term.source}` is `{term.term}`"
            for term in glossary.lacking(terms, source, source_language, said, language)
        ),
        *_length(source, said, pair),
        *_repetition(source, said),
        *_language(source, said, pair),
    )


def _base(tag: str) -> str:
    return tag.split("-", maxsplit=1)[0].lower()


def _numbers(source: str, said: str, pair: tuple[str, str]) -> Iterator[str]:
    _, gone = lost(_ADDRESS.sub(" ", source), pair[0], said, pair[1])
    yield from (f"number not said: {number}" for number in dict.fromkeys(gone))


def _units(source: str, said: str) -> Iterator[str]:
    there = {unit.lower() for unit in _UNIT.findall(said)}
    for unit in dict.fromkeys(unit.lower() for unit in _UNIT.findall(source)):
        in_words = _UNITS_IN_WORDS.get(unit)
        if unit not in there and unit not in said.lower() and not (in_words and re.search(in_words, said.lower())):
            yield f"unit not said: {unit}"


def _dates(source: str, said: str, pair: tuple[str, str]) -> Iterator[str]:
    here, there = (_MONTHS.get(tag) for tag in pair)
    if here and there:
        words, found = (Counter(_WORD.findall(text.casefold())) for text in (source, said))
        for name, other in zip(here, there, strict=True):
            if name != "-" and words[name] > found[other]:
                yield f"month not said: {name}"


def _negation(source: str, said: str, pair: tuple[str, str]) -> Iterator[str]:
    """Whether all negation is lost. Added negation is not looked for: `only` is `no … más que` in some languages."""
    here, there = (table_of(tag).negation for tag in pair)
    if there.pattern != "(?!)" and here.search(source) and not there.search(said):
        yield "negation not said"


def _addresses(source: str, said: str) -> Iterator[str]:
    gone = Counter(_ADDRESS.findall(source)) - Counter(_ADDRESS.findall(said))
    yield from (f"address changed: {address}" for address in gone)


def _length(source: str, said: str, pair: tuple[str, str]) -> Iterator[str]:
    here, there = (sum(map(str.isalnum, text)) for text in (source, said))
    if here >= _JUDGED and not set(pair) & set(_UNSPACED) and not _LENGTHS[0] <= there / here <= _LENGTHS[1]:
        yield f"length: {there / here:.1f} times the source's"


def _repetition(source: str, said: str) -> Iterator[str]:
    """Four words that come three times, or one that comes four times in a row, where the source has no such thing."""
    if (again := _repeated(said)) and not _repeated(source):
        yield f"repeated: {again}"


def _repeated(text: str) -> str:
    words = [word.casefold() for word in _WORD.findall(text)]
    fours = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    often = next((four for four, count in fours.items() if count >= 3 or len(set(four)) == 1), ())
    return " ".join(often)


def _language(source: str, said: str, pair: tuple[str, str]) -> Iterator[str]:
    """Words that were left as they were, or more of the source language's small words than of the target's."""
    if pair[0] == pair[1]:
        return
    words, before = ([word.casefold() for word in _WORD.findall(text)] for text in (said, source))
    long_words = [word for word in words if len(word) > 3]
    same = sum(word in before for word in long_words)
    if len(long_words) >= 4 and same > 0.6 * len(long_words):
        yield f"not translated: {same} of {len(long_words)} words are the source's"
    elif pair[0] in _COMMON and pair[1] in _COMMON:
        alien, own = (sum(word in _COMMON[tag] for word in words) for tag in pair)
        only_alien = sum(word in _COMMON[pair[0]] - _COMMON[pair[1]] for word in words)
        if only_alien >= 3 and alien > 2 * own:
            yield f"not in the target language: it reads like {pair[0]}"
