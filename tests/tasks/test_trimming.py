"""Trimming: what may be left out of a sentence, and what never is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.trimming import keeps, shortened, table_of

LANGUAGES = ("en", "es", "ca", "pt-BR", "gl", "it", "fr", "de")


def shortest(text: str, language: str) -> str:
    """The text when everything is trimmed that can be."""
    found = shortened(text, language)
    return found[-1].text if found else text


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "es",
            "Bueno, ya sabes, las plantas realmente necesitan agua muy limpia.",
            "Las plantas necesitan agua limpia.",
        ),
        (
            "es",
            "Sin embargo, nosotros vemos que, por supuesto, la la luz entra por la ventana.",
            "Pero vemos que la luz entra por la ventana.",
        ),
        ("es", "Tendrían que ser bellas con el fin de gustar.", "Deberían ser bellas para gustar."),
        ("pt", "No entanto, teriam que ser belas.", "Mas deveriam ser belas."),
        ("gl", "Non obstante, nós vemos moi ben a folla.", "Pero vemos ben a folla."),
        ("ca", "Tanmateix, veiem que és realment útil.", "Però veiem que és útil."),
        ("it", "Tuttavia, al fine di capire, per favore, guardate la foglia.", "Ma per capire, guardate la foglia."),
        ("fr", "En fait, les plantes sont très belles, vous savez.", "Les plantes sont belles."),
        ("en", "So, you know, the the plants really need um clean water.", "The plants need clean water."),
        ("en", "Okay, we're going to take a look at the leaves.", "We'll look at the leaves."),
        ("de", "Das das Haus ist groß.", "Das Haus ist groß."),
    ],
)
def test_what_says_nothing_is_left_out(language: str, text: str, expected: str) -> None:
    """Hesitations, repetitions, openers, pronouns the verb repeats, adverbs of emphasis; long phrases get short."""
    assert shortest(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "No es realmente importante."),
        ("fr", "Ce n'est vraiment pas grave."),
        ("en", "It is not really very big."),
        ("es", "Es simplemente tres veces mayor."),
        ("es", "El libro «muy, muy lejos» de Muy Interesante."),
        ("en", "You see the leaf. Do you know it?"),
        ("en", "The Very Hungry Caterpillar reads."),
        ("es", "Realmente."),
        ("fr", "Nous nous levons et vous vous levez."),
        ("en", "It had had its day."),
        ("it", "È molto più grande."),
        ("es", "Abre https://example.org/realmente/muy y espera."),
        ("en", "Say <em>really really</em> loud."),
        ("fr", "Il parle d'absolument tout."),
        ("es", "Yo mismo lo vi."),
    ],
)
def test_what_says_something_stays(language: str, text: str) -> None:
    """After a negation, beside a number, in a name, an address or a quotation, or as all there is to a sentence."""
    assert shortened(text, language) == ()


def test_every_rendering_is_shorter_costs_more_and_says_what_it_trimmed() -> None:
    """The first is the mildest; what it left out is told in words that stand in the text."""
    text = "Bueno, eh, nosotros vemos que la planta realmente crece con el fin de vivir."
    found = shortened(text, "es")
    assert [each.text for each in found] == [
        "Bueno, nosotros vemos que la planta realmente crece con el fin de vivir.",
        "Bueno, vemos que la planta realmente crece con el fin de vivir.",
        "Bueno, vemos que la planta realmente crece para vivir.",
        "Vemos que la planta realmente crece para vivir.",
        "Vemos que la planta crece para vivir.",
    ]
    assert found[-1].trimmed == ('"eh"', '"nosotros"', '"con el fin de" to "para"', '"Bueno"', '"realmente"')
    assert [each.cost for each in found] == sorted({each.cost for each in found})


PIECES = {
    language: [
        *re.findall(r"[\w' ]{2,}", " | ".join(pattern.pattern for pattern in table_of(language).cuts.values())),
        *(pattern.pattern.replace(r"\ ", " ") for pattern, _ in table_of(language).phrases),
    ]
    for language in LANGUAGES
}
ANY = ["agua", "Madrid", "1999", "3,5", "no", "non", "ne", "not", "n't", "nunca", "pas", "https://a.org/muy", "tres"]
SIGNS = [",", ".", "?", "¿", "!", "…", ";", "«", "»", '"', "'", "—", "(", ")", "¡"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_trimmed_numbers_names_negations_and_addresses_stay(data: st.DataObject) -> None:
    """In texts made of the tables' own words among others, in any order and with any signs between them."""
    language = data.draw(st.sampled_from(LANGUAGES))
    pieces = st.sampled_from([*PIECES[language], *ANY, *SIGNS, *map(str.capitalize, PIECES[language])])
    text = " ".join(data.draw(st.lists(pieces, max_size=14)))
    for rendering in shortened(text, language):
        assert keeps(text, rendering.text, language)
        assert sorted(re.findall(r"\d+", rendering.text)) == sorted(re.findall(r"\d+", text))
        assert rendering.text.count("Madrid") == text.count("Madrid")
        assert rendering.text.count("https://a.org/muy") == text.count("https://a.org/muy")
        assert 2 * sum(map(str.isalpha, rendering.text)) >= sum(map(str.isalpha, text))
        assert rendering.trimmed


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.sampled_from(LANGUAGES))
def test_any_text_whatever_can_be_asked_about(text: str, language: str) -> None:
    """Nothing breaks, and the same text gives the same renderings."""
    assert shortened(text, language) == shortened(text, language)
