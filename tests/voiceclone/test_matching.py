"""Who speaks, by voice: clear, unsure, or somebody else; and the best of what a speaker says in a lesson."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.script import Diarization, Speaker, Turn
from manifests.spans import Span, merged, samples
from voiceclone import voiceprint
from voiceclone.excerpts import alone, best_spans, speaker_print
from voiceclone.matching import Match, match, match_all, objection
from voiceclone.quality import Recording
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import Mono, Print

Say = Callable[..., Recording]

OTHER_WORDS = "Now let us look at what happens in winter, when most of the trees have lost their leaves."


def print_of(recording: Recording) -> Print:
    return voiceprint.print_of(joined(recording.samples, speaking(recording.samples)))


def blend(angle: float) -> Print:
    """A print at an angle, in degrees, from the first axis."""
    out = np.zeros(256, np.float32)
    out[0], out[1] = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return out


def lesson(*parts: tuple[str, Mono]) -> tuple[Diarization, Mono]:
    """A lesson of speakers after each other, at 16 kHz, and who speaks when in it."""
    turns: list[Turn] = []
    at = 0
    for label, sound in parts:
        turns.append(Turn(label, Span(at * 3, (at + len(sound)) * 3)))
        at += len(sound)
    labels = sorted({label for label, _ in parts})
    speakers = tuple(Speaker(label, 120.0, 10.0) for label in labels)
    return Diarization(speakers, tuple(turns), merged(turn.span for turn in turns)), np.concatenate(
        [p for _, p in parts]
    )


def heard_in(sound: Mono) -> Callable[[Span], Mono]:
    return lambda span: sound[span.start // 3 : span.end // 3]


def test_a_person_is_known_again_by_other_words_and_at_another_level(say: Say) -> None:
    """Two enrolled voices; each says something new, 20 dB quieter."""
    people = {"amara": print_of(say("slt")), "ben": print_of(say("rms"))}
    for voice, person in (("slt", "amara"), ("rms", "ben")):
        said = say(voice, OTHER_WORDS)
        quiet = print_of(replace(said, samples=said.samples * np.float32(0.1)))
        assert voiceprint.likeness(quiet, print_of(said)) > 0.995
        found = match("SPEAKER_00", quiet, people)
        assert found.person == person
        assert found.reason == f"SPEAKER_00 sounds like {person} ({found.similarity:.2f})"


def test_a_voice_that_nobody_enrolled_gets_nobodys_name(say: Say) -> None:
    """A third speaker is unsure, and the reason names the best and how like it was."""
    people = {"amara": print_of(say("slt")), "ben": print_of(say("rms"))}
    found = match("SPEAKER_01", print_of(say("awb", OTHER_WORDS)), people)
    assert found.person is None
    assert found.reason.startswith("no one enrolled sounds like SPEAKER_01 (")


@pytest.mark.parametrize(
    ("voice", "people", "expected"),
    [
        (blend(10), {}, Match("S", None, None, "nobody is enrolled")),
        (None, {"amara": blend(0)}, Match("S", None, None, "S speaks too little to be told by voice")),
        (blend(10), {"amara": blend(0)}, Match("S", "amara", 0.985, "S sounds like amara (0.98)")),
        (
            blend(45),
            {"amara": blend(0), "ben": blend(100)},
            Match("S", None, 0.707, "no one enrolled sounds like S (0.71 at most, 0.85 is clear)"),
        ),
        (
            blend(10),
            {"amara": blend(0), "ben": blend(-5)},
            Match("S", None, 0.985, "by voice S is between amara (0.98) and ben (0.97)"),
        ),
        (blend(10), {"amara": blend(0), "ben": blend(60)}, Match("S", "amara", 0.985, "S sounds like amara (0.98)")),
    ],
)
def test_only_a_clear_match_with_a_margin_names_somebody(
    voice: Print | None, people: dict[str, Print], expected: Match
) -> None:
    """Nobody enrolled, nothing heard, too unlike, too close a second: a stock voice speaks, and the words say why."""
    assert match("S", voice, people) == expected


@pytest.mark.parametrize(
    ("voices", "expected"),
    [
        # one person whom diarization heard as two: alike enough to each other
        ({"S0": 10, "S1": -10}, {"S0": "amara", "S1": "amara"}),
        # both match clearly, yet they are two voices, and neither is nearer by the margin
        ({"S0": 24, "S1": -24}, {"S0": None, "S1": None}),
        # both match clearly, and one of two voices is much nearer
        ({"S0": 5, "S1": 31.5, "S2": -40}, {"S0": "amara", "S1": "amara", "S2": None}),
        ({"S0": -15, "S1": 29}, {"S0": "amara", "S1": None}),
        # a stranger in the same room resembles her all but as much
        ({"S0": 28, "S1": -32}, {"S0": None, "S1": None}),
        ({"S0": 10, "S1": None}, {"S0": "amara", "S1": None}),
    ],
)
def test_one_person_is_never_two_voices_of_one_lesson(
    voices: dict[str, float | None], expected: dict[str, str | None]
) -> None:
    """Two speakers are both her only where both match clearly and they are alike; else the nearer one, or nobody."""
    prints = {label: None if angle is None else blend(angle) for label, angle in voices.items()}
    found = match_all(prints, {"amara": blend(0)})
    assert {label: each.person for label, each in found.items()} == expected
    assert all(each.reason for each in found.values())


@pytest.mark.parametrize(
    ("angle", "why"),
    [
        (10, None),
        (40, None),
        (50, "the manifest calls S amara, but the voice is somebody else's (0.64)"),
        (38, "the manifest calls S amara (0.79), but the voice is ben's (1.00)"),
    ],
)
def test_a_name_in_the_manifest_is_refused_where_the_voice_is_anothers(angle: float, why: str | None) -> None:
    """The manifest may name somebody whom the voice does not tell clearly, never somebody whom it contradicts."""
    people = {"amara": blend(0), "cara": blend(-90)} | ({"ben": blend(38)} if angle == 38 else {})
    assert objection("S", "amara", blend(angle), people) == why
    assert objection("S", "amara", None, people) is None


@given(st.integers(0, 200), st.integers(0, 200), st.integers(-200, 200))
def test_nobody_is_named_where_another_is_as_likely(one: int, other: int, voice: int) -> None:
    """Whatever the angles: a name comes only with 0.85 or more, and 0.06 above anybody else."""
    people = {"amara": blend(one), "ben": blend(other)}
    found = match("S", blend(voice), people)
    scores = sorted((voiceprint.likeness(blend(voice), own) for own in people.values()), reverse=True)
    assert (found.person is not None) == (
        round(scores[0], 3) >= 0.85 and round(scores[0], 3) - round(scores[1], 3) >= 0.06
    )


def test_the_best_excerpts_are_clean_alone_and_of_this_speaker(say: Say) -> None:
    """Of a clean stretch, a noisy one and one that is somebody else's by voice: the clean one first, the last never."""
    clean, other = say("slt").samples, say("rms").samples
    words = say("slt", OTHER_WORDS + " " + OTHER_WORDS).samples
    noise = np.random.default_rng(1).standard_normal(len(words)).astype(np.float32)
    noisy = words + noise * np.float32(np.sqrt(np.mean(np.square(words))) * 10 ** (-15 / 20))
    found, sound = lesson(
        ("A", clean), ("B", other), ("A", noisy), ("B", other[:8000]), ("A", other), ("B", other[:8000]), ("A", words)
    )
    short = best_spans(found, "A", heard_in(sound), total=samples(10))
    assert len(short) == 1
    assert found.turns[2].span.overlap(short[0].span) == 0
    assert short[0].snr_db > 30
    everything = best_spans(found, "A", heard_in(sound))
    assert len(everything) >= 2
    assert [found.turns[4].span.overlap(each.span) for each in everything] == [0] * len(everything)
    for each in everything:
        assert samples(5) <= each.span.length <= samples(15)
        assert not any(turn.speaker == "B" and turn.span.overlap(each.span) for turn in found.turns)


def test_a_long_speech_is_cut_in_its_pauses(say: Say) -> None:
    """Half a minute of one speaker: pieces of 5 to 15 s that begin and end where it is quiet."""
    sound = np.concatenate([say("slt").samples, say("slt", OTHER_WORDS).samples] * 2)
    found, _ = lesson(("A", sound))
    pieces = best_spans(found, "A", heard_in(sound))
    assert len(pieces) >= 2
    loud = np.sqrt(np.mean(np.square(sound)))
    for each in pieces:
        assert samples(5) <= each.span.length <= samples(15)
        for edge in (each.span.start // 3, each.span.end // 3):
            if 0 < edge < len(sound):
                assert np.sqrt(np.mean(np.square(sound[edge - 400 : edge + 400]))) < 0.3 * loud


def test_who_speaks_too_little_has_neither_excerpts_nor_a_print(say: Say) -> None:
    """Four seconds are not enough to be told by voice."""
    found, sound = lesson(("A", say("slt").samples[: 4 * 16_000]), ("B", say("rms").samples))
    assert best_spans(found, "A", heard_in(sound)) == ()
    assert speaker_print(found, "A", heard_in(sound)) is None
    heard = speaker_print(found, "B", heard_in(sound))
    assert heard is not None
    assert match("B", heard, {"ben": print_of(say("rms", OTHER_WORDS))}).person == "ben"


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 500), st.integers(1, 100)), max_size=12))
def test_alone_means_alone(drawn: list[tuple[str, int, int]]) -> None:
    """No stretch of A's touches a turn of B's, and none reaches beyond A's own turns and their short pauses."""
    turns = tuple(Turn(label, Span(start * 4800, (start + length) * 4800)) for label, start, length in drawn)
    found = Diarization((), turns, merged(turn.span for turn in turns))
    own = merged((turn.span for turn in turns if turn.speaker == "A"), gap=48_000)
    stretches = alone(found, "A")
    assert list(stretches) == sorted(stretches)
    for stretch in stretches:
        assert not any(turn.speaker == "B" and turn.span.overlap(stretch) for turn in turns)
        assert sum(stretch.overlap(span) for span in own) == stretch.length
