"""A cue list is understood whole, or every fault in it is named by file and line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manifests.cue_list import CueList, overlaps, read
from manifests.errors import ManifestError
from manifests.spans import Span

LINE = {"id": "1", "start": 0.5, "end": 2.0, "audio": "takes/1.wav"}


@pytest.fixture
def cue_list(tmp_path: Path) -> Callable[..., CueList]:
    """Read a cue list of these lines, written one a row from row 2 on."""

    def written(*lines: Any, language: object = "es", **more: object) -> CueList:
        rows = ",\n".join(json.dumps(line) for line in lines)
        head = json.dumps({"language": language, **more})[:-1]
        path = tmp_path / "cues.json"
        path.write_text(f'{head}, "lines": [\n{rows}]}}', encoding="utf-8")
        return read(path)

    return written


def test_a_cue_list_is_read_in_order_of_time(cue_list: Callable[..., CueList], tmp_path: Path) -> None:
    """Lines come in order of start, paths relative to the list's folder, and what is left out has its default."""
    said = {"text": " Hola \n a todos ", "speaker": "ana", "synthetic": True}
    cues = cue_list({**LINE, "id": "b", "start": 3, "end": 4, "audio": "/a/2.wav", **said}, LINE, language="pt_br")
    assert cues.language == "pt-BR"
    assert not cues.in_order
    first, second = cues.lines
    assert (first.id, first.span, first.audio) == ("1", Span.of_seconds(0.5, 2.0), tmp_path / "takes/1.wav")
    assert (first.text, first.speaker, first.synthetic) == ("", "SPEAKER_00", None)
    assert (second.text, second.speaker, second.synthetic) == ("Hola a todos", "ana", True)
    assert (second.audio, second.at) == (Path("/a/2.wav"), 2)


def test_synthetic_may_be_said_once_for_all_lines(cue_list: Callable[..., CueList]) -> None:
    """A line's own word counts before the list's."""
    cues = cue_list(LINE, {**LINE, "id": "2", "synthetic": False}, synthetic=True)
    assert [line.synthetic for line in cues.lines] == [True, False]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"start": -1}, "line 1: `start` is -1 s, before the programme begins."),
        ({"start": 2.0}, "line 1: it ends at 2 s, which is not after its start at 2 s."),
        ({"start": "a"}, 'line 1: `start` is "a", not a number of seconds; write "start": 0.5.'),
        ({"start": True}, 'line 1: `start` is true, not a number of seconds; write "start": 0.5.'),
        ({"end": float("nan")}, 'line 1: `end` is NaN, not a number of seconds; write "end": 0.5.'),
        ({"end": 1e9}, "line 1: `end` is 1e+09; times are seconds, and no programme is that long."),
        ({"audio": 5}, 'line 1: `audio` is 5, not the path of a sound file; write "audio": "takes/1.wav".'),
        ({"audio": ""}, 'line 1: `audio` is "", not the path of a sound file; write "audio": "takes/1.wav".'),
        ({"id": None}, 'entry 1: `id` is null, not a text; write "id": "1".'),
        ({"text": ["a"]}, 'line 1: `text` is a list, not a text; write "text": "…".'),
        ({"synthetic": "yes"}, 'line 1: `synthetic` is "yes", not true or false; write "synthetic": true.'),
        ({"sintetic": True}, "line 1: unknown key `sintetic`; did you mean `synthetic`?"),
    ],
)
def test_a_faulty_line_is_named_with_its_place(
    cue_list: Callable[..., CueList], tmp_path: Path, wrong: dict[str, object], says: str
) -> None:
    """What is wrong, what would be right, by file and line."""
    with pytest.raises(ManifestError) as caught:
        cue_list({**LINE, **wrong})
    assert str(caught.value) == f"{tmp_path / 'cues.json'}:2: {says}"


def test_all_faults_are_found_at_once(cue_list: Callable[..., CueList]) -> None:
    """Nobody mends one fault to be told of the next: each has its row."""
    with pytest.raises(ManifestError) as caught:
        cue_list(LINE, {**LINE, "start": -2}, 7, LINE, language=3)
    found = [(finding.line, finding.message) for finding in caught.value.findings]
    assert found == [
        (1, '`language` is 3; write the language of the takes, such as "language": "es".'),
        (1, "entry 3 of `lines` is 7, not an object with id, start, end and audio."),
        (3, "line 1: `start` is -2 s, before the programme begins."),
        (5, "line 1: this id stands in line 2 of the file already."),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "this is no JSON: Expecting value (column 1)."),
        ('{"language": "es",\n "lines": [}', "this is no JSON: Expecting value (column 12)."),
        ("[1]", "a cue list is an object such as"),
        ('{"language": "es"}', "`lines` is missing"),
        ('{"language": "es", "lines": []}', "`lines` is empty: there is nothing to assemble."),
        ('{"language": "es", "language": "ca", "lines": []}', "`language` is given twice."),
        ("[" * 100_000, "lists and objects nest too deep"),
    ],
)
def test_what_is_no_cue_list_says_so(tmp_path: Path, text: str, says: str) -> None:
    """Broken JSON and other documents end in a finding, never in a traceback."""
    path = tmp_path / "cues.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        read(path)
    assert any(says in finding.message for finding in caught.value.findings)


def test_overlapping_lines_of_one_speaker_are_told(cue_list: Callable[..., CueList]) -> None:
    """Two people may speak at once; one person may not."""
    cues = cue_list(
        LINE,
        {**LINE, "id": "2", "start": 1.5, "end": 3.0},
        {**LINE, "id": "3", "start": 2.5, "end": 3.5, "speaker": "ben"},
    )
    assert [(later.id, earlier.id) for later, earlier in overlaps(cues.lines)] == [("2", "1")]
