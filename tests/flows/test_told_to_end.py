"""Runs that are told to end, stage after stage: by Ctrl-C, by a second one, by SIGTERM.

Each waits where its stage has made everything and committed nothing, delivered files too. The next goes on from there.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any, get_args

import pytest

from manifests.model import Stage
from tests.quick import MANIFEST, Gates, talk

pytestmark = pytest.mark.slow


WAYS = ("Ctrl-C", "SIGTERM", "Ctrl-C twice", "SIGTERM twice")
"""Each stage is ended in one of these, in turn."""


def tell(process: subprocess.Popen[str], way: str) -> None:
    """End a run as a terminal or a service manager does; the second time while the first is still being obeyed."""
    for _ in range(2 if "twice" in way else 1):
        with suppress(ProcessLookupError):
            if way.startswith("Ctrl-C"):
                os.killpg(process.pid, signal.SIGINT)  # every process of the run
            else:
                process.terminate()
        time.sleep(0.1)


def course(folder: Path) -> Path:
    """A manifest of one lesson."""
    folder.mkdir()
    talk(folder / "one.mp4", ("Plants turn the light of the sun into energy.", "It happens in the green leaves."))
    (folder / "course.yaml").write_text(MANIFEST, encoding="utf-8")
    return folder / "course.yaml"


def made(manifest: Path) -> tuple[dict[str, Any], list[str], str]:
    """What a course came to: of the record what must not depend on disturbances, the files, the subtitles."""
    out = manifest.parent / "out/leaves"
    record = json.loads((out / "one.es.dub.json").read_text(encoding="utf-8"))
    facts = {name: record[name] for name in ("state", "lines", "timing", "loudness", "problems")}
    return (
        facts,
        sorted(str(path.relative_to(out.parent)) for path in out.parent.rglob("*")),
        (out / "one.es.srt").read_text(encoding="utf-8"),
    )


def test_a_run_that_is_told_to_end_stage_after_stage_is_gone_on_with(dub: Any, tmp_path: Path) -> None:
    """In each of the ten, once or twice: exit code 130, the command that goes on, nobody left at work, nothing in
    scratch, no half file to be seen; what comes of it in the end is what an undisturbed run makes."""
    gates = Gates(tmp_path / "gates")
    manifest = course(tmp_path / "disturbed")
    for stage, way in zip(get_args(Stage), cycle(WAYS)):
        gates.close(stage)
        with dub.under_way(tmp_path / f"{stage}.log", "run", manifest, **gates.environment) as run:
            gates.reached(stage, run.process)
            tell(run.process, way)
            assert run.ends(60) == 130, f"{stage}, {way}: {run.said}"
            said = run.said.splitlines()
            assert said[-1] == f"Interrupted. What is finished is kept; go on with: dub run {manifest}", (stage, way)
            assert [row.split()[1] for row in said if row.endswith("  cached")].count(stage) == 0
            assert "Traceback" not in run.said
            assert "failed" not in run.said
            assert run.left_behind() == []
        gates.open(stage)
        # The last one has looked at the finished file and given it out: whole, or not at all.
        assert list((manifest.parent / "out").glob("leaves/*.mp4")) == [] or stage == "verify"
    tidy = dub("run", manifest, **gates.environment)
    assert tidy.code == 0, tidy.err
    assert not list((manifest.parent / ".dub/store/tmp").glob("*"))
    calm = course(tmp_path / "undisturbed")
    assert dub("run", calm, **gates.environment).code == 0
    assert made(manifest) == made(calm)


def test_a_second_ctrl_c_ends_the_run_at_once(dub: Any, tmp_path: Path) -> None:
    """Whatever the first one still waits for, here somebody who is told by mail and does not answer."""
    gates = Gates(tmp_path / "gates")
    manifest = course(tmp_path / "course")
    gates.close("split")
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        dub.under_way(
            tmp_path / "log",
            "run",
            manifest,
            **gates.environment,
            DUB_NOTIFY=f"json://127.0.0.1:{deaf.getsockname()[1]}/?rto=600",
        ) as run,
    ):
        gates.reached("split", run.process)
        os.killpg(run.process.pid, signal.SIGINT)
        run.until("Interrupted. What is finished is kept")
        with pytest.raises(subprocess.TimeoutExpired):
            run.ends(2)
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.ends(60) == 130
        assert run.left_behind() == []
    gates.open("split")
