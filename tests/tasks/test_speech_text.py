"""What is written in signs is said in words, in each language; what is in words already stays."""

# ruff: noqa: E501 - one row a case

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.script import Line
from tasks.number_words import cardinal, ordinal
from tasks.speaking import How
from tasks.speech_text import said, table_of

LANGUAGES = ("en", "es", "ca", "pt", "pt-BR", "fr", "it", "gl", "de")


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("en", "In 1998 it cost $5.50.", "In nineteen ninety-eight it cost five dollars and fifty cents."),
        ("en", "Dr. Smith came on the 3rd at 2:05 pm, etc.", "doctor Smith came on the third at two oh five p m, et cetera."),
        ("en", "12/05/2024", "December fifth, twenty twenty-four"),
        ("en-GB", "12/05/2024", "the twelfth of May, twenty twenty-four"),
        ("en", "3.142 of 1,500 is 0.2%", "three point one four two of one thousand five hundred is zero point two percent"),
        ("en", "-5 °C, 5–10 pages, version 3.11.2", "minus five degrees Celsius, five to ten pages, version three dot eleven dot two"),
        ("en", "€3 million and £1.01", "three million euros and one pound and one penny"),
        ("en", "ask joe@x.org & see www.example.com/a", "ask joe at x dot org and see example dot com slash a"),
        ("es", "A las 14:30, en el siglo XV, etc.", "A las catorce treinta, en el siglo quince, etcétera."),
        ("es", "1 casa, 21 páginas, 200 páginas, 21 km", "una casa, veintiuna páginas, doscientas páginas, veintiún kilómetros"),
        ("es", "5,50 € y $3 millones", "cinco euros con cincuenta céntimos y tres millones de dólares"),
        ("es", "3.5 de 1,000,000 y 1.500", "tres coma cinco de un millón y mil quinientos"),
        ("es", "el 1.er día, la 3.ª vez", "el primer día, la tercera vez"),
        ("es", "El 12/05/2024 vino el Sr. Gil, p. ej.", "El doce de mayo de dos mil veinticuatro vino el señor Gil, por ejemplo."),
        ("ca", "El 1998 va costar 2 lliures a les 14:30.", "El mil nou-cents noranta-vuit va costar dues lliures a les catorze trenta."),
        ("ca", "el 3r, l'1 d'abril, 50 %", "el tercer, l'un d'abril, cinquanta per cent"),
        ("gl", "1.234 casas e 2 libros no século XV", "mil douscentas trinta e catro casas e dous libros no século quince"),
        ("pt", "16 páginas e 2 casas por R$ 5,50", "dezasseis páginas e duas casas por cinco reais e cinquenta centavos"),
        ("pt-BR", "16 páginas no século V", "dezesseis páginas no século quinto"),
        ("fr", "Le 1er mai à 14h30, au XVe siècle.", "Le premier mai à quatorze heures trente, au quinzième siècle."),
        ("fr", "1 000 000 de pages, 0,5 %", "un million de pages, zéro virgule cinq pour cent"),
        ("it", "Nel XV secolo, alle 14:30, 1 casa, 100 km/h", "Nel quindicesimo secolo, alle quattordici e trenta, una casa, cento chilometri all'ora"),
        ("de", "Im 15. Jahrhundert, am 12.05.2024 um 14:30 Uhr", "Im fünfzehnten Jahrhundert, am zwölften Mai zweitausendvierundzwanzig um vierzehn Uhr dreißig"),
        ("de", "z. B. 20 m² für 1 €", "zum Beispiel zwanzig Quadratmeter für ein Euro"),
        ("es", "Tiene <em>21</em> años", "Tiene <em>veintiuno</em> años"),
        ("es", "COVID-19, H2O, A4, C#", "COVID-diecinueve, H2O, A4, C#"),
        ("pl", "5 km", "5 km"),
    ],
)  # fmt: skip
def test_signs_are_said_in_words(language: str, written: str, spoken: str) -> None:
    """Numbers, ordinals, dates, times, money, units, percentages, abbreviations, signs and addresses."""
    assert said(written, language) == spoken


@pytest.mark.parametrize("language", LANGUAGES)
@given(number=st.integers(0, 10**15 - 1), decimals=st.integers(0, 999))
def test_every_number_becomes_words(language: str, number: int, decimals: int) -> None:
    """Whole or with a fraction, alone or between words; no digit stays, and words are not changed again."""
    point = "." if language == "en" else ","
    for text in (str(number), f"a {number}{point}{decimals:02} b", f"{number} %", f"{number} km", f"{number} €"):
        spoken = said(text, language)
        assert not re.search(r"\d", spoken)
        assert said(spoken, language) == spoken


@pytest.mark.parametrize("language", LANGUAGES)
@given(
    text=st.lists(
        st.sampled_from([*"ab 0159.,:/-%€$°@#<>&=+()ªº", "<em>", "</em>", "XV", "etc.", "km"]), max_size=14
    ).map("".join)
)
def test_any_text_has_words_and_keeps_its_emphasis(language: str, text: str) -> None:
    """Nothing breaks, whatever stands there; tags stay as they are."""
    spoken = said(text, language)
    assert re.findall("</?em>", spoken) == re.findall("</?em>", text)


@given(number=st.integers(0, 10**12))
def test_galician_numbers_are_told_apart(number: int) -> None:
    """Each has words of its own, and the words of its parts."""
    assert cardinal(number, "gl") != cardinal(number + 1, "gl")
    assert not re.search(r"\d|  ", cardinal(number, "gl"))


def test_galician_counts_as_galicians_do() -> None:
    """Examples of every size."""
    numbers = {0: "cero", 1: "un", 16: "dezaseis", 22: "vinte e dous", 100: "cen", 101: "cento un", 555: "cincocentos cincuenta e cinco",
               1000: "mil", 2024: "dous mil vinte e catro", 1_000_000: "un millón", 2_500_000: "dous millóns cincocentos mil"}  # fmt: skip
    assert {number: cardinal(number, "gl") for number in numbers} == numbers
    assert ordinal(3, "gl") == "terceiro"


def test_every_table_says_the_same_signs() -> None:
    """No language lacks a unit or a sign that another has."""
    tables = {name: table_of(name) for name in LANGUAGES}
    english = tables["en"]
    assert english is not None
    for name, table in tables.items():
        assert table is not None, name
        assert table.facts["web"].keys() == english.facts["web"].keys()
        assert table.facts["signs"].keys() == english.facts["signs"].keys()
        assert english.facts["units"].keys() - table.facts["units"].keys() <= {"ft", "lb", "mph"}
        assert len(table.facts["months"]) == 12
    for file in Path(str(files("tasks") / "speech_tables")).iterdir():
        tomllib.loads(file.read_text(encoding="utf-8"))


def test_every_voice_gets_the_words_and_subtitles_the_signs() -> None:
    """`How.words` is what synthesizers are given; the line keeps its text."""
    line = Line("1", "Cuesta 5 €.")
    assert How("es").words(line) == "Cuesta cinco euros."
    assert line.text == "Cuesta 5 €."
