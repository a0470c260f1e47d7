"""Where a target's files go when it was verified, on real files in real folders."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from manifests.approvals import Approval
from manifests.errors import StageFailed
from manifests.record import Problem
from tasks.releasing import covers, find_delivered, settle

NAME = "l.es"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "water"


def written(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def there(out: Path) -> dict[str, str]:
    base = out.parent
    return {str(path.relative_to(base)): path.read_text() for path in sorted(base.rglob("*")) if path.is_file()}


def test_a_target_that_passes_takes_its_place_over_the_earlier_one(out: Path) -> None:
    """The earlier video is replaced, its sidecar goes, and a lesson whose name begins alike is left alone."""
    review = out.parent / "review" / "water"
    files = {out / f"{NAME}{end}": written(review / f"{NAME}{end}", "new") for end in (".srt", ".mkv")}
    for name in (f"{NAME}.mkv", f"{NAME}.mkv.c2pa", f"{NAME}.ca.mkv"):
        written(out / name, "old")
    settle(files, out, NAME, waits=False)
    settle(files, out, NAME, waits=False)
    assert there(out) == {"water/l.es.ca.mkv": "old", "water/l.es.mkv": "new", "water/l.es.srt": "new"}


def test_a_target_that_waits_leaves_nothing_in_the_courses_folder(out: Path) -> None:
    """What was there before is put away with its record; an earlier version that waited is superseded."""
    review = out.parent / "review" / "water"
    files = {out / f"{NAME}.mp4": written(review / f"{NAME}.mp4", "new")}
    written(review / f"{NAME}.mkv", "waited")
    written(out / f"{NAME}.mp4", "good")
    written(out / f"{NAME}.dub.json", "its record")
    written(out / "l.ca.mp4", "another language")
    settle(files, out, NAME, waits=True)
    assert there(out) == {
        "review/water/l.es.mp4": "new",
        "water/l.ca.mp4": "another language",
        "withdrawn/water/l.es.dub.json": "its record",
        "withdrawn/water/l.es.mp4": "good",
    }


def test_a_stricter_gate_takes_a_released_target_back(out: Path) -> None:
    """The same files, once in their place, wait again."""
    files = {out / f"{NAME}.mp4": written(out / f"{NAME}.mp4", "made")}
    written(out / f"{NAME}.dub.json", "released")
    settle(files, out, NAME, waits=True)
    assert there(out) == {"review/water/l.es.mp4": "made"}
    settle(files, out, NAME, waits=False)
    assert there(out) == {"water/l.es.mp4": "made"}


def test_a_file_that_is_gone_is_said(out: Path) -> None:
    """Neither in its place nor held."""
    with pytest.raises(StageFailed, match=r"l\.es\.mp4 is gone"):
        find_delivered(out / "l.es.mp4", "0" * 64)


def test_an_approval_covers_what_it_names_and_nothing_else() -> None:
    """Not another content, and not a gate that passed when somebody listened."""
    loud, late = (Problem(stage="verify", gate=gate, message="x") for gate in ("loudness", "timing"))
    approval = Approval("l", "es", "c" * 64, ("loudness",), "2026-01-01T00:00:00+00:00")
    assert covers(approval, "c" * 64, [loud])
    assert not covers(approval, "d" * 64, [loud])
    assert not covers(approval, "c" * 64, [loud, late])
    assert not covers(None, "c" * 64, [loud])
