"""Who a speaker is: never by the label alone, and nobody where that is not sure."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import pytest
import soundfile
import soxr

from manifests.script import Diarization, Speaker, Turn
from manifests.spans import Span, merged, samples
from tasks.identity import EVERYONE, Named, identify
from voiceclone import voiceprint
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import Mono, Print

RATE = 16_000
LESSON = (
    "Welcome to the second lesson of this course. Plants turn the light of the sun into energy. "
    "It happens in the green leaves, and nowhere else."
)
ENROLLED = (
    "Now let us look at what happens in winter, when most of the trees have lost their leaves. "
    "Some animals sleep for months, and others travel a long way to the south."
)
VOICES = {"amara": "slt", "ben": "rms", "stranger": "awb"}

Say = Callable[[str, str], Mono]


@pytest.fixture(scope="module")
def say(tmp_path_factory: pytest.TempPathFactory) -> Say:
    """Somebody of `VOICES` saying a text, mono at 16 kHz."""
    folder = tmp_path_factory.mktemp("said")

    @lru_cache
    def said(who: str, text: str) -> Mono:
        path = folder / f"{len(list(folder.iterdir()))}.wav"
        subprocess.run(["flite", "-voice", VOICES[who], "-t", text, "-o", str(path)], check=True, timeout=60)
        sound, rate = soundfile.read(str(path), dtype="float32")
        return np.asarray(sound if rate == RATE else soxr.resample(sound, rate, RATE), np.float32)

    return said


@pytest.fixture(scope="module")
def enrolled(say: Say) -> Mapping[str, Print]:
    """How Amara and Ben sound in other words than the lesson's."""
    return {name: _print(say(name, ENROLLED)) for name in ("amara", "ben")}


def _print(sound: Mono) -> Print:
    return voiceprint.print_of(joined(sound, speaking(sound)))


class Lesson:
    """Speakers after each other, labelled in order of first speech, a second apart."""

    def __init__(self, *parts: tuple[str, Mono]) -> None:
        turns: list[Turn] = []
        sound: list[Mono] = []
        at = 0
        for label, said in parts:
            turns.append(Turn(label, Span(at * 3, (at + len(said)) * 3)))
            sound += [said, np.zeros(RATE, np.float32)]
            at += len(said) + RATE
        labels = list(dict.fromkeys(label for label, _ in parts))
        speech = {label: sum(turn.span.length_s for turn in turns if turn.speaker == label) for label in labels}
        self.found = Diarization(
            tuple(Speaker(label, None, speech[label]) for label in labels),
            tuple(turns),
            merged(turn.span for turn in turns),
        )
        self.sound = np.concatenate(sound)
        self.heard = 0

    def hear(self, span: Span) -> Mono:
        self.heard += 1
        return self.sound[span.start // 3 : span.end // 3]


def people(lesson: Lesson, named: Named, voices: Mapping[str, Print]) -> dict[str, str | None]:
    return {label: each.person for label, each in identify(lesson.found, named, voices, lesson.hear).items()}


KNOWN = {"amara": "their enrolment", "ben": "their enrolment"}
BY_VOICE = Named({}, KNOWN, by_voice=True)


def test_speakers_are_matched_by_voice_in_whatever_order_they_speak(say: Say, enrolled: Mapping[str, Print]) -> None:
    """Two who are enrolled and one who is not, told apart; the stranger's reason says that nobody sounds so."""
    lesson = Lesson(*((f"SPEAKER_0{at}", say(who, LESSON)) for at, who in enumerate(["stranger", "ben", "amara"])))
    who = identify(lesson.found, BY_VOICE, enrolled, lesson.hear)
    assert [each.person for each in who.values()] == [None, "ben", "amara"]
    assert who["SPEAKER_00"].reason.startswith("no one enrolled sounds like SPEAKER_00 (")


def test_a_label_is_never_an_identity(say: Say, enrolled: Mapping[str, Print]) -> None:
    """A manifest whose labels are the wrong way round names nobody: each is refused, and the reason names the voice."""
    lesson = Lesson(("SPEAKER_00", say("ben", LESSON)), ("SPEAKER_01", say("amara", LESSON)))
    named = Named({"SPEAKER_00": "amara", "SPEAKER_01": "ben"}, KNOWN)
    who = identify(lesson.found, named, enrolled, lesson.hear)
    assert {(each.person, each.refused) for each in who.values()} == {(None, True)}
    assert "the manifest calls SPEAKER_00 amara, but the voice is" in who["SPEAKER_00"].reason
    right = Named({"SPEAKER_00": "ben", "SPEAKER_01": "amara"}, KNOWN)
    assert people(lesson, right, enrolled) == {"SPEAKER_00": "ben", "SPEAKER_01": "amara"}


def test_a_later_lesson_is_held_against_the_voice_of_the_first(say: Say, enrolled: Mapping[str, Print]) -> None:
    """The reason says which lesson the voice is known from: whoever reads it can tell which of the two is wrong."""
    lesson = Lesson(("SPEAKER_00", say("stranger", LESSON)))
    named = Named({"SPEAKER_00": "amara"}, {"amara": "the lesson lesson-01"})
    refused = identify(lesson.found, named, {"amara": enrolled["amara"]}, lesson.hear)["SPEAKER_00"]
    assert (refused.person, refused.refused) == (None, True)
    assert refused.reason.endswith("; amara's voice is known from the lesson lesson-01")


@pytest.mark.parametrize("known", [True, False])
def test_one_person_throughout_does_not_speak_for_a_guest(known: bool, say: Say, enrolled: Mapping[str, Print]) -> None:
    """Enrolled or not; also a guest who says too little to be told by voice. The manifest is not at fault."""
    short = say("ben", LESSON)[: RATE * 2]
    lesson = Lesson(
        ("SPEAKER_00", say("ben", LESSON)[: RATE * 4]), ("SPEAKER_01", say("amara", LESSON)), ("SPEAKER_02", short)
    )
    named = Named({EVERYONE: "amara"}, {"amara": "their enrolment"} if known else {})
    who = identify(lesson.found, named, {"amara": enrolled["amara"]} if known else {}, lesson.hear)
    assert [each.person for each in who.values()] == [None, "amara", None]
    assert not any(each.refused for each in who.values())
    assert who["SPEAKER_02"].reason


def test_one_person_named_throughout_who_is_not_there_is_refused(say: Say, enrolled: Mapping[str, Print]) -> None:
    """A whole lesson by somebody else."""
    lesson = Lesson(("SPEAKER_00", say("ben", LESSON)))
    named = Named({EVERYONE: "amara"}, {"amara": "their enrolment"})
    refused = identify(lesson.found, named, {"amara": enrolled["amara"]}, lesson.hear)["SPEAKER_00"]
    assert (refused.person, refused.refused) == (None, True)


def test_two_labels_of_one_person_are_one_voice_or_the_lesser_is_refused(say: Say) -> None:
    """Without any enrolment: what the manifest says of two clearly different voices cannot both be true."""
    named = Named({"SPEAKER_00": "amara", "SPEAKER_01": "amara"}, {})
    twice = Lesson(("SPEAKER_00", say("amara", LESSON)), ("SPEAKER_01", say("amara", ENROLLED)))
    assert people(twice, named, {}) == {"SPEAKER_00": "amara", "SPEAKER_01": "amara"}
    two = Lesson(("SPEAKER_00", say("amara", LESSON)), ("SPEAKER_01", say("ben", ENROLLED)))
    who = identify(two.found, named, {}, two.hear)
    assert [each.person for each in who.values()].count("amara") == 1
    assert [each.refused for each in who.values()].count(True) == 1


def test_where_nothing_is_to_be_compared_nothing_is_heard(say: Say) -> None:
    """Nobody enrolled: no voice of a person who never agreed to anything is measured."""
    lesson = Lesson(("SPEAKER_00", say("ben", LESSON)), ("SPEAKER_01", say("amara", LESSON)))
    named = Named({"SPEAKER_00": "stock", "SPEAKER_01": "amara"}, {})
    assert people(lesson, named, {}) == {"SPEAKER_00": None, "SPEAKER_01": "amara"}
    who = identify(
        lesson.found, Named({}, {}, unknown="amara is not enrolled: dub voices enrol amara"), {}, lesson.hear
    )
    assert {each.reason for each in who.values()} == {"amara is not enrolled: dub voices enrol amara"}
    assert lesson.heard == 0


def test_who_says_too_little_is_who_the_manifest_says(say: Say, enrolled: Mapping[str, Print]) -> None:
    """Two seconds contradict nobody; and by voice alone they are nobody."""
    lesson = Lesson(("SPEAKER_00", say("ben", LESSON)[: RATE * 2]))
    assert samples(2.5) > lesson.found.turns[0].span.length
    assert people(lesson, Named({"SPEAKER_00": "amara"}, KNOWN), enrolled) == {"SPEAKER_00": "amara"}
    assert people(lesson, BY_VOICE, enrolled) == {"SPEAKER_00": None}
