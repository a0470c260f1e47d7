"""Verify: what the record says of a finished file, and what it finds missing in one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from manifests.errors import StageFailed, StoreError
from manifests.holds import Hold, Holds
from manifests.record import Record
from manifests.script import Casting, Line, Lines, Script, Utterance, Voice, dump
from manifests.spans import RATE, Span, samples
from manifests.store import Store, file_sha256
from manifests.timeline import Placement, Take, Takes, Timeline, Unplaced
from tasks import verify
from tasks.examining import dub_track, source_name
from tasks.hearing import Heard, hear
from tasks.held_source import held_source
from tasks.media import Media, probe
from tasks.mix_measures import Mix
from tasks.mix_record import mix_notes
from tasks.publishing import publish
from tasks.remux import Dub, remux
from tasks.stage import Made, Workbench
from tasks.subtitles import cues
from tasks.verify import Params

LENGTH_S = 9.0
STOCK = Voice("stock", "espeak-ng", "es+m3", reason="no consent for SPEAKER_00")
SAID = (("1", 1.0, 3.0, "Leaves are green."), ("2", 4.0, 5.5, "Why is that?"), ("3", 6.0, 8.0, "It is chlorophyll."))
SCRIPT = Script(
    "en",
    tuple(
        Utterance(name, "SPEAKER_00", Span.of_seconds(start, end), text, (), 0.91) for name, start, end, text in SAID
    ),
)
LINES = Lines(
    "es",
    (
        Line("1", "Las hojas son verdes."),
        Line("2", "¿Por qué?"),
        Line("3", "Es la clorofila.", checks=("unknown word: chlorophyll",)),
    ),
)
TAKES = Takes(
    "es",
    tuple(
        Take(name, f"{name}.flac", samples(length), samples(length * 1.1), 1.1, STOCK)
        for name, length in (("1", 2.2), ("2", 1.5), ("3", 2.1))
    ),
)
PLACEMENTS = (
    Placement("1", Span.of_seconds(1.0, 3.0), 1.1),
    Placement("2", Span.of_seconds(4.0, 5.5), 1.0),
    Placement("3", Span.of_seconds(6.7, 8.7), 1.05, ("late 0.70 s",), samples(5.9)),
)
TIMELINE = Timeline("es", samples(LENGTH_S), PLACEMENTS)
HISTORY = {
    "split": {"state": "done", "seconds": 0.5, "cached": True, "engine": {}, "notes": {}},
    "translate": {
        "state": "done",
        "seconds": 1.25,
        "cached": False,
        "engine": {"name": "apertium", "version": "3.8.3"},
        "notes": {},
    },
}


def ffmpeg(arguments: str, out: Path) -> None:
    command = ["ffmpeg", "-v", "error", *(part.replace("~", " ") for part in arguments.split(" ")), f"file:{out}"]
    subprocess.run(command, check=True, timeout=60)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds of moving picture with a quiet hum."""
    path = tmp_path_factory.mktemp("media") / "lesson 'one'.mp4"
    picture = f"testsrc=size=160x120:rate=25:duration={LENGTH_S}"
    hum = f"sine=frequency=120:sample_rate=48000:duration={LENGTH_S}"
    ffmpeg(f"-f lavfi -i {picture} -f lavfi -i {hum} -c:v mpeg4 -c:a aac -shortest", path)
    return path


class Target:
    """A finished dub in which every placed line is a tone, and the files of the stages that made it."""

    def __init__(
        self,
        source: Path,
        folder: Path,
        *,
        heard: Sequence[Placement] = PLACEMENTS,
        timeline: Timeline = TIMELINE,
        length_s: float = LENGTH_S,
        lines: Lines = LINES,
        takes: Takes = TAKES,
    ) -> None:
        found = probe(source)
        self.media = replace(found, sound=found.of_kind("audio")[0].index)
        self.out = folder / "out" / "biology"
        self.source = source
        (folder / "scratch").mkdir()
        sound = np.zeros((samples(length_s), 1), np.float32)
        for placement in heard:
            part = sound[placement.span.start : placement.span.end, 0]
            part += 0.1 * np.sin(2 * np.pi * 997 * np.arange(len(part)) / RATE).astype(np.float32)
        soundfile.write(folder / "dub.flac", sound, RATE, subtype="PCM_24")
        dub = Dub("es", folder / "dub.flac", cues(SCRIPT, lines, timeline))
        holds, scratch = timeline.holds, folder / "scratch"
        shown = held_source(source, self.media, holds, scratch) if holds.all else (source, self.media)
        self.delivery = remux(*shown, [dub], self.out / "lesson-01.es", scratch)
        parts: dict[str, object] = {
            "split/media.json": self.media,
            "transcribe/script.json": SCRIPT,
            "synthesize/lines.json": lines,
            "clone/casting.json": Casting("es", {"SPEAKER_00": STOCK}),
            "synthesize/takes.json": takes,
            "place/timeline.json": timeline,
            "mix/mix.json": Mix("web", -30.0, -30.0, -16.0, -23.7, -20.0, "room tone", 0.0, 0.0, 0.0),
            "remux/delivery.json": self.delivery,
        }
        self.inputs = {name: dump(part, folder / name.replace("/", "-")) for name, part in parts.items()}
        self.inputs["source"] = source
        self.bench = Workbench(
            Store(folder / "store"),
            folder / "scratch",
            history=HISTORY,
            digests={"source": file_sha256(source)},
        )
        self.params = Params(
            "biology", "lesson-01", "es", source_name(source, self.out), hard_max=1.4, out=str(self.out)
        )

    def verify(self) -> Made:
        assert set(self.inputs) == set(verify.STAGE.needs)
        return verify.run(self.params, self.inputs, self.bench)

    def record(self) -> Record:
        self.verify()
        return Record.read(self.out / "lesson-01.es.dub.json")


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """A target in which nothing is wrong."""
    return Target(source, tmp_path_factory.mktemp("whole"))


def test_a_whole_dub_is_done_and_its_record_lies_beside_it(whole: Target) -> None:
    """The record names source, output and lines as they are, and appears beside the video under its own name."""
    made = whole.verify()
    beside = whole.out / "lesson-01.es.dub.json"
    assert made.delivered == {beside: file_sha256(beside)}
    assert made.outputs["record.json"].read_bytes() == beside.read_bytes()
    assert made.notes == {"state": "done", "output": str(whole.out / "lesson-01.es.mp4"), "problems": []}
    assert not [path.name for path in whole.out.iterdir() if path.name.startswith(".")]

    record = json.loads(beside.read_text(encoding="utf-8"))
    assert (record["state"], record["problems"]) == ("done", [])
    assert record["source"]["sha256"] == file_sha256(whole.source)
    assert (whole.out / record["source"]["path"]).resolve() == whole.source.resolve()
    assert record["output"]["path"] == "lesson-01.es.mp4"
    assert record["output"]["sha256"] == file_sha256(whole.out / "lesson-01.es.mp4")
    assert record["output"]["duration"] == pytest.approx(LENGTH_S, abs=0.08)
    roles = [(stream["kind"], stream.get("role"), stream.get("language")) for stream in record["output"]["streams"]]
    assert ("audio", "dub", "spa") in roles
    assert [kind for kind, role, _ in roles if role == "original"] == ["audio"]

    third = record["lines"][2]
    assert third["source"] == {"start": 6.0, "end": 8.0, "text": "It is chlorophyll.", "confidence": 0.91}
    assert third["text"] == {
        "value": "Es la clorofila.",
        "origin": "machine",
        "checks": ["unknown word: chlorophyll"],
    }
    assert third["voice"] == {
        "kind": "stock",
        "reason": "no consent for SPEAKER_00",
        "engine": "espeak-ng",
        "name": "es+m3",
    }
    assert third["take"] == {"default_seconds": 2.31, "engine_rate": 1.1, "natural_seconds": 2.1}
    assert third["placed"] == {"start": 6.7, "end": 8.7, "rate": 1.05, "anchor": 5.9}
    assert third["flags"] == ["late 0.70 s"]
    assert record["timing"]["overlap_s"] == 0
    assert record["timing"]["cut_s"] == 0
    assert record["timing"]["max_rate"] == 1.21


def test_the_record_says_which_engine_did_what_and_how_long_it_took(whole: Target) -> None:
    """Engines and stages are those that ran; a stage without an engine has none."""
    record = whole.record()
    assert {name: engine.name for name, engine in record.engines.items()} == {"translate": "apertium"}
    assert record.stages["translate"].seconds == 1.25
    assert record.stages["split"].cached
    assert record.stages["verify"].state == "done"


def test_loudness_is_measured_on_the_finished_file(whole: Target) -> None:
    """A 997 Hz tone of amplitude 0.1 has -23 LUFS and -20 dBTP (BS.1770), whatever the mix claimed.

    A seventh of the 400 ms blocks is lost at the edges of the three lines: 0.7 LU.
    """
    loudness = whole.record().loudness
    assert loudness.integrated_lufs == pytest.approx(-23.7, abs=0.2)
    assert loudness.true_peak_dbtp == pytest.approx(-20, abs=1)


def test_the_record_says_what_lies_under_the_dub(whole: Target) -> None:
    """As the mix measured it, before the encoding."""
    mixing = whole.record().mix
    assert mixing is not None
    assert (mixing.profile, mixing.target_lufs, mixing.background) == ("web", -16.0, "room tone")


def test_a_file_that_is_not_as_its_mix_was_is_remarked(whole: Target) -> None:
    """Encoding may lift peaks over the limit or change the loudness: the record says so of the file that was made."""
    heard = Heard(samples(10), -23.7, -0.4, np.zeros(1000, np.float32))
    mix = Mix("web", -30.0, -30.0, -16.0, -23.0, -2.0, "room tone", 0.0, 0.0, 0.0)
    assert list(mix_notes(mix, heard)) == [
        "the true peak is -0.4 dBTP in the finished file, over the limit of -1",
        "encoding changed the loudness by -0.7 LU",
    ]
    assert not [note for note in whole.record().notes if "peak" in note or "loudness" in note]


def test_nothing_is_disclosed_where_nothing_was_marked(whole: Target) -> None:
    """A plain file has no mark that could be heard, no credentials, no notice."""
    disclosed = whole.record().disclosure
    assert disclosed.watermark_score == 0.0
    assert disclosed.content_credentials == "none"
    assert (disclosed.container_tag, disclosed.spoken, disclosed.shown) == (False, False, False)


def test_a_notice_is_found_where_it_stands(source: Path, tmp_path: Path) -> None:
    """A tag of the file and a first subtitle that hold the sentence are seen."""
    target = Target(source, tmp_path)
    finished, tagged = target.out / "lesson-01.es.mp4", tmp_path / "tagged.mp4"
    ffmpeg(f"-i {finished} -map 0 -c copy -metadata comment=Las~voces~de~este~doblaje~son~sintéticas.", tagged)
    tagged.replace(finished)
    subtitles = finished.with_suffix(".srt")
    notice = "1\n00:00:00,000 --> 00:00:00,900\nLas voces de este doblaje son sintéticas.\n\n"
    subtitles.write_text(notice + subtitles.read_text(encoding="utf-8"), encoding="utf-8")
    disclosed = target.record().disclosure
    assert (disclosed.container_tag, disclosed.shown) == (True, True)


def test_a_line_that_cannot_be_heard_is_named(source: Path, tmp_path: Path) -> None:
    """A line that the timeline places but the mix lost makes the target partial."""
    record = Target(source, tmp_path, heard=(PLACEMENTS[0], PLACEMENTS[2])).record()
    assert record.state == "partial"
    assert [(problem.line, problem.stage) for problem in record.problems] == [("2", "mix")]


def test_a_line_that_does_not_fit_is_named_with_what_it_lacks(source: Path, tmp_path: Path) -> None:
    """It has a take and no place; the message says how many seconds are missing."""
    timeline = replace(TIMELINE, placements=PLACEMENTS[:2], unplaced=(Unplaced("3", 0.42),))
    target = Target(source, tmp_path, heard=PLACEMENTS[:2], timeline=timeline)
    made = target.verify()
    assert made.notes["state"] == "partial"
    (problem,) = made.notes["problems"]
    assert (problem["line"], problem["stage"]) == ("3", "place")
    assert "0.42 s" in problem["message"]
    line = json.loads((target.out / "lesson-01.es.dub.json").read_text(encoding="utf-8"))["lines"][2]
    assert "placed" not in line
    assert line["take"]["natural_seconds"] == 2.1


def test_lines_without_text_or_voice_are_named_with_the_stage_that_lost_them(source: Path, tmp_path: Path) -> None:
    """Nothing is missing in silence."""
    record = Target(
        source,
        tmp_path,
        heard=PLACEMENTS[:1],
        timeline=replace(TIMELINE, placements=PLACEMENTS[:1]),
        lines=replace(LINES, lines=(*LINES.lines[:2], Line("3", " "))),
        takes=replace(TAKES, takes=TAKES.takes[:1]),
    ).record()
    assert [(problem.line, problem.stage) for problem in record.problems] == [("2", "synthesize"), ("3", "translate")]
    assert [line.voice.kind for line in record.lines] == ["stock", "stock", "stock"]


def test_where_frames_were_held_the_record_says_what_and_for_how_long(source: Path, tmp_path: Path) -> None:
    """The file is longer than its source, lateness counts from the later onsets, and the source's times stay."""
    hold = Hold(samples(5.6), samples(1.5))
    placements = (*PLACEMENTS[:2], replace(PLACEMENTS[2], span=Span.of_seconds(7.6, 9.6), anchor=None))
    timeline = Timeline("es", samples(LENGTH_S + 1.5), placements, holds=Holds((hold,)))
    target = Target(source, tmp_path, timeline=timeline, heard=placements, length_s=LENGTH_S + 1.5)
    record = target.record()
    assert record.state == "done"
    assert [part.model_dump() for part in record.holds] == [{"at": 5.6, "start": 5.6, "end": 7.1}]
    assert record.source.duration == pytest.approx(LENGTH_S, abs=0.04)
    assert record.output.duration == pytest.approx(LENGTH_S + 1.5, abs=0.08)
    assert record.lines[2].source.start == 6.0
    assert record.timing.onset_p95 is not None
    assert record.timing.onset_p95 < 0.1


def test_a_dub_that_ends_too_soon_fails(source: Path, tmp_path: Path) -> None:
    """A track that lost its last seconds is no finished file."""
    with pytest.raises(StageFailed, match=r"ends after 7\."):
        Target(source, tmp_path, length_s=7.0, heard=PLACEMENTS[:2]).verify()


def test_a_sound_file_is_verified_like_a_video(tmp_path: Path) -> None:
    """A wav has one track, which is the dub."""
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.full((samples(LENGTH_S), 2), 0.001, np.float32), RATE)
    record = Target(path, tmp_path).record()
    assert record.state == "done"
    assert [(stream.kind, stream.role) for stream in record.output.streams] == [("audio", "dub")]


def test_a_track_is_heard_with_its_time_stamps(tmp_path: Path) -> None:
    """Sound that starts two seconds into the file is found there, in the loudest of six channels."""
    path = tmp_path / "late.mkv"
    tone = "sine=frequency=997:sample_rate=48000:duration=1,volume=-6dB,pan=5.1|FC=c0"
    picture = "color=size=64x64:duration=4"
    ffmpeg(f"-f lavfi -i {picture} -itsoffset 2 -f lavfi -i {tone} -c:v mpeg4 -c:a flac", path)
    heard = hear(path, 0, 6, timeout_s=60)
    assert heard.level(Span.of_seconds(0.5, 1.9)) < -100
    # ffmpeg's sine has an amplitude of 1/8: -18 dB, 6 dB less, and 3 dB from peak to mean square.
    assert heard.level(Span.of_seconds(2.1, 2.9)) == pytest.approx(-27.1, abs=0.5)
    assert heard.level(Span.of_seconds(8, 9)) < -100


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    """What cannot be told is None, not minus seventy."""
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros((2 * RATE, 1), np.float32), RATE)
    heard = hear(path, 0, 1, timeout_s=60)
    assert heard.integrated_lufs is None
    assert heard.true_peak_dbtp is None
    assert heard.length == pytest.approx(2 * RATE, abs=480)


def test_the_dub_is_the_default_track_in_its_language(whole: Target) -> None:
    """Of two tracks the Spanish default one is the dub; no French one is there."""
    made: Media = probe(whole.out / "lesson-01.es.mp4")
    track = dub_track(made, "es")
    assert made.of_kind("audio")[track].language == "spa"
    with pytest.raises(StageFailed, match="no default audio tracks in fr"):
        dub_track(made, "fr")


def test_a_record_is_never_half_there(tmp_path: Path) -> None:
    """A folder that cannot take it is named, and no rubbish stays; a second writing replaces the first."""
    path = tmp_path / "out" / "lesson.es.dub.json"
    publish("first", path)
    publish("second", path)
    assert path.read_text() == "second"
    assert [each.name for each in path.parent.iterdir()] == ["lesson.es.dub.json"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        publish("text", tmp_path / "file" / "lesson.es.dub.json")


@pytest.mark.parametrize(
    ("media", "out", "named"),
    [
        ("/srv/courses/media/one.mp4", "/srv/courses/out/biology", "../../media/one.mp4"),
        ("/home/ada/course/one.mp4", "/home/ada/course/out", "../one.mp4"),
        ("/home/ada/one.mp4", "/srv/out", "one.mp4"),
        ("/home/ada/one.mp4", "/home/bob/out", "one.mp4"),
    ],
)
def test_a_record_names_no_folder_that_it_does_not_share(media: str, out: str, named: str) -> None:
    """A record that is given away tells nobody's home folder."""
    assert source_name(Path(media), Path(out)) == named


def test_a_lesson_without_speech_is_done_without_lines(source: Path, tmp_path: Path) -> None:
    """Nothing is said, so nothing is missing: its own sound is delivered, and what was not understood is told."""
    target = Target(source, tmp_path, heard=(), timeline=replace(TIMELINE, placements=()))
    silent = Script("en", (), unrecognized=(Span.of_seconds(2, 3.5),))
    dump(silent, target.inputs["transcribe/script.json"])
    dump(Lines("es", ()), target.inputs["synthesize/lines.json"])
    record = target.record()
    assert (record.state, record.lines, record.problems) == ("done", (), ())
    assert record.timing.overlap_s == 0
    assert record.notes == ("no word was recognized from 2.0 to 3.5 s: it is left as it was",)
