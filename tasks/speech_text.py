"""A line as it is said: numbers, dates, times, money, units, abbreviations, signs and addresses in words.

Subtitles keep the written form; every voice gets this one. The rules are data, one table a language in
`tasks/speech_tables/`; a language without a table is left to its voice. What a rule does not understand stays as it is.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tasks import number_words

_TAG = re.compile(r"(</?em>)", re.IGNORECASE)
_SPACES = "\u00a0\u202f\u2009"
_GROUPED = rf"\d{{1,3}}(?:(?:[{_SPACES}]\d{{3}})+|(?: \d{{3}}){{2,}})(?:[.,]\d+)?"
_NUMBER = rf"{_GROUPED}|\d{{1,3}}(?:[.,]\d{{3}})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_BEFORE, _AFTER = r"(?<![\w.,/:#@-])", r"(?![\w/@]|[.,:-]\w)"
_WEB = re.compile(r"(?:https?://|www\.)\S*[\w/]|(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


@dataclass(frozen=True, slots=True)
class Table:
    """How one language says what is written in signs."""

    words: str
    """The language's name for `tasks.number_words`."""
    facts: dict[str, Any]
    abbreviations: re.Pattern[str]
    money: re.Pattern[str]
    units: re.Pattern[str]


def said(text: str, language: str) -> str:
    """The words of a line; `<em>` stays where it is. What is said already is not changed."""
    table = table_of(language)
    if table is None:
        return text
    return "".join(part if _TAG.fullmatch(part) else _said(part, table) for part in _TAG.split(text))


@lru_cache
def table_of(language: str) -> Table | None:
    """The table of a BCP-47 tag, else of its language; None without one."""
    base = language.split("-", maxsplit=1)[0].lower()
    folder = files("tasks") / "speech_tables"
    if not (folder / f"{base}.toml").is_file():
        return None
    facts: dict[str, Any] = tomllib.loads((folder / f"{base}.toml").read_text("utf-8"))
    for name, value in facts.pop("regions", {}).get(language, {}).items():
        facts[name] = value
    return Table(
        words=facts["words"],
        facts=facts,
        abbreviations=_any_of(facts["abbreviations"], r"(?<![\w.])", r"(?!\w)"),
        money=_any_of(facts["currencies"], "", ""),
        units=_any_of(facts["units"], "", r"(?![\w/²³])"),
    )


def _any_of(names: dict[str, Any], before: str, after: str) -> re.Pattern[str]:
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile(f"{before}(?:{'|'.join(re.escape(name) for name in longest_first)}){after}")


def _said(text: str, table: Table) -> str:
    in_order = (_web, _abbreviations, _dates, _times, _money, _measures, _percent, _ordinals, _romans, _ranges)
    for rule in (*in_order, _numbers, _signs):
        text = rule(text, table)
    return text


def _web(text: str, table: Table) -> str:
    """Addresses, sign by sign where a sign is said."""
    names: dict[str, str] = table.facts["web"]

    def spoken(found: re.Match[str]) -> str:
        bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", found[0]).rstrip("/")
        parts = re.split(r"([^\w]|_|\d+)", bare)
        words = (names.get(part, _digits(part, table) if part.isdecimal() else part) for part in parts)
        return " ".join(word for word in words if word.strip())

    return _WEB.sub(spoken, text)


def _abbreviations(text: str, table: Table) -> str:
    """Written short; a period that ends the sentence too stays."""
    full: dict[str, str] = table.facts["abbreviations"]

    def spoken(found: re.Match[str]) -> str:
        rest = text[found.end() :]
        ends = found[0].endswith(".") and not rest.strip(" \"'»”)")
        return full[found[0]] + ("." if ends else "")

    return table.abbreviations.sub(spoken, text)


def _dates(text: str, table: Table) -> str:
    """`2024-05-12`, `12/05/2024` and `12.05.2024`, in the order of the language."""

    def iso(found: re.Match[str]) -> str:
        return _date(found, int(found[1]), int(found[2]), int(found[3]), table)

    def local(found: re.Match[str]) -> str:
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        month_first = table.facts["date_order"] == "mdy" and found[2] == "/"
        return _date(found, year, *((first, second) if month_first else (second, first)), table)

    text = re.sub(rf"{_BEFORE}(\d{{4}})-(\d{{2}})-(\d{{2}}){_AFTER}", iso, text)
    return re.sub(rf"{_BEFORE}(\d{{1,2}})([/.])(\d{{1,2}})\2(\d{{4}}){_AFTER}", local, text)


def _date(found: re.Match[str], year: int, month: int, day: int, table: Table) -> str:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    facts = table.facts
    first = facts.get("first_day") if day == 1 else None
    ordinal = facts.get("ordinal_days", False)
    nth = _inflected(_ordinal(day, table), found, table)
    spoken_day = first or (nth if ordinal else number_words.cardinal(day, table.words))
    return facts["date"].format(day=spoken_day, month=facts["months"][month - 1], year=_year(year, table))


def _times(text: str, table: Table) -> str:
    """`14:30` and `2:05 pm`; in some languages `14h30` and `14 h`."""
    facts = table.facts

    def spoken(found: re.Match[str]) -> str:
        hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").lower().replace(".", "")
        if hour > 24 or minute > 59:
            return found[0]
        hours = facts.get("hours", {}).get(str(hour)) or number_words.cardinal(hour, table.words)
        small = facts.get("small_minute", "{}") if 0 < minute < 10 else "{}"
        minutes = small.format(number_words.cardinal(minute, table.words))
        whole = facts.get("late_hour", facts["hour"]) if hour > 12 else facts["hour"]
        form = facts["hour_minute"] if minute else facts["hour_with_half"] if half else whole
        after = facts["halves"].get(half, "")
        return form.format(h=hours, m=minutes) + (f" {after}" if after else "")

    clock = facts.get("clock", r"(\d{1,2}):(\d{2})")
    half = r"(?:[ \u00a0\u202f]?([ap]\.?m\b\.?))?"
    return re.sub(rf"{_BEFORE}{clock}{half}(?![\w:]|[.,]\d)", spoken, text, flags=re.IGNORECASE)


def _money(text: str, table: Table) -> str:
    """`$5.50`, `5,50 €`, `€3 million`."""
    kinds: dict[str, list[str]] = table.facts["currencies"]
    large = "|".join(table.facts["large"])

    def spoken(number: str, kind: str, size: str) -> str | None:
        one, many, *cents = kinds[kind]
        value = _parsed(number, table)
        if value is None:
            return None
        whole, fraction = value
        if size:
            return f"{_read(number, table)} {size} {table.facts['of_large']}{many}".replace("  ", " ")
        if cents and len(fraction) == 2 and int(fraction):
            small = _counted(int(fraction), cents[0], cents[1], table)
            return f"{_counted(whole, one, many, table)} {table.facts['and_cents']} {small}" if whole else small
        if fraction.strip("0"):
            return f"{_read(number, table)} {many}"
        return _counted(whole, one, many, table)

    def before(found: re.Match[str]) -> str:
        return spoken(found[2], found[1], (found[3] or "").strip()) or found[0]

    def after(found: re.Match[str]) -> str:
        return spoken(found[1], found[2], "") or found[0]

    signs = table.money.pattern
    text = re.sub(rf"(?<![\w$€£])({signs})\s?({_NUMBER})({_gap()}(?:{large})\b)?(?![\w]|[.,]\d)", before, text)
    return re.sub(rf"{_BEFORE}({_NUMBER}){_gap()}?({signs})(?!\w)", after, text)


def _measures(text: str, table: Table) -> str:
    """A number and its unit."""
    units: dict[str, list[str]] = table.facts["units"]

    def spoken(found: re.Match[str]) -> str:
        value, (one, many) = _parsed(found[2], table), units[found[3]]
        if value is None:
            return found[0]
        minus = f"{table.facts['minus']} " if found[1] else ""
        whole, fraction = value
        return minus + (f"{_read(found[2], table)} {many}" if fraction else _counted(whole, one, many, table))

    return re.sub(rf"{_BEFORE}([-\u2212])?({_NUMBER}){_gap()}?({table.units.pattern})", spoken, text)


def _percent(text: str, table: Table) -> str:
    signs = {"%": table.facts["percent"], "\u2030": table.facts["permille"]}

    def spoken(found: re.Match[str]) -> str:
        minus = f"{table.facts['minus']} " if found[1] else ""
        return f"{minus}{_read(found[2], table) or found[2]} {signs[found[3]]}"

    return re.sub(rf"{_BEFORE}([-\u2212])?({_NUMBER}){_gap()}?([%\u2030])", spoken, text)


def _ordinals(text: str, table: Table) -> str:
    """`3rd`, `3.º`, `3ª`, `3e`, by the language's pattern: the number, then what it is marked with."""

    def spoken(found: re.Match[str]) -> str:
        forms: dict[str, str] = table.facts.get("ordinal_forms", {})
        word = table.facts.get("ordinal_words", {}).get(found[0].lower()) or _ordinal(int(found[1]), table)
        for ending, form in (row.split("->") for row in forms.get(found[2].lower().strip("."), "").split(";") if row):
            word = re.sub(ending, form, word)
        return _inflected(word, found, table)

    pattern = table.facts.get("ordinal")
    return re.sub(rf"{_BEFORE}{pattern}", spoken, text) if pattern else text


def _inflected(word: str, found: re.Match[str], table: Table) -> str:
    """An ordinal as the word before it asks: `im fünfzehnten`."""
    for after, ending, form in table.facts.get("ordinal_after", ()):
        if re.search(after, found.string[: found.start()]):
            return re.sub(ending, form, word)
    return word


def _romans(text: str, table: Table) -> str:
    """Centuries: `siglo XV`, `XVe siècle`."""

    def spoken(found: re.Match[str]) -> str:
        number = _roman(found["roman"])
        ordinal = table.facts.get("roman_ordinal", False) or number <= table.facts.get("roman_ordinal_to", 0)
        word = _ordinal(number, table) if ordinal else number_words.cardinal(number, table.words)
        return found[0].replace(found["all"], word)

    pattern = table.facts.get("roman")
    return re.sub(pattern, spoken, text) if pattern else text


def _ranges(text: str, table: Table) -> str:
    """`5–10`; with a hyphen only where both are plain numbers."""
    between = table.facts["to"]
    return re.sub(rf"{_BEFORE}(\d+)\s?[-\u2013]\s?(?=\d+(?![\w.,:/-]*\d))", rf"\1 {between} ", text)


def _numbers(text: str, table: Table) -> str:
    """All that is left, agreeing with the noun behind it where the language's numbers do."""

    def spoken(found: re.Match[str]) -> str:
        minus = f"{table.facts['minus']} " if found[1] else ""
        following = re.match(r"[ \u00a0\u202f]([^\W\d_]{3,})", text[found.end() :])
        grouped = table.facts["group"] == "." and re.fullmatch(r"\d{1,3}(?:\.\d{3})+", found[2])
        if not grouped and re.fullmatch(r"\d+(?:\.\d+){2,}", found[2]):
            dot = f" {table.facts['web']['.']} "
            return minus + dot.join(_digits_or_number(part, table) for part in found[2].split("."))
        words = _read(found[2], table)
        if words is None:
            return found[0]
        counts = following is not None and not re.fullmatch(r"1[1-9]\d\d|20\d\d", found[2])  # a year counts nothing
        return minus + (_agreeing(words, following[1], table) if counts and following else words)

    number = rf"\d+(?:\.\d+){{2,}}(?!\.?\d)|{_NUMBER}"
    return re.sub(rf"(?<![\w.,/:#@])([-\u2212](?=\d))?({number})(?![\w@]|[.,/:]\d)", spoken, text)


def _signs(text: str, table: Table) -> str:
    """Signs that are words, where they stand alone."""
    words: dict[str, str] = table.facts["signs"]
    return re.sub(r"(?<=\s)[&+=<>×÷≈≠≤≥±@](?=\s)|°", lambda found: words.get(found[0], found[0]), text)


def _gap() -> str:
    return rf"(?:[ {_SPACES}])"


def _parsed(number: str, table: Table) -> tuple[int, str] | None:
    """A written number as its whole part and the digits of its fraction; None where it is too long.

    Both conventions are understood, for machines carry one over into the other's language: of two kinds of signs the
    last is the decimal one; one kind, more than once, groups; one sign before exactly three digits groups too, but not
    where the language's decimals begin with it and it is English.
    """
    plain = re.sub(f"[ {_SPACES}]", "", number)
    signs = [sign for sign in plain if sign in ".,"]
    decimal = ""
    if len(set(signs)) == 2:
        decimal = signs[-1]
    elif len(signs) == 1:
        head, tail = re.split("[.,]", plain)
        grouped = len(tail) == 3 and 1 <= len(head) <= 3 and not head.startswith("0")
        decimal = "" if grouped and (signs[0] == table.facts["group"] or table.facts["group"] == ".") else signs[0]
    whole, _, fraction = plain.partition(decimal) if decimal else (plain, "", "")
    digits = re.sub("[.,]", "", whole)
    return None if len(digits) > 15 or len(fraction) > 15 else (int(digits), fraction)


def _read(number: str, table: Table) -> str | None:
    """A number in words; digit by digit where it is long or begins with a zero; None where it cannot be read."""
    if re.fullmatch(r"0\d+|\d{16,}", number):
        return _digits(number, table)
    value = _parsed(number, table)
    if value is None:
        return None
    whole, fraction = value
    if not fraction:
        return _year(whole, table) if re.fullmatch(r"\d{4}", number) else number_words.cardinal(whole, table.words)
    together = table.facts["fraction"] == "number" and len(fraction) <= 2 and not fraction.startswith("0")
    tail = number_words.cardinal(int(fraction), table.words) if together else _digits(fraction, table)
    return f"{number_words.cardinal(whole, table.words)} {table.facts['point']} {tail}"


def _year(number: int, table: Table) -> str:
    low, high = table.facts.get("years", (1, 0))
    return (number_words.year if low <= number <= high else number_words.cardinal)(number, table.words)


def _digits(text: str, table: Table) -> str:
    return " ".join(number_words.cardinal(int(digit), table.words) for digit in text)


def _digits_or_number(part: str, table: Table) -> str:
    return _read(part, table) or _digits(part, table)


def _ordinal(number: int, table: Table) -> str:
    return number_words.ordinal(number, table.words)


def _counted(number: int, one: str, many: str, table: Table) -> str:
    """A number of things, agreeing with them."""
    noun = one if number == 1 else many
    return f"{_agreeing(number_words.cardinal(number, table.words), noun, table)} {noun}"


def _agreeing(words: str, noun: str, table: Table) -> str:
    """A number before a noun: `uno` as `un` or `una`."""
    feminine = bool(re.search(table.facts.get("feminine", r"(?!)"), noun.lower().split()[0]))
    for ending, masculine, other in table.facts.get("agree", ()):
        words = re.sub(ending, other if feminine else masculine, words)
    return words


def _roman(text: str) -> int:
    values = [_ROMAN[sign] for sign in text]
    return sum(-value if value < max(values[at + 1 :], default=0) else value for at, value in enumerate(values))
