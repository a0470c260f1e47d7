"""Lessons become jobs: files, ids, outputs, and what `--only` chooses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manifests.errors import InputError, ManifestError
from manifests.lessons import check_media, jobs, select, targets
from manifests.load import load
from manifests.model import Job


def _manifest(folder: Path, *lessons: str, top: str = "") -> Path:
    path = folder / "course.yaml"
    path.write_text(
        f"course: biology\ntargets: [es, pt-BR]\n{top}lessons:\n" + "".join(f"  - {it}\n" for it in lessons)
    )
    return path


def _media(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"media")


def _jobs(path: Path, out: Path | None = None) -> list[Job]:
    return jobs(path, load(path), out)


def _faults(path: Path) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        _jobs(path)
    return [f"{finding.line}: {finding.message}" for finding in caught.value.findings]


def test_a_job_has_absolute_paths_below_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Media and outputs are relative to the manifest, whatever the current folder; `out` given is relative to that."""
    path = _manifest(tmp_path, "media: m/one.mp4", "media: /srv/two.mkv", "{media: ../three.mp4, id: last}")
    monkeypatch.chdir(tmp_path.parent)
    relative = path.relative_to(tmp_path.parent)
    found = _jobs(relative)
    assert [(job.lesson_id, job.media) for job in found] == [
        ("one", tmp_path / "m/one.mp4"),
        ("two", Path("/srv/two.mkv")),
        ("last", tmp_path.parent / "three.mp4"),
    ]
    assert {(job.manifest, job.out, job.language) for job in found} == {(path, tmp_path / "out/biology", None)}
    assert _jobs(relative, Path("there"))[0].out == tmp_path.parent / "there/biology"


def test_a_job_is_what_the_model_would_have_validated(tmp_path: Path) -> None:
    """Jobs are made without validation for speed; they are valid all the same."""
    (job,) = _jobs(_manifest(tmp_path, "media: one.mp4"))
    assert Job.model_validate(job.model_dump()) == job


def test_a_glob_is_one_lesson_a_file_in_natural_order(tmp_path: Path) -> None:
    """Hidden files, folders and finished dubs are no lessons; digits sort as numbers."""
    _media(
        tmp_path,
        "w/l10.mp4",
        "w/l2.mp4",
        "w/L1.mp4",
        "w/.l3.mp4",
        "w/deep/l4.mp4",
        "out/biology/l2.es.mp4",
        "out/review/x.mp4",
    )
    (tmp_path / "w/folder.mp4").mkdir()
    assert [job.lesson_id for job in _jobs(_manifest(tmp_path, "media: w/*.mp4"))] == ["L1", "l2", "l10"]
    assert [job.lesson_id for job in _jobs(_manifest(tmp_path, "media: '**/*.mp4'"))] == ["l4", "L1", "l2", "l10"]


def test_a_file_whose_name_looks_like_a_glob_is_one_file(tmp_path: Path) -> None:
    """Brackets in names are common in downloaded lectures, and in the names of folders."""
    folder = tmp_path / "course [2026]"
    _media(folder, "lecture [1].mp4", "lecture 1.mp4")
    assert [job.lesson_id for job in _jobs(_manifest(folder, "media: lecture [1].mp4"))] == ["lecture [1]"]
    assert len(_jobs(_manifest(folder, "media: '*.mp4'"))) == 2


def test_what_cannot_be_one_lesson_each_is_refused(tmp_path: Path) -> None:
    """Globs without a file, ids that clash after expansion, one id for several files, colons in names."""
    _media(tmp_path, "a/one.mp4", "b/One.mkv", "c/x:y.mp4")
    path = _manifest(
        tmp_path, "media: a/*.mp4", "media: b/*", "media: none/*.mp4", "media: c/*", "{media: '?/*', id: all}"
    )
    found = _faults(path)
    assert found[0].startswith("5: the lesson `One` is there twice, first in line 4 (`one`")
    assert found[1].startswith("6: no file matches `none/*.mp4`")
    assert found[2].startswith("7: `x:y` holds a colon")
    assert found[3].startswith("8: one `id` for 3 files")


def test_a_source_is_never_overwritten_by_a_dub(tmp_path: Path) -> None:
    """A source with the name and in the folder of an output is refused."""
    path = _manifest(tmp_path, "media: biology/one.mp4", "media: biology/one.ES.mp4", top="out: .\n")
    assert _faults(path) == [
        "6: `biology/one.ES.mp4` is where the dub of `one` would be written; choose another `out`."
    ]


def test_a_file_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 could not be written into the record."""
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert "is not text in UTF-8" in _faults(_manifest(tmp_path, "media: '*.mp4'"))[0]


def test_media_are_checked_by_line(tmp_path: Path) -> None:
    """Missing, empty, a folder: each is a finding; a run goes on without them."""
    _media(tmp_path, "m/one.mp4")
    (tmp_path / "m/empty.mp4").touch()
    (tmp_path / "m/gone.mp4").symlink_to("nowhere")
    path = _manifest(
        tmp_path,
        *(f"media: {name}" for name in ("m/one.mp4", "m/empty.mp4", "m/two.mp4", "n/x.mp4", "m", "m/gone.mp4")),
    )
    assert len(_jobs(path)) == 6
    assert [f"{finding.line}: {finding.message}" for finding in check_media(path, load(path))] == [
        f"5: {tmp_path}/m/empty.mp4 is empty.",
        f"6: there is no file {tmp_path}/m/two.mp4 (did you mean `one.mp4`?).",
        f"7: there is no folder {tmp_path}/n.",
        f"8: {tmp_path}/m is a folder; name a file in it, or all with `m/*`.",
        f"9: there is no file {tmp_path}/m/gone.mp4 (did you mean `gone.mp4`?).",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_media_that_may_not_be_read_are_found(tmp_path: Path) -> None:
    """Permissions are told before the night, not in it."""
    _media(tmp_path, "one.mp4")
    (tmp_path / "one.mp4").chmod(0)
    path = _manifest(tmp_path, "media: one.mp4")
    assert [finding.line for finding in check_media(path, load(path))] == [4]


def test_only_chooses_lessons_and_languages(tmp_path: Path) -> None:
    """In the course's order, each once, languages in any spelling."""
    found = _jobs(_manifest(tmp_path, "media: one.mp4", "media: two.mp4"))
    assert [job.name for job in targets(found)] == ["one:es", "one:pt-BR", "two:es", "two:pt-BR"]
    assert select(found) == targets(found)
    assert [job.name for job in select(found, ["two", "one:pt-br", "two:es"])] == ["one:pt-BR", "two:es", "two:pt-BR"]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("lecture-1", "there is no lesson `lecture-1` in this course. Did you mean `lecture-01`?"),
        ("lectur-01:es", "there is no lesson `lectur-01` in this course. Did you mean `lecture-01:es`?"),
        ("x", "there is no lesson `x` in this course. There are: lecture-01."),
        ("lecture-01:fr", "`fr` is not among the languages of this course. It is dubbed into es, pt-BR."),
        ("lecture-01:", "`` is not a language tag"),
        (
            "lecture-01:spanish",
            "`spanish` is not a language tag; did you mean `es`? This course is dubbed into es, pt-BR.",
        ),
    ],
)
def test_only_names_what_is_nearest(tmp_path: Path, only: str, expected: str) -> None:
    """A selection that names nothing is the user's to mend."""
    found = _jobs(_manifest(tmp_path, "media: lecture-01.mp4"))
    with pytest.raises(InputError) as caught:
        select(found, [only])
    assert str(caught.value).startswith(expected)


def test_caption_files_are_checked_by_line_and_their_faults_by_their_own_lines(tmp_path: Path) -> None:
    _media(tmp_path, "a.mp4", "b.mp4")
    captions = tmp_path / "a.srt"
    captions.write_text("1\n00:00:02,000 --> 00:00:01,000\nHello.\n")
    path = _manifest(tmp_path, "{media: a.mp4, captions: a.srt}", "{media: b.mp4, captions: b.srt}")
    missing = tmp_path / "b.srt"
    assert [str(finding) for finding in check_media(path, load(path))] == [
        f"{path}:5: {missing} cannot be read: No such file or directory. Check its name and its permissions.",
        f"{captions}:2: `00:00:02,000 --> 00:00:01,000` is not a time that can be; its text is used without it.",
    ]


def test_one_caption_file_is_not_for_many_lessons(tmp_path: Path) -> None:
    _media(tmp_path, "a.mp4", "b.mp4")
    assert _faults(_manifest(tmp_path, "{media: '*.mp4', captions: a.srt}")) == [
        "4: one caption file for 2 media files."
    ]


def test_outputs_may_go_to_an_address(tmp_path: Path) -> None:
    """They are made in the workspace then, and every machine calls the place by the address."""
    _media(tmp_path, "one.mp4")
    path = _manifest(tmp_path, "media: one.mp4", top="out: s3://bucket/path/\n")
    (job,) = jobs(path, load(path), workspace=tmp_path / "here")
    assert (job.address, job.delivers_to) == ("s3://bucket/path/biology", "s3://bucket/path/biology")
    assert job.out.is_relative_to(tmp_path / "here/outputs")
    assert job.out.name == "biology"
    (elsewhere,) = jobs(path, load(path), "memory://there", tmp_path / "here")
    assert elsewhere.address == "memory://there/biology"
    assert elsewhere.out != job.out
    (home,) = jobs(path, load(path), tmp_path / "out")
    assert (home.address, home.delivers_to) == ("", str(tmp_path / "out/biology"))


@pytest.mark.parametrize(
    ("out", "fault"),
    [
        ("s3:///", "`s3://` names no place; write it as s3://bucket/prefix."),
        ("s4://bucket/path", "`s4` is no protocol that fsspec knows; write the address as s3://bucket/prefix."),
    ],
)
def test_an_address_that_cannot_be_one_is_a_fault_of_the_manifest(tmp_path: Path, out: str, fault: str) -> None:
    """Else a folder named `s3:` would be made beside it, or the night would end at the first delivery."""
    _media(tmp_path, "one.mp4")
    assert _faults(_manifest(tmp_path, "media: one.mp4", top=f"out: {out}\n")) == [f"3: {fault}"]


def test_an_address_of_outputs_holds_no_password(tmp_path: Path) -> None:
    """It is written into records, and is not shown where it holds one."""
    _media(tmp_path, "one.mp4")
    path = _manifest(tmp_path, "media: one.mp4", top="out: s3://key:secret@bucket/path\n")
    assert _faults(path) == [
        "3: the address of outputs is written into records, so it holds no password and no key; give them in the AWS_*"
        " variables, or in fsspec's own settings."
    ]
