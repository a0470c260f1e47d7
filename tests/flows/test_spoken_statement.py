"""A spoken statement from the printed sentence to the clone that it allows, as an operator types it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from flows.cli import main
from manifests.errors import ConsentRefused
from voiceclone import challenge
from voiceclone.challenge import BODY, Challenge
from voiceclone.registry import Registry

SAID = (
    "Welcome to the second lesson of this course. Plants turn the light of the sun into energy. "
    "Where in the plant does that happen? It happens in the green leaves, and nowhere else."
)
NEWS = "I only read something from a newspaper here. Nobody should take this for a yes to anything."
USE = {
    "consent": "amara-2026",
    "person": "amara",
    "language": "es",
    "course": "biology",
    "purpose": "training_video",
    "commercial": False,
    "require_statement": True,
}


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
def lecture_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Nine seconds of a voice that lectures."""
    folder = tmp_path_factory.mktemp("lectures")

    def made(voice: str) -> Path:
        path = folder / f"{voice}.wav"
        return path if path.exists() else read_aloud(voice, SAID, path)

    return made


def read_aloud(voice: str, text: str, path: Path) -> Path:
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `dub …` in this process, in a folder with a registry and keys of its own, and an agreement in it."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "registry"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("DUB_WORKSPACE", "DUB_MODELS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("agreement.pdf").write_bytes(b"%PDF-1.4 I agree")

    def dub(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["dub", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Said(ended.value.code if isinstance(ended.value.code, int) else 0, out, err)

    assert dub("consent", "init").code == 0
    return dub


def drawn(run: Run) -> dict[str, Any]:
    return run("consent", "statement", "amara-2026", "--person", "amara", "--json").json


def add(run: Run, statement: Path, *more: object) -> Said:
    return run(
        "consent", "add", "amara-2026", "--person", "amara", "--languages", "es", "--purpose", "training_video",
        "--course", "any", "--document", "agreement.pdf", "--statement", statement, *more,
    )  # fmt: skip


def granted() -> str:
    """Why the registry refuses a clone that needs a statement; empty where it grants it."""
    try:
        Registry.default().grant(**USE)
    except ConsentRefused as refusal:
        return refusal.message
    return ""


def test_the_sentence_read_by_the_enrolled_voice_lets_the_clone_through(run: Run, lecture_of: Any) -> None:
    """Words and voice match; the record names the recognizer, the encoder and its weights."""
    statement = read_aloud("slt", drawn(run)["text"], Path("said.wav"))
    said = add(run, statement, "--enrolment", lecture_of("slt"), "--json")
    assert said.code == 0, said.err
    record = said.json["consent"]
    assert record["statement"]["verdict"] == "matched"
    assert record["statement"]["word_error_rate"] <= 0.1  # its words are drawn anew each time, and some are misheard
    assert record["statement"]["recognizer"].startswith("pocketsphinx ")
    [match] = record["voice_match"]
    assert (match["encoder"], match["verdict"], match["cohort"]) == ("ge2e-resemblyzer", "matched", None)
    assert granted() == ""
    assert run("consent", "list", "--json").json["consents"][0]["statement_verified"] is True
    again = run("consent", "statement", "amara-2026", "--audio", statement, "--enrolment", lecture_of("slt"))
    assert (again.code, "no sentence was drawn" in again.err) == (2, True)  # a sentence serves once


def test_what_proves_nothing_is_refused_and_leaves_no_record(run: Run, lecture_of: Any) -> None:
    """Other words, another voice, the enrolment itself, a synthetic recording, a sentence whose time is over."""
    from voiceclone.watermark import mark

    text = drawn(run)["text"]
    right = read_aloud("slt", text, Path("right.wav"))
    other_words = read_aloud(
        "slt",
        NEWS,
        Path("words.wav"),
    )
    sound, rate = soundfile.read(str(right), dtype="float32")
    soundfile.write("marked.wav", mark(sound, rate), rate)
    for statement, enrolment, why in (
        (other_words, lecture_of("slt"), "the statement does not say its sentence: 0 of 4 drawn words"),
        (right, lecture_of("rms"), "the statement and the enrolment are different voices (ge2e-resemblyzer"),
        (right, right, "the statement is part of the enrolment itself"),
        (Path("marked.wav"), lecture_of("slt"), "the statement carries a watermark"),
        (Path("nothing.wav"), lecture_of("slt"), "nothing.wav is not a file"),
    ):
        said = add(run, statement, "--enrolment", enrolment)
        assert (said.code, said.out) == (2, "")
        assert why in said.err
    issued = challenge.pending(Registry.default().root, "amara-2026")
    assert isinstance(issued, Challenge)
    late = issued.model_copy(update={"expires_at": issued.issued_at})
    (Registry.default().root / ".challenges" / "amara-2026.json").write_text(late.model_dump_json())
    said = add(run, right, "--enrolment", lecture_of("slt"))
    assert (said.code, "the sentence's time is over" in said.err) == (2, True)
    assert run("consent", "list", "--json").json == {"consents": []}


def test_one_word_that_was_not_drawn_is_for_a_human(run: Run, lecture_of: Any) -> None:
    """It counts only where somebody who is named listened."""
    words = drawn(run)["nonce_words"]
    other = next(word for word in ("guitar", "onion", "zebra", "window", "hotel") if word not in words)
    statement = read_aloud("slt", f"{BODY} {', '.join([words[0], other, *words[2:]])}.", Path("said.wav"))
    said = add(run, statement, "--enrolment", lecture_of("slt"))
    assert said.code == 0, said.err
    assert "words: review" in said.out
    assert "--reviewed-by WHO" in said.out
    assert granted() == "amara-2026 has no verified spoken statement"
    drawn_again = run("consent", "statement", "amara-2026", "--person", "amara", "--json").json
    words = drawn_again["nonce_words"]
    other = next(word for word in ("guitar", "onion", "zebra", "window", "hotel") if word not in words)
    read_aloud("slt", f"{BODY} {', '.join([words[0], other, *words[2:]])}.", Path("said.wav"))
    said = run(
        "consent", "statement", "amara-2026", "--audio", "said.wav", "--enrolment", lecture_of("slt"),
        "--reviewed-by", "ines",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert granted() == ""


def test_a_later_enrolment_is_held_against_the_statement(run: Run, lecture_of: Any) -> None:
    """The consent says what is to do; another voice is not enrolled; the right one is, and the record then counts."""
    said = add(run, read_aloud("slt", drawn(run)["text"], Path("said.wav")))
    assert said.code == 0, said.err
    todo = "the statement counts once the voice is enrolled: dub voices enrol amara FILE… --consent amara-2026"
    assert said.out.splitlines()[-2:] == ["voice: not compared yet", todo]
    assert granted() == "amara-2026 has no verified spoken statement"
    enrol = ("voices", "enrol", "amara", "--consent", "amara-2026", "--language", "en")
    wrong = run(*enrol, lecture_of("rms"))
    assert (wrong.code, "different voices" in wrong.err) == (2, True)
    assert run("voices", "list", "--json").json == {"voices": []}
    made = run(*enrol, lecture_of("slt"), "--json")
    assert made.code == 0, made.err
    assert [match["verdict"] for match in made.json["voice_match"]] == ["matched"]
    record = run("consent", "show", "amara-2026", "--json").json["consent"]
    assert (record["version"], record["voice_match"][0]["enrolment"]) == (2, made.json["digest"])
    assert [entry["action"] for entry in run("consent", "audit", "--json").json["entries"]][-1] == "amend"
    assert granted() == ""


def test_a_statement_is_compared_with_what_is_enrolled_already(run: Run, lecture_of: Any) -> None:
    """No file need be named: the newest enrolment of that person counts, and the record names it."""
    said = run(
        "consent", "add", "amara-2025", "--person", "amara", "--languages", "es", "--purpose", "training_video",
        "--course", "any", "--document", "agreement.pdf",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert run("voices", "enrol", "amara", lecture_of("slt"), "--consent", "amara-2025").code == 0
    said = add(run, read_aloud("slt", drawn(run)["text"], Path("said.wav")), "--json")
    assert said.code == 0, said.err
    [match] = said.json["consent"]["voice_match"]
    assert (match["verdict"], len(match["enrolment"])) == ("matched", 64)


def test_a_grey_voice_is_for_a_human_who_heard_that_enrolment(
    run: Run, lecture_of: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who listened to the statement has not listened to an enrolment that came later."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "dubflow").mkdir(parents=True)
    (tmp_path / "config" / "dubflow" / "dubflow.toml").write_text(
        "[statement.encoders.ge2e-resemblyzer]\nmatch = 1.0\nreview = 0.8\n"
    )
    said = add(run, read_aloud("slt", drawn(run)["text"], Path("said.wav")), "--reviewed-by", "ines")
    assert said.code == 0, said.err
    enrol = ("voices", "enrol", "amara", "--consent", "amara-2026", "--language", "en", lecture_of("slt"))
    made = run(*enrol)
    assert made.code == 0, made.err
    assert "voice: review, ge2e-resemblyzer" in made.out
    assert "--reviewed-by WHO" in made.out
    assert granted() == "amara-2026 has no verified spoken statement"
    assert run(*enrol, "--reviewed-by", "Ines Example").code == 2
    assert run(*enrol, "--reviewed-by", "ines").code == 0
    assert granted() == ""


def test_a_changed_statement_is_compared_with_nothing(run: Run, lecture_of: Any) -> None:
    """Its hash stands in the signed record; the drawn words lie where nobody else reads them until it is in."""
    issued = drawn(run)
    kept = Registry.default().root / ".challenges"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept, kept / "amara-2026.json")] == [0o700, 0o600]
    assert add(run, read_aloud("slt", issued["text"], Path("said.wav"))).code == 0
    [audio] = (Registry.default().root / "amara-2026").glob("*.wav")
    audio.write_bytes(lecture_of("rms").read_bytes())
    said = run("voices", "enrol", "amara", "--consent", "amara-2026", lecture_of("rms"))
    assert (said.code, "the statement of amara-2026 was changed" in said.err) == (3, True)
    assert run("voices", "list", "--json").json == {"voices": []}


def test_a_sentence_in_a_language_that_nobody_checks_is_refused(run: Run) -> None:
    """Before anybody reads it aloud, and naming what is missing."""
    said = run("consent", "statement", "amara-2026", "--person", "amara", "--language", "es")
    assert said.code == 3
    assert "a spoken statement in es cannot be checked yet" in said.err
    assert "Have the English sentence read (--language en)" in said.err
