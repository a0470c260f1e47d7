"""Cue files as people make them: nothing that can be read is lost, and what is wrong is named by its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.cues import Cue, read
from manifests.errors import InputError


def made(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_subrip_with_numbers_missing_loses_no_cue(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,500\nOne.\n\n00:00:03,000 --> 00:00:04,000\nTwo,\nand more.\n"
    assert read(made(tmp_path, "a.srt", text)).cues == (
        Cue(1.0, 2.5, ("One.",), None, 2),
        Cue(3.0, 4.0, ("Two,", "and more."), None, 5),
    )


def test_subrip_without_blank_lines_keeps_cues_apart(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:02,000 --> 00:00:03,000\n1984\n"
    assert [cue.lines for cue in read(made(tmp_path, "a.srt", text)).cues] == [("One",), ("1984",)]


def test_webvtt_markup_entities_voices_and_inner_time_stamps_are_understood(tmp_path: Path) -> None:
    text = (
        "WEBVTT - a course\n\nNOTE nobody says this\n\nSTYLE\n::cue { color: red }\n\nintro\n"
        "00:01.000 --> 00:02.000 align:start\n<v Dr. Amara>Salt<00:01.500><c> &amp;</c> <i>water</i>, 3 < 4\n"
    )
    assert read(made(tmp_path, "a.vtt", text)).cues == (Cue(1.0, 2.0, ("Salt & water, 3 < 4",), "Dr. Amara", 9),)


def test_ttml_knows_durations_offsets_frames_and_nested_times(tmp_path: Path) -> None:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" ttp:frameRate="25">'
        '<body><div begin="10s"><p begin="00:00:01.000" end="00:00:03.500">Hello <span>there</span><br/>friend</p>'
        '<p begin="4500ms" dur="2s">Second</p><p begin="00:00:08:05" end="00:00:09:00">Third</p></div></body></tt>'
    )
    cues = read(made(tmp_path, "a.ttml", text)).cues
    assert [(cue.start, cue.end, cue.lines) for cue in cues] == [
        (11.0, 13.5, ("Hello there", "friend")),
        (14.5, 16.5, ("Second",)),
        (18.2, 19.0, ("Third",)),
    ]


@pytest.mark.parametrize(
    "times",
    [
        "00:00:05,000 --> 00:00:02,000",
        "00:00:01,000 --> 00:00:01,000",
        "-00:00:01,000 --> 00:00:02,000",
        "soon --> later",
    ],
)
def test_a_cue_whose_times_cannot_be_keeps_its_text_and_is_named(tmp_path: Path, times: str) -> None:
    path = made(tmp_path, "a.srt", f"1\n{times}\nStill said.\n")
    found = read(path)
    assert found.cues == (Cue(None, None, ("Still said.",), None, 2),)
    assert str(found.findings[0]) == f"{path}:2: `{times}` is not a time that can be; its text is used without it."


def test_a_file_in_another_encoding_is_read_and_named(tmp_path: Path) -> None:
    path = made(tmp_path, "a.srt", "1\n00:00:01,000 --> 00:00:02,000\nCafé\n".encode("cp1252"))
    found = read(path)
    assert found.cues[0].lines == ("Café",)
    assert str(found.findings[0]) == f"{path}:3: this is not UTF-8; it is read as Windows-1252. Save it as UTF-8."


def test_utf_16_from_old_windows_programs_is_read(tmp_path: Path) -> None:
    text = "1\r\n00:00:01,000 --> 00:00:02,000\r\nŁódź\r\n"
    assert read(made(tmp_path, "a.srt", text.encode("utf-16"))).cues[0].lines == ("Łódź",)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.srt", "", "holds no cue"),
        ("a.vtt", "WEBVTT\n\njust words\n", "holds no cue"),
        ("a.ttml", "<tt><body><p begin='1s'", "not well-formed XML"),
    ],
)
def test_a_file_that_is_no_cue_file_is_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(made(tmp_path, name, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.srt cannot be read: No such file or directory\."):
        read(tmp_path / "nothing.srt")


def test_an_xml_bomb_is_refused_rather_than_unfolded(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE tt [<!ENTITY e0 "0123456789">{entities}]><tt><body><p begin="1s" end="2s">&e9;</p></body></tt>'
    with pytest.raises(InputError):
        read(made(tmp_path, "a.ttml", bomb))


WORD = st.text("abcdefghij", min_size=1, max_size=8)
TIMES = st.lists(st.integers(0, 3_600_000), min_size=2, max_size=20, unique=True).map(sorted)


@given(TIMES, st.data())
def test_every_cue_that_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], data: st.DataObject
) -> None:
    def clock(count: int) -> str:
        return f"{count // 3_600_000:02}:{count // 60_000 % 60:02}:{count // 1000 % 60:02},{count % 1000:03}"

    spans = list(zip(times[::2], times[1::2], strict=False))
    texts = [data.draw(WORD) for _ in spans]
    blocks = [
        f"{n}\n{clock(a)} --> {clock(b)}\n{t}\n" for n, ((a, b), t) in enumerate(zip(spans, texts, strict=True), 1)
    ]
    found = read(made(tmp_path_factory.mktemp("cues"), "a.srt", "\n".join(blocks)))
    assert [(cue.start, cue.end, cue.lines) for cue in found.cues] == [
        (a / 1000, b / 1000, (t,)) for (a, b), t in zip(spans, texts, strict=True)
    ]
