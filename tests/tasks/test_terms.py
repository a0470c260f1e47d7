"""The glossary in lines: found in any form, brought in where an engine lacks it, said as it is pronounced."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from manifests.glossary import Term
from manifests.script import Script, Utterance
from manifests.spans import Span
from tasks import terms
from tasks.engines import espeak
from tasks.engines.protocols import Translated, Translating
from tasks.pronouncing import respelled
from tasks.translate import translate

LEAF = Term("leaf", "es", "lámina")
ES = ("en", "es")


@pytest.mark.parametrize(
    ("term", "text", "language", "there"),
    [
        ("célula madre", "Las células madre se dividen.", "es", True),
        ("cell", "Two cells divide.", "en", True),
        ("cell", "The cellar is cold.", "en", False),
        ("hoja", "El hojaldre es bueno.", "es", False),
        ("red", "Los redes y la red.", "es", True),
        ("Zelle", "Die Zellen teilen sich.", "de", True),
        ("Python", "Usamos Python 3.", "es", True),
        ("sol", "El solar es grande.", "es", False),
    ],
)
def test_a_term_is_found_in_its_forms(term: str, text: str, language: str, there: bool) -> None:
    """Number, gender and case; not in a longer word."""
    assert terms.present(term, text, language) is there


def test_the_longer_of_two_terms_is_meant() -> None:
    """`cell` in `stem cell` is not a term of its own there."""
    stem, cell = Term("stem cell", "es", "célula madre"), Term("cell", "es", "celda")
    assert terms.wanted((cell, stem), "Stem cells divide.", "en") == (stem,)
    assert set(terms.wanted((cell, stem), "Stem cells in a cell.", "en")) == {stem, cell}


def never(texts: Sequence[str]) -> list[Translated]:
    raise AssertionError(texts)


def test_the_likeliest_translation_with_the_term_is_taken() -> None:
    """And only such ones stay beside it; nothing is translated again."""
    answer = Translated("La hoja.", hypotheses=("El folio.", "La lámina.", "Una lámina."))
    (kept,) = terms.kept(["The leaf."], [answer], [LEAF], ES, never, "X{}")
    assert (kept.text, kept.hypotheses) == ("La lámina.", ("Una lámina.",))


def test_a_placeholder_brings_a_term_in_or_it_is_told() -> None:
    """A placeholder that comes back once is the term; a lost one leaves the line as it was, and the check says so."""
    answer = Translated("La hoja es verde.")
    (kept,) = terms.kept(["The leaf is green."], [answer], [LEAF], ES, lambda t: [Translated(t[0])], "X{}")
    assert kept.text == "The lámina is green."
    (lost,) = terms.kept(["The leaf is green."], [answer], [LEAF], ES, lambda t: [Translated("Es verde.")], "X{}")
    assert lost == answer
    assert terms.lacking([LEAF], "The leaf is green.", "en", lost.text, "es") == (LEAF,)


def test_apertium_says_the_glossarys_terms() -> None:
    """A term of the operator's, and a word that is not to be translated, through the stage."""
    said = "The leaf is green. We use Window."
    script = Script("en", (Utterance("1", "A", Span(0, 50), said, (), 0.9),))
    known = (LEAF, Term("Window", "*", "Window"))
    (plain,) = translate(script, Translating("en", "es", "apertium")).lines
    assert "lámina" not in plain.text
    (line,) = translate(script, Translating("en", "es", "apertium"), glossary=known).lines
    assert "lámina" in line.text
    assert "Window" in line.text
    assert not [check for check in line.checks if "glossary" in check or "term_" in check]


def test_the_voice_gets_the_pronunciation() -> None:
    """A respelling for any voice, phonemes only for espeak-ng, which says them and no brackets of a text's own."""
    how = (("GIF", "yif"), ("Python", "[[p'aITon]]"))
    assert respelled("Un GIF de Python.", how, "es") == "Un yif de Python."
    said = respelled("Un GIF de Python [[a]].", how, "es", phonemes=True)
    assert espeak.spoken(said) == "Un yif de [[p'aITon]] a ."
    (own, written) = espeak.read([said, "Un GIF de Python [[a]]."], "es")
    assert own.phones != written.phones
