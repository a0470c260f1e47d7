"""Translation by the Apertium that is installed."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from manifests.errors import EngineUnavailable, InputError
from manifests.script import Script, Utterance
from manifests.spans import Span
from tasks.engines import apertium
from tasks.translate import translate

SIGNS = r'^$/[]@\<>{}"*#+~&%:;'


def script(*texts: str) -> Script:
    utterances = (
        Utterance(str(number), "SPEAKER_00", Span(number * 100, number * 100 + 50), text, (), 0.9)
        for number, text in enumerate(texts, 1)
    )
    return Script("en", tuple(utterances))


def spanish(*texts: str) -> list[str]:
    return [answer.text for answer in apertium.translate(texts, apertium.route("en", "es"))]


def test_each_utterance_becomes_one_line_under_its_id() -> None:
    """Lines come in the script's order, also where a text is empty or holds no word."""
    lines = translate(script("The house is big.", "", "42", "hello"), "es")
    assert [(line.id, line.text) for line in lines.lines] == [
        ("1", "La casa es grande."),
        ("2", ""),
        ("3", "42"),
        ("4", "hola"),
    ]


def test_unknown_words_are_spoken_without_marks_and_listed() -> None:
    """The star that Apertium sets is in the checks' favour only."""
    line = translate(script("The blargh is green."), "es").lines[0]
    assert "blargh" in line.text
    assert "*" not in line.text
    assert line.checks == ("unknown word: blargh",)


def test_a_chain_passes_unknown_words_on_and_names_them_once() -> None:
    """English to Portuguese goes by way of Spanish; the first step's marks do not reach the second."""
    assert [pair.mode for pair in apertium.route("en", "pt-BR")] == ["eng-spa", "es-pt_BR"]
    line = translate(script("The blargh is big."), "pt-BR").lines[0]
    assert line.text == "O blargh é grande."
    assert line.checks == ("unknown word: blargh",)


@pytest.mark.parametrize(
    ("target", "modes"),
    [
        ("es", ["eng-spa"]),
        ("es-MX", ["eng-spa"]),
        ("ca", ["eng-cat"]),
        ("ca-valencia", ["eng-cat_valencia"]),
        ("gl", ["en-gl"]),
        ("pt", ["eng-spa", "es-pt"]),
        ("it", ["eng-spa", "spa-ita"]),
        ("fr", ["eng-spa", "es-fr"]),
    ],
)
def test_languages_lead_to_modes(target: str, modes: list[str]) -> None:
    """The shortest chain, in the variant that was asked for."""
    assert [pair.mode for pair in apertium.route("en", target)] == modes


def test_an_unknown_pair_says_which_there_are() -> None:
    """The message names the targets from this source, the remedy how to get more."""
    with pytest.raises(EngineUnavailable, match=r"no way from en to ja.* ca, .*es, .*pt-BR") as refused:
        apertium.route("en", "ja")
    assert "apt" in refused.value.remedy


def test_a_target_in_the_source_language_is_refused() -> None:
    """There and back again is no translation."""
    with pytest.raises(InputError, match="the language of the source"):
        apertium.route("en", "en-GB")


def test_what_a_recognizer_writes_is_understood() -> None:
    """Lower case, no period, a small `i`: the verbs still get their person, and no capital appears in the middle."""
    assert spanish("i don't know", "good morning everybody welcome") == [
        "no sé",
        "buenos días todo el mundo bienvenido",
    ]


def test_sentences_keep_their_capitals_numbers_and_punctuation() -> None:
    """Also where Apertium drops the pronoun that had the capital, or writes `EL agua`."""
    assert spanish("They have eaten 3.5 apples, 1,000,000 plums and 50%.", "The plants need water. NASA knows.") == [
        "Han comido 3.5 manzanas, 1,000,000 ciruelas y 50%.",
        "El agua de necesidad de las plantas. NASA sabe.",
    ]


@pytest.mark.parametrize("target", ["es", "ca", "gl", "pt-BR"])
def test_signs_survive_whatever_they_mean_to_apertium(target: str) -> None:
    """Brackets, stars, slashes and quotes come out as often as they went in."""
    texts = [f"the house {sign} is big" for sign in SIGNS if sign not in "&%"]
    answers = apertium.translate(texts, apertium.route("en", target))
    for sign, answer in zip((sign for sign in SIGNS if sign not in "&%"), answers, strict=True):
        assert answer.text.count(sign) == 1, answer
        assert "gran" in answer.text


def test_a_mark_of_the_authors_is_not_taken_for_apertiums() -> None:
    """`C#` and `*big*` are text."""
    answer = apertium.translate(["C# is *big*"], apertium.route("en", "es"))[0]
    assert answer.text == "C# es *grande*"
    assert answer.unknown == ()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(texts=["[:1:]", "a[", "]b", "\x00", "end \\", "\\", "the", "I'm"])
@given(
    texts=st.lists(
        st.text(st.sampled_from([*SIGNS, *" .?!'\n\t-_", *"aeiostn", "\x00", "\x01", "é", "…", "😀"]), max_size=40),
        min_size=1,
        max_size=25,
    )
)
def test_no_line_leaks_into_another(texts: list[str]) -> None:
    """Whatever stands in the lines, each is answered alone, as if it had been asked alone, between two known ones."""
    texts = ["the house is big", *texts, "the house is big"]
    answers = spanish(*texts)
    assert len(answers) == len(texts)
    assert (answers[0], answers[-1]) == ("la casa es grande", "la casa es grande")
    assert answers[1:-1] == spanish(*texts[1:-1])


def test_a_missing_apertium_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An operator reads what to install."""
    pairs = apertium.route("en", "es")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="Apertium is not installed") as missing:
        apertium.translate(["hello"], pairs)
    assert "apt-get install apertium" in missing.value.remedy
