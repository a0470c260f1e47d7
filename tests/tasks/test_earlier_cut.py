"""A lesson that was edited again: what sounds the same keeps its words, and only the rest is heard."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from manifests.commits import Commit
from manifests.human_lines import HumanLine
from manifests.model import Course, Job
from manifests.script import Diarization, Script, Speaker, Turn, Utterance, dump, load
from manifests.spans import Span, samples
from manifests.workspace import Workspace
from tasks import transcribe
from tasks.bound_lines import bound
from tasks.earlier_cut import FLAG
from tasks.engines.pocketsphinx import Pocketsphinx
from tasks.engines.protocols import Hearing
from tasks.perform import Outcome, Products, perform
from tasks.sound_print import Recording, found_in, prints, whole

SAID = (
    "Welcome to the second lesson of this course.",
    "Plants turn the light of the sun into energy.",
    "Every day the sun heats the water of the sea.",
    "Many small drops together make a white cloud.",
)
NEW = "The teacher opened the door of the school."


def speak(text: str, folder: Path) -> np.ndarray:
    clip = folder / "clip.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(clip)], check=True, timeout=60)
    sound, rate = soundfile.read(clip, dtype="float32")
    return soxr.resample(sound, rate, 16_000)


def cut(texts: list[str], folder: Path, name: str, *codec: str) -> tuple[Path, list[Span]]:
    """A mono 16 kHz file of sentences with pauses, encoded and decoded as is asked, and where each lies."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(3)
    parts: list[np.ndarray] = []
    spans: list[Span] = []
    at = 0
    for text in texts:
        pause, sound = np.zeros(16_000, np.float32), speak(text, folder)
        parts += [pause, sound]
        spans.append(Span(3 * (at + len(pause)), 3 * (at + len(pause) + len(sound))))
        at += len(pause) + len(sound)
    whole = np.concatenate([*parts, np.zeros(16_000, np.float32)])
    whole = whole + 1e-4 * rng.standard_normal(len(whole)).astype(np.float32)
    path = folder / f"{name}.wav"
    soundfile.write(path, whole, 16_000, "PCM_16")
    if codec:
        coded = folder / f"{name}.m4a"
        subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), *codec, str(coded)], check=True, timeout=60)
        again = ["-af", "aresample=async=1:first_pts=0", "-ar", "16000", "-ac", "1", str(path)]
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(coded), *again], check=True, timeout=60)
    return path, spans


def diarization(spans: list[Span], pitch_hz: float) -> Diarization:
    turns = tuple(Turn("SPEAKER_00", span.padded(samples(0.1))) for span in spans)
    return Diarization((Speaker("SPEAKER_00", pitch_hz, 9.0),), turns, tuple(turn.span for turn in turns))


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / ".dub")


def lesson(space: Workspace, tmp_path: Path) -> Job:
    course = Course.model_validate({"course": "c", "targets": ["es"], "lessons": [{"media": "l.mp4"}]})
    return Job(
        manifest=tmp_path / "course.yaml",
        course=course,
        lesson=course.lessons[0],
        lesson_id="l",
        media=tmp_path / "l.mp4",
        out=tmp_path / "out",
        workspace=space.root,
    )


def transcribed(speech: Path, turns: Diarization, space: Workspace, tmp_path: Path) -> Outcome:
    """What the stage makes of a cut of the lesson, as a run does it."""
    with space.store.scratch() as scratch:
        who = space.store.put(dump(turns, scratch / "turns.json"))
    objects = {"split/speech.wav": space.store.put(speech).name, "diarize/turns.json": who.name}
    return perform(transcribe.STAGE, lesson(space, tmp_path), Products(objects), space, cores=2)


def script_of(made: Outcome, space: Workspace) -> Script:
    return load(Script, space.store.get(made.commit.outputs["script.json"]))


def test_only_what_is_new_in_a_cut_is_heard(space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An introduction added, a sentence taken out, encoded again: the others keep words, flags and human lines."""
    heard: list[Span] = []
    recognize = Pocketsphinx.recognize

    def listening(self: Pocketsphinx, speech: Path, parts: Sequence[Span], wanted: Hearing, **more: Any) -> Any:
        heard.extend(parts)
        return recognize(self, speech, parts, wanted, **more)

    monkeypatch.setattr(Pocketsphinx, "recognize", listening)
    sound, spans = cut(list(SAID), tmp_path / "a", "speech")
    before = script_of(transcribed(sound, diarization(spans, 180.0), space, tmp_path), space)
    assert [len(before.utterances), len(heard)] == [4, 4]
    heard.clear()

    sound, now = cut([NEW, SAID[0], SAID[2], SAID[3]], tmp_path / "b", "speech", "-c:a", "aac", "-b:a", "64k")
    made = transcribed(sound, diarization(now, 205.0), space, tmp_path)
    after = script_of(made, space)
    kept = [before.utterances[at] for at in (0, 2, 3)]
    assert made.commit.notes["as_before"] == 3
    assert [utterance.id for utterance in after.utterances] == ["1", "2", "3", "4"]
    assert "teacher" in after.utterances[0].text
    assert [FLAG in utterance.flags for utterance in after.utterances] == [False, True, True, True]
    assert [utterance.text for utterance in after.utterances[1:]] == [utterance.text for utterance in kept]
    assert [utterance.earlier for utterance in after.utterances[1:]] == [(utterance.span,) for utterance in kept]
    was = [spans[at] for at in (0, 2, 3)]
    for utterance, old, here, there in zip(after.utterances[1:], kept, now[1:], was, strict=True):
        moved = utterance.span.start - old.span.start
        assert abs(moved - (here.start - there.start)) < samples(0.005)
        assert [word.span for word in utterance.words] == [word.span.shifted(moved) for word in old.words]
    assert sum(part.length for part in heard) < now[0].length + samples(1)
    assert all(part.overlap(now[0]) for part in heard)
    assert after.pitch_hz == {"SPEAKER_00": 180.0}

    def human(at: int, text: str) -> HumanLine:
        utterance = before.utterances[at]
        return HumanLine(round(utterance.span.start_s, 3), round(utterance.span.end_s, 3), utterance.text, text)

    lines = bound([human(1, "Las plantas."), human(2, "Cada día.")], after)
    assert lines.lines == {"3": ("Cada día.", ())}
    assert [line.text for line in lines.lost] == ["Las plantas."]

    assert transcribed(sound, diarization(now, 205.0), space, tmp_path).cached


def test_a_plan_tells_how_many_lines_another_cut_may_keep(space: Workspace, tmp_path: Path) -> None:
    """Those of the cut that was heard last: unless its sound is gone, or all is to be heard in another way."""
    speech, spans = cut([SAID[0], SAID[3]], tmp_path / "before", "before")
    made = transcribed(speech, diarization(spans, 190.0), space, tmp_path)
    job, last = lesson(space, tmp_path), space.ledger.keys("c", "l")
    assert transcribe.lines_to_keep(job, last, space) == 2
    assert transcribe.lines_to_keep(job, {}, space) == 0
    captioned = job.model_copy(update={"lesson": job.lesson.model_copy(update={"captions": "l.vtt"})})
    assert transcribe.lines_to_keep(captioned, last, space) == 0
    french = job.model_copy(update={"course": job.course.model_copy(update={"source_language": "fr"})})
    assert transcribe.lines_to_keep(french, last, space) == 0
    space.store.discard(f"{made.commit.notes['made_from']['inputs']['split/speech.wav']}.wav")
    assert transcribe.lines_to_keep(job, last, space) == 0


def test_other_turns_in_the_same_sound_are_no_other_cut(space: Workspace, tmp_path: Path) -> None:
    """`num_speakers: 2`, or a better engine: what is said is cut into utterances anew."""
    sound, spans = cut([SAID[0]], tmp_path / "a", "speech")
    speech = space.store.put(sound).name
    space.store.commit(Commit("split", "k" * 64, {"speech.wav": speech, "media.json": speech}))
    space.ledger.found("c", {("l", "", "split"): "k" * 64})
    assert len(script_of(transcribed(sound, diarization(spans, 180.0), space, tmp_path), space).utterances) == 1
    middle = (spans[0].start + spans[0].end) // 2
    two = [Span(spans[0].start, middle), Span(middle, spans[0].end)]
    turns = tuple(Turn(f"SPEAKER_0{at}", span) for at, span in enumerate(two))
    speakers = tuple(Speaker(turn.speaker, 180.0, 4.0) for turn in turns)
    after = script_of(transcribed(sound, Diarization(speakers, turns, (spans[0],)), space, tmp_path), space)
    assert [utterance.speaker for utterance in after.utterances] == ["SPEAKER_00", "SPEAKER_01"]
    assert not any(FLAG in utterance.flags for utterance in after.utterances)


def test_a_sentence_in_which_a_word_is_another_is_heard_again(tmp_path: Path) -> None:
    """A third of a second of other speech in it, however alike the rest is."""
    sound, spans = cut(list(SAID[:2]), tmp_path / "a", "speech")
    samples_of, _ = soundfile.read(sound, dtype="float32")
    middle = (spans[1].start + spans[1].end) // 6
    other = samples_of.copy()
    other[middle : middle + 5_600] = samples_of[spans[0].start // 3 + 4_000 :][:5_600]
    changed = tmp_path / "changed.wav"
    soundfile.write(changed, other, 16_000, "PCM_16")
    heard = [(span, prints(sound, span)) for span in spans]
    places = found_in(heard, Recording(prints(changed, whole(changed))))
    assert places[0] is not None and places[0][0] == spans[0]
    assert places[1] is None


def test_a_line_follows_its_sound_not_its_time() -> None:
    """Of two utterances of the same words, each keeps its own line, though another one is now where it was; and a line
    whose passage is gone goes to nobody who speaks at its time now."""
    first, second = Span.of_seconds(10, 11), Span.of_seconds(40, 41)
    lines = [
        HumanLine(10.0, 11.0, "all right", "Vale."),
        HumanLine(40.0, 41.0, "all right", "Muy bien."),
        HumanLine(60.0, 62.0, "the water was cold", "El agua."),
    ]
    script = Script(
        "en",
        (
            Utterance("1", "S", Span.of_seconds(40, 41), "All right.", (), 0.9, earlier=(first,)),
            Utterance("2", "S", Span.of_seconds(60, 62), "The waiter was old.", (), 0.9),
            Utterance("3", "S", Span.of_seconds(70, 71), "All right.", (), 0.9, earlier=(second,)),
        ),
    )
    found = bound(lines, script)
    assert {name: text for name, (text, _) in found.lines.items()} == {"1": "Vale.", "3": "Muy bien."}
    assert found.lost == (lines[2],)
