"""Words as they are said: a written word to the words that a listener hears, in lower case; English in full, of other
languages the numbers.

Only for listening (recognizers hear `nineteen eighty four`, captions show `1984`); subtitles keep the written form.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_YEARS: Final = range(1100, 2100)
_SIGNS: Final = {"&": "and", "%": "percent", "+": "plus", "=": "equals", "@": "at", "°": "degrees"}
_MONEY: Final = {"$": "dollars", "£": "pounds", "€": "euros"}
_SHORT: Final = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "prof": "professor",
    "st": "saint",
    "vs": "versus",
    "etc": "et cetera",
    "fig": "figure",
    "approx": "approximately",
}
_PART = re.compile(r"[$£€]|\d{1,2}:\d{2}|\d+(?:st|nd|rd|th)\b|\d+(?:,\d{3})*(?:\.\d+)?s?|[a-z]+(?:'[a-z]+)*|[%&+=@°]")
_FOREIGN_PART = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['·][^\W\d_]+)*")
_ACRONYM = re.compile(r"(?:[A-Z]\.){2,}")


def spoken(written: str, language: str = "en") -> tuple[str, ...]:
    """The words of one written word, as they are said in a language (BCP-47); none for signs alone.

    >>> spoken("1984,")
    ('nineteen', 'eighty', 'four')
    >>> spoken("$5.50")
    ('five', 'point', 'five', 'dollars')
    >>> spoken("¡21!", "es")
    ('veintiuno',)
    """
    base = language.lower().partition("-")[0]
    return _english(written) if base == "en" else _foreign(written, base)


def _foreign(written: str, language: str) -> tuple[str, ...]:
    """Letters as they are, numbers in the language's words where those are known, else as they are."""
    text = unicodedata.normalize("NFC", written.lower()).replace("\u2019", "'")
    out: list[str] = []
    for part in _FOREIGN_PART.findall(text):
        out += _numeral(part, language) if part[0].isdigit() else [part]
    return tuple(out)


def _numeral(part: str, language: str) -> list[str]:
    from num2words import num2words

    plain = part.replace(",", ".") if re.fullmatch(r"\d+[.,]\d{1,2}", part) else re.sub(r"[.,]", "", part)
    try:
        said = num2words(_value(plain), lang=language)
    except NotImplementedError:
        return [part]
    return re.findall(r"[^\W\d_]+", said.lower()) or [part]


def _english(written: str) -> tuple[str, ...]:
    text = written.replace("\u2019", "'").replace("\u2018", "'")
    if _ACRONYM.search(text):
        return tuple(letter.lower() for letter in text if letter.isalpha())
    words: list[str] = []
    money = ""
    for part in _PART.findall(text.lower()):
        if part in _MONEY:
            money = _MONEY[part]
        elif part[0].isdigit():
            words += [*_number(part), *([money] if money else [])]
            money = ""
        elif part in _SIGNS:
            words.append(_SIGNS[part])
        elif text.endswith(".") and part in _SHORT:
            words += _SHORT[part].split()
        else:
            words.append(part)
    return tuple(words)


def _number(part: str) -> list[str]:
    from num2words import num2words

    if ":" in part:
        hours, minutes = part.split(":")
        said = num2words(int(hours)) + ("" if minutes == "00" else f" {num2words(int(minutes))}")
    elif part[-2:] in ("st", "nd", "rd", "th"):
        said = num2words(int(part[:-2]), to="ordinal")
    else:
        many = part.endswith("s")
        plain = part.rstrip("s").replace(",", "")
        is_year = plain.isdigit() and "," not in part and int(plain) in _YEARS
        said = num2words(int(plain), to="year") if is_year else num2words(_value(plain))
        if many:
            said = re.sub("y$", "ie", said) + "s"
    return re.findall(r"[a-z]+", said.replace(" and ", " "))


def _value(plain: str) -> int | float:
    return float(plain) if "." in plain else int(plain[:30])
