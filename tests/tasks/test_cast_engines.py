"""The engine that a course chose, from the manifest to the take: whom it speaks for, and who speaks otherwise."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import courses
from manifests.errors import ConsentRefused
from manifests.model import Job
from manifests.script import Casting, Diarization, Line, Lines, Script, Speaker, Turn, Utterance, dump, load
from manifests.spans import Span
from tasks import clone, synthesize
from tasks.stage import Workbench
from voiceclone.erasure import erase
from voiceclone.registry import Registry

TEXT = "When the drops are heavy they fall to the ground, and we call it rain. Then the water runs to the sea."


@pytest.fixture
def asked() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def address(asked: list[dict[str, Any]]) -> Generator[str]:
    """A server that gives back the sample that it is sent: nobody is more like the person."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(question)
            sound = base64.b64decode(question["ref_audio"].partition(",")[2])
            self.send_response(200)
            self.send_header("content-type", "audio/wav")
            self.end_headers()
            self.wfile.write(sound)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def job(folder: Path, options: dict[str, Any], **more: Any) -> Job:
    """Amara's lesson, spoken by a speech server with these options."""
    amara = {"people": {"amara": {"consent": "amara-2026"}}, "speakers": {"single": "amara"}}
    return courses.job(folder, engines={"synthesize": {"name": "http", "options": options}}, **amara, **more)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """A lesson of two sentences in one voice, of which the first is said twice."""
    subprocess.run(["flite", "-voice", "slt", "-t", TEXT, "-o", str(tmp_path / "said.wav")], check=True, timeout=60)
    once, _ = soundfile.read(str(tmp_path / "said.wav"), dtype="float32")
    pause = np.zeros(16_000, np.float32)
    whole = np.concatenate([once, pause, once, pause])
    soundfile.write(tmp_path / "speech.wav", whole, 16_000)
    soundfile.write(tmp_path / "programme.flac", whole.repeat(3), 48_000)
    spans = [Span(at * 3, (at + len(once)) * 3) for at in (0, len(once) + 16_000)]
    utterances = tuple(
        Utterance(str(number), "SPEAKER_00", span, TEXT, (), 0.9) for number, span in enumerate(spans, 1)
    )
    turns = tuple(Turn("SPEAKER_00", span) for span in spans)
    found = Diarization((Speaker("SPEAKER_00", 170.0, 12.0),), turns, tuple(spans))
    lines = Lines("es", (Line("1", "Cuando las gotas pesan, caen."), Line("2", "Luego el agua corre al mar.")))
    return {
        "diarize/turns.json": dump(found, tmp_path / "turns.json"),
        "transcribe/script.json": dump(Script("en", utterances), tmp_path / "script.json"),
        "translate/lines.json": dump(lines, tmp_path / "lines.json"),
        "split/speech.wav": tmp_path / "speech.wav",
        "split/programme.flac": tmp_path / "programme.flac",
    }


def cast(target: Job, inputs: dict[str, Path], bench: Workbench) -> tuple[Casting, Path]:
    clone.STAGE.check(target)
    made = clone.STAGE.run(clone.STAGE.params(target), inputs, bench)
    path = made.outputs["casting.json"]
    return load(Casting, path), path


@pytest.mark.slow
def test_the_chosen_engine_speaks_in_the_persons_voice_and_forgets_it_with_the_consent(
    tmp_path: Path,
    registry: Registry,
    address: str,
    asked: list[dict[str, Any]],
    inputs: dict[str, Path],
    bench: Workbench,
) -> None:
    """Cast, spoken, alike; after the revocation nothing of it is left, and espeak-ng speaks and says for whom."""
    target = job(tmp_path, {"address": address})
    casting, path = cast(target, inputs, bench)
    voice = casting.voices["SPEAKER_00"]
    assert (voice.kind, voice.engine, voice.person) == ("clone", "http", "amara")
    assert voice.use == "the sample with its text"
    lines = load(Lines, inputs["translate/lines.json"])
    script = load(Script, inputs["transcribe/script.json"])
    params = synthesize.params(target)
    _, takes = synthesize.synthesize(lines, script, casting, 48_000 * 60, params, bench)
    assert {question["input"] for question in asked} == {line.text for line in lines.lines}
    assert {question["ref_text"] for question in asked} == {TEXT}
    for take in takes.takes:
        assert take.voice.similarity is not None and take.voice.similarity > 0.75
        assert take.voice.seed is not None
    registry.revoke("amara-2026", "asked")
    erase("amara", store=bench.store, registry=registry, consents=["amara-2026"])
    assert not [commit for commit in bench.store.commits() if "amara" in commit.people]
    with pytest.raises(ConsentRefused, match="was revoked"):
        synthesize.synthesize(lines, script, casting, 48_000 * 60, params, bench)
    voice = cast(target, inputs, bench)[0].voices["SPEAKER_00"]
    assert (voice.kind, voice.engine) == ("stock", "espeak-ng")
    assert (voice.reason or "").endswith("; http has no voice that belongs to nobody, espeak-ng's speaks")
    assert "was revoked" in (voice.reason or "")
    assert len(asked) == 2
    assert path.exists()


def test_a_server_elsewhere_gets_nobodys_voice_unless_the_consent_names_it(
    tmp_path: Path, registry: Registry, inputs: dict[str, Path], bench: Workbench
) -> None:
    """The record says why a stock voice speaks; under `require_consent` the target is blocked."""
    far = {"address": "https://speech.example.com", "voice": "alloy"}
    voice = cast(job(tmp_path, far), inputs, bench)[0].voices["SPEAKER_00"]
    assert (voice.kind, voice.engine, voice.name) == ("stock", "http", "alloy")
    assert voice.reason == "amara-2026 does not let speech.example.com have the voice"
    with pytest.raises(ConsentRefused, match=r"does not let speech\.example\.com have the voice"):
        clone.STAGE.check(job(tmp_path, far, require_consent=True))
