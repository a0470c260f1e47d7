"""Another version of an engine: nothing is done again for it unless that is asked for, and then only what it made."""

import json
import os
from pathlib import Path

import pytest

from tests.flows.conftest import Dub, Ran

NEWER = """#!/bin/sh
[ "$1" = --version ] && {{ echo "eSpeak NG text-to-speech: 9.9.9"; exit; }}
exec {real} "$@"
"""

TARGET = "lesson-02-light:ca"


@pytest.fixture
def newer(tmp_path: Path) -> dict[str, str]:
    """An environment in which espeak-ng is of version 9.9.9 and speaks as it did."""
    real = next(Path(folder) / "espeak-ng" for folder in os.get_exec_path() if (Path(folder) / "espeak-ng").is_file())
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/espeak-ng"
    program.write_text(NEWER.format(real=real))
    program.chmod(0o755)
    return {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.slow
def test_another_version_of_an_engine_marks_what_it_made_and_refresh_makes_that_anew(
    demo: tuple[Path, Ran], dub: Dub, newer: dict[str, str]
) -> None:
    """Plan, status and report say so with the reason; a run leaves it; `--refresh` does clone and synthesize again,
    every take too, and nothing that follows from the same sound."""
    manifest = demo[0] / "course.yaml"
    takes = {path: path.read_bytes() for path in (demo[0] / ".dub/store/commits/take").iterdir()}

    [plan] = dub("plan", manifest, "--only", TARGET, "--json", **newer).json["targets"]
    assert plan["state"] == "cached"
    assert plan["stale"].keys() == {"clone", "synthesize"}
    assert plan["stale"]["synthesize"].endswith(", and 9.9.9 is here")
    table = dub("plan", manifest, "--only", TARGET, **newer).out
    assert "cached       0.6  clone is stale: made by espeak-ng " in table
    assert "1 stale, and left as they are; `dub run --refresh` does them again" in table
    assert dub("run", manifest, PREFECT_API_URL="http://127.0.0.1:9/api", **newer).code == 0
    for command in ("status", "report"):
        told = dub(command, manifest, "--json", **newer).json
        of_target = {f"{each['lesson']}:{each['language']}": each.get("stale") for each in told["targets"]}
        assert of_target[TARGET] == plan["stale"]
        assert told["next"][-1]["command"] == f"dub run {manifest} --refresh"
        assert told["next"][-1]["why"].startswith("4 targets are stale: clone was made by espeak-ng ")

    [plan] = dub("plan", manifest, "--only", TARGET, "--refresh", "--json", **newer).json["targets"]
    assert [name for name, step in plan["stages"].items() if step["state"] == "run"][:2] == ["clone", "synthesize"]
    assert plan["stages"]["clone"]["why"].startswith("stale: made by espeak-ng ")
    ran = dub("run", manifest, "--only", TARGET, "--refresh", "--json", **newer)
    assert ran.code == 0, ran.err
    [target] = ran.json["targets"]
    assert [name for name, step in target["stages"].items() if not step["cached"]] == ["clone", "synthesize"]
    assert "stale" not in target
    anew = [path for path, before in takes.items() if path.read_bytes() != before]
    assert {json.loads(path.read_bytes())["engine"]["version"] for path in anew} == {"9.9.9"}
    assert anew

    back = dub("run", manifest, "--only", TARGET, "--refresh", "--json")
    assert back.code == 0, back.err
    assert "next" not in back.json
    assert not dub("status", manifest, "--json").json["next"]
