"""Speech to a script: what is said, when, by whom; the same however many processes there are."""

import os
import signal
import subprocess
import sys
import time
import wave
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from manifests.cues import Cue
from manifests.errors import EngineUnavailable
from manifests.script import Diarization, Script, Speaker, Turn, dump, load
from manifests.spans import Span, merged
from manifests.store import Store
from tasks.activity import levels, voice
from tasks.engines.protocols import Hearing
from tasks.stage import Workbench
from tasks.transcribe import STAGE, chunks, transcribe

ENGLISH = Hearing("en", "pocketsphinx")
SENTENCES = (
    ("slt", "the students will learn how plants make their own food"),
    ("rms", "water and light are needed for this process"),
    ("slt", "in the next lesson we will look at the leaves of a tree"),
    ("rms", "please read the second chapter of the book before monday"),
)


@dataclass(frozen=True)
class Lecture:
    """A sound file and where each sentence really starts and ends in it."""

    speech: Path
    truth: tuple[Span, ...]
    diarization: Diarization


def spoken(folder: Path, name: str, text: str) -> np.ndarray:
    """What flite says, 16 kHz, without the silence around it."""
    path = folder / "flite.wav"
    subprocess.run(["flite", "-voice", name, "-t", text, "-o", str(path)], check=True, timeout=30)
    with wave.open(str(path)) as sound:
        assert sound.getframerate() == 16_000
        heard = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    loud = np.flatnonzero(np.abs(heard.astype(int)) > 300)
    return heard[loud[0] : loud[-1] + 1]


def written(path: Path, sound: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(sound.astype("<i2").tobytes())
    return path


def diarized(turns: list[tuple[str, Span]]) -> Diarization:
    labels = sorted({speaker for speaker, _ in turns})
    return Diarization(
        tuple(Speaker(label, 150.0, 5.0) for label in labels),
        tuple(Turn(speaker, span) for speaker, span in turns),
        merged(span for _, span in turns),
    )


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Lecture:
    """Two voices in turn over quiet room noise, 0.7 s apart; the turns are off by up to 0.1 s, as diarization is."""
    folder = tmp_path_factory.mktemp("lecture")
    draw = np.random.default_rng(7)
    parts: list[np.ndarray] = [np.zeros(16_000)]
    truth: list[Span] = []
    turns: list[tuple[str, Span]] = []
    at = 16_000
    for name, text in SENTENCES:
        sound = spoken(folder, name, text)
        truth.append(Span(at * 3, (at + len(sound)) * 3))
        early, late = (int(edge) for edge in draw.integers(-1_600, 1_600, 2))
        speaker = {"slt": "SPEAKER_00", "rms": "SPEAKER_01"}[name]
        turns.append((speaker, Span((at + early) * 3, (at + len(sound) + late) * 3)))
        parts += [sound, np.zeros(11_200)]
        at += len(sound) + 11_200
    whole = np.concatenate(parts)
    speech = written(folder / "speech.wav", whole + draw.normal(0, 10, len(whole)))
    return Lecture(speech, tuple(truth), diarized(turns))


@pytest.fixture(scope="module")
def script(lecture: Lecture) -> Script:
    return transcribe(lecture.speech, lecture.diarization, ENGLISH, cores=2)


def word_errors(said: list[str], heard: list[str]) -> int:
    """Least number of words to replace, add or leave out."""
    row = list(range(len(heard) + 1))
    for count, one in enumerate(said, 1):
        corner, row[0] = row[0], count
        for place, other in enumerate(heard, 1):
            corner, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, corner + (one != other))
    return row[-1]


def test_each_sentence_is_an_utterance_of_its_speaker(script: Script) -> None:
    """Four sentences by two voices in turn are four utterances, numbered in order."""
    assert [(one.id, one.speaker) for one in script.utterances] == [
        ("1", "SPEAKER_00"),
        ("2", "SPEAKER_01"),
        ("3", "SPEAKER_00"),
        ("4", "SPEAKER_01"),
    ]
    assert script.unrecognized == ()
    assert script.language == "en"


def test_most_words_are_right(script: Script) -> None:
    """At most one word in four is wrong, and what is written reads as sentences."""
    said = " ".join(text for _, text in SENTENCES).split()
    heard = [word.text for one in script.utterances for word in one.words]
    assert word_errors(said, heard) <= 10
    for one in script.utterances:
        assert one.text[0].isupper()
        assert one.text[-1] == "."
        assert not set("<>[]()+") & set(one.text)


def test_utterances_start_and_end_with_the_voice(script: Script, lecture: Lecture) -> None:
    """Edges are within 50 ms of the sound's, though the turns are up to 100 ms off."""
    for one, true in zip(script.utterances, lecture.truth, strict=True):
        assert abs(one.span.start_s - true.start_s) <= 0.05
        assert abs(one.span.end_s - true.end_s) <= 0.08


def test_words_lie_in_order_within_their_utterance(script: Script) -> None:
    """Word times are ordered, inside their utterance give or take 0.1 s, and confidence is a share."""
    for one in script.utterances:
        starts = [word.span.start for word in one.words]
        assert starts == sorted(starts)
        assert one.words[0].span.start_s >= one.span.start_s - 0.1
        assert one.words[-1].span.end_s <= one.span.end_s + 0.1
        assert all(0 <= word.confidence <= 1 for word in one.words)
        assert 0 < one.confidence <= 1


def test_one_process_finds_what_two_find(script: Script, lecture: Lecture) -> None:
    """The script does not depend on the number of processes, to the last digit."""
    assert transcribe(lecture.speech, lecture.diarization, ENGLISH, cores=1) == script


def test_the_stage_writes_the_script(lecture: Lecture, script: Script, tmp_path: Path) -> None:
    """The adapter reads the earlier stages' files and writes `script.json`; progress ends at 1."""
    told: list[float] = []
    bench = Workbench(Store(tmp_path / "store"), tmp_path, cores=2, tell=told.append)
    turns = dump(lecture.diarization, tmp_path / "turns.json")
    made = STAGE.run(ENGLISH, {"split/speech.wav": lecture.speech, "diarize/turns.json": turns}, bench)
    assert load(Script, made.outputs["script.json"]) == script
    assert made.notes["utterances"] == 4
    assert told[-1] == 1.0


def test_silence_is_an_empty_script(tmp_path: Path) -> None:
    """Without turns nothing is recognized."""
    speech = written(tmp_path / "speech.wav", np.zeros(160_000))
    assert transcribe(speech, diarized([]), ENGLISH) == Script("en", ())


def test_a_turn_over_digital_silence_is_named_unrecognized(tmp_path: Path) -> None:
    """Where diarization hears speech and there is no word, the script says where."""
    speech = written(tmp_path / "speech.wav", np.zeros(160_000))
    where = Span.of_seconds(2, 5)
    assert transcribe(speech, diarized([("SPEAKER_00", where)]), ENGLISH) == Script("en", (), (where,))


def test_a_two_second_clip_with_speech_to_its_very_edges(tmp_path: Path) -> None:
    """A turn that starts at 0 and reaches past the end of the file is recognized and stays inside the file."""
    sound = spoken(tmp_path, "slt", "this is the first lesson")
    speech = written(tmp_path / "speech.wav", sound)
    script = transcribe(speech, diarized([("SPEAKER_00", Span(0, len(sound) * 3 + 4_800))]), ENGLISH)
    (one,) = script.utterances
    assert "lesson" in one.text
    assert one.span.start_s <= 0.05
    assert 0 <= len(sound) * 3 - one.span.end < 4_800


def test_onsets_are_found_over_music(lecture: Lecture, tmp_path: Path) -> None:
    """A swelling chord 12 dB under the voice hides no pause and moves no start by more than 0.1 s."""
    with wave.open(str(lecture.speech)) as sound:
        voice_alone = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    at = np.arange(len(voice_alone)) / 16_000
    level = 10 ** (-12 / 20) * np.sqrt(np.mean(voice_alone**2))
    chord = sum(np.sin(2 * np.pi * hertz * at) for hertz in (220.0, 277.2, 329.6)) * level * np.sqrt(2 / 3)
    swell = 0.8 + 0.2 * np.sin(2 * np.pi * 0.3 * at)
    speech = written(tmp_path / "speech.wav", voice_alone + chord * swell)
    starts = [one.start_s + 0.2 for one in chunks(lecture.diarization, voice(levels(speech)), 15.0)]
    assert len(starts) == 4
    assert all(abs(start - true.start_s) <= 0.1 for start, true in zip(starts, lecture.truth, strict=True))


def test_chunks_hold_all_speech_once_with_quiet_around_it() -> None:
    """40 s of speech with a pause of 0.3 s every 5 s: chunks of at most 15 s, in order, none overlaps another."""
    runs = tuple(Span.of_seconds(start, start + 4.7) for start in range(1, 41, 5))
    pieces = chunks(diarized([("SPEAKER_00", Span.of_seconds(1, 40.7))]), runs, 15.0)
    assert all(one.length_s <= 15.4 for one in pieces)
    assert all(one.end <= after.start for one, after in pairwise(pieces))
    assert all(any(one.start <= run.start and run.end <= one.end for one in pieces) for run in runs)
    assert pieces[0].start_s == 0.8
    assert pieces[-1].end_s == 40.9


def test_a_new_speaker_begins_a_new_chunk() -> None:
    """Two voices without a pause between them are not heard as one."""
    turns = [("SPEAKER_00", Span.of_seconds(0, 3)), ("SPEAKER_01", Span.of_seconds(3, 6))]
    assert chunks(diarized(turns), (Span.of_seconds(0, 6),), 15.0) == (Span.of_seconds(0, 3), Span.of_seconds(3, 6.2))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Hearing("es", "pocketsphinx"), "understands English only, not 'es'"),
        (Hearing("en", "parakeet"), "no engine called 'parakeet' for transcribe; there is pocketsphinx"),
    ],
)
def test_what_cannot_be_transcribed_is_refused_with_a_remedy(wanted: Hearing, message: str, lecture: Lecture) -> None:
    """Another language or engine is the operator's to mend, and the message says what there is."""
    with pytest.raises(EngineUnavailable, match=message) as caught:
        transcribe(lecture.speech, lecture.diarization, wanted)
    assert "`source_language: en`" in caught.value.remedy or "`engines: {" in caught.value.remedy


def test_variants_of_english_are_english(tmp_path: Path) -> None:
    """`en-GB` is recognized, and stays the script's language."""
    speech = written(tmp_path / "speech.wav", np.zeros(16_000))
    assert transcribe(speech, diarized([]), Hearing("en-GB", "pocketsphinx")).language == "en-GB"


SCRIPT = """
import sys, threading
from pathlib import Path
from manifests.script import Diarization, load
from tasks.engines.protocols import Hearing
from tasks.transcribe import transcribe

def main():
    heard = []
    def work():
        turns = load(Diarization, Path(sys.argv[2]))
        heard.append(transcribe(Path(sys.argv[1]), turns, Hearing("en", "pocketsphinx"), cores=2))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print(len(heard[0].utterances))

if __name__ == "__main__":
    sys.exit(main())
"""


def command(lecture: Lecture, turns: Diarization, folder: Path) -> list[str]:
    """A console script that transcribes these turns of the lecture in a thread."""
    program = folder / "console script"
    program.write_text(SCRIPT)
    return [sys.executable, str(program), str(lecture.speech), str(dump(turns, folder / "turns.json"))]


def test_it_works_in_a_thread_of_a_console_script(lecture: Lecture, tmp_path: Path) -> None:
    """Worker processes start from a script with any name, and nothing but its own output is printed."""
    first = diarized([("SPEAKER_00", lecture.truth[0])])
    words = command(lecture, first, tmp_path)
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout == "1\n"
    assert done.stderr == ""


def children(parent: int) -> list[int]:
    """Process ids whose parent is this one."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_for(what: object, seconds: float) -> bool:
    assert callable(what)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def test_workers_die_with_their_parent(lecture: Lecture, tmp_path: Path) -> None:
    """After `kill -9` of the program no recognizer goes on."""
    words = command(lecture, lecture.diarization, tmp_path)
    program = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: len(children(program.pid)) >= 3, 60)  # two workers and the resource tracker
    started = children(program.pid)
    os.kill(program.pid, signal.SIGKILL)
    program.wait(10)
    assert wait_for(lambda: not [one for one in started if Path(f"/proc/{one}").exists()], 10)


def test_captions_give_the_text_and_the_sound_gives_its_times(lecture: Lecture) -> None:
    """Case, punctuation and a word that no recognizer knows come from the captions, whose own times are absurd."""
    texts = [text.capitalize() + "." for _, text in SENTENCES]
    texts[1] = "Water & light are needed for this process."
    cues = [Cue(None, None, (text,), None, number) for number, text in enumerate(texts, 1)]
    script = transcribe(lecture.speech, lecture.diarization, ENGLISH, captions=cues)
    assert [utterance.text for utterance in script.utterances] == texts
    for utterance, true in zip(script.utterances, lecture.truth, strict=True):
        assert abs(utterance.span.start - true.start) <= 0.1 * 48_000
        assert not utterance.flags


def test_captions_of_another_lesson_are_not_used_and_that_is_said(lecture: Lecture) -> None:
    other = Cue(0.0, 9.0, ("Our city began as a market by the river, and its walls were built of red stone.",), None, 1)
    script = transcribe(lecture.speech, lecture.diarization, ENGLISH, captions=[other] * 4)
    assert script.utterances
    assert all("not in the captions" in utterance.flags for utterance in script.utterances)
