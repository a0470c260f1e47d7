"""Numbers as words: num2words' for the languages that it has, and Galician, which it lacks."""

# ruff: noqa: SIM905 - word lists are read as words, not as string literals

from __future__ import annotations

from functools import lru_cache

LARGEST = 10**15
"""Longer numbers are read digit by digit."""

_GALICIAN_ONES = """
cero un dous tres catro cinco seis sete oito nove dez once doce trece catorce quince dezaseis dezasete dezaoito dezanove
""".split()
_GALICIAN_TENS = """
vinte trinta corenta cincuenta sesenta setenta oitenta noventa
""".split()
_GALICIAN_HUNDREDS = """
cento douscentos trescentos catrocentos cincocentos seiscentos setecentos oitocentos novecentos
""".split()
_GALICIAN_ORDINALS = """
primeiro segundo terceiro cuarto quinto sexto sétimo oitavo noveno décimo undécimo duodécimo
""".split()


@lru_cache(maxsize=10_000)
def cardinal(number: int, language: str) -> str:
    """A whole number, as num2words names the language (`pt_BR`), or `gl`."""
    if language == "gl":
        return _galician(number)
    return _num2words(number, language, "cardinal").replace(",", "")


@lru_cache(maxsize=1_000)
def ordinal(number: int, language: str) -> str:
    """First, second, …, masculine; the cardinal where the language counts on with it."""
    if language == "gl":
        return _GALICIAN_ORDINALS[number - 1] if 0 < number <= len(_GALICIAN_ORDINALS) else _galician(number)
    return _num2words(number, language, "ordinal")


@lru_cache(maxsize=1_000)
def year(number: int, language: str) -> str:
    """A year, as `nineteen ninety-nine`."""
    return cardinal(number, language) if language == "gl" else _num2words(number, language, "year").replace(",", "")


def _num2words(number: int, language: str, to: str) -> str:
    from num2words import num2words

    return str(num2words(number, lang=language, to=to))


def _galician(number: int) -> str:
    if number < 20:
        return _GALICIAN_ONES[number]
    if number < 100:
        tens, units = divmod(number, 10)
        return _GALICIAN_TENS[tens - 2] + (f" e {_GALICIAN_ONES[units]}" if units else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return "cen" if number == 100 else _GALICIAN_HUNDREDS[hundreds - 1] + (f" {_galician(rest)}" if rest else "")
    for size, one, many in ((10**12, "un billón", "billóns"), (10**6, "un millón", "millóns"), (1000, "mil", "mil")):
        if number >= size:
            count, rest = divmod(number, size)
            words = one if count == 1 else f"{_galician(count)} {many}"
            return words + (f" {_galician(rest)}" if rest else "")
    raise AssertionError(number)
