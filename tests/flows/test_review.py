"""A target below a quality gate waits where nobody takes it for finished, until somebody who listened says yes."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HEAD = "course: water\ntargets: [es, ca]\nlessons: [{media: lesson.m4a}]\n"


@pytest.fixture(scope="module")
def course(dub, tmp_path_factory) -> Path:
    """One short lesson in two languages, of which everything passes."""
    folder = tmp_path_factory.mktemp("review")
    text = "Every day the sun heats the water of the sea. Many small drops together make a white cloud."
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(folder / "l.wav")], check=True, timeout=60)
    command = ["ffmpeg", "-v", "error", "-i", str(folder / "l.wav"), str(folder / "lesson.m4a")]
    subprocess.run(command, check=True, timeout=60)
    (folder / "course.yaml").write_text(HEAD)
    ran = dub("run", folder / "course.yaml", "--json")
    assert ran.code == 0, ran.err
    assert [target["state"] for target in ran.json["targets"]] == ["done", "done"]
    return folder


def files(course: Path) -> set[str]:
    return {str(path.relative_to(course / "out")) for path in (course / "out").rglob("*") if path.is_file()}


def finished(*names: str, shelf: str = "") -> set[str]:
    return {f"{shelf}water/lesson.{name}" for name in names}


ES, CA = (tuple(f"{tag}.{end}" for end in ("m4a", "srt", "dub.json")) for tag in ("es", "ca"))


def test_a_stricter_gate_holds_releases_and_remembers(course: Path, dub) -> None:
    """Held with its number and exit code 4; released by `dub approve`; released still when the workspace is gone."""
    manifest = course / "course.yaml"
    assert files(course) == finished(*ES, *CA, "multi.m4a")
    manifest.write_text(HEAD + "quality: {loudness: 0}\n")
    ran = dub("run", manifest, "--json")
    assert ran.code == 4, ran.err
    assert "dub approve" in ran.err
    for target in ran.json["targets"]:
        assert target["state"] == "review"
        assert [problem["gate"] for problem in target["problems"]] == ["loudness"]
        assert "LU from the" in target["problems"][0]["message"]
        assert Path(target["output"]).parent == course / "out/review/water"
    waiting = finished(*ES, *CA, shelf="review/")
    assert files(course) == waiting | finished("multi.m4a", shelf="withdrawn/")
    told = json.loads((course / "out/review/water/lesson.es.dub.json").read_text())
    assert told["state"] == "review"
    assert (course / "out/review/water" / told["source"]["path"]).resolve() == (course / "lesson.m4a").resolve()
    for question in ("plan", "status"):
        asked = dub(question, manifest, "--json")
        assert asked.code == 0
        assert [target["state"] for target in asked.json["targets"]] == ["review", "review"]
        assert asked.json["targets"][0]["problems"][0]["gate"] == "loudness"

    assert dub("approve", manifest, "lesson").code == 2
    released = dub("approve", manifest, "lesson:es", "--by", "mireia", "--json")
    assert released.code == 0, released.err
    assert released.json["targets"][0]["state"] == "done"
    assert finished(*ES) <= files(course)
    assert finished(*CA, shelf="review/") <= files(course)
    told = json.loads((course / "out/water/lesson.es.dub.json").read_text())
    assert (told["state"], told["problems"], told["approved"]["by"]) == ("done", [], "mireia")
    assert dub("approve", manifest, "lesson:es").code == 2

    shutil.rmtree(course / ".dub")
    again = dub("run", manifest, "--json")
    assert again.code == 4, again.err
    assert [target["state"] for target in again.json["targets"]] == ["done", "review"]
    assert dub("approve", manifest, "lesson:ca").code == 0
    assert dub("run", manifest).code == 0
    assert finished(*ES, *CA, "multi.m4a") <= files(course)
    assert not (course / "out/review").exists()

    manifest.write_text(HEAD + "quality: {loudness: 0, disclosure: 1}\n")
    assert dub("run", manifest).code == 4
    refused = dub("approve", manifest, "lesson:es", "lesson:fr")
    assert (refused.code, "`fr` is not among the languages" in refused.err) == (2, True)
    assert finished(*ES, *CA, shelf="review/") <= files(course)
    both = dub("approve", manifest, "lesson:es", "lesson:ca", "--json")
    assert (both.code, [target["state"] for target in both.json["targets"]]) == (0, ["done", "done"]), both.err
    assert dub("run", manifest).code == 0
    assert finished(*ES, *CA, "multi.m4a") <= files(course)


def test_another_certificate_signs_anew(course: Path, dub, tmp_path: Path) -> None:
    """`plan` says so, and nothing but the last stages is done again; what was approved stays approved."""
    manifest, keys = course / "course.yaml", str(tmp_path / "keys")
    planned = dub("plan", manifest, "--json", DUB_KEYS=keys).json["targets"][0]["stages"]
    assert planned["mix"]["state"] == "cached"
    assert planned["remux"]["why"] == "the signing certificate changed"
    assert not (tmp_path / "keys").exists()
    ran = dub("run", manifest, DUB_KEYS=keys)
    assert ran.code == 0, ran.err
    for name in ("es", "multi"):
        told = dub("verify", course / f"out/water/lesson.{name}.m4a", "--json", DUB_KEYS=keys)
        assert told.json["verdict"] == "authentic"
        assert dub("verify", course / f"out/water/lesson.{name}.m4a", "--json").json["verdict"] == "unverified"
