"""Other people's voices: taken from lessons of the operator's, each person once, and never the enrolled one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from manifests.commits import Commit
from manifests.ledger import Ledger
from manifests.script import Diarization, Speaker, Turn, dump
from manifests.spans import Span, samples
from manifests.store import Store
from voiceclone import cohort
from voiceclone.quality import Recording
from voiceclone.statement import heard, voice_of

Say = Callable[..., Recording]


def lesson(workspace: Path, name: str, voices: Sequence[Recording]) -> None:
    """What a run leaves of a lesson in which these voices speak one after another."""
    store, ledger = Store(workspace / "store"), Ledger(f"sqlite:///{workspace / 'ledger.sqlite'}")
    sounds = [heard(voice) for voice in voices]
    ends = [samples(end / 16_000) for end in np.cumsum([0, *map(len, sounds)]).tolist()]
    spans = [Span(*edges) for edges in pairwise(ends)]
    labels = [f"SPEAKER_{number:02d}" for number in range(len(voices))]
    found = Diarization(
        tuple(Speaker(label, None, span.length_s) for label, span in zip(labels, spans, strict=True)),
        tuple(Turn(label, span) for label, span in zip(labels, spans, strict=True)),
        tuple(spans),
    )
    with store.scratch() as folder:
        soundfile.write(str(folder / "speech.wav"), np.concatenate(sounds), 16_000, subtype="PCM_16")
        made = {
            "split": ("speech.wav", folder / "speech.wav"),
            "diarize": ("turns.json", dump(found, folder / "t.json")),
        }
        for stage, (output, path) in made.items():
            store.commit(Commit(stage, f"{stage}-{name}", {output: store.put(path).name}))
            with ledger.running("course", name, None, stage, f"{stage}-{name}") as run:
                run.state = "done"
    ledger.close()


def test_other_speakers_of_the_lessons_are_the_cohort(tmp_path: Path, say: Say) -> None:
    """Two lessons, three people, one of them enrolled: two voices, however often each speaks."""
    lesson(tmp_path / "one", "a", [say("slt"), say("rms")])
    lesson(tmp_path / "two", "b", [say("awb"), say("slt"), say("rms")])
    enrolled = heard(say("slt", "The green leaves of a plant need light and water on every day of the year."))
    found = cohort.others([tmp_path / "one", tmp_path / "two"], voice_of([enrolled]))
    assert len(found) == 2
    assert all(6.0 <= len(sound) / 16_000 <= 20.0 for sound in found)


def test_nothing_of_a_voice_is_written(tmp_path: Path, say: Say) -> None:
    """Prints of people who were never asked live as long as the comparison."""
    lesson(tmp_path, "a", [say("slt"), say("rms")])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()}
    assert len(cohort.others([tmp_path], voice_of([heard(say("awb"))]))) == 2
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()} == before
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"store", "ledger.sqlite"}


def test_a_workspace_that_is_gone_or_damaged_gives_no_voices(tmp_path: Path, say: Say) -> None:
    """A cohort is a help, and no reason for a statement to fail."""
    lesson(tmp_path / "whole", "a", [say("rms")])
    (tmp_path / "damaged" / "store").mkdir(parents=True)
    (tmp_path / "damaged" / "ledger.sqlite").write_bytes(b"no database" * 100)
    folders = [tmp_path / "gone", tmp_path / "damaged", tmp_path / "whole"]
    assert len(cohort.others(folders, voice_of([heard(say("slt"))]))) == 1
    assert not (tmp_path / "gone").exists()


def test_the_formula(tmp_path: Path) -> None:
    """Mean and deviation of the twenty nearest of each side, and the mean of both."""
    side = np.linspace(0.0, 0.5, 21)  # its nearest twenty: 0.025 to 0.5, mean 0.2625, deviation 0.147902
    narrow = np.full(21, 0.5)
    expected = ((0.9 - 0.2625) / 0.147902 + (0.9 - 0.5) / 0.01) / 2
    assert cohort.normalized(0.9, [side, narrow]) == pytest.approx(expected, rel=1e-4)
