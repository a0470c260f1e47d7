"""A finished dub is recognized again: what nobody could understand is held, and so is what nobody here can read."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SAID = (
    "El agua sube al cielo y forma muchas nubes blancas.",
    "La lluvia cae sobre las montañas y los árboles.",
    "Los estudiantes entran en la clase con el profesor.",
)

HEAD = """\
course: water
source_language: es
targets: [en-US, pt]
engines: {transcribe: script}
quality: {read_back: 0.4}
lessons: [{media: lesson.wav}]
"""

PLUGIN = '''
"""A recognizer of one Spanish lesson: it knows what is said in it, sentence by sentence."""
from manifests.errors import EngineUnavailable
from manifests.script import Word
from manifests.spans import Span
from tasks.stage import Engine

SAID = {said}

class Script:
    name, longest_s, writes = "script", 15.0, True

    def check(self, wanted):
        if wanted.language != "es":
            raise EngineUnavailable(f"this recognizer knows a Spanish lesson, not {{wanted.language}}.", remedy="Read.")

    def identity(self, wanted):
        return Engine(self.name, "1")

    def recognize(self, speech, parts, wanted, *, cores, tell):
        out = []
        for part, text in zip(parts, SAID, strict=True):
            words, step = text.split(), part.length // len(text.split())
            out += [
                Word(word, Span(part.start + at * step, part.start + (at + 1) * step), 0.9)
                for at, word in enumerate(words)
            ]
        return tuple(out)
'''


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """Three Spanish sentences, and a package that brings a recognizer for them: the embedded one has English only."""
    folder = tmp_path_factory.mktemp("read_back")
    clips, graph = [], ""
    for number, text in enumerate(SAID):
        clip = folder / f"{number}.wav"
        subprocess.run(["espeak-ng", "-v", "es", "-s", "130", "-w", str(clip), text], check=True, timeout=60)
        clips += ["-i", str(clip)]
        graph += f"[{number}]apad=pad_dur=1.5[p{number}];"
    graph += "".join(f"[p{number}]" for number in range(len(SAID))) + f"concat=n={len(SAID)}:v=0:a=1"
    command = ["ffmpeg", "-v", "error", *clips, "-filter_complex", graph, str(folder / "lesson.wav")]
    subprocess.run(command, check=True, timeout=60)
    facts = folder / "packages" / "script_recognizer-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: script-recognizer\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[dubflow.transcribers]\nscript = script_recognizer:Script\n")
    (folder / "packages" / "script_recognizer.py").write_text(PLUGIN.format(said=SAID))
    (folder / "course.yaml").write_text(HEAD)
    return folder


def test_a_dub_is_read_back_and_a_garbled_one_is_held(course: Path, dub) -> None:
    """English passes by its words; Portuguese, which no engine here has, waits until somebody says yes; a term that is
    pronounced as nobody would is found in the sound, and its line is named."""
    manifest, packages = course / "course.yaml", str(course / "packages")
    checked = dub("check", manifest, "--json", PYTHONPATH=packages)
    assert [line.partition(",")[0] for line in checked.json["unread"]] == ["pt: nobody here can read the dub back"]

    ran = dub("run", manifest, "--json", PYTHONPATH=packages)
    assert ran.code == 4, ran.err
    states = {target["language"]: target["state"] for target in ran.json["targets"]}
    assert states == {"en-US": "done", "pt": "review"}, ran.json
    record = json.loads((course / "out/water/lesson.en-US.dub.json").read_text())
    assert record["read_back"]["by"].startswith("pocketsphinx ")
    assert (record["read_back"]["lines"], record["read_back"]["share"] > 0.4) == (3, True)
    assert "the rain falls on the" in record["lines"][1]["read_back"]["heard"]
    assert len(record["read_back"]["worst"]) == 3
    (problem,) = ran.json["targets"][1]["problems"]
    assert problem["gate"] == "read_back"
    assert problem["message"].startswith("nobody here can read the dub back: this recognizer knows a Spanish lesson")
    assert "Let somebody listen who knows pt." in problem["message"]
    assert dub("approve", manifest, "lesson:pt", PYTHONPATH=packages).code == 0

    terms = (("agua", "water"), ("cielo", "heaven"), ("nubes", "clouds"), ("forma", "forms"), ("blancas", "white"))
    rows = "".join(f"{source},en-US,{term},[[zIg'uvVb]]\n" for source, term in terms)
    (course / "terms.csv").write_text("source,target language,term,pronunciation\n" + rows)
    manifest.write_text(HEAD + "glossary: terms.csv\n")
    ran = dub("run", manifest, "--only", "lesson:en-US", "--json", PYTHONPATH=packages)
    assert ran.code == 4, ran.err
    (target,) = ran.json["targets"]
    assert target["state"] == "review"
    (problem,) = target["problems"]
    assert problem["gate"] == "read_back"
    held = json.loads((course / "out/review/water/lesson.en-US.dub.json").read_text())
    assert held["read_back"]["worst"][0] == "1"
    assert held["lines"][0]["read_back"]["share"] < 0.2
    assert held["lines"][1]["read_back"]["share"] > 0.5
    assert "1 (" in problem["message"]
    released = dub("approve", manifest, "lesson:en-US", "--json", PYTHONPATH=packages)
    assert (released.code, released.json["targets"][0]["state"]) == (0, "done"), released.err
    told = json.loads((course / "out/water/lesson.en-US.dub.json").read_text())
    assert told["approved"]["gates"] == ["read_back"]
