"""`profile: studio` on a machine without weights: blocked, with the command that fetches each lack."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

LACKS = (
    ("diarize", "speaker-diarization-community-1"),
    ("transcribe", "faster-whisper-large-v3 wav2vec2-base-960h"),
    ("translate", "argos/en_es"),
    ("synthesize", "Qwen3-TTS-12Hz-1.7B-Base"),
)


@pytest.fixture
def manifest(tmp_path: Path, lecture: Any) -> Path:
    shutil.copyfile(lecture.path, tmp_path / "lesson.mp4")
    path = tmp_path / "course.yaml"
    path.write_text(
        "course: studio\nsource_language: en\ntargets: [es]\nprofile: studio\nlessons: [{media: lesson.mp4}]\n",
        encoding="utf-8",
    )
    return path


def test_check_and_plan_name_every_model_with_its_command(dub, manifest):
    """Exit code 4 from `check`; `plan` could answer, and says which stage is blocked and why."""
    checked = dub("check", manifest)
    assert checked.code == 4, checked.err
    for stage, models in LACKS:
        (line,) = [line for line in checked.out.splitlines() if line.startswith(f"{stage}: ")]
        assert line.endswith(f"dub models pull {models}")
    planned = dub("plan", manifest)
    assert planned.code == 0, planned.err
    assert "blocked" in planned.out.splitlines()[2]
    assert planned.out.splitlines()[2].endswith("dub models pull speaker-diarization-community-1")


def test_one_word_turns_a_course_to_the_studio_and_back(dub, manifest):
    """`--profile` outweighs the manifest; with the embedded engines nothing is lacking."""
    assert dub("check", manifest, "--profile", "embedded").code == 0
    manifest.write_text(manifest.read_text().replace("profile: studio\n", ""))
    assert dub("check", manifest).code == 0
    assert dub("check", manifest, "--profile", "studio").code == 4
