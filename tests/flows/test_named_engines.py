"""`dub run` with each engine that needs weights or a server, chosen by its name: a short lesson, from file to file.

The models are tiny (`tests/tiny`), the libraries real, and the servers on loopback. What is heard and translated is
what the models learned; what the neural voices say is a noise or a hum of a sensible length.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny import speech
from tiny.argos import SPANISH
from tiny.services import VENDORS, Loopback, chat_api, spanish, speech_api

pytestmark = pytest.mark.slow

SAID = (*speech.ENGLISH, *speech.ENGLISH, speech.ENGLISH[0])
"""Long enough for every vendor: MiniMax wants ten seconds of her."""
HEAD = """\
course: leaves
source_language: en
targets: [{targets}]
people: {{amara: {{consent: amara-2026}}}}
speakers: {{single: amara}}
glossary: terms.csv
lessons: [{{media: lesson.mp4}}]
"""
TERMS = "source,target language,term\nstem,es,tallo\nriver,es,arroyo\n"


@dataclass(frozen=True)
class Course:
    """A course in a folder of its own, whose one lesson Amara gives: she agreed to Spanish, and to a vendor."""

    folder: Path
    manifest: Path
    dub: Any

    def run(self, keys: str, targets: str = "es", **environment: str) -> Any:
        """`dub run` of the manifest with these keys."""
        self.manifest.write_text(HEAD.format(targets=targets) + keys, encoding="utf-8")
        return self.dub("run", self.manifest, "--json", **environment)

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.folder / "out/leaves/lesson.es.dub.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def course(dub: Any, reader: speech.Reader, studio_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("named")
    draw = np.random.default_rng(3)
    speech.lecture(folder / "said.wav", [reader.clip(text, draw) for text in SAID], gap_s=1.2)
    picture = ("-f", "lavfi", "-i", "testsrc=s=320x180:r=25", "-i", str(folder / "said.wav"), "-shortest")
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ar", "48000")
    tags = ("-metadata:s:a:0", "language=eng")
    command = ["ffmpeg", "-v", "error", *picture, *codecs, *tags, str(folder / "lesson.mp4")]
    subprocess.run(command, check=True, timeout=120)
    (folder / "terms.csv").write_text(TERMS, encoding="utf-8")
    (folder / "agreement.txt").write_text("I agree.")
    own = type(dub)(dub.environment | {"DUB_MODELS": str(studio_models), "DUB_CONSENT": str(folder / "consent")})
    own("consent", "init")
    added = own(
        *("consent", "add", "amara-2026", "--person", "amara", "--languages", "es,ca", "--purpose", "training_video"),
        *("--course", "leaves", "--document", folder / "agreement.txt", "--expires", "2030-01-01"),
        *("--third-party", "elevenlabs", "--third-party", "minimax"),
    )
    assert added.code == 0, added.err
    return Course(folder, folder / "course.yaml", own)


@pytest.fixture
def serve() -> Iterator[Any]:
    servers: list[Loopback] = []

    def started(answer: Any) -> Loopback:
        servers.append(Loopback(answer))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


def engines(translate: str, synthesize: str) -> str:
    """The part of a manifest that names an engine for every stage that has a choice."""
    heard = "diarize: pyannote-community-1, transcribe: whisperx"
    return f"engines: {{{heard}, translate: {translate}, synthesize: {synthesize}}}\n"


def as_wanted(course: Course, engine: str, known: Mapping[str, str] = SPANISH) -> None:
    """Every sentence heard, translated, spoken in her voice by this engine, and placed where she says it."""
    record = course.record
    assert record["state"] == "done" and record["problems"] == []
    assert [line["source"]["text"] for line in record["lines"]] == list(SAID)
    assert [line["text"]["value"] for line in record["lines"]] == [known[text] for text in SAID]
    voices = {(line["voice"]["kind"], line["voice"]["person"], line["voice"]["engine"]) for line in record["lines"]}
    assert voices == {("clone", "amara", engine)}
    assert record["engines"]["synthesize"]["name"] == engine
    for line in record["lines"]:
        assert abs(line["placed"]["start"] - line["source"]["start"]) < 0.5
        assert line["placed"]["rate"] <= 1.4
        assert line["voice"]["similarity"] is not None


def test_the_studio_profile_makes_a_finished_file_and_blocks_what_no_package_translates(course: Course) -> None:
    """Exit code 4: Spanish is done by Whisper, pyannote, Argos and Qwen3-TTS; Catalan names the package it lacks; a
    term that the translation lacks is told of its line."""
    ran = course.run("profile: studio\n", "es, ca")
    assert ran.code == 4, ran.err
    spanish_target, catalan = ran.json["targets"]
    assert (spanish_target["state"], catalan["state"]) == ("done", "blocked")
    assert "dub models pull argos/en_ca" in json.dumps(catalan)
    as_wanted(course, "qwen3-tts")
    record = course.record
    assert {stage: record["engines"][stage]["name"] for stage in ("diarize", "transcribe", "translate")} == {
        "diarize": "pyannote-community-1",
        "transcribe": "whisperx",
        "translate": "argos",
    }
    checks = [line["text"]["checks"] for line in record["lines"]]
    assert "arroyo" in json.dumps(checks[2]) and "arroyo" in json.dumps(checks[5])
    assert [checks[at] for at in (0, 1, 3, 4, 6)] == [[]] * 5
    tracks = [stream for stream in record["output"]["streams"] if stream["kind"] == "audio"]
    assert [stream.get("language") for stream in tracks] == ["eng", "spa"]
    assert "WARNING" not in ran.err and "Warning" not in ran.err


def test_a_speech_server_speaks_with_a_sample_of_her(course: Course, serve: Any) -> None:
    """Each line with the sample inline: the server keeps nothing."""
    server = serve(speech_api(spanish))
    ran = course.run(engines("argos", f'{{name: http, options: {{address: "{server.address}"}}}}'))
    assert ran.code == 0, ran.err
    as_wanted(course, "http")
    assert {json.loads(body)["ref_audio"][:22] for _, _, body in server.asked} == {"data:audio/wav;base64,"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_keeps_one_voice_of_her_for_all_lines(course: Course, serve: Any, vendor: str) -> None:
    """She lets both have her voice; their keys come from the environment."""
    kind, key = VENDORS[vendor]
    service = kind(spanish)
    options = f'{{address: "{serve(service).address}", pause: 0.01}}'
    ran = course.run(engines("argos", f"{{name: {vendor}, options: {options}}}"), **{key: "secret"})
    assert ran.code == 0, ran.err
    as_wanted(course, vendor)
    assert len(service.voices) == 1


def test_pocket_tts_speaks_in_her_voice(course: Course) -> None:
    """On the processor, from the folder of its weights; the watermark is in the finished file."""
    ran = course.run(engines("argos", "pocket-tts"))
    assert ran.code == 0, ran.err
    as_wanted(course, "pocket-tts")
    assert course.record["disclosure"]["watermark_score"] > 0.5


def test_a_language_model_translates_by_the_glossary_and_its_tokens_are_counted(course: Course, serve: Any) -> None:
    """The key goes into a header alone, the glossary's terms into the question, and what it costs into the record."""
    known = {english: said.replace("río", "arroyo") for english, said in SPANISH.items()}
    server = serve(chat_api(known))
    options = f'{{url: "{server.address}/v1", batch: 4, price_in: 1.0, price_out: 2.0}}'
    chat = f"{{name: chat, model: tiny-chat, options: {options}}}"
    ran = course.run(engines(chat, "pocket-tts"), DUB_CHAT_KEY="secret")
    assert ran.code == 0, ran.err
    as_wanted(course, "pocket-tts", known)
    record = course.record
    assert record["engines"]["translate"]["name"] == "chat:tiny-chat"
    assert [line["text"]["checks"] for line in record["lines"]] == [[]] * 7
    assert "the translation took 200 tokens in and 100 out, at a cost of 0.0004" in record["notes"]
    assert {path for _, path, _ in server.asked} == {"/v1/chat/completions"}
    assert {headers["authorization"] for headers in server.headers} == {"Bearer secret"}
    assert "river = arroyo" in json.loads(server.asked[0][2])["messages"][0]["content"]
    assert "secret" not in ran.err + json.dumps(record)
