"""`dub voices`: who may be enrolled, what the user is told, and that no mistake ends in a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main

SAID = (
    "Welcome to the second lesson of this course. Plants turn the light of the sun into energy. "
    "Where in the plant does that happen? It happens in the green leaves, and nowhere else."
)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nine seconds of flite's slt (16 kHz) and of its kal (8 kHz)."""
    folder = tmp_path_factory.mktemp("clips")
    for voice in ("slt", "kal"):
        out = folder / f"{voice} [1].wav"
        subprocess.run(["flite", "-voice", voice, "-t", SAID, "-o", str(out)], check=True, timeout=60)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `dub …` in this process, in a folder with a registry and keys of its own."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "registry"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DUB_WORKSPACE", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def dub(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["dub", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code
        assert "Traceback" not in err
        return Said(code if isinstance(code, int) else 0, out, err)

    return dub


@pytest.fixture
def agreed(run: Run) -> Run:
    """With the consent amara-2026 of amara."""
    Path("agreement.pdf").write_bytes(b"%PDF-1.4 I agree")
    assert run("consent", "init").code == 0
    added = run(
        "consent", "add", "amara-2026", "--person", "amara", "--languages", "es", "--purpose", "training_video",
        "--course", "any", "--document", "agreement.pdf",
    )  # fmt: skip
    assert added.code == 0, added.err
    return run


def test_a_voice_is_enrolled_listed_and_gone_after_its_consent_is(agreed: Run, clips: Path) -> None:
    """Enrol with a table, list it as JSON, revoke: recordings, print and listing are gone."""
    made = agreed("voices", "enrol", "amara", clips / "slt [1].wav", "--consent", "amara-2026", "--language", "en")
    assert made.code == 0
    assert "below 24 kHz the voice is dull. Record at 24 kHz or more." in made.out
    assert "amara is enrolled: " in made.out
    [row] = agreed("voices", "list", "--json").json["voices"]
    assert (row["person"], row["consent"], row["language"]) == ("amara", "amara-2026", "en")
    assert (row["verdict"], row["trained"], row["problem"]) == ("warn", [], "")
    assert "in force" in agreed("voices", "list").out
    assert agreed("consent", "suspend", "amara-2026").code == 0
    assert "amara-2026 is suspended" in agreed("voices", "list").out
    assert agreed("consent", "revoke", "amara-2026", "--reason", "changed my mind").code == 0
    assert agreed("voices", "list", "--json").json == {"voices": []}
    assert not any(path.is_file() for path in Path(".dub/voices").rglob("*"))


def test_a_report_as_json_says_what_was_found_and_what_mends_it(agreed: Run, clips: Path) -> None:
    """Telephone speech: exit 2, one document on stdout, the reason on stderr, nothing kept."""
    refused = agreed("voices", "enrol", "amara", clips / "kal [1].wav", "--consent", "amara-2026", "--json")
    assert refused.code == 2
    assert refused.json["enrolled"] is False
    assert refused.json["verdict"] == "reject"
    [rate] = [each for each in refused.json["findings"] if each["check"] == "sample rate"]
    assert rate == {
        "check": "sample rate",
        "verdict": "reject",
        "measured": "8000 Hz",
        "reason": "a rate below 16 kHz cuts the voice off",
        "mend": "Record at 48 kHz, not by phone.",
    }
    assert "Record at 48 kHz" in refused.err
    assert not any(Path(".dub").rglob("*.flac"))


def test_without_a_consent_nobody_is_enrolled(agreed: Run, clips: Path) -> None:
    """No such record, and somebody else's record: exit 4, the reason named, nothing heard."""
    clip = clips / "slt [1].wav"
    nobody = agreed("voices", "enrol", "amara", clip, "--consent", "amara-2031", "--json")
    assert nobody.code == 4
    assert (nobody.json["enrolled"], nobody.json["consent"]) == (False, "amara-2031")
    other = agreed("voices", "enrol", "ben", clip, "--consent", "amara-2026")
    assert (other.code, other.err) == (4, "dub: amara-2026 is not the consent of ben.\n")
    assert not Path(".dub").exists()


def test_without_a_registry_the_way_to_one_is_named(run: Run, clips: Path) -> None:
    """The very first command that somebody tries."""
    lost = run("voices", "enrol", "amara", clips / "slt [1].wav", "--consent", "amara-2026")
    assert lost.code == 4
    assert "Make one with `dub consent init`" in lost.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("enrol", "amara", "missing.wav", "--consent", "amara-2026"), "missing.wav is not a file"),
        (("enrol", "amara", "agreement.pdf", "--consent", "amara-2026"), "agreement.pdf holds no sound"),
        (("enrol", "../amara", "agreement.pdf", "--consent", "amara-2026"), "cannot be the id of a person"),
        (("enrol", "amara", "--consent", "amara-2026"), "FILE"),
        (("audition", "amara", "--text", "Hola.", "--lang", "es"), "nobody called amara is enrolled"),
        (("audition", "amara", "--text", "Hola.", "--lang", "Spanish!"), "is not a language"),
        (("audition", "amara", "--text", " ", "--lang", "es"), "the text has 0 characters"),
        (("delete", "amara"), "nobody called amara is enrolled"),
        (("delete", "../amara"), "cannot be the id of a person"),
    ],
)
def test_a_users_mistake_exits_with_2_and_a_sentence(agreed: Run, arguments: tuple[str, ...], message: str) -> None:
    """Files that are not there or hold no sound, ids that are none, people who are not enrolled."""
    said = agreed("voices", *arguments)
    assert said.code == 2
    assert message in said.err
    assert said.out == ""


def test_an_enrolment_is_deleted_from_the_workspace_that_is_named(agreed: Run, clips: Path, tmp_path: Path) -> None:
    """`--workspace` chooses; the consent stays; an empty list says how to begin."""
    workspace = tmp_path / "elsewhere"
    clip = clips / "slt [1].wav"
    made = agreed("voices", "enrol", "amara", clip, "--consent", "amara-2026", "--workspace", workspace, "--json")
    assert (made.code, made.json["enrolled"], made.json["verdict"]) == (0, True, "warn")
    assert (workspace / "voices" / "amara" / "enrolment.json").is_file()
    assert "nobody is enrolled" in agreed("voices", "list").out
    gone = agreed("voices", "delete", "amara", "--workspace", workspace, "--json")
    assert (gone.code, gone.json) == (0, {"person": "amara", "deleted": True})
    assert list((workspace / "voices").iterdir()) == []


@pytest.mark.slow
def test_an_audition_is_marked_as_synthetic_and_needs_consent_for_its_language(agreed: Run, clips: Path) -> None:
    """Spanish, which the consent covers: a marked WAV; French, and Spanish after a suspension: exit 4, no file."""
    import soundfile

    from voiceclone import watermark

    clip = clips / "slt [1].wav"
    assert agreed("voices", "enrol", "amara", clip, "--consent", "amara-2026", "--language", "en").code == 0
    french = agreed("voices", "audition", "amara", "--text", "Bonjour.", "--lang", "fr")
    assert (french.code, french.err) == (4, "dub: amara-2026 does not cover fr.\n")
    spoken = agreed(
        "voices", "audition", "amara", "--text", "Las plantas crecen hacia la luz.", "--lang", "es", "--json"
    )
    assert spoken.code == 0, spoken.err
    sound, rate = soundfile.read(spoken.json["path"], dtype="float32")
    assert Path(spoken.json["path"]) == Path("amara.es.wav").absolute()
    assert 1.0 < len(sound) / rate < 6.0
    assert watermark.score(sound, rate) > 0.9
    [row] = agreed("voices", "list", "--json").json["voices"]
    assert row["trained"] == ["es"]
    Path("amara.es.wav").unlink()
    assert agreed("consent", "suspend", "amara-2026").code == 0
    assert agreed("voices", "audition", "amara", "--text", "Hola.", "--lang", "es").code == 4
    assert not Path("amara.es.wav").exists()


@pytest.mark.parametrize("command", ["enrol", "list", "audition", "delete"])
def test_every_command_shows_an_example(run: Run, command: str) -> None:
    """`--help` answers with one."""
    said = run("voices", command, "--help")
    assert said.code == 0
    assert f"Example: dub voices {command}" in " ".join(said.out.split())


def test_an_audition_is_spoken_by_the_engine_that_a_course_chose(agreed: Run, clips: Path) -> None:
    """A speech server on loopback that gives the sample back: marked, and nothing is trained."""
    import base64
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    import soundfile

    from voiceclone import watermark

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "audio/wav")
            self.end_headers()
            self.wfile.write(base64.b64decode(asked["ref_audio"].partition(",")[2]))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        enrolled = agreed(
            "voices", "enrol", "amara", clips / "slt [1].wav", "--consent", "amara-2026", "--language", "en"
        )
        assert enrolled.code == 0, enrolled.err
        Path("course.yaml").write_text(
            "course: c\ntargets: [es]\nlessons: [{media: one.mp4}]\n"
            f"engines: {{synthesize: {{name: http, options: {{address: 'http://127.0.0.1:{server.server_address[1]}'}}}}}}\n"
        )
        spoken = agreed(
            *("voices", "audition", "amara", "--text", "Hola.", "--lang", "es", "--for", "course.yaml", "--json")
        )
        assert spoken.code == 0, spoken.err
        assert spoken.json["engine"] == "http"
        sound, rate = soundfile.read(spoken.json["path"], dtype="float32")
        assert (rate, watermark.score(sound, rate) > 0.9) == (24_000, True)
        assert agreed("consent", "revoke", "amara-2026", "--reason", "asked").code == 0
        assert agreed("voices", "list", "--json").json["voices"] == []
    finally:
        server.shutdown()
        server.server_close()
