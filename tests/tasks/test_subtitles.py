"""Subtitles: no word lost, never two cues at once, and rows that read well."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manifests.script import Line, Lines, Script, Utterance
from manifests.spans import Span, samples
from manifests.timeline import Placement, Timeline, Unplaced
from tasks.subtitles import Cue, cues, to_srt, to_vtt

LESSON = (
    (0.5, 9.0, "La fotosíntesis es el proceso por el que las plantas convierten la luz del sol en energía química, y "
               "lo hacen en los cloroplastos de las células."),
    (9.6, 10.0, "¿Sí?"),
    (12.0, 16.0, "Exacto. Bienvenidos a la segunda lección de este curso."),
)  # fmt: skip


def subtitles(
    *lines: tuple[float, float, str],
    duration_s: float = 20.0,
    language: str = "es",
    unplaced: tuple[str, ...] = (),
    disclosure: str = "",
) -> tuple[Cue, ...]:
    """The cues of lines that are said from when to when."""
    numbered = [(str(number), Span.of_seconds(start, end), text) for number, (start, end, text) in enumerate(lines, 1)]
    script = Script("en", tuple(Utterance(id_, "SPEAKER_00", span, "x", (), 1.0) for id_, span, _ in numbered))
    placed = tuple(Placement(id_, span, 1.0) for id_, span, _ in numbered if id_ not in unplaced)
    timeline = Timeline(language, samples(duration_s), placed, tuple(Unplaced(id_, 1.0) for id_ in unplaced))
    texts = Lines(language, tuple(Line(id_, text) for id_, _, text in numbered))
    return cues(script, texts, timeline, disclosure=disclosure)


def test_a_lesson_reads_well() -> None:
    """Long lines are cut into balanced cues at good places; a short answer stays long enough to be read."""
    assert to_srt(subtitles(*LESSON)) == (
        "1\n00:00:00,500 --> 00:00:04,551\nLa fotosíntesis es el proceso\npor el que las plantas convierten la luz\n\n"
        "2\n00:00:04,631 --> 00:00:09,000\n"
        "del sol en energía química, y lo hacen\nen los cloroplastos de las células.\n\n"
        "3\n00:00:09,600 --> 00:00:10,433\n¿Sí?\n\n"
        "4\n00:00:12,000 --> 00:00:16,000\nExacto. Bienvenidos\na la segunda lección de este curso.\n\n"
    )


def test_webvtt_says_the_same_and_escapes_markup() -> None:
    """WebVTT reads `<` and `&` as markup, so they are written as entities."""
    assert to_vtt(subtitles((1.0, 3.0, "Si a < b & b < c, a < c."))) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\nSi a &lt; b &amp; b &lt; c, a &lt; c.\n\n"
    )


def test_emphasis_is_heard_and_not_shown_as_markup() -> None:
    """The words of an emphasis stay, its tags go, in both formats and whatever row they are in."""
    found = subtitles((1.0, 3.0, "Si <em>a < b</em>, <em>muy</em> bien."))
    assert [cue.rows for cue in found] == [("Si a < b, muy bien.",)]
    assert to_vtt(found).endswith("\nSi a &lt; b, muy bien.\n\n")


def test_a_row_ends_neither_within_a_name_nor_before_a_verb_and_its_helper() -> None:
    """Name and surname, auxiliary and participle, pronoun and verb stay together where another break is as balanced."""
    (name,) = subtitles((1.0, 5.0, "Esta sustancia la descubrió Marie Curie, premio Nobel."))
    assert name.rows == ("Esta sustancia la descubrió", "Marie Curie, premio Nobel.")
    (verb,) = subtitles((1.0, 5.0, "Nadie que viva en la costa ha visto nunca nada semejante."))
    assert not verb.rows[0].endswith(" ha")


def test_a_shared_cue_keeps_everybody_in_their_row() -> None:
    """The disclosure that joins the first line stands above it from beginning to end, however many cues it takes."""
    said = "Las voces de este doblaje son sintéticas y no son de nadie."
    found = subtitles(
        (0.2, 6.0, "Bienvenidos a la segunda lección de este curso de biología, que es larga."), disclosure=said
    )
    shared = [cue.rows for cue in found if len(cue.rows) == 2 and cue.rows[0].startswith("- ")]
    assert len(shared) >= 2
    assert " ".join(rows[0].removeprefix("- ") for rows in shared) == said


def test_an_arrow_in_the_text_is_no_time_line() -> None:
    """A text that holds `-->` does not break the file."""
    assert "\nDe A → B\n" in to_srt(subtitles((1.0, 3.0, "De A --> B")))


def test_two_who_speak_at_once_share_a_cue() -> None:
    """Each has a row, after a dash."""
    found = subtitles((1.0, 4.0, "¿Alguien sabe por qué?"), (1.4, 3.8, "Yo lo sé."))
    assert [cue.rows for cue in found] == [("- ¿Alguien sabe por qué?", "- Yo lo sé.")]
    assert found[0].span == Span.of_seconds(1.0, 4.0)


def test_a_short_overlap_shares_nothing() -> None:
    """Who falls in a third of a second early gets a cue of their own, after the other's."""
    found = subtitles((1.0, 4.0, "¿Alguien sabe por qué?"), (3.7, 6.0, "Sí, yo lo sé."))
    assert [cue.rows for cue in found] == [("¿Alguien sabe por qué?",), ("Sí, yo lo sé.",)]
    assert found[0].span.end == samples(3.7) - samples(2 / 25)


def test_a_line_without_a_place_is_shown_while_the_speaker_says_it() -> None:
    """What could not be spoken can still be read, at the source's time."""
    found = subtitles((1.0, 3.0, "Primera."), (5.0, 7.5, "Sin voz."), unplaced=("2",))
    assert (found[1].rows, found[1].span) == (("Sin voz.",), Span.of_seconds(5.0, 7.5))


def test_a_cue_lasts_seven_seconds_at_most() -> None:
    """A slow line is shown in two cues rather than one of 12 s."""
    found = subtitles((0.0, 12.0, "Y ahora vamos a ver, muy despacio, qué pasa."))
    assert [round(cue.span.length_s, 1) for cue in found] == [5.5, 6.4]


def test_the_disclosure_comes_before_the_first_line_where_there_is_time() -> None:
    """Four seconds at most, and off before the first line."""
    first = subtitles((10.0, 12.0, "Hola."), disclosure="Voces sintéticas.")[0]
    assert (first.rows, first.span) == (("Voces sintéticas.",), Span.of_seconds(0, 4.0))


def test_the_disclosure_joins_the_first_line_where_there_is_none() -> None:
    """A lesson that begins to speak at once still says what its voices are."""
    first = subtitles((0.2, 3.0, "Hola a todos."), disclosure="Voces sintéticas.")[0]
    assert set(first.rows) == {"- Voces sintéticas.", "- Hola a todos."}


def test_a_lesson_without_lines_has_no_cues() -> None:
    """Nothing said, nothing shown."""
    assert subtitles() == ()
    assert to_srt(()) == ""
    assert subtitles((1.0, 2.0, "  ")) == ()


def test_chinese_is_broken_between_characters_in_short_rows() -> None:
    """Sixteen characters a row, and no comma at the start of one."""
    found = subtitles((0.0, 6.0, "光合作用是植物把太阳的光变成化学能量的过程，它发生在叶绿体里。"), language="zh-CN")
    assert all(len(row) <= 16 and row[0] not in "，。" for cue in found for row in cue.rows)
    assert "".join(row for cue in found for row in cue.rows) == (
        "光合作用是植物把太阳的光变成化学能量的过程，它发生在叶绿体里。"
    )


@pytest.mark.parametrize("text", ["https://example.org/" + "x" * 60, "Véase https://example.org/" + "x" * 40 + " hoy."])
def test_a_word_that_fits_no_row_is_shown_whole(text: str) -> None:
    """A long address is one row, not lost and not broken."""
    shown = [word for cue in subtitles((0.0, 5.0, text)) for row in cue.rows for word in row.split()]
    assert shown == text.split()


words = st.text("abcdefgñáé.,?¿!", min_size=1, max_size=14)
said = st.tuples(
    st.floats(0, 55), st.floats(0.05, 12), st.lists(words, min_size=1, max_size=40).map(" ".join)
).map(lambda line: (line[0], line[0] + line[1], line[2]))  # fmt: skip


@given(st.lists(said, max_size=8))
@example([(0.0, 1.0, "a b"), (0.0, 1.0, "c d"), (0.0, 1.0, "e f")])
@example([(59.9, 60.0, "a " * 60), (59.9, 60.0, "b " * 60)])
def test_whatever_is_said_is_shown_in_order_in_two_rows_without_overlap(lines: list[tuple[float, float, str]]) -> None:
    """For any lines at any times: every word is shown, in rows of 42, in cues that follow each other."""
    found = subtitles(*lines, duration_s=60.0)
    shown = " ".join(row.removeprefix("- ") for cue in found for row in cue.rows).split()
    assert sorted(shown) == sorted(word for _, _, text in lines for word in text.split())
    assert all(1 <= len(cue.rows) <= 2 and len(row) <= 42 for cue in found for row in cue.rows)
    assert all(0 <= cue.span.start < cue.span.end <= samples(60.0) for cue in found)
    assert all(cue.span.length <= samples(7.0) for cue in found)
    assert all(before.span.end < after.span.start for before, after in pairwise(found))
    stamps = re.findall(r"(\S+) --> (\S+)", to_srt(found))
    assert all(before[1] <= after[0] for before, after in pairwise(stamps))


@given(st.lists(st.tuples(st.floats(0.9, 6.0), words), min_size=1, max_size=8))
def test_lines_with_room_are_shown_while_they_are_heard(lines: list[tuple[float, str]]) -> None:
    """One word a line, a pause after each: every cue begins with its voice and stays for 5/6 s or longer."""
    at, timed = 0.0, []
    for length, text in lines:
        timed.append((at, at + length, text))
        at += length + 0.2
    found = subtitles(*timed, duration_s=80.0)
    assert [cue.span.start for cue in found] == [samples(start) for start, _, _ in timed]
    assert all(cue.span.length >= samples(5 / 6) for cue in found)
    assert all(cue.span.end >= samples(end) for cue, (_, end, _) in zip(found, timed, strict=True))
