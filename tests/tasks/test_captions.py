"""Captions as words: what was said, without what was not; and where in the sound it belongs."""

from itertools import pairwise

import pytest

from manifests.cues import Cue
from manifests.script import Word
from manifests.spans import Span, samples
from tasks.captioned import match, timed
from tasks.captions import words
from tasks.spoken_form import spoken

TEXT = [
    *("the", "students", "will", "learn", "how", "plants", "make", "their", "own", "food."),
    *("water", "and", "light", "are", "needed", "for", "this", "process."),
    *("in", "the", "next", "lesson", "we", "will", "look", "at", "the", "leaves", "of", "a", "tree."),
    *("please", "read", "the", "second", "chapter", "before", "monday."),
]


def cue(*lines: str) -> Cue:
    return Cue(0.0, 1.0, lines, None, 1)


def texts(*cues: Cue) -> list[str]:
    return [word.text for word in words(cues)]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1984,", "nineteen eighty four"),
        ("1980s", "nineteen eighties"),
        ("1,200", "one thousand two hundred"),
        ("3rd", "third"),
        ("$5.50", "five point five dollars"),
        ("50%", "fifty percent"),
        ("10:30", "ten thirty"),
        ("U.S.", "u s"),
        ("Dr.", "doctor"),
        ("well-known", "well known"),
        ("don\u2019t", "don't"),
        ("\u2014", ""),
    ],
)
def test_a_written_word_is_known_as_it_is_said(written: str, said: str) -> None:
    assert " ".join(spoken(written)) == said


def test_sounds_lyrics_dashes_and_shouted_names_are_not_speech() -> None:
    assert texts(cue("[PAPER RUSTLES]", ">> DR. AMARA: Hello there"), cue("\u266a la la \u266a"), cue("- Yes.")) == [
        "Hello",
        "there",
        "Yes.",
    ]


def test_what_may_be_a_remark_or_a_name_is_kept_and_marked() -> None:
    marked = [(word.text, word.certain) for word in words([cue("Note: this (sighs) is it")])]
    assert marked == [("Note:", False), ("this", True), ("(sighs)", False), ("is", True), ("it", True)]


def test_rolling_captions_are_unrolled() -> None:
    assert texts(
        cue("hello and"), cue("hello and", "welcome to"), cue("welcome to", "the course"), cue("the course", "of life")
    ) == ["hello", "and", "welcome", "to", "the", "course", "of", "life"]


def test_what_is_said_twice_in_captions_that_do_not_roll_stays_twice() -> None:
    assert texts(
        cue("No."), cue("No."), cue("What is it?"), cue("A leaf."), cue("I see."), cue("Well,"), cue("so.")
    ) == [
        "No.",
        "No.",
        *["What", "is", "it?", "A", "leaf.", "I", "see.", "Well,", "so."],
    ]


def heard(text: list[str], *, start_s: float = 0.0) -> list[Word]:
    """Words a third of a second long, one after the other."""
    edges = [samples(start_s + index / 3) for index in range(len(text) + 1)]
    return [Word(word.strip(".,"), Span(*edge), 0.9) for word, edge in zip(text, pairwise(edges), strict=True)]


def chunk_of(sound: list[Word]) -> Span:
    return Span(sound[0].span.start, sound[-1].span.end)


def taken(cues: list[Cue], sound: list[Word], chunks: list[Span]) -> list[str]:
    """The parts' words: the captions' as they are written, heard ones in brackets."""
    written = words(cues)
    return [
        " ".join(written[at].text for at in part.written) or "[" + " ".join(sound[at].text for at in part.heard) + "]"
        for part in match(written, sound, chunks).parts
    ]


def test_captions_mend_what_was_misheard() -> None:
    sound = heard([*TEXT[:3], "lawn", *TEXT[4:10], "what", "are", *TEXT[11:]])
    assert taken([cue(" ".join(TEXT))], sound, [chunk_of(sound)]) == [" ".join(TEXT)]


def test_captions_of_another_recording_are_not_used() -> None:
    other = "today we speak of the history of a city in the north and of the river that made it rich"
    sound = heard(TEXT)
    assert taken([cue(other)] * 3, sound, [chunk_of(sound)]) == [f"[{' '.join(w.strip('.') for w in TEXT)}]"]


def test_what_the_captions_leave_out_is_taken_from_the_sound() -> None:
    sound = heard([*TEXT[:10], "and", "now", "something", "else", "entirely", *TEXT[10:]])
    assert taken([cue(" ".join(TEXT))], sound, [chunk_of(sound)]) == [
        " ".join(TEXT[:10]),
        "[and now something else entirely]",
        " ".join(TEXT[10:]),
    ]


def test_what_the_captions_add_and_nobody_had_the_time_to_say_is_left_out() -> None:
    added = ["and", "this", "sentence", "nobody", "ever", "said", "in", "the", "whole", "of", "it"]
    sound = heard(TEXT)
    assert taken([cue(" ".join([*TEXT[:10], *added, *TEXT[10:]]))], sound, [chunk_of(sound)]) == [" ".join(TEXT)]


def test_words_that_were_not_heard_go_where_there_was_time_for_them() -> None:
    first, second = heard(TEXT[:8]), heard(TEXT[13:], start_s=12.0)
    chunks = [Span(0, samples(4.3)), Span(samples(11.8), second[-1].span.end)]
    assert taken([cue(" ".join(TEXT))], [*first, *second], chunks) == [" ".join(TEXT[:10]), " ".join(TEXT[10:])]


def test_every_word_of_right_captions_is_in_one_part_however_the_sound_is_cut() -> None:
    sound = heard(TEXT)
    for cuts in ([5], [9, 10, 30], [17], list(range(3, len(TEXT), 3))):
        edges = [0, *cuts, len(TEXT)]
        chunks = [chunk_of(sound[low:high]) for low, high in pairwise(edges)]
        assert " ".join(taken([cue(" ".join(TEXT))], sound, chunks)) == " ".join(TEXT)


def test_words_that_cannot_be_aligned_are_spread_over_what_was_heard() -> None:
    sound = heard(["one", "too", "three"], start_s=1.0)
    written = words([cue("One two 3!")])
    (part,) = match(written, sound, [chunk_of(sound)]).parts
    spread = timed(part, written, None, sound)
    assert [word.text for word in spread] == ["One", "two", "3!"]
    assert (spread[0].span.start, spread[-1].span.end) == (samples(1.0), samples(2.0))
    assert all(one.span.end == two.span.start for one, two in pairwise(spread))
