"""`dub assemble` at the command line: what it prints, what it exits with, and that it starts nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DUB = Path(sys.executable).with_name("dub")


@pytest.fixture
def cues(tmp_path: Path, lecture) -> Path:
    """One recorded line for the lecture's first sentence, in a folder with a space in its name."""
    folder = tmp_path / "a studio"
    folder.mkdir()
    said = lecture.sentences[0]
    subprocess.run(["espeak-ng", "-v", "es", "-w", str(folder / "1.wav"), "Bienvenidos."], check=True, timeout=60)
    line = {"id": "1", "start": said.start_s, "end": said.end_s, "audio": "1.wav", "text": "Bienvenidos."}
    path = folder / "cues.json"
    path.write_text(json.dumps({"language": "es", "lines": [line]}), encoding="utf-8")
    return path


def dub(*arguments: object, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command with everything it writes."""
    command = [*before, str(DUB), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_the_finished_file_is_named_and_what_was_assumed_is_said(cues: Path, lecture) -> None:
    """Standard output holds the path; that the takes are held to be recordings stands in the other stream."""
    out = cues.parent / "lecture.es.mp4"
    ran = dub("assemble", cues, "--media", lecture.path, "--out", out)
    assert (ran.returncode, ran.stdout) == (0, f"{out}\n")
    assert "run again with --synthetic" in ran.stderr
    assert out.exists()


def test_json_is_the_only_thing_on_standard_output(
    cues: Path, lecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same document as `dub run --json` prints, and neither Prefect nor torch for people's takes."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "heavy = lambda: ','.join(sorted({'prefect', 'torch'} & set(sys.modules)))\n"
        "atexit.register(lambda: sys.stderr.write(f'heavy: {heavy()};'))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    ran = dub("assemble", cues, "--media", lecture.path, "--out", cues.parent / "l.mkv", "--json")
    assert ran.returncode == 0
    (target,) = json.loads(ran.stdout)["targets"]
    assert (target["lesson"], target["language"], target["state"]) == ("lecture", "es", "done")
    assert target["output"] == str(cues.parent / "l.mkv")
    assert list(target["stages"]) == ["split", "place", "mix", "remux", "verify"]
    assert "heavy: ;" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--media", "nowhere.mp4", "--out", "l.mp4"), "does not exist. Correct --media."),
        (("--media", "nowhere.mp4", "--out", "l.mp4", "--loudness", "loud"), "there is no loudness `loud`."),
        (("--media", "nowhere.mp4", "--out", "l.doc"), "is no kind of file that a dub can be."),
        (("--media", "nowhere.mp4"), "--out"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(cues: Path, arguments: tuple[str, ...], says: str) -> None:
    """Never a traceback."""
    ran = dub("assemble", cues, *arguments)
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
