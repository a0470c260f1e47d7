"""Checks of a line: each speaks up over its fault, and none over a right translation."""

from __future__ import annotations

import pytest

from manifests.glossary import Term
from tasks.line_checks import checked


@pytest.mark.parametrize(
    ("source", "said", "expected"),
    [
        ("We need 12 apples and 3.5 pears.", "Necesitamos doce manzanas y peras.", "number not said: 35"),
        ("It is 5 km long.", "Mide 5 de largo.", "unit not said: km"),
        ("It rose by 5% today.", "Subió un 5 hoy.", "unit not said: %"),
        ("He came on 3 July.", "Vino el 3 de junio.", "month not said: july"),
        ("Do not open it.", "Ábrelo.", "negation not said"),
        ("See https://a.org/b now.", "Mira https://a.org/ve ahora.", "address changed: https://a.org/b"),
        ("The leaf is green.", "La hoja es verde.", "glossary: `leaf` is `lámina`"),
        ("The quick brown fox jumps over the dog.", "Zorro.", "length: 0.2 times the source's"),
        ("It flows to the sea, slowly.", "Al mar al mar al mar al mar al mar al mar.", "repeated: "),
        ("The plants need more light.", "The plants need more light.", "not translated: 4 of 4"),
        ("The people of the city that we know are here.", "The people of the town that you met are there.", "not in"),
    ],
)
def test_each_fault_is_named(source: str, said: str, expected: str) -> None:
    """What is missing, by its name."""
    found = checked(source, "en", said, "es", (Term("leaf", "es", "lámina"),))
    assert any(check.startswith(expected[:14]) for check in found), found


@pytest.mark.parametrize(
    ("source", "said", "language"),
    [
        ("It isn't 12 km but 5% of 3.5 kg.", "No son doce kilómetros sino el 5 por ciento de 3,5 kg.", "es"),
        ("In July 1999 nobody knew.", "Em julho de 1999 ninguém sabia.", "pt-BR"),
        ("We may march on.", "Podemos seguir.", "es"),
        ("Only the dog is here.", "No hay más que el perro aquí.", "es"),
        ("No problem, see www.a.org.", "Pas de problème, voyez www.a.org.", "fr"),
        ("Hello.", "Hola.", "es"),
        ("Python, Java and Rust.", "Python, Java y Rust.", "es"),
        ("Never, never, never, never.", "Nunca, nunca, nunca, nunca.", "es"),
        ("", "", "es"),
    ],
)
def test_a_right_line_has_no_remark(source: str, said: str, language: str) -> None:
    """Numbers in words, units in words, other ways to deny, names that stay."""
    assert checked(source, "en", said, language) == ()
