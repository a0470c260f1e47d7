"""A person's enrolment from the lessons: the best of what they say, from as few lessons as suffice, always the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from manifests.script import Diarization, Script, Speaker, Turn, Utterance, Word
from manifests.spans import Span, merged, samples
from tasks.gathering import Appearance, gathered
from voiceclone import voiceprint
from voiceclone.matching import CLEAR
from voiceclone.voiceprint import Mono

TEXT = (
    "Every day the sun heats the water of the sea. A part of this water rises into the air, and we can not see it.",
    "When the drops are heavy they fall to the ground, and we call it rain. Then the water runs back to the sea.",
)

Make = Callable[..., Appearance]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a lesson in which these voices of flite say one text each, SPEAKER_00 the person who is looked for.

    `noise` is the level of hiss in the first half.
    """

    def made(name: str, *parts: tuple[str, str, str], noise: float = 0.0) -> Appearance:
        turns: list[Turn] = []
        utterances: list[Utterance] = []
        sound: list[Mono] = []
        at = 0
        for number, (label, voice, text) in enumerate(parts, 1):
            said = _say(voice, text, tmp_path)
            span = Span(at, at + len(said))
            turns.append(Turn(label, span))
            spoken = text.split()
            step = span.length // len(spoken)
            words = [Word(word, Span(at + i * step, at + (i + 1) * step), 0.9) for i, word in enumerate(spoken)]
            utterances.append(Utterance(str(number), label, span, text, tuple(words), 0.9))
            sound += [said, np.zeros(72_000, np.float32)]
            at += len(said) + 72_000
        whole = np.concatenate(sound)
        half = len(whole) // 2
        whole[:half] += noise * np.random.default_rng(1).standard_normal(half).astype(np.float32)
        labels = sorted({label for label, _, _ in parts})
        soundfile.write(tmp_path / f"{name}.flac", np.stack([whole, whole], axis=1), 48_000)
        soundfile.write(tmp_path / f"{name}.wav", soxr.resample(whole, 48_000, 16_000), 16_000)
        return Appearance(
            "water",
            name,
            "0" * 64,
            "SPEAKER_00",
            Diarization(
                tuple(Speaker(label, None, 10.0) for label in labels), tuple(turns), merged(turn.span for turn in turns)
            ),
            Script("en", tuple(utterances)),
            tmp_path / f"{name}.wav",
            tmp_path / f"{name}.flac",
        )

    return made


def _say(voice: str, text: str, folder: Path) -> Mono:
    path = folder / "said.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
    sound, rate = soundfile.read(str(path), dtype="float32")
    return np.asarray(soxr.resample(sound, rate, 48_000), np.float32)


def test_excerpts_are_of_the_person_alone_with_their_words_and_where_they_come_from(make: Make) -> None:
    """Nothing of the other speaker; the words are those between the excerpt's edges; the same again, to the sample."""
    one = make("one", ("SPEAKER_00", "slt", TEXT[0]), ("SPEAKER_01", "rms", TEXT[1]), ("SPEAKER_00", "slt", TEXT[1]))
    recordings, origins = gathered([one])
    assert len(recordings) == len(origins) >= 2
    theirs = [turn.span for turn in one.turns.turns if turn.speaker == "SPEAKER_00"]
    for recording, origin in zip(recordings, origins, strict=True):
        span = Span.of_seconds(origin.start, origin.end)
        assert sum(turn.overlap(span) for turn in theirs) == pytest.approx(span.length, abs=samples(0.6))
        assert (origin.course, origin.lesson, origin.label) == ("water", "one", "SPEAKER_00")
        assert len(recording.samples) == pytest.approx(span.length, abs=100)
        assert recording.rate == 48_000
    assert {word for each in recordings for word in each.text.split()} <= set(" ".join(TEXT).split())
    again, origins_again = gathered([one])
    assert origins_again == origins
    assert all((a.samples == b.samples).all() for a, b in zip(recordings, again, strict=True))


def test_no_more_lessons_are_listened_to_than_needed(make: Make) -> None:
    """Half a minute is enough; a lesson whose speaker is somebody else is left out, whatever the manifest says."""
    parts = [("SPEAKER_00", "slt", text) for text in TEXT]
    first, wrong = make("first", *parts), make("wrong", ("SPEAKER_00", "rms", TEXT[0]))
    second, third = make("second", *parts, *parts), make("third", *parts)
    opened: list[str] = []

    def lessons() -> Iterator[Appearance]:
        for each in (first, wrong, second, third):
            opened.append(each.lesson)
            yield each

    recordings, origins = gathered(lessons())
    assert opened == ["first", "wrong", "second"]
    assert {origin.lesson for origin in origins} == {"first", "second"}
    heard = [voiceprint.print_of(voiceprint.resampled(each.samples, each.rate)) for each in recordings]
    assert min(float(one @ other) for one in heard for other in heard) > CLEAR


def test_noise_is_left_out_unless_there_is_nothing_else(make: Make) -> None:
    """Of a lesson with a noisy first half only the quiet half is kept; of a wholly noisy one, what there is."""
    parts = [("SPEAKER_00", "slt", text) for text in TEXT]
    half = make("half", *parts, *parts, noise=0.03)
    _, origins = gathered([half])
    assert min(origin.start for origin in origins) > soundfile.info(half.programme).duration / 2 - 1
    _, origins = gathered(
        [make("noisy", *parts, ("SPEAKER_01", "rms", TEXT[0]), ("SPEAKER_01", "rms", TEXT[1]), noise=0.03)]
    )
    assert origins
