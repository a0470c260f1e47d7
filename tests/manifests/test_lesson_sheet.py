"""Lessons in a CSV, with the lines a person sees in an editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.errors import ManifestError
from manifests.lessons import jobs
from manifests.load import load
from manifests.model import Course, Lesson, Speakers

DEFAULTS = "course: biology\ntargets: [es]\npeople: {amara: {}, tom: {}}\n"


def _write(folder: Path, table: str, yaml: str = DEFAULTS) -> Path:
    (folder / "lessons.yaml").write_text(yaml)
    path = folder / "lessons.csv"
    path.write_bytes(table.encode())
    return path


def _faults(path: Path) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load(path)
    return [str(finding).removeprefix(f"{path.parent}/") for finding in caught.value.findings]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_are_lessons(tmp_path: Path, separator: str, ending: str) -> None:
    """Any usual separator and line ending; a byte order mark and empty lines do no harm; `NA` is a name."""
    rows = [
        "\ufeffmedia,id,speakers,audio_language",
        "a.mp4,NA,amara,",
        "",
        "b.mp4,,2,en-gb",
        "c.mp4,007,SPEAKER_00=tom,",
    ]
    path = _write(tmp_path, ending.join(rows).replace(",", separator) + ending)
    assert load(path).lessons == (
        Lesson(media="a.mp4", id="NA", speakers=Speakers(single="amara")),
        Lesson(media="b.mp4", speakers=Speakers(num_speakers=2), audio_language="en-GB"),
        Lesson(media="c.mp4", id="007", speakers={"SPEAKER_00": "tom"}),
    )


def test_a_yaml_that_names_the_csv_is_the_same_course(tmp_path: Path) -> None:
    """Either of the two files is the manifest."""
    path = _write(tmp_path, "media\na.mp4\nb.mp4\n", DEFAULTS + "lessons: lessons.csv\n")
    course = load(path)
    assert course == load(path.with_suffix(".yaml"))
    assert isinstance(course, Course)
    assert [job.lesson_id for job in jobs(path, course)] == ["a", "b"]


def test_lines_count_quoted_line_breaks_and_empty_lines(tmp_path: Path) -> None:
    """A finding names the line in which the row begins."""
    path = _write(
        tmp_path, 'media,speakers\n"a\n\nb.mp4",amara\n\nc.mp4,nobody\nd.mp4,"SPEAKER_00=amara;\nx=tom"\ne.mp4,zero\n'
    )
    assert [line.split(" ")[0] for line in _faults(path)] == [
        "lessons.csv:2:",  # a file name with a line break
        "lessons.csv:6:",
        "lessons.csv:7:",
        "lessons.csv:9:",
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", "lessons.csv:1: the file is empty"),
        ("media\n", "lessons.csv:1: no lessons"),
        ("file,id\na,b\n", "lessons.csv:1: no column `media`"),
        ("media,ID\na.mp4,b\n", "lessons.csv:1: unknown column `ID`; did you mean `id`?"),
        ("media,id,id\na.mp4,b,c\n", "lessons.csv:1: the column `id` is there twice."),
        ('media,id\na.mp4,x\n"b\n",y\nc.mp4,x,1,2\n', "lessons.csv:5: 4 values where the first line names 2"),
        ('media,id\na.mp4,x\n"b.mp4,y\nc.mp4,z\n', "lessons.csv:3: this row opens a quote"),
        ("media,id\n,x\n", "lessons.csv:2: `media` is missing"),
        ("media,id\na.mp4,x\nb.mp4,x\n", "lessons.csv:3: the lesson `x` is there twice, first in line 2;"),
        ("media,captions\na.mp4,../a.vtt\n", "lessons.csv:2: `../a.vtt` leaves the manifest's folder"),
        (
            "media,translations.spanish\na.mp4,a.srt\n",
            "lessons.csv:2: `spanish` is not a language tag; did you mean `es`?",
        ),
    ],
)
def test_a_fault_in_the_table_is_named_by_its_line(tmp_path: Path, table: str, expected: str) -> None:
    """Header, shape and values."""
    assert any(line.startswith(expected) for line in _faults(_write(tmp_path, table)))


def test_faults_of_both_files_come_together(tmp_path: Path) -> None:
    """The defaults' faults name the YAML, the lessons' the CSV."""
    path = _write(tmp_path, "media,speakers\na.mp4,nobody\n", DEFAULTS + "commercial: 3\n")
    assert [line.split(" ")[0] for line in _faults(path)] == ["lessons.csv:2:", "lessons.yaml:4:"]


def test_lessons_stand_in_one_place(tmp_path: Path) -> None:
    """A YAML beside a CSV has no lessons of its own, and names no CSV outside its folder or that is not there."""
    path = _write(tmp_path, "media\na.mp4\n", DEFAULTS + "lessons: [{media: b.mp4}]\n")
    assert _faults(path) == ["lessons.yaml:4: `lessons` stand in lessons.csv already; leave the key out here."]
    path = _write(tmp_path, "media\na.mp4\n", DEFAULTS + "lessons: ../other.csv\n").with_suffix(".yaml")
    assert _faults(path)[0].startswith("lessons.yaml:4: `../other.csv` leaves the manifest's folder")
    path = _write(tmp_path, "media\na.mp4\n", DEFAULTS + "lessons: other.csv\n").with_suffix(".yaml")
    assert _faults(path)[0].startswith("lessons.yaml:4: there is no file `other.csv`")
