"""Takes that exist become a finished dub: placed, heard, in step, and honest about what they are."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from manifests.cue_list import read
from manifests.errors import InputError, ManifestError
from manifests.record import Record
from tasks.assemble import UNSAID, Request, assemble
from tasks.disclosure import says_so
from voiceclone.inspection import tags_of

Cues = Callable[..., Path]
SPANISH = (
    "Bienvenidos a la segunda lección de este curso.",
    "Las plantas convierten la luz del sol en energía.",
    "¿En qué parte de la planta ocurre eso?",
    "Ocurre en las hojas verdes.",
)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four takes of the lecture's lines in Spanish, as espeak-ng writes them (mono, 22,050 Hz)."""
    folder = tmp_path_factory.mktemp("takes")
    for number, text in enumerate(SPANISH, 1):
        command = ["espeak-ng", "-v", "es", "-s", "170", "-w", str(folder / f"{number}.wav"), text]
        subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture
def cue_list(tmp_path: Path, takes: Path, lecture) -> Cues:
    """Write a cue list of the lecture's lines; `change` is made to line 2."""

    def written(change: dict[str, object] | None = None, **more: object) -> Path:
        lines = [
            {"id": str(number), "start": said.start_s, "end": said.end_s, "audio": str(takes / f"{number}.wav"),
             "text": text, "speaker": said.speaker}
            for number, (said, text) in enumerate(zip(lecture.sentences, SPANISH, strict=True), 1)
        ]  # fmt: skip
        lines[1] |= change or {}
        path = tmp_path / "cues.json"
        path.write_text(json.dumps({"language": "es", **more, "lines": lines}), encoding="utf-8")
        return path

    return written


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory, takes: Path, lecture) -> tuple[Path, Record]:
    """The lecture with its four takes, said to be recordings of people."""
    folder = tmp_path_factory.mktemp("assembled")
    lines = [
        {
            "id": str(number),
            "start": said.start_s,
            "end": said.end_s,
            "audio": f"../{takes.name}/{number}.wav",
            "text": text,
        }
        for number, (said, text) in enumerate(zip(lecture.sentences, SPANISH, strict=True), 1)
    ]
    cues = folder / "cues.json"
    cues.write_text(json.dumps({"language": "es", "synthetic": False, "lines": lines[::-1]}), encoding="utf-8")
    out = folder / "out" / "lecture.es.mp4"
    return out, assemble(Request(read(cues), lecture.path, out, cores=1))


def test_the_file_its_record_and_its_subtitles_are_written(assembled: tuple[Path, Record]) -> None:
    """And nothing else: no half file, no scratch folder."""
    out, record = assembled
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "lecture.es.dub.json",
        "lecture.es.mp4",
        "lecture.es.srt",
    ]
    assert Record.read(out.with_name("lecture.es.dub.json")) == record
    assert record.state == "done"
    assert "¿En qué parte de la planta ocurre eso?" in out.with_suffix(".srt").read_text("utf-8").replace("\n", " ")


def test_takes_are_placed_whole_and_at_the_loudness_of_the_web(assembled: tuple[Path, Record]) -> None:
    """Nothing overlaps, nothing is cut, nothing is faster than the cap."""
    _, record = assembled
    assert [line.id for line in record.lines] == ["1", "2", "3", "4"]
    for line in record.lines:
        assert line.placed is not None
        assert line.take is not None
        assert (line.placed.end - line.placed.start) * line.placed.rate == pytest.approx(
            line.take.natural_seconds, abs=1e-4
        )
    assert (record.timing.overlap_s, record.timing.cut_s) == (0, 0)
    assert record.timing.max_rate is not None
    assert record.timing.max_rate <= 1.4
    assert record.loudness.integrated_lufs == pytest.approx(-16, abs=0.5)
    assert record.loudness.true_peak_dbtp is not None
    assert record.loudness.true_peak_dbtp <= -1.0


def test_people_are_not_called_synthetic(assembled: tuple[Path, Record]) -> None:
    """Recorded takes carry no watermark, no sentence and no tag; the file is signed as a dub all the same."""
    out, record = assembled
    assert {line.voice.kind for line in record.lines} == {"recorded"}
    assert {line.text.origin for line in record.lines} == {"human"}
    assert (record.disclosure.watermark_score, record.disclosure.container_tag, record.disclosure.shown) == (
        None,
        False,
        False,
    )
    assert record.disclosure.content_credentials == "valid"
    assert not says_so(out.with_suffix(".srt").read_text("utf-8"), "es")
    assert UNSAID not in record.notes
    assert "the cue list is not in order of time: its lines were put in order" in record.notes


def test_synthetic_takes_are_marked_and_disclosed(cue_list: Cues, lecture, tmp_path: Path) -> None:
    """One line of a machine makes it a dub that says so in every way."""
    out = tmp_path / "lecture.es.mkv"
    record = assemble(Request(read(cue_list({"synthetic": True})), lecture.path, out, cores=1))
    assert [line.voice.kind for line in record.lines] == ["recorded", "stock", "recorded", "recorded"]
    assert says_so(tags_of(out)["comment"], "es")
    assert record.disclosure.shown
    assert record.disclosure.watermark_score is not None


def test_what_nobody_says_is_told(cue_list: Cues, lecture, tmp_path: Path) -> None:
    """Takes of which nobody says whether a machine speaks are held to be people's, and the record says that."""
    record = assemble(Request(read(cue_list()), lecture.path, tmp_path / "l.mp4", cores=1))
    assert UNSAID in record.notes
    assert {line.voice.reason for line in record.lines} == {"nobody says that it is synthetic"}


def test_a_take_that_does_not_fit_or_is_not_heard_makes_it_partial(cue_list: Cues, lecture, tmp_path: Path) -> None:
    """A take of 40 s in a programme of 12 s, and one of silence: both lines are named, the others are done."""
    long, silent = tmp_path / "long.wav", tmp_path / "silent.wav"
    rng = np.random.default_rng(1)
    soundfile.write(long, rng.normal(0, 0.1, 40 * 48_000), 48_000)
    soundfile.write(silent, np.zeros(48_000), 48_000)
    document = json.loads(cue_list({"audio": str(long)}).read_text("utf-8"))
    document["lines"][3]["audio"] = str(silent)
    path = tmp_path / "cues.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    record = assemble(Request(read(path), lecture.path, tmp_path / "l.mp4", cores=1))
    assert record.state == "partial"
    assert [(problem.line, problem.stage) for problem in record.problems] == [("2", "place"), ("4", "mix")]
    assert "take is silent" in record.lines[3].flags


def test_lines_that_cannot_be_used_are_named_before_anything_is_written(
    cue_list: Cues, lecture, tmp_path: Path
) -> None:
    """A cue beyond the end and a missing take, each by file and line, in one answer."""
    path = cue_list({"audio": "nothing.wav"})
    document = json.loads(path.read_text("utf-8"))
    document["lines"][3] |= {"start": 500, "end": 501}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        assemble(Request(read(path), lecture.path, tmp_path / "out" / "l.mp4", cores=1))
    missing, beyond = caught.value.findings
    assert missing.message == f"line 2: there is no take {tmp_path / 'nothing.wav'}."
    assert beyond.message == "line 4: it starts at 500 s, after the end of lecture.mp4 at 13.00 s."
    assert missing.line < beyond.line
    assert not list((tmp_path / "out").glob("**/*"))


def test_overlapping_cues_of_one_speaker_are_flagged_and_not_spoken_at_once(
    cue_list: Cues, lecture, tmp_path: Path
) -> None:
    """The later line waits, and says why."""
    first = lecture.sentences[0]
    record = assemble(
        Request(
            read(cue_list({"start": first.end_s - 0.5, "end": first.end_s + 2})),
            lecture.path,
            tmp_path / "l.mp4",
            cores=1,
        )
    )
    assert record.timing.overlap_s == 0
    assert "its cue begins before line 1 of the same speaker ends" in record.lines[1].flags


def test_no_line_begins_before_the_slide_that_it_follows(cue_list: Cues, lecture, tmp_path: Path) -> None:
    """The lecture's second slide shows at half its length; a cue right behind that waits for it, however early its
    take could begin. Who switches that off gets no anchor."""
    shows = lecture.duration_s / 2
    path = cue_list({"start": shows + 0.2, "end": shows + 1.0})
    document = json.loads(path.read_text("utf-8"))
    del document["lines"][2:]
    path.write_text(json.dumps(document), encoding="utf-8")
    asked = Request(read(path), lecture.path, tmp_path / "l.mp4", cores=1)
    record = assemble(asked)
    placed = record.lines[1].placed
    assert placed is not None
    assert placed.anchor == pytest.approx(shows, abs=0.041)
    assert placed.start >= placed.anchor
    assert record.timing.anchored == 1
    assert assemble(replace(asked, anchored=False)).timing.anchored == 0


def test_subtitles_come_in_the_ways_that_are_asked_for(cue_list: Cues, lecture, tmp_path: Path) -> None:
    """WebVTT beside the file and none inside it; for the deaf, with who speaks by the names of the cue list."""
    asked = Request(read(cue_list()), lecture.path, tmp_path / "o" / "l.mp4", subtitles=("vtt", "sdh"), cores=1)
    record = assemble(asked)
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "l.dub.json",
        "l.mp4",
        "l.sdh.vtt",
        "l.vtt",
    ]
    assert "BEN: ¿En qué parte" in (tmp_path / "o" / "l.sdh.vtt").read_text("utf-8")
    assert "BEN" not in (tmp_path / "o" / "l.vtt").read_text("utf-8")
    assert [stream.kind for stream in record.output.streams] == ["video", "audio", "audio"]


def test_a_source_of_any_number_of_samples_is_assembled(
    cue_list: Cues, lecture, make_media: Callable[..., Path], tmp_path: Path
) -> None:
    """Wave64 is filled up to eight bytes: a stereo programme of an odd number of samples is not one longer for that."""
    sound = make_media("l.wav", "-i", str(lecture.path), "-vn", "-af", "atrim=end_sample=600001")
    document = json.loads(cue_list().read_text("utf-8"))
    document["lines"][3] |= {"end": 12.4}
    (tmp_path / "cues.json").write_text(json.dumps(document), encoding="utf-8")
    out = tmp_path / "o" / "l.wav"
    record = assemble(Request(read(tmp_path / "cues.json"), sound, out, cores=1))
    assert record.state == "done"
    assert soundfile.info(str(out)).frames == 600_001


def test_a_take_of_each_kind_is_used_and_says_what_it_was(cue_list: Cues, takes: Path, lecture, tmp_path: Path) -> None:
    """Telephone sound, stereo at 96 kHz, one too loud for its file: three lines that are heard, each with its flag."""
    kinds = (("-ar", "8000"), ("-ar", "96000", "-ac", "2"), ("-af", "volume=30dB"))
    document = json.loads(cue_list().read_text("utf-8"))
    for number, kind in enumerate(kinds):
        take = tmp_path / f"{number}.wav"
        given = ["-i", str(takes / f"{number + 1}.wav"), *kind, str(take)]
        subprocess.run(["ffmpeg", "-v", "error", "-y", *given], check=True, timeout=60)
        document["lines"][number]["audio"] = str(take)
    (tmp_path / "cues.json").write_text(json.dumps(document), encoding="utf-8")
    record = assemble(Request(read(tmp_path / "cues.json"), lecture.path, tmp_path / "l.mp4", cores=1))
    assert record.state == "done"
    assert "take at 8000 Hz: nothing in it above 4 kHz" in record.lines[0].flags
    assert {"take with 2 channels: mixed to one", "take at 96000 Hz: resampled"} <= {*record.lines[1].flags}
    assert any(flag.startswith("take is clipped in") for flag in record.lines[2].flags)


def test_nothing_given_is_written_over(cue_list: Cues, lecture, tmp_path: Path) -> None:
    """The source, the cue list and the takes are safe from a wrong --out."""
    asked = Request(read(cue_list()), lecture.path, lecture.path, cores=1)
    with pytest.raises(InputError, match="never written over"):
        assemble(asked)
    with pytest.raises(InputError, match="no kind of file"):
        assemble(replace(asked, out=tmp_path / "l.txt"))
