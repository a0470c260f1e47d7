"""`dub models`: what a course needs, fetched from a hub that the test runs, whole or named with what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

DUB = Path(sys.executable).with_name("dub")
TINY = "faster-whisper-tiny"
COMMUNITY = "speaker-diarization-community-1"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Speaks what huggingface_hub asks for: a repository's facts, and its files, from any byte on."""

    files: dict[str, bytes]
    breaks: int = 0
    """So many transfers of a large file break off half way."""
    gated: bool = False
    tampered: bool = False
    ranges: list[str] = field(default_factory=list)
    """The ranges that were asked for."""
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    def facts(self, repository: str) -> dict[str, Any]:
        siblings = []
        for name, data in self.files.items():
            said: dict[str, Any] = {"rfilename": name, "size": len(data)}
            if is_large(name):
                sha256 = hashlib.sha256(data).hexdigest()
                said["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 130}
            said["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - as git does
            siblings.append(said)
        return {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings, "tags": []}


def is_large(name: str) -> bool:
    return name.endswith((".bin", ".npz"))


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            hub.tokens.append(self.headers.get("Authorization", ""))
            if found := re.match(r"/api/models/([^/]+/[^/]+)/revision/", self.path):
                self.send(200, json.dumps(hub.facts(found[1])).encode(), {"Content-Type": "application/json"})
                return
            if hub.gated:
                self.send(403 if hub.tokens[-1] else 401, b"", {"X-Error-Code": "GatedRepo"})
                return
            name = self.path.split(f"/resolve/{COMMIT}/")[1]
            data = hub.files[name]
            etag = hashlib.sha256(data).hexdigest() if is_large(name) else hub_blob(data)
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if hub.tampered and is_large(name):
                data = b"\1" + data[1:]
            first, status = 0, 200
            if asked := self.headers.get("Range"):
                hub.ranges.append(asked)
                first, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
                headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self.send(status, data[first:], headers, body=body, name=name)

        def send(self, status: int, data: bytes, headers: dict[str, str], *, body: bool = True, name: str = "") -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if not body:
                return
            if hub.breaks and len(data) > 1_000_000:
                hub.breaks -= 1
                data = data[: len(data) // 2 + 1]
            self.wfile.write(data)

    return Handler


def hub_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - as git does


WHISPER = {
    "config.json": b"{}",
    "model.bin": bytes(range(256)) * 100_000,  # above the ten megabytes that are written at once
    "tokenizer.json": b'{"model": {}}',
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"not wanted",
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    served = Hub(dict(WHISPER))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(served))
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


class Models:
    """`dub models` with a folder of its own and the test's hub; HF_HUB_OFFLINE is set, as operators set it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("DUB_", "HF_", "PREFECT_"))
        } | {"DUB_MODELS": str(folder), "HF_ENDPOINT": url, "HF_HUB_OFFLINE": "1", "HOME": str(folder.parent)}

    def __call__(self, *arguments: object, **environment: str) -> Ran:
        done = subprocess.run(
            [str(DUB), "models", *map(str, arguments)],
            capture_output=True, text=True, timeout=300, env=self.environment | environment, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def models(tmp_path: Path, hub: Hub) -> Models:
    return Models(tmp_path / "models", hub.url)


def test_a_model_is_fetched_verified_and_missed_when_it_changes(models: Models, hub: Hub) -> None:
    """Only what the engine needs; fetched once; a changed byte is found, and mended by another pull."""
    done = models("pull", TINY, "--json")
    assert (done.code, json.loads(done.out)["models"][0]["state"]) == (0, "fetched"), done.err
    folder = models.folder / TINY
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.txt",
    ]
    receipt = json.loads((folder / ".dubflow.json").read_text(encoding="utf-8"))
    assert receipt["source"] == "Systran/faster-whisper-tiny"
    assert receipt["revision"] == COMMIT
    assert receipt["files"]["model.bin"] == hashlib.sha256(WHISPER["model.bin"]).hexdigest()
    assert models("verify").out == f"{TINY}: whole\n"
    (folder / "model.bin").write_bytes(b"\1" + WHISPER["model.bin"][1:])
    broken = models("verify")
    assert (broken.code, broken.out) == (
        4,
        f"{TINY}: broken; model.bin is not what was fetched\ndub models pull {TINY}\n",
    )
    assert models("pull", TINY).code == 0
    assert models("verify").code == 0


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(models: Models, hub: Hub) -> None:
    """More breaks than one command puts up with: the next one asks for the rest alone."""
    hub.breaks = 3
    broken = models("pull", TINY)
    assert broken.code == 3
    assert f"dub models pull {TINY} goes on where it stopped" in broken.err
    done = models("pull", TINY)
    assert done.code == 0, done.err
    assert hub.ranges
    assert all(int(asked.removeprefix("bytes=").rstrip("-")) >= 10_000_000 for asked in hub.ranges)
    assert (models.folder / TINY / "model.bin").read_bytes() == WHISPER["model.bin"]


def test_what_does_not_arrive_as_its_checksum_says_is_not_kept(models: Models, hub: Hub) -> None:
    """A proxy that mends and a disk that forgets are found out at once."""
    hub.tampered = True
    done = models("pull", TINY)
    assert done.code == 3
    assert "model.bin of Systran/faster-whisper-tiny did not arrive as its checksum says" in done.err
    assert not (models.folder / TINY / "model.bin").exists()


@pytest.mark.parametrize(
    ("token", "said"), [("", "HF_TOKEN holds no token"), ("hf_secret", "HF_TOKEN is set, but its owner has")]
)
def test_a_gated_model_says_where_its_terms_are_accepted(models: Models, hub: Hub, token: str, said: str) -> None:
    """Others are fetched all the same, and the token is not shown."""
    hub.files = WHISPER | dict.fromkeys(("config.yaml", "embedding/pytorch_model.bin"), b"x")
    hub.gated = True
    done = models("pull", COMMUNITY, **({"HF_TOKEN": token} if token else {}))
    assert done.code == 3
    assert said in done.err
    assert "https://huggingface.co/pyannote/speaker-diarization-community-1" in done.err
    assert "hf_secret" not in done.err
    assert f"Bearer {token}" in hub.tokens if token else not any(hub.tokens)


def test_without_a_network_the_command_says_what_else_helps(models: Models) -> None:
    """Nothing listens there: no traceback, and the folder can be copied."""
    done = models("pull", TINY, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.code == 3
    assert "could not be fetched" in done.err
    assert "or copy the folder from another machine" in done.err
    assert "Traceback" not in done.err


def test_a_course_names_what_its_engines_need(models: Models, tmp_path: Path) -> None:
    """Its languages' aligner, sizes, licences, terms; by the manifest, in one list and one command."""
    manifest = tmp_path / "course.yaml"
    manifest.write_text(
        "course: leaves\nsource_language: pt\ntargets: [es]\nlessons: [{media: a.mp4}]\n"
        "engines: {diarize: pyannote-community-1, transcribe: whisperx}\ndelivery: {background: separate}\n",
        encoding="utf-8",
    )
    (tmp_path / "a.mp4").write_bytes(b"")
    listed = json.loads(models("list", manifest, "--json").out)
    assert [(model["name"], model["state"]) for model in listed["models"]] == [
        (COMMUNITY, "no"),
        ("faster-whisper-large-v3", "no"),
        ("wav2vec2-large-xlsr-53-portuguese", "no"),
        ("hdemucs", "no"),
    ]
    assert listed["models"][0]["terms"] == "https://huggingface.co/pyannote/speaker-diarization-community-1"
    assert listed["models"][1]["licence"] == "MIT"
    shown = " ".join(models("list", manifest).out.split())
    assert f"dub models pull {COMMUNITY} faster-whisper-large-v3 wav2vec2-large-xlsr-53-portuguese hdemucs" in shown


def test_a_folder_that_was_copied_is_as_good(models: Models) -> None:
    """Machines that are offline: nothing is asked of the network, and nothing is compared that was never noted."""
    folder = models.folder / TINY
    folder.mkdir(parents=True)
    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes(WHISPER[name])
    assert models("pull", TINY, HF_ENDPOINT="http://127.0.0.1:9").code == 0
    assert models("verify").out == f"{TINY}: there, with no checksums to compare\n"


@pytest.mark.parametrize("arguments", [("pull",), ("pull", "nonsense"), ("verify", "nonsense")])
def test_a_name_that_is_none_is_a_mistake_of_the_command_line(models: Models, arguments: tuple[str, ...]) -> None:
    """And says which command lists them."""
    done = models(*arguments)
    assert done.code == 2
    assert "dub models list names them" in done.err
