"""The command line itself: quick, light, helpful, one JSON document where one is asked for; and what Prefect shows."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.cli import app

pytestmark = pytest.mark.slow

COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)

HEAVY = {"prefect", "torch", "pandas", "scipy", "pyannote", "whisperx", "transformers"}

NOTEBOOK = """
import atexit, os, sys
def _write():
    with open(os.environ["LOADED"], "w") as out:
        out.write("\\n".join({name.partition(".")[0] for name in sys.modules}))
atexit.register(_write)
"""
"""A sitecustomize module: when the process ends, it writes down the packages it loaded."""


@pytest.fixture
def loaded(dub, tmp_path) -> Callable[..., tuple[Any, set[str]]]:
    """Run `dub` and tell which packages it loaded."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(NOTEBOOK)

    def run(*arguments: object) -> tuple[Any, set[str]]:
        notes = tmp_path / "loaded"
        path = os.pathsep.join(filter(None, (str(tmp_path / "hook"), os.environ.get("PYTHONPATH"))))
        ran = dub(*arguments, PYTHONPATH=path, LOADED=str(notes))
        packages = set(notes.read_text().split())
        assert "flows" in packages
        return ran, packages

    return run


@pytest.fixture(scope="module")
def course(dub, lecture, tmp_path_factory) -> Path:
    """A course of one good and one empty lesson, in Spanish and a language that nothing here speaks, run once.

    The manifest of the good lesson in Spanish alone, `good.yaml`, is run, too.
    """
    folder = tmp_path_factory.mktemp("observed")
    shutil.copyfile(lecture.path, folder / "good.mp4")
    (folder / "bad.mp4").touch()
    head = "source_language: en\nlessons:\n  - media: good.mp4\n"
    (folder / "all.yaml").write_text(f"course: observed\ntargets: [es, ja]\n{head}  - media: bad.mp4\n")
    (folder / "good.yaml").write_text(f"course: observed-well\ntargets: [es]\n{head}")
    (folder / "new.yaml").write_text(f"course: observed-never\ntargets: [es, ca]\n{head}")
    ran = dub("run", folder / "all.yaml")
    assert ran.code == 3, ran.err
    ran = dub("run", folder / "good.yaml")
    assert ran.code == 0, ran.err
    return folder


def test_help_answers_at_once(dub):
    """In under half a second of processor time, the best of three."""
    command = [str(Path(sys.executable).with_name("dub")), "--help"]
    took: list[float] = []
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dub.environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        took.append(usage.ru_utime + usage.ru_stime)
    assert min(took) < 0.6


def test_help_loads_nothing_heavy(loaded):
    """Neither Prefect nor torch nor any other of the big libraries."""
    ran, packages = loaded("--help")
    assert ran.code == 0
    assert packages & (HEAVY | {"numpy", "pydantic", "sqlalchemy"}) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(dub, command):
    """Its help shows a line that can be typed."""
    ran = dub(command, "--help")
    assert ran.code == 0
    assert f"dub {command}" in ran.out.partition("Example")[2]


def test_questions_start_nothing(course, loaded):
    """`plan`, `check` and `status` load none of the big libraries, whether a course is done or new."""
    for command, manifest in (("plan", "all"), ("plan", "new"), ("check", "good"), ("status", "all")):
        ran, packages = loaded(command, course / f"{manifest}.yaml")
        assert ran.code == 0, ran.err
        assert packages & HEAVY == set(), command


def test_a_run_with_nothing_to_do_starts_nothing(course, loaded):
    """It loads none of the big libraries, and says where the finished video is."""
    ran, packages = loaded("run", course / "good.yaml")
    assert ran.code == 0, ran.err
    assert packages & HEAVY == set()
    assert str(course / "out/observed-well/good.es.mp4") in "".join(ran.out.split())


def test_json_is_one_document_on_stdout(course, dub):
    """Every command that reports prints exactly one JSON document there, and all else on stderr."""
    states: dict[str, Any] = {}
    for command in ("run", "plan", "status"):
        told = dub(command, course / ("good.yaml" if command == "run" else "all.yaml"), "--json").json
        states[command] = {f"{target['lesson']}:{target['language']}": target["state"] for target in told["targets"]}
    assert states == {
        "run": {"good:es": "done"},
        "plan": {"good:es": "cached", "good:ja": "blocked", "bad:es": "run", "bad:ja": "blocked"},
        "status": {"good:es": "done", "good:ja": "blocked", "bad:es": "failed", "bad:ja": "failed"},
    }
    found = dub("check", course / "all.yaml", "--json").json
    assert [(finding["line"], finding["message"].endswith("is empty.")) for finding in found["findings"]] == [(6, True)]
    assert any("from en to ja" in block for block in found["blocked"])
    assert {"ffmpeg", "espeak-ng", "apertium", "disk"} <= {
        check["what"] for check in dub("doctor", "--json").json["checks"]
    }
    licences = dub("doctor", "--licences", "--json").json
    assert licences["espeak-ng"].startswith("GPL-3.0")
    assert licences["prefect 3.8.8"] == "Apache Software License"


def test_what_was_never_run_is_new(course, dub):
    """A status before the first run names every target, and the command that runs them."""
    told = dub("status", course / "new.yaml", "--json").json
    assert [(target["language"], target["state"]) for target in told["targets"]] == [("es", "new"), ("ca", "new")]
    assert dub("status", course / "new.yaml").out.splitlines()[-1] == f"dub run {course / 'new.yaml'}"


def test_prefect_shows_what_happened(course, prefect_url):
    """Flows of course, lesson and target, none green over a failed child; one table of lines a finished target."""
    runs = asked(prefect_url, "flow_runs", {"flow_runs": {"name": {"any_": ["observed", "observed-well"]}}})
    shown = {(None, run["name"]): run["state_type"] for run in runs}
    while runs:
        names = {run["id"]: run["name"] for run in runs}
        tasks = asked(prefect_url, "task_runs", {"flow_runs": {"id": {"any_": list(names)}}})
        parents = {task["id"]: names[task["flow_run_id"]] for task in tasks}
        runs = asked(prefect_url, "flow_runs", {"flow_runs": {"parent_task_run_id": {"any_": list(parents)}}})
        shown |= {(parents[run["parent_task_run_id"]], run["name"]): run["state_type"] for run in runs}
    assert shown == {
        (None, "observed"): "FAILED",
        ("observed", "good"): "FAILED",
        ("good", "good:es"): "COMPLETED",
        ("good", "good:ja"): "FAILED",
        ("observed", "bad"): "FAILED",
        (None, "observed-well"): "COMPLETED",
        ("observed-well", "good"): "COMPLETED",
    }
    tables = asked(prefect_url, "artifacts", {"limit": 200})
    mine = [table for table in tables if (table["key"] or "").startswith("observed")]
    assert sorted((table["key"], table["type"]) for table in mine) == [
        ("observed-good-es", "table"),
        ("observed-well-good-es", "table"),
    ]
    record = json.loads((course / "out/observed/good.es.dub.json").read_text(encoding="utf-8"))
    (rows,) = (json.loads(table["data"]) for table in mine if table["key"] == "observed-good-es")
    assert [(row["line"], row["start"]) for row in rows] == [
        (line["id"], line["placed"]["start"]) for line in record["lines"]
    ]


def asked(url: str, what: str, wish: dict[str, Any]) -> list[dict[str, Any]]:
    """What the Prefect server's REST API has of flow runs, task runs or artifacts."""
    answer = httpx.post(f"{url}/{what}/filter", json=wish, timeout=30).raise_for_status()
    return answer.json()


def test_an_address_of_outputs_holds_no_password(course, dub):
    """It would be written into records; it is refused, and not shown."""
    refused = dub("run", course / "course.yaml", "--out", "s3://key:geheim@bucket/path")
    assert (refused.code, refused.out) == (2, "")
    assert "holds no password and no key" in refused.err
    assert "geheim" not in refused.err
