"""What a newcomer sees: the demo course, its outputs, a second run, and runs after a change."""

import array
import hashlib
import json
import math
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TARGETS = [(lesson, language) for lesson in ("lesson-01-water", "lesson-02-light") for language in ("es", "ca")]


def test_the_demo_prints_where_each_finished_video_lies(demo):
    """Every video stands on a line of its own on stdout, unwrapped, and is there."""
    _, ran = demo
    assert ran.code == 0, ran.err
    names = [Path(line).name for line in ran.out.splitlines()[-6:]]
    assert sorted(names) == sorted(
        f"{lesson}.{language}.mp4"
        for lesson in ("lesson-01-water", "lesson-02-light")
        for language in ("es", "ca", "multi")
    )
    assert all(Path(line).is_file() for line in ran.out.splitlines()[-6:])


def test_the_demo_says_how_long_each_stage_took(demo):
    """The times of the stages stand in the order of the work."""
    _, ran = demo
    told = ran.err.split("seconds of work by stage:")[1]
    stages = [line.split()[0] for line in told.splitlines() if line.startswith("  ")]
    assert stages[:10] == [
        "split", "diarize", "transcribe", "translate", "clone", "synthesize", "place", "mix", "remux", "verify",
    ]  # fmt: skip


@pytest.mark.parametrize(("lesson", "language"), TARGETS)
def test_every_line_sounds_where_the_record_says(demo, lesson, language):
    """The dub is loud inside the placed spans and at least 12 dB quieter between them."""
    record = read_record(demo[0], lesson, language)
    sound = dub_track(demo[0] / "out/demo" / f"{lesson}.{language}.mp4")
    placed = sorted((line["placed"]["start"], line["placed"]["end"]) for line in record["lines"])
    inside = sorted(level(sound, start, end) for start, end in placed)
    gaps = [level(sound, a + 0.1, b - 0.1) for (_, a), (b, _) in pairwise(placed) if b - a > 0.4]
    assert inside[0] > -45
    assert gaps
    assert max(gaps) < inside[len(inside) // 2] - 12


@pytest.mark.parametrize(("lesson", "language"), TARGETS)
def test_nothing_is_cut_overlaps_or_runs_past_the_end(demo, lesson, language):
    """The four promises of timing hold in the record, and the record counts them itself."""
    record = read_record(demo[0], lesson, language)
    placed = sorted((line["placed"]["start"], line["placed"]["end"]) for line in record["lines"])
    assert all(b >= a for (_, a), (b, _) in pairwise(placed))
    assert placed[-1][1] <= record["source"]["duration"]
    for line in record["lines"]:
        length = line["placed"]["end"] - line["placed"]["start"]
        assert length * line["placed"]["rate"] == pytest.approx(line["take"]["natural_seconds"], abs=0.001)
        assert line["placed"]["rate"] <= 1.4
    assert (record["timing"]["overlap_s"], record["timing"]["cut_s"], record["problems"]) == (0, 0, [])


def test_the_picture_is_copied_bit_for_bit(demo):
    """The packets of the picture have the source's digest in every output."""
    folder = demo[0]
    wanted = picture_digest(folder / "media/lesson-01-water.mp4")
    for language in ("es", "ca", "multi"):
        assert picture_digest(folder / "out/demo" / f"lesson-01-water.{language}.mp4") == wanted


def test_each_file_tells_players_its_languages(demo):
    """The original is kept, the dub is tagged and the default, the subtitles are tagged and shown to nobody unasked."""
    folder = demo[0] / "out/demo"
    assert tracks(folder / "lesson-01-water.es.mp4") == [
        ("video", None, True), ("audio", "eng", False), ("audio", "spa", True), ("subtitle", "spa", False),
    ]  # fmt: skip
    assert tracks(folder / "lesson-01-water.multi.mp4") == [
        ("video", None, True), ("audio", "eng", False), ("audio", "spa", True), ("audio", "cat", False),
        ("subtitle", "spa", False), ("subtitle", "cat", False),
    ]  # fmt: skip


def test_two_speakers_get_two_stock_voices_and_the_record_says_why(demo):
    """A high voice for the lecturer, a low one for the student, neither of them anybody's."""
    record = read_record(demo[0], "lesson-01-water", "es")
    voices = {line["speaker"]: line["voice"] for line in record["lines"]}
    assert sorted(voices) == ["SPEAKER_00", "SPEAKER_01"]
    assert voices["SPEAKER_00"]["name"].startswith("es+f")
    assert voices["SPEAKER_01"]["name"].startswith("es+m")
    assert {voice["kind"] for voice in voices.values()} == {"stock"}
    assert voices["SPEAKER_00"]["reason"] == "no person is named for SPEAKER_00"


def test_the_record_names_the_file_it_describes(demo):
    """Digest and duration in the record are those of the finished file."""
    record = read_record(demo[0], "lesson-02-light", "ca")
    output = demo[0] / "out/demo/lesson-02-light.ca.mp4"
    assert record["output"]["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert record["state"] == "done"
    assert record["loudness"]["true_peak_dbtp"] <= -1.0


def test_a_second_run_does_nothing_and_starts_nothing(demo, dub):
    """Within 5 s, every stage cached; even a Prefect server that does not answer is not missed."""
    started = time.monotonic()
    ran = dub("run", demo[0] / "course.yaml", "--json", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert ran.code == 0, ran.err
    assert time.monotonic() - started < 5
    assert [(target["lesson"], target["language"], target["state"]) for target in ran.json["targets"]] == [
        (lesson, language, "done") for lesson, language in TARGETS
    ]


def test_plan_calls_everything_cached(demo, dub):
    """A plan of a finished course has nothing to run, and says so for every stage."""
    ran = dub("plan", demo[0] / "course.yaml", "--json", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert ran.code == 0, ran.err
    assert {target["state"] for target in ran.json["targets"]} == {"cached"}
    assert {step["state"] for target in ran.json["targets"] for step in target["stages"].values()} == {"cached"}


def test_a_changed_cap_redoes_only_what_depends_on_it(demo, dub, copied):
    """What is said and how fast is chosen again, and placed; nothing is heard or translated anew."""
    manifest = copied / "course.yaml"
    manifest.write_text(manifest.read_text() + "timing: {soft_max: 1.2}\n")
    planned = dub("plan", manifest, "--json").json["targets"][0]["stages"]
    assert [name for name, step in planned.items() if step["state"] == "cached"] == [
        "split", "diarize", "transcribe", "translate", "clone",
    ]  # fmt: skip
    assert planned["synthesize"]["why"] == "timing.soft_max is 1.2, and was 1.25"
    assert planned["synthesize"]["because"] == [
        {"kind": "setting", "name": "timing.soft_max", "was": "1.25", "now": "1.2"}
    ]
    ran = dub("run", manifest, "--only", "lesson-01-water:es", "--json")
    assert ran.code == 0, ran.err
    stages = ran.json["targets"][0]["stages"]
    assert [name for name, step in stages.items() if step["cached"]] == [
        "split", "diarize", "transcribe", "translate", "clone",
    ]  # fmt: skip


def test_a_further_language_leaves_the_others_alone(dub, copied):
    """Galician is added; Spanish and Catalan stay as they are, and the file of all languages gains a track."""
    manifest = copied / "course.yaml"
    manifest.write_text(manifest.read_text().replace("[es, ca]", "[es, ca, gl]"))
    ran = dub("run", manifest, "--only", "lesson-02-light", "--json")
    assert ran.code == 0, ran.err
    done = {target["language"]: target["stages"] for target in ran.json["targets"]}
    made = [name for name, step in done["es"].items() if not step["cached"]]
    assert made == ["remux", "verify"]  # only because the copy's folder is another one
    assert not done["gl"]["translate"]["cached"]
    languages = [tag for kind, tag, _ in tracks(copied / "out/demo/lesson-02-light.multi.mp4") if kind == "audio"]
    assert languages == ["eng", "spa", "cat", "glg"]


def test_rerun_from_a_stage_does_that_and_what_follows(dub, copied):
    """`--from remux` runs remux and verify again and nothing before."""
    ran = dub("rerun", copied / "course.yaml", "lesson-01-water:ca", "--from", "remux", "--json")
    assert ran.code == 0, ran.err
    stages = ran.json["targets"][0]["stages"]
    assert [name for name, step in stages.items() if not step["cached"]] == ["remux", "verify"]


def test_a_deleted_output_is_made_again_from_what_is_kept(demo, dub):
    """Only remux and verify run when a finished video is gone."""
    manifest, output = demo[0] / "course.yaml", demo[0] / "out/demo/lesson-01-water.es.mp4"
    before = dub_track(output)
    output.unlink()
    planned = dub("plan", manifest, "--only", "lesson-01-water:es", "--json").json["targets"][0]["stages"]
    assert (planned["mix"]["state"], planned["remux"]["why"]) == ("cached", "its result is gone or was changed")
    ran = dub("run", manifest, "--json")
    assert ran.code == 0, ran.err
    assert dub_track(output) == before


def test_two_runs_at_once_do_not_disturb_each_other(demo, dub):
    """The second waits for the first, and both end with everything done."""
    (demo[0] / "out/demo/lesson-01-water.es.mp4").unlink()
    first = dub.start("run", demo[0] / "course.yaml")
    second = dub("run", demo[0] / "course.yaml")
    assert (first.wait(timeout=300), second.code) == (0, 0)
    assert "done" in second.out


def test_status_shows_the_last_known_state(demo, dub):
    """Every target is listed as done with its output."""
    ran = dub("status", demo[0] / "course.yaml", "--json")
    assert ran.code == 0, ran.err
    assert [target["state"] for target in ran.json["targets"]] == ["done"] * 4
    assert all(Path(target["output"]).is_file() for target in ran.json["targets"])


@pytest.fixture
def copied(demo, tmp_path) -> Path:
    """A copy of the finished demo course, with its workspace, to change at will."""
    folder = tmp_path / "course"
    shutil.copytree(demo[0], folder, symlinks=True)
    return folder


def read_record(folder: Path, lesson: str, language: str) -> dict[str, Any]:
    return json.loads((folder / "out/demo" / f"{lesson}.{language}.dub.json").read_text(encoding="utf-8"))


def probe(path: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)["streams"]


def tracks(path: Path) -> list[tuple[str, str | None, bool]]:
    """Kind, language and default flag of every stream; the picture's language is left out."""
    return [
        (
            stream["codec_type"],
            None if stream["codec_type"] == "video" else stream["tags"].get("language"),
            bool(stream["disposition"]["default"]),
        )
        for stream in probe(path)
    ]


def picture_digest(path: Path) -> str:
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "hash", "-"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout.decode()


def dub_track(path: Path) -> array.array:
    """The default audio track, mono at 16 kHz."""
    streams = [stream for stream in probe(path) if stream["codec_type"] == "audio"]
    default = next(index for index, stream in enumerate(streams) if stream["disposition"]["default"])
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:a:{default}", "-ac", "1", "-ar", "16000"]
    done = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=True, timeout=60)
    return array.array("h", done.stdout)


def level(sound: array.array, start: float, end: float) -> float:
    part = sound[int(start * 16000) : int(end * 16000)]
    return 10 * math.log10(sum(value * value for value in part) / len(part) / 32768**2 + 1e-12)
