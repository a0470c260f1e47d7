"""Lines go out to a linguist and come back as they were, in every kind of file and as every program leaves them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from translate.storage.xliff2 import Xliff2File

from manifests.errors import InputError, ManifestError
from manifests.exchange import READERS, WRITERS, Entry, Heading, kind, read
from manifests.exchange.entry import tidy

HEADING = Heading("water", "lesson 1", "en", "es")
KINDS = (".csv", ".srt", ".vtt", ".xlf")
ENTRIES = (
    Entry("1", 0.5, 3.25, "SPEAKER_00", "The sun warms the sea.", "El sol <em>calienta</em> el mar.", "machine",
          (("length", "2.9 s, about 40 characters"), ("context", "the first line"))),
    Entry("2", 3661.0, 3662.0, "SPEAKER_01", "Why?", "¿Por qué?", "human"),
)  # fmt: skip
SIGNS = [*"abéñ漢 \n\t\u00a0\u2028,;\"'<>&|-=#{}\\:.0123\x00\x07\ufffe", "<em>", "</em>", "-->", "<i>", "&amp;"]
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=12).map("".join)


def returned(ending: str, text: str | bytes) -> list[tuple[str, str]]:
    raw = text if isinstance(text, bytes) else text.encode()
    return [(each.id, each.text) for each in READERS[ending](raw, f"lines{ending}")]


@pytest.mark.parametrize("ending", KINDS)
@given(texts=st.lists(TEXTS | st.text(), max_size=5))
@example(
    texts=["00:00:01,000 --> 00:00:02,000", "5", "", "NOTE", "WEBVTT", "<em>a</em><em>b</em> <em>c</em>", "&copy2 <b>"]
)
def test_what_goes_out_comes_back(ending: str, texts: list[str]) -> None:
    """Every id with its text, whatever that holds."""
    entries = [
        Entry(str(at), at * 2.0, at * 2.0 + 1, "A", text, text, "machine", (("a", text),))
        for at, text in enumerate(texts, 1)
    ]
    if entries or ending == ".csv":
        back = returned(ending, WRITERS[ending](entries, HEADING))
        assert back == [(each.id, tidy(each.text)) for each in entries]


def test_a_sheet_has_the_columns_that_scripts_rely_on() -> None:
    """To the letter, times in seconds."""
    rows = list(csv.DictReader(io.StringIO(WRITERS[".csv"](ENTRIES, HEADING))))
    assert list(rows[0]) == ["id", "start", "end", "speaker", "source", "text", "origin", "notes"]
    assert list(rows[0].values()) == [
        "1", "0.500", "3.250", "SPEAKER_00", "The sun warms the sea.", "El sol <em>calienta</em> el mar.", "machine",
        "length: 2.9 s, about 40 characters; context: the first line",
    ]  # fmt: skip


def test_subtitles_carry_ids_times_and_italics() -> None:
    """SubRip has no notes; WebVTT has them before each cue."""
    assert WRITERS[".srt"](ENTRIES, HEADING) == (
        "1\n00:00:00,500 --> 00:00:03,250\nEl sol <i>calienta</i> el mar.\n\n"
        "2\n01:01:01,000 --> 01:01:02,000\n¿Por qué?\n"
    )
    assert "NOTE\n1: The sun warms the sea.\nlength: 2.9 s, about 40 characters\n" in WRITERS[".vtt"](ENTRIES, HEADING)


def test_another_program_reads_the_xliff() -> None:
    """The translate-toolkit finds every unit, its source, target, notes and state."""
    store = Xliff2File.parsestring(WRITERS[".xlf"](ENTRIES, HEADING).encode())
    assert (store.sourcelanguage, store.targetlanguage) == ("en", "es")
    first, second = store.units
    assert (first.getid(), first.source) == ("1", "The sun warms the sea.")
    assert (second.getid(), second.source, second.target) == ("2", "Why?", "¿Por qué?")
    assert first.istranslated()
    assert not first.isapproved()
    assert second.isapproved()


def test_what_another_program_writes_into_the_xliff_comes_back() -> None:
    """The translate-toolkit sets a target, and saves."""
    store = Xliff2File.parsestring(WRITERS[".xlf"](ENTRIES, HEADING).encode())
    store.units[1].target = "¿Y por qué?"
    assert returned(".xlf", bytes(store))[1] == ("2", "¿Y por qué?")


def test_segments_codes_and_annotations_of_a_cat_tool_are_understood() -> None:
    """Divided segments join with what stands between them; comments and marks leave their text."""
    text = """<?xml version="1.0"?><xliff xmlns="urn:oasis:names:tc:xliff:document:2.1" version="2.1" srcLang="en">
    <file id="f1"><group id="g"><unit id="7">
    <segment><source>One. </source><target>Uno. </target></segment><ignorable><source> </source></ignorable>
    <segment><source>Two.</source><target><mrk id="m">Dos</mrk><ph id="1"/><pc id="2">!</pc></target></segment>
    </unit></group></file></xliff>"""
    assert returned(".xlf", text) == [("7", "Uno. Dos!")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_sheet_is_understood_as_excel_leaves_it(encoding: str, separator: str, ends: str) -> None:
    """Another separator, encoding, order and case of the columns, empty rows, ids as numbers."""
    rows = [["Text", "ID", "mine"], ["Año; «niño», sí", "1.0", ""], ["", "", ""], ["dos\nfilas", " 2", "x"]]
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=ends).writerows(rows)
    assert returned(".csv", out.getvalue().encode(encoding)) == [("1", "Año; «niño», sí"), ("2", "dos filas")]


def test_a_sheet_may_say_how_it_is_separated() -> None:
    """As Excel understands it; lines are counted with that row."""
    with pytest.raises(ManifestError) as refused:
        returned(".csv", "sep=;\r\nid;text\r\n1;#NAME?\r\n")
    assert str(refused.value).startswith("lines.csv:3: `#NAME?` is what Excel made of a text")


@pytest.mark.parametrize(
    ("ending", "text", "says"),
    [
        (".csv", "id,words\n1,a\n", "lines.csv:1: the columns `id` and `text` are needed"),
        (".csv", "id,text,text\n1,a,b\n", "lines.csv:1: the column `text` is there twice"),
        (".csv", 'id,text\n1,"a\nb"\n2,a,b\n', "lines.csv:4: this row has 3 cells, the first one 2"),
        (".srt", "Hola.\n", "lines.srt:1: no cue"),
        (".srt", "1\n00:00:0x,000 --> 1\nHola.\n", "lines.srt:2: `00:00:0x,000 --> 1` is no time"),
        (".xlf", "<xliff version='1.2'/>", "lines.xlf:1: this is XLIFF 1.2, not XLIFF 2"),
        (".xlf", "<xliff\n", "lines.xlf:1: this is not well-formed XML"),
        (".xlf", "<!DOCTYPE x [<!ENTITY a 'b'>]><xliff version='2.0'/>", "lines.xlf:1: XML with entities"),
        (".xlf", "<xliff version='2.0'>\n<unit id='4'/></xliff>", "lines.xlf:2: the unit 4 has no segment"),
    ],
)
def test_what_is_no_line_is_named(ending: str, text: str, says: str) -> None:
    """By file and line."""
    with pytest.raises(ManifestError) as refused:
        returned(ending, text)
    assert str(refused.value).startswith(says)


def test_subtitles_come_back_as_editors_leave_them() -> None:
    """Wrapped rows, no hours, other tags, a blank row within a cue, notes and styles between cues."""
    text = (
        "\ufeffWEBVTT\n\nSTYLE\n::cue {color: white}\n\n1\n00:00.500 --> 00:03.250 align:start\n"
        "<v Amara>El <b>sol</b>\n"
        "calienta.\n\nNOTE\nsee 2\n\n2\n01:01:01.000 --> 01:01:02.000\n<i>¿Por</i> qué?\n\nSí.\n"
    )
    assert returned(".vtt", text) == [("1", "El sol calienta."), ("2", "<em>¿Por</em> qué? Sí.")]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    """With what there is."""
    with pytest.raises(InputError, match=r"Name a \.csv, \.srt, \.vtt or \.xlf"):
        kind(tmp_path / "lines.docx")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "nowhere.csv")
