"""Numbers in digits and words, in several languages, by hand-written truth."""

import pytest

from tasks.numbers import lost, numbers


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("en", "In fifteen hundred and forty-two, 3.5 of 1,500.", {"1542": 1, "35": 1, "1500": 1}),
        ("en", "Born in nineteen forty-two. One man, two hundred and six bones, 206 of them.", {"1942": 1, "206": 2}),
        ("en-GB", "Twenty-one or twenty.", {"21": 1, "20": 1}),
        ("es", "Doscientas treinta y una páginas, 1.500 y una.", {"231": 1, "1500": 1}),
        ("pt-BR", "Dezesseis e vinte e duas.", {"16": 1, "22": 1}),
        ("pt-PT", "Dezasseis.", {"16": 1}),
        ("it", "Millecinquecento pagine.", {"1500": 1}),
        ("gl", "Dous ou 3.", {"3": 1}),
        ("es", "Y de una.", {}),
        ("en", "", {}),
    ],
)
def test_numbers_are_found_however_they_are_written(language: str, text: str, found: dict[str, int]) -> None:
    """Counts, years, groups of thousands; articles and pronouns are none."""
    assert numbers(text, language) == found


def test_what_a_translation_loses_is_told() -> None:
    """As often as it is there: one fifteen does not stand for two."""
    assert lost("15 of 15, and nine.", "en", "15 de 15, y nueve.", "es") == (3, [])
    assert lost("15 of 15, and nine.", "en", "15 de 16.", "es") == (3, ["15", "9"])
