"""What was found up to date is up to date as long as nothing that it was told by has changed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from manifests.seen import Seen, Sighting, at_rest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A finished file that was written a while ago."""
    path = tmp_path / "lesson.es.mp4"
    path.write_text("picture and sound")
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture
def sighting(file: Path) -> Sighting:
    files = at_rest([file])
    assert files is not None
    return Sighting("facts", files, (0x111, 0x222), (0xABC, 0xDEF), {"length": 12.5})


def test_a_sighting_is_remembered_whole(tmp_path: Path, sighting: Sighting) -> None:
    """By course, lesson and part; a later one takes the place of an earlier one, and one part is forgotten alone."""
    seen = Seen(tmp_path / "seen.sqlite")
    seen.remember("c", {("lesson", "es"): replace(sighting, facts="older")})
    seen.remember("c", {("lesson", "es"): sighting, ("lesson", "ca"): sighting, ("other", "es"): sighting})
    assert Seen(tmp_path / "seen.sqlite").of("c", "lesson") == {"es": sighting, "ca": sighting}
    assert seen.of("d", "lesson") == {}
    seen.forget("c", [("lesson", "es")])
    assert seen.of("c", "lesson") == {"ca": sighting}
    seen.close()
    assert seen.of("c", "other") == {"es": sighting}
    seen.close()


def test_it_holds_while_facts_files_commits_and_objects_are_as_they_were(file: Path, sighting: Sighting) -> None:
    """Any one of them that differs ends it: another digest, a commit or an object less, a file written anew or gone."""
    commits, objects = frozenset({0x111, 0x222, 3}), frozenset({0xABC, 0xDEF, 1})
    assert sighting.holds("facts", commits, objects)
    assert sighting.holds("facts", commits, None)
    assert not sighting.holds("other facts", commits, objects)
    assert not sighting.holds("facts", frozenset({0x111}), objects)
    assert not sighting.holds("facts", commits, frozenset({0xABC}))
    file.write_text("picture and noise")
    assert not sighting.holds("facts", commits, objects)
    file.unlink()
    assert not sighting.holds("facts", commits, objects)


def test_nothing_is_built_on_a_file_that_has_just_changed(file: Path) -> None:
    """Its next change might have the same time."""
    file.touch()
    assert at_rest([file]) is None
    assert at_rest([file.with_name("gone")]) is None
