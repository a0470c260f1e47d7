"""A linguist corrects lines: they are kept beside the manifest, and only they are spoken again."""

import csv
import json
import subprocess
from pathlib import Path

import pytest

from flows.line_numbers import named_lines
from manifests.errors import InputError

TEXT = "Every day the sun heats the water of the sea.\n\nMany small drops together make a white cloud."


@pytest.fixture(scope="module")
def course(dub, tmp_path_factory) -> Path:
    """One short lesson in Spanish."""
    folder = tmp_path_factory.mktemp("linguist")
    clips = []
    for number, text in enumerate(TEXT.split("\n\n")):
        clip = folder / f"{number}.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(clip)], check=True, timeout=60)
        clips += ["-i", str(clip)]
    graph = "[0]apad=pad_dur=1.2[a];[a][1]concat=n=2:v=0:a=1"
    command = ["ffmpeg", "-v", "error", *clips, "-filter_complex", graph, str(folder / "lesson.m4a")]
    subprocess.run(command, check=True, timeout=60)
    (folder / "course.yaml").write_text("course: water\ntargets: [es]\nlessons: [{media: lesson.m4a}]\n")
    ran = dub("run", folder / "course.yaml", "--json")
    assert ran.code == 0, ran.err
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_corrected_line_is_kept_and_alone_spoken_again(course: Path, dub) -> None:
    """Through Excel's hands; the other line keeps its origin and its take; no rerun overwrites the correction."""
    manifest, sheet = course / "course.yaml", course / "lesson.es.csv"
    out = dub("script", "export", manifest, "lesson:es", sheet, "--json")
    assert (out.code, out.json["lines"]) == (0, 2)
    first, second = rows(sheet)
    assert (first["origin"], second["origin"]) == ("machine", "machine")
    second["text"] = "Muchas gotitas forman una nube blanca."
    with sheet.open("w", encoding="utf-16", newline="") as file:
        writer = csv.DictWriter(file, list(first), delimiter=";")
        writer.writeheader()
        writer.writerows([first, second])
    back = dub("script", "import", manifest, "lesson:es", sheet, "--json")
    assert back.code == 0, back.err
    assert (back.json["human"], back.json["unchanged"], back.json["missing"]) == (["2"], 1, [])
    assert second["text"] in (course / "course.lines" / "lesson.es.lines.jsonl").read_text(encoding="utf-8")

    takes = {path.name for path in (course / ".dub/store/commits/take").iterdir()}
    plan = dub("plan", manifest, "--json").json["targets"][0]
    assert plan["stages"]["translate"]["why"] == "human lines, memory changed"
    assert dub("run", manifest).code == 0
    again = dub("rerun", manifest, "lesson:es", "--json")
    assert again.code == 0, again.err
    record = json.loads((course / "out/water/lesson.es.dub.json").read_text())
    assert [line["text"]["origin"] for line in record["lines"]] == ["machine", "human"]
    assert record["lines"][1]["text"]["value"] == second["text"]
    new = {path.name for path in (course / ".dub/store/commits/take").iterdir()} - takes
    assert 1 <= len(new) <= 2  # the new text at the voice's rate, and at the line's

    for ending in ("srt", "vtt", "xlf"):
        file = course / f"lesson.es.{ending}"
        assert dub("script", "export", manifest, "lesson:es", file).code == 0
        unchanged = dub("script", "import", manifest, "lesson:es", file, "--json")
        assert (unchanged.code, unchanged.json["human"], unchanged.json["unchanged"]) == (0, [], 2)
    approved = dub("script", "import", manifest, "lesson:es", course / "lesson.es.srt", "--approve-all", "--json")
    assert approved.json["human"] == ["1"]


@pytest.mark.slow
def test_named_lines_are_spoken_again_and_nothing_else_is_done(course: Path, dub) -> None:
    """The voice says the same again, so what follows is as it was."""
    manifest = course / "course.yaml"
    assert dub("run", manifest).code == 0
    ran = dub("rerun", manifest, "lesson:es", "--lines", "2", "--json")
    assert ran.code == 0, ran.err
    stages = ran.json["targets"][0]["stages"]
    assert {name for name, facts in stages.items() if not facts["cached"]} == {"synthesize"}
    refused = dub("rerun", manifest, "lesson:es", "--lines", "2-3")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("dub: there is no line 3 in lesson; it has 2 lines.")


@pytest.mark.slow
def test_nothing_of_a_faulty_file_is_kept(course: Path, dub) -> None:
    """Every fault by file and line; exit code 2."""
    sheet = course / "faulty.csv"
    sheet.write_text("id,text\n1,Hola.\n7,Adiós.\n1,Otra vez.\n", encoding="utf-8")
    kept = course / "course.lines" / "lesson.es.lines.jsonl"
    before = kept.read_bytes() if kept.exists() else b""
    refused = dub("script", "import", course / "course.yaml", "lesson:es", sheet)
    assert refused.code == 2
    assert refused.err.splitlines() == [
        f"{sheet}:3: there is no line 7; this lesson has 2 lines, by their ids 1, 2, …",
        f"{sheet}:4: the line 1 is there twice, first at {sheet}:2.",
    ]
    assert (kept.read_bytes() if kept.exists() else b"") == before


def test_a_check_names_what_is_broken_in_files_that_people_merged_by_hand(dub, tmp_path: Path) -> None:
    """Captions, translations and human lines, each by file and line; exit code 2, and nothing is started."""
    subprocess.run(["flite", "-t", "Water.", "-o", str(tmp_path / "l.wav")], check=True, timeout=60)
    (tmp_path / "l.srt").write_text("1\n00:00:02,000 --> 00:00:01,000\nWater.\n", encoding="utf-8")
    manifest = tmp_path / "c.yaml"
    manifest.write_text(
        "course: c\ntargets: [es]\nlessons: [{media: l.wav, captions: l.srt, translations: {es: l.es.srt}}]\n"
    )
    lines = tmp_path / "c.lines/l.es.lines.jsonl"
    lines.parent.mkdir()
    lines.write_text('{"start": 0}\n<<<<<<< mine\n', encoding="utf-8")
    found = dub("check", manifest)
    assert found.code == 2
    told = found.out.splitlines()
    assert [line.partition(": ")[0] for line in told] == [f"{manifest}:3", f"{tmp_path / 'l.srt'}:2", f"{lines}:2"]
    assert "l.es.srt cannot be read" in told[0]
    assert "is not a time that can be" in told[1]
    assert "a merge was left half done; keep one of the two sides." in told[2]
    assert not (tmp_path / ".dub").exists()


def test_a_lesson_without_a_script_says_what_to_type(dub, tmp_path: Path) -> None:
    """And a target needs its language."""
    (tmp_path / "l.wav").write_bytes(b"x")
    manifest = tmp_path / "course.yaml"
    manifest.write_text("course: c\ntargets: [es]\nlessons: [{media: l.wav}]\n")
    refused = dub("script", "export", manifest, "l:es", tmp_path / "l.csv")
    assert refused.code == 2
    assert f"Run: dub run {manifest} --only l:es" in refused.err
    assert dub("script", "export", manifest, "l", tmp_path / "l.csv").code == 2
    assert "Name a .csv" in dub("script", "export", manifest, "l:es", tmp_path / "l.docx").err


def test_lines_are_named_by_numbers_and_ranges() -> None:
    """Each once, in order; anything else is refused."""
    assert named_lines("7-9,3, 8") == ("3", "7", "8", "9")
    for text in ("", "x", "3-", "9-7", "0", "-1", "1,,2", "1-999999"):
        with pytest.raises(InputError, match="names no lines"):
            named_lines(text)
