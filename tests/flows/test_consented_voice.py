"""A lecturer who said yes sounds like themselves, and stops when they say no."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SENTENCES = (
    "Good morning and welcome to the first lesson of this course.",
    "Every day the sun heats the water of the sea.",
    "A part of this water rises into the air, and we can not see it.",
    "Many small drops together make a white cloud.",
    "When the drops are heavy, they fall to the ground, and we call it rain.",
)


@pytest.fixture(scope="module")
def course(dub, tmp_path_factory) -> Path:
    """One lesson by one lecturer, who agreed to be cloned in Spanish; dubbed."""
    folder = tmp_path_factory.mktemp("consented")
    inputs: list[str] = []
    for number, text in enumerate(SENTENCES):
        clip = folder / f"{number}.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(clip)], check=True, timeout=60)
        inputs += ["-i", str(clip)]
    parts = "".join(f"[{number}]aresample=48000,apad=pad_dur=0.7[p{number}];" for number in range(len(SENTENCES)))
    joined = "".join(f"[p{number}]" for number in range(len(SENTENCES)))
    graph = f"{parts}{joined}concat=n={len(SENTENCES)}:v=0:a=1[sound]"
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", graph, "-map", "[sound]"]
    subprocess.run([*command, str(folder / "lesson.m4a")], check=True, timeout=60)
    (folder / "agreement.txt").write_text("I agree.")
    (folder / "course.yaml").write_text(
        "course: water\ntargets: [es]\npeople: {amara: {consent: amara-2026}}\n"
        "speakers: {single: amara}\nlessons: [{media: lesson.m4a}]\n"
    )
    assert dub("consent", "init").code == 0
    added = dub(
        *("consent", "add", "amara-2026", "--person", "amara", "--languages", "es", "--purpose", "training_video"),
        *("--course", "water", "--document", folder / "agreement.txt", "--expires", "2030-01-01"),
    )
    assert added.code == 0, added.err
    ran = dub("run", folder / "course.yaml")
    assert ran.code == 0, ran.err
    return folder


def record(course: Path) -> dict[str, Any]:
    return json.loads((course / "out/water/lesson.es.dub.json").read_text(encoding="utf-8"))


def test_every_line_names_the_person_and_the_consent(course: Path) -> None:
    """The record says whose voice it is, and on what permission."""
    voices = [line["voice"] for line in record(course)["lines"]]
    assert voices
    assert {(voice["kind"], voice["person"], voice["consent"]) for voice in voices} == {
        ("clone", "amara", "amara-2026")
    }


def test_the_finished_file_says_that_it_is_synthetic(course: Path, dub) -> None:
    """Signed, marked, and verified from the file alone."""
    ran = dub("verify", course / "out/water/lesson.es.m4a", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["verdict"] == "authentic"
    assert ran.json["watermark"]["score"] > 0.5


def test_a_revocation_names_the_output_erases_the_voice_and_lets_a_stock_voice_speak(course: Path, dub) -> None:
    """Told in the order it happens: revoke, plan, run."""
    revoked = dub("consent", "revoke", "amara-2026", "--reason", "she asked")
    assert revoked.code == 0, revoked.err
    assert str(course / "out/water/lesson.es.m4a") in revoked.out.splitlines()
    commits = (course / ".dub/store/commits").glob("*/*.json")
    assert not [path for path in commits if json.loads(path.read_text())["people"]]
    assert not list((course / ".dub/store/objects").glob("*/*.safetensors"))
    assert dub("plan", course / "course.yaml", "--json").json["targets"][0]["state"] == "run"
    ran = dub("run", course / "course.yaml")
    assert ran.code == 0, ran.err
    voices = [line["voice"] for line in record(course)["lines"]]
    assert {voice["kind"] for voice in voices} == {"stock"}
    assert "revoked" in voices[0]["reason"]


def test_where_consent_is_required_a_withdrawn_output_leaves_the_shelf(course: Path, dub) -> None:
    """Under `require_consent` the target is blocked, and what was made in the voice before is moved away."""
    manifest = course / "course.yaml"
    manifest.write_text(manifest.read_text() + "require_consent: true\n")
    old = record(course)
    old["lines"][0]["voice"] |= {"kind": "clone", "person": "amara", "consent": "amara-2026"}
    (course / "out/water/lesson.es.dub.json").write_text(json.dumps(old))
    assert dub("plan", manifest, "--json").json["targets"][0]["state"] == "blocked"
    ran = dub("run", manifest)
    assert ran.code == 4, ran.err
    assert not (course / "out/water/lesson.es.m4a").exists()
    assert (course / "out/withdrawn/water/lesson.es.m4a").exists()
