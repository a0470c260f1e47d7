"""Words, turns and sound to utterances."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from manifests.script import Turn, Utterance, Word
from manifests.spans import Span, merged, samples
from tasks.utterances import utterances

A, B = "SPEAKER_00", "SPEAKER_01"


def span(start: float, end: float) -> Span:
    return Span.of_seconds(start, end)


def said(text: str, start: float, each: float = 0.4) -> list[Word]:
    """Words of equal length in a row."""
    return [
        Word(word, span(start + number * each, start + (number + 1) * each), 0.9)
        for number, word in enumerate(text.split())
    ]


def shown(found: tuple[Utterance, ...]) -> list[tuple[str, str, float, float]]:
    return [(one.speaker, one.text, one.span.start_s, one.span.end_s) for one in found]


def test_a_long_pause_ends_an_utterance() -> None:
    """Two sentences 0.7 s apart are two utterances, with the edges of the sound and not of the words."""
    words = [*said("we begin today", 1.1), *said("then we go on", 3.1)]
    found, missed = utterances(words, [Turn(A, span(0.9, 4.7))], [span(1.03, 2.27), span(2.97, 4.61)])
    assert shown(found) == [(A, "We begin today.", 1.03, 2.27), (A, "Then we go on.", 2.97, 4.61)]
    assert [one.id for one in found] == ["1", "2"]
    assert missed == ()


def test_a_short_pause_is_a_comma() -> None:
    """A pause of 0.4 s stays inside the utterance."""
    words = [*said("for example", 1.0), *said("you may create a project", 2.2)]
    found, _ = utterances(words, [Turn(A, span(1, 4.2))], [span(1, 1.8), span(2.2, 4.2)])
    assert shown(found) == [(A, "For example, you may create a project.", 1.0, 4.2)]


def test_what_is_too_long_is_cut_at_its_longest_pauses() -> None:
    """20 s with pauses of 0.2, 0.4 and 0.3 s become parts of at most 12 s, cut at 0.4 s first."""
    runs = [span(0, 4.8), span(5, 9.6), span(10, 14.7), span(15, 20)]
    words = [word for run in runs for word in said("one two three four five six seven", run.start_s)]
    found, _ = utterances(words, [Turn(A, span(0, 20))], runs)
    assert [(one.span.start_s, one.span.end_s) for one in found] == [(0.0, 9.6), (10.0, 20.0)]


def test_without_any_pause_a_cut_falls_between_two_words() -> None:
    """16 s of unbroken sound are cut where the words lie furthest apart."""
    words = [*said("a b c d e f g h i j k l m n o p q", 0.0), *said("r s t u v w x y z a b c d e f g h i j k l m", 6.9)]
    found, _ = utterances(words, [Turn(A, span(0, 16))], [span(0, 16)])
    assert [(one.span.start_s, one.span.end_s) for one in found] == [(0.0, 6.85), (6.85, 16.0)]
    assert [len(one.words) for one in found] == [17, 22]


def test_a_short_piece_joins_its_nearer_neighbour() -> None:
    """`Well` is no line of its own when the sentence follows 0.6 s later."""
    words = [*said("well", 1.0), *said("here we are again", 2.0)]
    found, _ = utterances(words, [Turn(A, span(1, 3.6))], [span(1, 1.4), span(2, 3.6)])
    assert shown(found) == [(A, "Well, here we are again.", 1.0, 3.6)]


def test_a_short_piece_far_from_everything_stands_alone() -> None:
    """`Yes` with 3 s of silence around it is an utterance."""
    words = [*said("good morning everyone", 0.0), *said("yes", 4.2)]
    found, _ = utterances(words, [Turn(A, span(0, 1.2)), Turn(A, span(4.2, 4.6))], [span(0, 1.2), span(4.2, 4.6)])
    assert [one.text for one in found] == ["Good morning everyone.", "Yes."]


def test_speakers_are_kept_apart_where_they_overlap() -> None:
    """Each word goes to whoever's turn holds most of it, and none is given to both."""
    words = [*said("i think so", 0.0), *said("no you do not", 1.2)]
    turns = [Turn(A, span(0, 1.5)), Turn(B, span(1.1, 2.8))]
    found, _ = utterances(words, turns, [span(0, 2.8)])
    assert [(one.speaker, one.text) for one in found] == [(A, "I think so."), (B, "No you do not.")]
    assert found[0].span.end_s == 1.5
    assert found[1].span.start_s == 1.1


def test_a_change_of_speaker_without_a_pause_is_a_cut() -> None:
    """A turn does not reach into the next speaker's."""
    words = [*said("what is it", 0.0), *said("it is a cell", 1.2)]
    found, _ = utterances(words, [Turn(A, span(0, 1.2)), Turn(B, span(1.2, 2.8))], [span(0, 2.8)])
    assert [(one.speaker, one.span.start_s, one.span.end_s) for one in found] == [(A, 0.0, 1.2), (B, 1.2, 2.8)]


def test_a_breath_before_the_first_word_is_not_its_start() -> None:
    """A sound of 0.15 s with no word in it does not move the onset."""
    found, _ = utterances(said("now we begin", 1.0), [Turn(A, span(0.5, 2.3))], [span(0.6, 0.75), span(1.0, 2.2)])
    assert found[0].span == span(1.0, 2.2)


def test_over_music_the_turn_tells_the_edges() -> None:
    """Where sound goes on for long before and after a turn, the utterance begins and ends with the turn."""
    found, _ = utterances(said("now we begin", 1.0), [Turn(A, span(1.0, 2.2))], [span(0.2, 3.4)])
    assert found[0].span == span(1.0, 2.2)


def test_speech_without_words_is_named() -> None:
    """A second of speech in which nothing was recognized is in no utterance; a cough of 0.3 s is nothing."""
    turns = [Turn(A, span(0, 1.2)), Turn(A, span(3, 4)), Turn(A, span(6, 6.3))]
    voice = [span(0, 1.2), span(3, 4), span(6, 6.3)]
    found, missed = utterances(said("we begin here", 0.0), turns, voice)
    assert len(found) == 1
    assert missed == (span(3, 4),)


def test_doubtful_utterances_say_so() -> None:
    """The flag carries the number: confidence weighted by the words' lengths."""
    words = [Word("buying", span(0, 0.3), 0.1), Word("type", span(0.3, 0.4), 0.9)]
    found, _ = utterances(words, [Turn(A, span(0, 0.4))], [span(0, 0.4)])
    assert found[0].confidence == 0.3
    assert found[0].flags == ("low confidence 0.30",)


def test_no_turns_make_no_utterances() -> None:
    """Silence is an empty script."""
    assert utterances([], [], []) == ((), ())


@st.composite
def talks(draw: st.DrawFn) -> tuple[list[Word], list[Turn], list[Span]]:
    """Speakers in turn or over each other, sound with pauses, words that need not agree with the sound."""
    turns: list[Turn] = []
    voice: list[Span] = []
    words: list[Word] = []
    at = draw(st.floats(0, 2))
    for _ in range(draw(st.integers(0, 5))):
        start = at
        for _ in range(draw(st.integers(1, 6))):
            end = at + draw(st.floats(0.05, 9))
            voice.append(span(at, end))
            edge = at + draw(st.floats(-0.1, 0.1))
            while edge < end - 0.1:
                length = draw(st.floats(0.05, 0.9))
                words.append(Word(f"w{len(words)}", span(max(0, edge), max(0, edge + length)), 0.8))
                edge += length + draw(st.sampled_from([0.0, 0.0, 0.3]))
            at = end + draw(st.floats(0.06, 1.2))
        turns.append(Turn(draw(st.sampled_from([A, B])), span(start, at)))
        at += draw(st.floats(-0.5, 2))
    return words, turns, list(merged(voice))


@given(talks())
def test_nothing_is_lost_doubled_or_out_of_order(talk: tuple[list[Word], list[Turn], list[Span]]) -> None:
    """Every word is in exactly one utterance; ids count in order of start; one speaker never overlaps himself."""
    words, turns, voice = talk
    found, missed = utterances(words, turns, voice)
    assert sorted(word.text for one in found for word in one.words) == sorted(word.text for word in words)
    assert [one.id for one in found] == [str(number) for number in range(1, len(found) + 1)]
    assert [one.span.start for one in found] == sorted(one.span.start for one in found)
    for speaker in (A, B):
        own = [one.span for one in found if one.speaker == speaker]
        assert all(one.end <= after.start for one, after in pairwise(own))
    assert all(one.text and one.span.length > 0 for one in found)
    assert not any(gap.overlap(one.span) for gap in missed for one in found)
    assert all(gap.length >= samples(0.5) for gap in missed)


@given(talks())
def test_utterances_last_at_most_twelve_seconds_where_words_permit(
    talk: tuple[list[Word], list[Turn], list[Span]],
) -> None:
    """Only what holds a single word, or words at one place, may be longer."""
    words, turns, voice = talk
    found, _ = utterances(words, turns, voice)
    for one in found:
        if one.span.length > samples(12):
            middles = [(a.span.end + b.span.start) // 2 for a, b in pairwise(one.words)]
            assert not [at for at in middles if one.span.start < at < one.span.end]


def test_words_that_are_found_away_from_the_edges_of_their_sound_are_flagged() -> None:
    """Within 150 ms they are where the voice is; further inside, how far is said: an anchor that is to be doubted."""
    words = [*said("we begin today", 1.14), *said("then we go on", 3.3)]
    found, _ = utterances(words, [Turn(A, span(0.9, 5.3))], [span(1.0, 2.3), span(3.0, 5.2)])
    assert [one.flags for one in found] == [
        (),
        ("begins 0.30 s from where a sound does", "ends 0.30 s from where a sound does"),
    ]


def test_a_word_that_reaches_into_silence_is_no_reason_to_doubt() -> None:
    """Recognizers count the quiet after a word to it; the edge of the utterance is the sound's."""
    found, _ = utterances(said("we begin today", 1.0, each=0.6), [Turn(A, span(0.9, 2.5))], [span(1.03, 2.4)])
    assert [one.flags for one in found] == [()]


def test_a_cut_through_unbroken_sound_is_flagged_on_both_sides() -> None:
    """Where one utterance passes into the next no edge of a sound is near."""
    words = [*said("a b c d e f g h i j k l m n o p q", 0.0), *said("r s t u v w x y z a b c d e f g h i j k l m", 6.9)]
    one, two = utterances(words, [Turn(A, span(0, 16))], [span(0, 16)])[0]
    assert one.flags == ("ends 9.15 s from where a sound does",)
    assert two.flags == ("begins 6.85 s from where a sound does", "ends 0.30 s from where a sound does")
