"""Services on loopback that speak their documented APIs: a server of answers, a speech server, the vendors."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Say = Callable[[str], Sound]
"""Says a text: mono, 24 kHz."""

TONE = (0.3 * np.sin(np.arange(24_000) * 2 * np.pi * 220 / 24_000)).astype(np.float32)


def wav(samples: np.ndarray = TONE, rate: int = 24_000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def tone(text: str) -> Sound:
    """One second that is no speech, whatever the text."""
    return TONE


def spanish(text: str) -> Sound:
    """A text as espeak-ng says it in Spanish."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["espeak-ng", "-v", "es", "-w", str(path), text], check=True, timeout=30)
        sound, rate = soundfile.read(path, dtype="float32")
    return soxr.resample(sound, rate, 24_000).astype(np.float32)


Answer = tuple[int, str, bytes]


class Loopback:
    """A server whose answers are a function of what is asked; it remembers every question."""

    def __init__(self, answer: Callable[[str, str, bytes], Answer]) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.asked.append((self.command, self.path, body))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, kind, said = answer(self.command, self.path, body)
                try:
                    self.send_response(status)
                    self.send_header("content-type", kind)
                    self.send_header("content-length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)
                except OSError:
                    pass  # whoever asked did not wait

            do_GET = do_POST = do_DELETE = _handle

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def speech_api(say: Say) -> Callable[[str, str, bytes], Answer]:
    """`POST /v1/audio/speech`: whatever it is asked for, in the one voice that it has."""
    return lambda _method, _path, body: (200, "audio/wav", wav(say(json.loads(body)["input"])))


class Eleven:
    """Voices and speech as ElevenLabs documents them."""

    def __init__(self, say: Say = tone, verifies: bool = False) -> None:
        self.voices: set[str] = set()
        self._say, self._verifies = say, verifies

    def __call__(self, method: str, path: str, body: bytes) -> Answer:
        if path == "/v1/voices/add":
            self.voices.add("v1")
            made = {"voice_id": "v1", "requires_verification": self._verifies}
            return 200, "application/json", json.dumps(made).encode()
        if path.startswith("/v1/text-to-speech/v1?output_format=pcm_24000") and "v1" in self.voices:
            assert json.loads(body)["model_id"] == "eleven_multilingual_v2"
            return 200, "audio/pcm", (self._say(json.loads(body)["text"]) * 32767).astype("<i2").tobytes()
        if path == "/v1/voices/v1" and "v1" in self.voices:
            if method == "DELETE":
                self.voices.remove("v1")
            return 200, "application/json", b'{"status": "ok"}'
        return 404, "application/json", b'{"detail": {"status": "voice_not_found"}}'


class Mini:
    """The same as MiniMax documents them."""

    def __init__(self, say: Say = tone) -> None:
        self.voices: list[str] = []
        self.files: list[int] = []
        self._say = say

    def __call__(self, method: str, path: str, body: bytes) -> Answer:
        fine: dict[str, Any] = {"base_resp": {"status_code": 0, "status_msg": "success"}}
        if path == "/v1/files/upload":
            assert b"voice_clone" in body
            self.files.append(11)
            return self._said(fine | {"file": {"file_id": 11}})
        asked = json.loads(body)
        match path:
            case "/v1/voice_clone":
                assert asked["file_id"] in self.files
                self.voices.append(asked["voice_id"])
            case "/v1/files/delete":
                self.files.remove(asked["file_id"])
            case "/v1/t2a_v2":
                if asked["voice_setting"]["voice_id"] not in self.voices:
                    return self._said({"base_resp": {"status_code": 2013, "status_msg": "voice id not exist"}})
                buffer = io.BytesIO()
                soundfile.write(buffer, self._say(asked["text"]), 24_000, format="FLAC")
                fine["data"] = {"audio": buffer.getvalue().hex(), "status": 2}
            case "/v1/delete_voice":
                self.voices.remove(asked["voice_id"])
            case "/v1/get_voice":
                fine["voice_cloning"] = [{"voice_id": name} for name in self.voices]
            case _:
                return 404, "text/plain", b"?"
        return self._said(fine)

    @staticmethod
    def _said(value: dict[str, Any]) -> Answer:
        return 200, "application/json", json.dumps(value).encode()


VENDORS: dict[str, tuple[type[Any], str]] = {
    "elevenlabs": (Eleven, "ELEVENLABS_API_KEY"),
    "minimax": (Mini, "MINIMAX_API_KEY"),
}


def chat_api(known: Mapping[str, str]) -> Callable[[str, str, bytes], Answer]:
    """`POST /v1/chat/completions`: what is known of the lines that are asked for, in three lengths that are one."""

    def answer(_method: str, path: str, body: bytes) -> Answer:
        if path != "/v1/chat/completions":
            return 404, "application/json", b'{"error": {"message": "not found"}}'
        lines = json.loads(json.loads(body)["messages"][1]["content"])["lines"]
        said = {name: dict.fromkeys(("full", "shorter", "shortest"), known[text]) for name, text in lines.items()}
        content = json.dumps({"lines": said}, ensure_ascii=False)
        whole = {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
        }
        return 200, "application/json", json.dumps(whole).encode()

    return answer
