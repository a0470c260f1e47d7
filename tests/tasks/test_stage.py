"""A stage's key is the digest of everything that its result depends on, in one canonical form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manifests.looking import looking
from manifests.model import Course, Job, Lesson
from tasks.stage import Engine, Made, Stage, Workbench


@dataclass(frozen=True)
class Params:
    out: Path
    words: tuple[str, ...]


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    raise NotImplementedError


STAGE = Stage(
    name="speak",
    version=3,
    scope="target",
    needs=("source",),
    makes=("take.wav",),
    params=lambda job: Params(job.out, ("ñ", '"')),
    run=run,
    engine=lambda job: Engine("voice", "1.0", "w" * 4),
)


def test_a_key_is_the_digest_of_its_canonical_object() -> None:
    """Sorted keys, no spaces, letters as they are: whoever made results years ago made them under the same keys."""
    lesson = Lesson(media="one.mp4")
    job = Job(
        manifest=Path("/c.yaml"),
        course=Course(course="c", targets=("es",), lessons=(lesson,)),
        lesson=lesson,
        lesson_id="one",
        media=Path("/one.mp4"),
        out=Path("/out/c"),
    )
    expected = (
        '{"engine":["voice","wwww"],"inputs":{"captions":"ef","source":"ab"},'
        '"params":{"out":"/out/c","words":["ñ","\\""]},"stage":"speak","version":3}'
    )
    digests = {"source": "ab", "captions": "ef"}
    assert STAGE.key(job, digests) == hashlib.sha256(expected.encode()).hexdigest()
    with looking():
        assert {STAGE.key(job, digests) for _ in range(3)} == {STAGE.key(job, digests)}
    assert STAGE.key(job, digests) == hashlib.sha256(expected.encode()).hexdigest()
