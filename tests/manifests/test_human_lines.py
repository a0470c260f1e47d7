"""What people wrote lies beside the manifest as rows that a version control system can merge."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import human_lines
from manifests.errors import ManifestError
from manifests.human_lines import HumanLine

TIMES = st.floats(0, 20_000, allow_nan=False).map(lambda seconds: round(seconds, 3))


@given(lines=st.lists(st.builds(HumanLine, TIMES, TIMES, st.text(), st.text())))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, lines: list[HumanLine]) -> None:
    """Whatever the texts hold; in order of time, each once."""
    file = human_lines.write(tmp_path_factory.mktemp("lines") / "c.lines" / "a.es.lines.jsonl", lines)
    assert human_lines.read(file) == tuple(sorted(set(lines)))


def test_a_line_is_one_row_in_order_of_time(tmp_path: Path) -> None:
    """So that the change of one line is the change of one row."""
    late, early = HumanLine(9.5, 12, "Two.", "Dos."), HumanLine(0.5, 3, "One.", "«Uno».")
    file = human_lines.write(human_lines.path(tmp_path / "course.yaml", "l1", "es"), [late, early])
    assert file == tmp_path / "course.lines" / "l1.es.lines.jsonl"
    assert file.read_text(encoding="utf-8").splitlines() == [
        '{"start": 0.5, "end": 3, "source": "One.", "text": "«Uno»."}',
        '{"start": 9.5, "end": 12, "source": "Two.", "text": "Dos."}',
    ]


def test_no_file_holds_no_line(tmp_path: Path) -> None:
    """Most targets have none."""
    assert human_lines.read(tmp_path / "c.lines" / "a.es.lines.jsonl") == ()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"start": 1, "end": 2, "source": "a"}', "`text`: Field required"),
        ('{"start": "soon", "end": 2, "source": "a", "text": "b"}', "`start`"),
        ("Hola.", "this is no line"),
        ("<<<<<<< HEAD", "a merge was left half done"),
    ],
)
def test_a_row_that_is_no_line_is_named(tmp_path: Path, row: str, says: str) -> None:
    """By file and line."""
    file = tmp_path / "a.es.lines.jsonl"
    file.write_text('{"start": 1, "end": 2, "source": "a", "text": "b"}\n\n' + row + "\n", encoding="utf-8")
    with pytest.raises(ManifestError) as refused:
        human_lines.read(file)
    (finding,) = refused.value.findings
    assert (finding.file, finding.line) == (str(file), 3)
    assert says in finding.message
