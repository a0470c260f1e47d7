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


SPANS = st.tuples(TIMES, TIMES).map(sorted)


@given(lines=st.lists(st.builds(lambda span, *texts: HumanLine(*span, *texts), SPANS, st.text(), st.text())))
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


def test_every_broken_row_beside_a_manifest_is_found(tmp_path: Path) -> None:
    """In all files at once: a column that is missing, times that cannot be, what is no text; good ones say nothing."""
    folder = tmp_path / "course.lines"
    folder.mkdir()
    good = '{"start": 1, "end": 2, "source": "a", "text": "b"}\n'
    (folder / "a.es.lines.jsonl").write_text(good + '{"start": 3, "end": 4, "source": "a", "txt": "b"}\n' + good)
    (folder / "b.es.lines.jsonl").write_text('{"start": 9, "end": 4, "source": "a", "text": "b"}\n', encoding="utf-8")
    (folder / "c.es.lines.jsonl").write_bytes(b"\xff\xfe\x00")
    (folder / "d.es.lines.jsonl").write_text(good, encoding="utf-8")
    (folder / "d.es.approval.json").write_text("{}", encoding="utf-8")
    found = human_lines.faults(tmp_path / "course.yaml")
    assert [(Path(each.file).name, each.line) for each in found] == [
        ("a.es.lines.jsonl", 2),
        ("b.es.lines.jsonl", 1),
        ("c.es.lines.jsonl", 1),
    ]
    assert "`text`" in found[0].message
    assert "`start` and `end` say 9 s to 4 s" in found[1].message
    assert human_lines.faults(tmp_path / "other.yaml") == []
