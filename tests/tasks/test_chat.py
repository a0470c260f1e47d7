"""The chat engine against a real server on loopback that answers well, badly, late or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from manifests.errors import DubError, EngineUnavailable, InputError, StageFailed
from tasks.engines.chat import KEY, Chat
from tasks.engines.protocols import Translated, Translating

Answer = tuple[int, bytes]


def completion(lines: Any) -> Answer:
    usage = {"prompt_tokens": 100, "completion_tokens": 50}
    content = "```json\n" + json.dumps({"lines": lines}) + "\n```"
    return 200, json.dumps({"choices": [{"message": {"content": content}}], "usage": usage}).encode()


def upper(asked: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"full": text.upper(), "shorter": text.upper()[:-1], "shortest": "X"} for name, text in asked.items()}


class Server:
    """Answers each request with what `answer` makes of its number and its lines; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: Callable[[int, dict[str, str]], Answer | None] = lambda number, lines: completion(upper(lines))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(body)
                outer.keys.append(self.headers.get("Authorization"))
                made = outer.answer(len(outer.asked), json.loads(body["messages"][1]["content"])["lines"])
                if made is None:
                    time.sleep(1.5)
                    return
                self.send_response(made[0])
                self.end_headers()
                self.wfile.write(made[1])

            def log_message(self, format: str, *args: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def say(self, *texts: str, **options: Any) -> list[Translated]:
        wanted = Translating("en", "es", "chat", "tiny", {"url": self.url, "tries": 2, **options}, (("leaf", "hoja"),))
        return Chat().translate(texts, wanted, cores=1, tell=lambda share: None)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def test_lines_go_in_batches_and_come_back_in_three_lengths(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """With context, terms and a key; signs are not sent; tokens and their price are counted once a batch."""
    monkeypatch.setenv(KEY, "secret")
    said = server.say("one.", "42", "two.", "three.", batch=2, price_in=10, price_out=20)
    assert [each.text for each in said] == ["ONE.", "42", "TWO.", "THREE."]
    assert said[0].hypotheses == ("ONE", "X")
    assert [each.tokens for each in said] == [(100, 50), (0, 0), (0, 0), (100, 50)]
    assert said[0].cost == pytest.approx(0.002)
    assert server.keys == ["Bearer secret"] * 2
    first, second = server.asked
    assert (first["temperature"], first["model"]) == (0, "tiny")
    assert "leaf = hoja" in first["messages"][0]["content"]
    assert json.loads(second["messages"][1]["content"])["before"] == ["42", "two."]


def test_a_line_that_is_missing_is_asked_again_alone(server: Server) -> None:
    """The others stand; one that stays missing fails the stage by its words."""
    server.answer = lambda number, lines: completion(upper({k: v for k, v in lines.items() if number > 1 or k != "1"}))
    assert [each.text for each in server.say("one.", "two.", "three.")] == ["ONE.", "TWO.", "THREE."]
    assert [json.loads(body["messages"][1]["content"])["lines"] for body in server.asked[1:]] == [{"1": "two."}]
    server.answer = lambda number, lines: completion({"0": {"full": 7}})
    with pytest.raises(StageFailed, match=r"tiny gave no translation of 'one\.', twice"):
        server.say("one.")


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        ((500, b"boom"), EngineUnavailable, "answers 500, 2 times"),
        ((429, b""), EngineUnavailable, "answers 429, 2 times"),
        ((401, b""), EngineUnavailable, "refuses the key"),
        ((404, b"no such model"), EngineUnavailable, "answers 404: no such model"),
        ((200, b"<html>Welcome</html>"), StageFailed, "no translation"),
        ((200, b'{"choices": [{"mess'), StageFailed, "no translation"),
        ((200, b""), StageFailed, "no translation"),
        (None, EngineUnavailable, "did not answer within 1 s, 2 times"),
    ],
)
def test_a_bad_server_is_named(server: Server, bad: Answer | None, error: type[DubError], says: str) -> None:
    """Broken, busy, closed, HTML, half of an answer, silence, a hang: never a traceback, never a made-up line."""
    server.answer = lambda number, lines: bad
    with pytest.raises(error, match=says):
        server.say("one.", timeout=1)


def test_a_server_that_recovers_is_waited_for(server: Server) -> None:
    """One failure is none."""
    server.answer = lambda number, lines: (503, b"") if number == 1 else completion(upper(lines))
    assert server.say("one.")[0].text == "ONE."


def test_what_the_manifest_says_is_checked() -> None:
    """A model and an address are needed, options are known by name, and a key in the address is refused."""
    for model, options, says in (
        (None, {"url": "http://a/v1"}, "needs a model"),
        ("m", {}, "needs a model and the address"),
        ("m", {"url": "http://a/v1", "heat": 1}, "no option 'heat'"),
        ("m", {"url": "http://a/v1", "batch": 0}, "batch of chat is 0"),
        ("m", {"url": "http://me:secret@a/v1"}, "holds a key"),
    ):
        with pytest.raises(InputError, match=says):
            Chat().check(Translating("en", "es", "chat", model, options))


def test_nobody_there_is_told() -> None:
    """A closed port."""
    wanted = Translating("en", "es", "chat", "m", {"url": "http://127.0.0.1:9/v1", "tries": 1})
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        Chat().translate(["one."], wanted, cores=1, tell=lambda share: None)
