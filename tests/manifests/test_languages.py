"""Languages by their tags, codes and names."""

from __future__ import annotations

import pytest
from langcodes import Language

from manifests import languages
from manifests.own_names import OWN_NAMES


@pytest.mark.parametrize(
    ("tag", "canonical", "code", "own", "english"),
    [
        ("es", "es", "spa", "Español", "Spanish"),
        ("CA", "ca", "cat", "Català", "Catalan"),
        ("gl", "gl", "glg", "Galego", "Galician"),
        ("pt_br", "pt-BR", "por", "Português (Brasil)", "Portuguese (Brazil)"),
        ("de", "de", "deu", "Deutsch", "German"),
        ("fra", "fr", "fra", "Français", "French"),
        ("iw", "he", "heb", "עברית", "Hebrew"),
        ("no", "no", "nor", "Norsk", "Norwegian"),
        ("cmn", "cmn", "zho", "中文", "Mandarin Chinese"),
        ("ka", "ka", "kat", "ქართული", "Georgian"),
        ("ast", "ast", "ast", "Asturianu", "Asturian"),
        ("en-UK", "en-GB", "eng", "English (United Kingdom)", "English (United Kingdom)"),
    ],
)
def test_a_tag_has_one_form_a_container_code_and_names(
    tag: str, canonical: str, code: str, own: str, english: str
) -> None:
    """Canonical tag, ISO 639-2/T code, and what its speakers and English call it."""
    assert languages.parse(tag) == canonical
    assert languages.iso_639_2(tag) == code
    assert (languages.own_name(tag), languages.english_name(tag)) == (own, english)


@pytest.mark.parametrize(("tag", "advice"), [("spanish", "`es`"), ("español", "`es`"), ("Portuguese", "`pt`")])
def test_a_name_of_a_language_is_answered_with_its_tag(tag: str, advice: str) -> None:
    """People write names where tags are wanted."""
    with pytest.raises(ValueError, match=f"did you mean {advice}"):
        languages.parse(tag)


@pytest.mark.parametrize("tag", ["", "xx", "und", "mul", "qaa", "x-private", "es-ZZZ", "a b", "e" * 50, "-", "es\n"])
def test_what_names_no_spoken_language_is_refused(tag: str) -> None:
    """Undetermined, private, unknown and malformed tags."""
    with pytest.raises(ValueError, match="is not a language tag"):
        languages.parse(tag)


def test_the_table_of_own_names_says_what_the_registry_says() -> None:
    """It is a copy, for speed: every row is the autonym that langcodes gives."""
    for tag, name in OWN_NAMES.items():
        autonym = Language.get(tag).autonym()
        assert languages.parse(tag) == tag
        assert autonym[:1].title() + autonym[1:] == name == languages.own_name(tag)
