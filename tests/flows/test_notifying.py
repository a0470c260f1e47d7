"""Who is told how a run went: a webhook and a mail server on loopback, and runs that end in a failed lesson."""

import json
import re
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent."""

    got: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as one mail needs."""

    got: list[str]

    def handle(self) -> None:
        self.answer("220 here")
        lines = iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), "QUIT")
        for line in lines:
            if line.upper() == "DATA":
                self.answer("354 go on")
                self.got.append("\n".join(iter(lambda: next(lines), ".")))
            self.answer("250 fine")
            if line.upper().startswith("QUIT"):
                return
        self.answer("221 bye")

    def answer(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


def serve(server: Any, handler: Any) -> Iterator[tuple[int, list[Any]]]:
    got: list[Any] = []
    with server(("127.0.0.1", 0), type("Keeping", (handler,), {"got": got})) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1], got
        running.shutdown()


@pytest.fixture
def hook() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    yield from serve(ThreadingHTTPServer, Hook)


@pytest.fixture
def mailbox() -> Iterator[tuple[int, list[str]]]:
    yield from serve(socketserver.ThreadingTCPServer, Mailbox)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A course of one lesson that is damaged."""
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    path = tmp_path / "course.yaml"
    path.write_text("course: biology\ntargets: [es]\nlessons: [{media: broken.wav}]\n")
    return path


def test_a_webhook_and_a_mail_tell_the_same(dub: Callable[..., Any], manifest: Path, hook: Any, mailbox: Any) -> None:
    """Counts, what failed and why, the command that mends it, and where the report lies; the run's own result is as
    ever."""
    addresses = f"json://127.0.0.1:{hook[0]}/dub mailto://127.0.0.1:{mailbox[0]}"
    addresses += "?from=dub@example.org&to=ops@example.org&mode=insecure"
    ran = dub("run", manifest, "--json", "--report", DUB_NOTIFY=addresses)
    assert ran.code == 3, ran.err
    assert ran.json["targets"][0]["state"] == "failed"
    [sent], [raw] = hook[1], mailbox[1]
    report = manifest.parent / "out/biology/report.html"
    assert f"dub rerun {manifest} --failed" in report.read_text(encoding="utf-8")
    assert sent["report"] == ran.json["report"] == str(report)
    assert f"The report: {report}" in sent["message"].splitlines()
    assert f"The report: {report}" in ran.err.splitlines()
    assert sent["title"] == "dub biology: 1 failed"
    assert sent["type"] == "warning"
    assert sent["counts"] == {"failed": 1}
    assert sent["targets"][0]["target"] == "broken:es"
    assert "broken.wav" in sent["targets"][0]["reason"]
    assert sent["next"][0]["command"] == f"dub rerun {manifest} --failed"
    mail = message_from_string(raw)
    assert (mail["To"], mail["Subject"], mail.get_content_type()) == ("ops@example.org", sent["title"], "text/plain")
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert [line.rstrip() for line in body.decode().splitlines()] == [
        line.rstrip() for line in sent["message"].splitlines()
    ]
    assert f"  dub rerun {manifest} --failed" in sent["message"].splitlines()


def test_what_cannot_be_told_is_said_and_changes_nothing(dub: Callable[..., Any], manifest: Path) -> None:
    """A server that is away, an address that nobody knows: two sentences, the same exit code, and no password."""
    addresses = "json://user:geheim@127.0.0.1:9/dub nosuch://geheim@there"
    ran = dub("run", manifest, "--json", DUB_NOTIFY=addresses)
    assert ran.code == 3
    assert [target["state"] for target in ran.json["targets"]] == ["failed"]
    said = [line for line in ran.err.splitlines() if line.startswith("Not told: ")]
    assert len(said) == 2
    assert re.match(r"Not told: json://user:\*\*\*\*@127\.0\.0\.1:9/dub: .*127\.0\.0\.1", said[0])
    assert said[1].startswith("Not told: address 2 of `notify`, nosuch://…, is not understood.")
    assert "geheim" not in ran.err + ran.out


def test_a_report_that_cannot_be_written_is_said_and_changes_nothing(
    dub: Callable[..., Any], manifest: Path, hook: Any
) -> None:
    """A folder lies in its place: the run ends as it would have, is told of without it, and says how to write one."""
    (manifest.parent / "out/biology/report.html").mkdir(parents=True)
    ran = dub("run", manifest, "--json", "--report", DUB_NOTIFY=f"json://127.0.0.1:{hook[0]}/")
    assert (ran.code, "report" in ran.json) == (3, False), ran.err
    [said] = [line for line in ran.err.splitlines() if "The report" in line]
    assert said.startswith(f"The report was not written: {manifest.parent}/out/biology/report.html is a folder.")
    assert said.endswith(f"To write it: dub report {manifest}")
    assert (hook[1][0]["report"], hook[1][0]["counts"]) == ("", {"failed": 1})
    without = dub("run", manifest)
    assert f"To see and hear it all on one page: dub report {manifest}" in without.err.splitlines()
    assert without.err.splitlines()[-1].endswith(f"dub rerun {manifest} --failed")


def test_a_run_that_cannot_go_on_is_told_too(dub: Callable[..., Any], manifest: Path, hook: Any) -> None:
    """A workspace that takes nothing: the night's silence would be worse."""
    (manifest.parent / ".dub").mkdir()
    (manifest.parent / ".dub/store").write_text("not a folder")
    ran = dub("run", manifest, DUB_NOTIFY=f"json://127.0.0.1:{hook[0]}/")
    assert ran.code == 3
    [sent] = hook[1]
    assert sent["title"] == "dub biology: the run stopped"
    assert ".dub/store" in sent["stopped"]
    assert sent["next"][0]["command"] == f"dub run {manifest}"


@pytest.mark.slow
def test_a_run_that_is_told_to_end_is_told_of(dub: Any, lecture: Any, tmp_path: Path, hook: Any) -> None:
    """SIGTERM in the middle of it: whoever waits for the result hears that there is none, and how to go on."""
    manifest = tmp_path / "course.yaml"
    manifest.write_text(f"course: biology\ntargets: [es]\nlessons: [{{media: {lecture.path.name}}}]\n")
    shutil.copyfile(lecture.path, tmp_path / lecture.path.name)
    environment = dub.environment | {"DUB_NOTIFY": f"json://127.0.0.1:{hook[0]}/"}
    command = [str(Path(sys.executable).with_name("dub")), "run", str(manifest)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        for line in run.stderr:
            if "  split  " in line:
                break
        run.terminate()
        said = run.stderr.read()
        assert run.wait(120) == 130, said
    [sent] = hook[1]
    assert (sent["title"], sent["stopped"]) == ("dub biology: the run stopped", "The run was interrupted.")
    assert sent["next"][0]["command"] == f"dub run {manifest}"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise, when it loads its mailer
def test_only_trouble_is_told_where_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Any) -> None:
    """`when = "trouble"` in the user's own settings."""
    from flows.notifying import notify, summary
    from flows.order import Order
    from manifests import settings
    from manifests.target_row import TargetRow

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("DUB_NOTIFY", raising=False)
    own = settings.personal_file()
    own.parent.mkdir()
    own.write_text(f'[notify]\nto = ["json://127.0.0.1:{hook[0]}/"]\nwhen = "trouble"\n')
    order = Order(manifest=tmp_path / "course.yaml", workspace=tmp_path)
    notify(summary(order, "biology", [TargetRow("biology", "one", "es", "done")]), tmp_path)
    assert hook[1] == []
    notify(summary(order, "biology", [TargetRow("biology", "one", "es", "review", output="/o/one.mp4")]), tmp_path)
    assert [sent["title"] for sent in hook[1]] == ["dub biology: 1 review"]
    assert "/o/one.mp4" in hook[1][0]["message"]


def test_a_log_for_programs_is_json_to_the_last_line(dub: Callable[..., Any], manifest: Path) -> None:
    """One object an event: when, how grave, of which lesson, language and stage; the last is how it ended."""
    ran = dub("run", manifest, "--log-format", "json", PREFECT_LOGGING_LEVEL="INFO")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert all({"time", "level", "event"} <= event.keys() for event in events)
    [started] = [event for event in events if event["event"] == "started"]
    assert (started["lesson"], started["stage"]) == ("broken", "split")
    [failed] = [event for event in events if event["event"] == "failed"]
    assert (failed["level"], failed["lesson"], failed["stage"]) == ("error", "broken", "split")
    assert "broken.wav" in failed["message"]
    assert (events[-1]["event"], events[-1]["code"], events[-1]["counts"]) == ("ended", 3, {"failed": 1})
    mistaken = dub("run", manifest.with_name("nowhere.yaml"), DUB_LOG_FORMAT="json")
    [ended] = [json.loads(line) for line in mistaken.err.splitlines()]
    assert (mistaken.code, ended["event"], ended["code"]) == (2, "ended", 2)
    odd = dub("run", manifest, "--log-format", "xml")
    assert (odd.code, odd.err) == (2, "dub: there is no log format 'xml'. There are `text` and `json`.\n")


def test_status_counts_and_says_what_to_type(dub: Callable[..., Any], manifest: Path) -> None:
    """At a glance, for a person and for a program."""
    before = dub("status", manifest)
    assert before.out.splitlines()[-3:] == [
        "1 targets: 1 new",
        "1 target is still to be made.",
        f"dub run {manifest}",
    ]
    assert dub("run", manifest).code == 3
    told = dub("status", manifest, "--json").json
    assert told["counts"] == {"failed": 1}
    assert [step["command"] for step in told["next"]] == [f"dub rerun {manifest} --failed"]
    assert dub("status", manifest).out.splitlines()[-1] == f"dub rerun {manifest} --failed"
