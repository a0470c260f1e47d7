"""Every gate that a course can close, closed at once on one lesson whose human translation was written to miss them."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SAID = (
    "Every day the sun heats the water of the sea.",
    "A white cloud is made of two hundred small drops of water.",
    "When the drops are heavy they fall to the ground.",
)
DUBBED = (
    "Todos los días el sol calienta el agua del mar.",
    "Una gran nube blanca y muy bonita se forma siempre de muchas y muy pequeñas gotas del agua que sube.",
    "Cuando las gotas pesan mucho, caen a la tierra.",
)
"""The second is too long for its time, lacks the number, and has another word than the glossary's."""

HEAD = """\
course: water
source_language: en
targets: [es]
glossary: glossary.csv
lessons: [{media: lesson.m4a, captions: lesson.srt, translations: {es: lesson.es.srt}}]
"""
CLOSED = "quality: {timing: 1, loudness: 0, disclosure: 1, leakage: 0, glossary: 1, numbers: 1, read_back: 0.5}\n"


def subtitles(lines: tuple[str, ...]) -> str:
    """SubRip, a cue of three seconds every four."""
    return "".join(
        f"{number}\n00:00:{4 * number - 4:02},000 --> 00:00:{4 * number - 1:02},000\n{line}\n\n"
        for number, line in enumerate(lines, 1)
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gates")
    for number, text in enumerate(SAID):
        clip = folder / f"{number}.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(clip)], check=True, timeout=60)
    clips = [word for number in range(len(SAID)) for word in ("-i", str(folder / f"{number}.wav"))]
    graph = "[0]apad=pad_dur=1[a];[1]apad=pad_dur=1[b];[a][b][2]concat=n=3:v=0:a=1"
    command = ["ffmpeg", "-v", "error", *clips, "-filter_complex", graph, str(folder / "lesson.m4a")]
    subprocess.run(command, check=True, timeout=60)
    (folder / "lesson.srt").write_text(subtitles(SAID))
    (folder / "lesson.es.srt").write_text(subtitles(DUBBED))
    (folder / "glossary.csv").write_text("source,target language,term\ncloud,es,nublado\n")
    return folder


def test_every_gate_holds_and_one_approval_releases_what_was_heard(course: Path, dub) -> None:
    """Each gate names its number; one yes releases them all, and does not cover a dub that says something else."""
    manifest = course / "course.yaml"
    manifest.write_text(HEAD + CLOSED)
    ran = dub("run", manifest, "--json")
    assert ran.code == 4, ran.err
    [target] = ran.json["targets"]
    said = {problem["gate"]: problem["message"] for problem in target["problems"]}
    assert "of the speech is between 0.90x and 1.25x; the gate asks for 1." in said["timing"]
    assert "LU from the" in said["loudness"]
    assert "the watermark scores 0.9" in said["disclosure"]
    assert "of the original's voice is left under the dub" in said["leakage"]
    assert said["numbers"].endswith("Lacking in line 2 (200).")
    assert said["glossary"].endswith("Lacking in line 2 (nublado).")
    assert "nobody here can read the dub back" in said["read_back"]
    assert set(said) == {"timing", "loudness", "disclosure", "leakage", "numbers", "glossary", "read_back"}

    released = dub("approve", manifest, "lesson:es", "--by", "mireia", "--reason", "I listened")
    assert released.code == 0, released.err
    record = json.loads((course / "out/water/lesson.es.dub.json").read_text(encoding="utf-8"))
    assert (record["state"], record["approved"]["by"], set(record["approved"]["gates"])) == (
        "done",
        "mireia",
        set(said),
    )
    assert dub("run", manifest).code == 0

    (course / "lesson.es.srt").write_text(
        subtitles((DUBBED[0], "Doscientas gotas de agua forman un nublado blanco.", DUBBED[2]))
    )
    again = dub("run", manifest, "--json")
    assert again.code == 4, again.err
    still = {problem["gate"] for problem in again.json["targets"][0]["problems"]}
    assert {"numbers", "glossary"}.isdisjoint(still)
    assert "read_back" in still
    assert not (course / "out/water/lesson.es.m4a").exists()

    manifest.write_text(HEAD + "quality: {timing: false, loudness: false, disclosure: 0.3}\n")
    assert dub("run", manifest).code == 0
    assert (course / "out/water/lesson.es.m4a").exists()
    assert not (course / "out/review").exists()
