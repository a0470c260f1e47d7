"""Lines that cannot be spoken in their time are named before anybody speaks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.commits import Commit
from manifests.model import Job
from manifests.script import Line, Lines, Rendering, Script, Utterance, written
from manifests.spans import Span
from manifests.workspace import Workspace
from tasks.foresight import cannot_fit
from tasks.perform import Outcome, Products

SCRIPT = Script(
    "en",
    (
        Utterance("1", "A", Span.of_seconds(1, 3), "one", (), 0.9),
        Utterance("2", "A", Span.of_seconds(4, 6), "two", (), 0.9),
        Utterance("3", "A", Span.of_seconds(18, 20), "three", (), 0.9),
    ),
)

LONG = "y después de todo esto seguimos hablando durante mucho más tiempo del que queda en esta lección tan corta"


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / ".dub")


def products(space: Workspace, *lines: Line) -> Products:
    """A lesson of 20 seconds that is transcribed, and translated so."""

    def stage(name: str, output: str, data: bytes, **notes: float) -> Outcome:
        made = {output: space.store.put_bytes(data, ".json").name}
        return Outcome(name, Commit(name, "k", made, notes=dict(notes)), cached=True, seconds=0.0)

    known = Products().plus(stage("split", "media.json", b"{}", duration_s=20.0))
    known = known.plus(stage("transcribe", "script.json", written(SCRIPT)))
    return known.plus(stage("translate", "lines.json", written(Lines("es", lines)))) if lines else known


def test_a_line_that_is_too_long_at_any_speed_is_named_with_what_it_lacks(space: Workspace, job: Job) -> None:
    """The last line has two seconds to the end of the lesson; 103 letters take four and a half at 1.4x."""
    lines = Line("1", "uno y dos"), Line("2", "tres y cuatro"), Line("3", LONG)
    [lost] = cannot_fit(job, products(space, *lines), space)
    assert lost.line == "3"
    assert 1 < lost.lacks_s < 3


def test_a_shorter_text_that_fits_is_enough(space: Workspace, job: Job) -> None:
    """The run may choose it."""
    shorter = Rendering("y seguimos hablando", ("del que queda",), 1.0)
    lines = Line("1", "uno"), Line("2", "dos"), Line("3", LONG, renderings=(shorter,))
    assert cannot_fit(job, products(space, *lines), space) == ()


def test_a_higher_cap_lets_it_fit(space: Workspace, job: Job) -> None:
    """`timing: {hard_max: …}` counts, as in placement."""
    fast = job.course.model_copy(update={"timing": job.course.timing.model_copy(update={"hard_max": 4.0})})
    lines = Line("1", "uno"), Line("2", "dos"), Line("3", LONG)
    assert cannot_fit(job.model_copy(update={"course": fast}), products(space, *lines), space) == ()


def test_nothing_is_said_where_nothing_is_known(space: Workspace, job: Job) -> None:
    """Neither before the lesson is heard nor before it is translated."""
    assert cannot_fit(job, Products(), space) == ()
    assert cannot_fit(job, products(space), space) == ()
