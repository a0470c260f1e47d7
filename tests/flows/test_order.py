"""What a run was asked to do, said again as a command."""

from pathlib import Path
from typing import Any

import pytest

from flows.order import Order


@pytest.mark.parametrize(
    ("asked", "typed"),
    [
        ({}, "dub run /c/course.yaml"),
        ({"only": ("one", "two:es"), "refresh": True}, "dub run /c/course.yaml --only one --only two:es --refresh"),
        ({"force": {"mix", "split"}}, "dub run /c/course.yaml --force split --force mix"),
        ({"only": ("one",), "force": {"remux", "verify"}}, "dub rerun /c/course.yaml one --from remux"),
        (
            {"only": ("one:es",), "lines": ("3", "7", "8"), "force": {"synthesize"}},
            "dub rerun /c/course.yaml one:es --lines 3,7,8",
        ),
        (
            {"only": ("one:es",), "lines": ("3",), "force": {"translate", "synthesize"}},
            "dub rerun /c/course.yaml one:es --from translate --lines 3",
        ),
        (
            {"workspace": Path("/srv/w"), "out": "/my out", "profile": "studio"},
            "dub run /c/course.yaml --profile studio --out '/my out' --workspace /srv/w",
        ),
        ({"out": "s3://bucket/path"}, "dub run /c/course.yaml --out s3://bucket/path"),
    ],
)
def test_what_goes_on_is_what_was_asked(monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], typed: str) -> None:
    """Typed after an interruption it does the rest of the same, in the same places, and again what was to be again."""
    monkeypatch.delenv("DUB_WORKSPACE", raising=False)
    assert Order(**({"manifest": Path("/c/course.yaml"), "workspace": Path("/c/.dub")} | asked)).resume == typed
