"""Translation by the Apertium that is installed."""

import re
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from manifests import human_lines
from manifests.errors import EngineUnavailable, InputError
from manifests.human_lines import HumanLine
from manifests.model import Course, Job
from manifests.script import Line, Lines, Script, Utterance, dump, load
from manifests.spans import Span
from manifests.store import Store
from tasks import given_lines
from tasks.engines import apertium
from tasks.engines.protocols import Translating
from tasks.given_lines import Given
from tasks.stage import Workbench
from tasks.translate import STAGE, translate

SIGNS = r'^$/[]@\<>{}"*#+~&%:;'


def script(*texts: str) -> Script:
    utterances = (
        Utterance(str(number), "SPEAKER_00", Span(number * 100, number * 100 + 50), text, (), 0.9)
        for number, text in enumerate(texts, 1)
    )
    return Script("en", tuple(utterances))


def to(language: str) -> Translating:
    return Translating("en", language, "apertium")


def spanish(*texts: str) -> list[str]:
    return [answer.text for answer in apertium.translate(texts, apertium.route("en", "es"))]


def test_each_utterance_becomes_one_line_under_its_id() -> None:
    """Lines come in the script's order, also where a text is empty or holds no word."""
    lines = translate(script("The house is big.", "", "42", "hello"), to("es"))
    assert [(line.id, line.text) for line in lines.lines] == [
        ("1", "La casa es grande."),
        ("2", ""),
        ("3", "42"),
        ("4", "hola"),
    ]


def test_unknown_words_are_spoken_without_marks_and_listed() -> None:
    """The star that Apertium sets is in the checks' favour only."""
    line = translate(script("The blargh is green."), to("es")).lines[0]
    assert "blargh" in line.text
    assert "*" not in line.text
    assert line.checks == ("unknown word: blargh",)


def test_a_chain_passes_unknown_words_on_and_names_them_once() -> None:
    """English to Portuguese goes by way of Spanish; the first step's marks do not reach the second."""
    assert [pair.mode for pair in apertium.route("en", "pt-BR")] == ["eng-spa", "es-pt_BR"]
    line = translate(script("The blargh is big."), to("pt-BR")).lines[0]
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


@pytest.mark.parametrize("target", ["es", "ca", "gl", "pt", "it"])
def test_names_topics_and_addresses_are_not_translated(target: str) -> None:
    """What no language owns comes through whole, also in chains; it is no unknown word."""
    text = "Ask @joe-1 about #python, or call house_of() or write to joe.smith@example.org and see https://www.example.com/a?b=c_d."
    (answer,) = apertium.translate([text], apertium.route("en", target))
    for verbatim in ("@joe-1", "#python", "house_of()", "joe.smith@example.org", "https://www.example.com/a?b=c_d."):
        assert verbatim in answer.text
    assert answer.unknown == ()
    only = ["@joe", "https://example.com/house", "#house"]
    assert [each.text for each in apertium.translate(only, apertium.route("en", target))] == only


@pytest.mark.parametrize(
    ("text", "target", "unknown"),
    [
        ("A zorgblat-driven house.", "es", ("zorgblat",)),
        ("It is the blorf's.", "ca", ("blorf",)),
        ("We use Blorfs' zorgblats.", "fr", ("Blorfs", "zorgblats")),
        ("They pronoun it.", "gl", ("pronoun",)),
    ],
)
def test_an_unknown_word_is_named_as_the_source_writes_it(text: str, target: str, unknown: tuple[str, ...]) -> None:
    """Without what Apertium hangs on it behind a hyphen or an apostrophe, and whichever mark it sets."""
    line = translate(script(text), to(target)).lines[0]
    assert tuple(check for check in line.checks if check.startswith("unknown word")) == tuple(
        f"unknown word: {word}" for word in unknown
    )
    assert not set("*@#\\") & set(line.text)


@pytest.mark.parametrize(
    ("text", "target", "form"),
    [
        ("They tract it with the tracts.", "es", "vías"),
        ("They tract it with the tracts.", "pt", "vías"),
        ("They deflator it with the deflators.", "ca", "deflactor"),
        ("They theologian it.", "gl", "teólogo"),
    ],
)
def test_a_word_that_apertium_cannot_inflect_is_spoken_and_checked(text: str, target: str, form: str) -> None:
    """Its `#` is in no text, nor handed to the second pair of a chain as a sign."""
    line = translate(script(text), to(target)).lines[0]
    assert f"not inflected: {form}" in line.checks
    assert "#" not in line.text


def test_numbers_are_kept_in_every_chain() -> None:
    """Years, decimals and percentages come out in the digits they went in."""
    text = "In 1999 we had 3.5 apples, 12 plums and 50% of 2,048 pears."
    for target in ("es", "ca", "gl", "pt", "it", "fr"):
        (answer,) = apertium.translate([text], apertium.route("en", target))
        assert sorted(re.findall(r"\d[\d.,]*\d|\d", answer.text)) == ["12", "1999", "2,048", "3.5", "50"], answer


def test_a_line_may_hold_newlines_or_be_very_long_and_stays_one_line() -> None:
    """Three thousand words come back as one text, and the next line is its own."""
    long = "the plants need water and light " * 500
    first, second, third = spanish("the house\r\nis\u2028big", long, "good morning")
    assert (first, third) == ("la casa es grande", "buenos días")
    assert second.count("planta") == 500
    assert "\n" not in second


def test_a_line_without_an_end_does_not_hold_up_the_others() -> None:
    """What looks like the beginning of an address or a name, 50,000 signs long, is looked through in a moment."""
    for text in ("_" * 50_000 + "😀", "1." * 25_000, "1_" * 25_000, "@" * 50_000, "1+" * 25_000 + "@"):
        begun = time.monotonic()
        assert spanish(text) == [text]
        assert time.monotonic() - begun < 5


def test_an_empty_script_has_no_lines() -> None:
    """A lesson without speech; nor does one of signs alone need a translator."""
    assert translate(Script("en", ()), to("es")).lines == ()
    signs = ["", "…?!", "— 42 —", "😀", "^$", "  \n "]
    assert spanish(*signs) == ["", "…?!", "— 42 —", "😀", "^$", ""]


def test_the_stage_counts_what_is_unknown_and_its_key_names_the_way(tmp_path: Path) -> None:
    """Another chain between the languages is another result; the notes are for tables."""
    course = Course.model_validate(
        {"course": "c", "source_language": "en", "targets": ["es"], "lessons": [{"media": "a.mp4"}]}
    )
    lesson = {"manifest": tmp_path, "course": course, "lesson": course.lessons[0], "lesson_id": "a"}
    job = Job(**lesson, media=tmp_path, out=tmp_path, language="pt-BR")
    assert asdict(STAGE.params(job)) == {
        "wanted": {"source": "en", "target": "pt-BR", "engine": "apertium", "model": None, "options": {}, "terms": ()},
        "route": ("eng-spa", "es-pt_BR"),
        "terms": (),
    }
    source = dump(script("The blargh and the zorg.", "The house."), tmp_path / "script.json")
    bench = Workbench(Store(tmp_path / "store"), tmp_path)
    made = STAGE.run(STAGE.params(job), {"transcribe/script.json": source}, bench)
    lines = load(Lines, made.outputs["lines.json"])
    assert (lines.language, [line.id for line in lines.lines]) == ("pt-BR", ["1", "2"])
    assert made.notes == {"unknown_words": 2}
    with pytest.raises(EngineUnavailable, match="no way from en to ja"):
        STAGE.check(job.model_copy(update={"language": "ja"}))


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
    apertium.installed.cache_clear()
    apertium.version.cache_clear()
    for ask in (lambda: apertium.translate(["hello"], pairs), apertium.version, lambda: apertium.route("en", "es")):
        with pytest.raises(EngineUnavailable, match="Apertium is not installed") as missing:
            ask()
        assert "sudo apt-get install apertium" in missing.value.remedy


def test_a_line_comes_with_shorter_ways_to_say_it() -> None:
    """Trimmed in the source and in the translation, ever shorter, each with its price and what it leaves out."""
    said = "Okay, so we're going to take a look at the 3 leaves."
    (line,) = translate(script(said), to("es")).lines
    assert line.renderings
    texts = [line.text, *(each.text for each in line.renderings)]
    assert [len(text) for text in texts] == sorted({len(text) for text in texts}, reverse=True)
    assert [each.cost for each in line.renderings] == sorted(each.cost for each in line.renderings)
    assert all("3" in text and "hojas" in text for text in texts)
    assert any('"take a look at" to "look at" in the source' in each.trimmed for each in line.renderings)
    assert line.trimmed == ()


def test_a_line_with_nothing_to_leave_out_has_no_other_rendering() -> None:
    """Nor has one whose every trim would lose a negation or a number."""
    lines = translate(script("The house is big.", "It is not really big.", "42"), to("es")).lines
    assert [line.renderings for line in lines] == [(), (), ()]


def test_what_people_wrote_stands_and_the_engine_translates_the_rest(tmp_path: Path) -> None:
    """A human line keeps its words; its file is an input of the stage, so that a change of it is another key."""
    course = Course.model_validate({"course": "c", "targets": ["es"], "lessons": [{"media": "a.mp4"}]})
    manifest = tmp_path / "course.yaml"
    lesson = {"manifest": manifest, "course": course, "lesson": course.lessons[0], "lesson_id": "a"}
    job = Job(**lesson, media=tmp_path, out=tmp_path, language="es")
    assert STAGE.given(job) == {}
    said = script("The house is big.", "Well, the house is actually very big.")
    second = said.utterances[1]
    mine = HumanLine(second.span.start_s, second.span.end_s, second.text, "Qué casona, <em>de verdad</em>.")
    written = human_lines.write(human_lines.path(manifest, "a", "es"), [mine])
    assert STAGE.given(job) == {"human lines": written}
    inputs = {"transcribe/script.json": dump(said, tmp_path / "script.json"), **STAGE.given(job)}
    made = STAGE.run(STAGE.params(job), inputs, Workbench(Store(tmp_path / "store"), tmp_path))
    first, corrected = load(Lines, made.outputs["lines.json"]).lines
    assert (first.text, first.origin) == ("La casa es grande.", "machine")
    assert corrected == Line("2", "Qué casona, <em>de verdad</em>.", "human")
    assert made.notes["by_people"] == 1


def test_a_line_that_is_no_longer_said_is_told_with_its_neighbour(tmp_path: Path) -> None:
    """Nothing that a person wrote disappears without a word."""
    gone = HumanLine(0.007, 0.01, "Something quite different was said.", "Se dijo otra cosa.")
    written = human_lines.write(tmp_path / "a.es.lines.jsonl", [gone])
    (line,) = translate(
        script("The house is big."), to("es"), given_lines.given(script("The house is big."), {"human lines": written})
    ).lines
    assert line.checks == ('no longer said, at 0.0 s: "Something quite different was said.": "Se dijo otra cosa."',)


def test_a_language_without_an_engine_needs_every_line(tmp_path: Path) -> None:
    """Where people wrote all lines no engine is missed; where one is not theirs, the lack is named."""
    said = script("The house is big.")
    known = Given({"1": Line("1", "Das Haus ist groß.", "human")})
    assert translate(said, to("de"), known).lines == (Line("1", "Das Haus ist groß.", "human"),)
    with pytest.raises(EngineUnavailable, match="no way from en to de"):
        translate(script("The house is big.", "Hello."), to("de"), known)


def test_a_translation_in_the_manifest_is_used_as_it_is(tmp_path: Path) -> None:
    """What it lacks is translated and flagged; a linguist's line goes before it; a language needs no engine then."""
    lesson = {"media": "a.mp4", "translations": {"es": "a.srt"}}
    course = Course.model_validate({"course": "c", "targets": ["es"], "lessons": [lesson]})
    manifest = tmp_path / "course.yaml"
    job = Job(
        manifest=manifest, course=course, lesson=course.lessons[0], lesson_id="a", media=tmp_path, out=tmp_path,
        language="es",
    )  # fmt: skip
    texts = ("The house is big.", "Two dogs live in the garden.", "The dogs are white.")
    spans = (Span.of_seconds(1, 3), Span.of_seconds(5, 8), Span.of_seconds(20, 23))
    said = Script(
        "en",
        tuple(
            Utterance(str(at), "A", span, text, (), 0.9)
            for at, (span, text) in enumerate(zip(spans, texts, strict=True), 1)
        ),
    )
    (tmp_path / "a.srt").write_text(
        "1\n00:00:01,000 --> 00:00:03,000\nLa casa es enorme.\n\n"
        "2\n00:00:05,000 --> 00:00:08,000\nViven dos perros en el jardín.\n",
        encoding="utf-8",
    )
    human_lines.write(human_lines.path(manifest, "a", "es"), [HumanLine(1, 3, texts[0], "Qué casa tan grande.")])
    assert set(STAGE.given(job)) == {"human lines", "translation"}
    inputs = {"transcribe/script.json": dump(said, tmp_path / "script.json"), **STAGE.given(job)}
    made = STAGE.run(STAGE.params(job), inputs, Workbench(Store(tmp_path / "store"), tmp_path))
    first, second, third = load(Lines, made.outputs["lines.json"]).lines
    assert (first.text, first.origin, first.flags) == ("Qué casa tan grande.", "human", ())
    assert (second.text, second.origin, second.flags) == ("Viven dos perros en el jardín.", "human", ())
    assert (third.text, third.origin, third.flags) == (
        "Los perros son blancos.",
        "machine",
        ("not in the translation",),
    )
    STAGE.check(job.model_copy(update={"language": "es"}))
