"""Times of words that a dub may be anchored on: what cannot be is refused, edges are the voice's."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from manifests.spans import Span, samples
from tasks.anchors import DOUBTED, Heard, anchored

STRETCH = Span.of_seconds(10.0, 20.0)


def times(words: tuple, sounding: tuple[Span, ...] = ()) -> list[tuple[float, float]]:
    return [(word.span.start_s, word.span.end_s) for word in anchored(words, STRETCH, sounding)]


def at(text: str, start: float, end: float, confidence: float = 0.9, spoken: int = 1) -> Heard:
    return Heard(text, Span.of_seconds(start, end), confidence, spoken)


def test_a_word_of_ten_milliseconds_gets_the_time_between_its_neighbours() -> None:
    """And little confidence: it was put somewhere, not found."""
    words = (at("one", 10.0, 10.5), at("two", 11.9, 11.91), at("three", 11.5, 12.0))
    assert times(words) == [(10.0, 10.5), (10.5, 11.5), (11.5, 12.0)]
    assert [word.confidence for word in anchored(words, STRETCH, ())] == [0.9, DOUBTED, 0.9]


def test_a_word_of_three_seconds_is_refused_unless_it_is_several_when_said() -> None:
    """`1984` is three words."""
    assert times((at("well", 10.0, 13.0), at("then", 13.0, 13.4))) == [(10.0, 13.0), (13.0, 13.4)]
    assert anchored((at("well", 10.0, 13.0),), STRETCH, ())[0].confidence == DOUBTED
    assert anchored((at("1984", 10.0, 13.0, spoken=3),), STRETCH, ())[0].confidence == 0.9


def test_a_word_outside_of_what_was_listened_to_is_refused() -> None:
    """Twenty seconds early is what users of other tools complain of."""
    words = (at("late", 19.9, 20.4), at("early", 2.0, 2.4))
    assert all(STRETCH.start_s <= start <= end <= STRETCH.end_s for start, end in times(words))
    assert [word.confidence for word in anchored(words, STRETCH, ())] == [DOUBTED, DOUBTED]


def test_edges_within_150_ms_of_the_sounds_edge_are_the_sounds() -> None:
    """Others stay: they lie inside the voice."""
    sounding = (Span.of_seconds(10.1, 12.0), Span.of_seconds(13.0, 14.0))
    words = (at("one", 10.22, 10.6), at("two", 10.7, 11.88), at("three", 13.2, 14.1))
    assert times(words, sounding) == [(10.1, 10.6), (10.7, 12.0), (13.2, 14.0)]


def test_words_that_nothing_is_known_of_share_their_stretch_by_length() -> None:
    """As where the aligner found no room for them."""
    assert times((Heard("aaaa", None, 0.2), Heard("b", None, 0.2))) == [(10.0, 18.0), (18.0, 20.0)]


SECONDS = st.floats(8.0, 22.0)
HEARD = st.builds(
    lambda span, sure: Heard("word", span, sure),
    st.none() | st.tuples(SECONDS, st.floats(0, 4)).map(lambda at: Span.of_seconds(at[0], at[0] + at[1])),
    st.floats(0, 1),
)


@given(st.lists(HEARD, max_size=12), st.lists(st.tuples(SECONDS, st.floats(0.05, 2)), max_size=5))
def test_words_stay_in_order_inside_the_stretch(words: list[Heard], sounds: list[tuple[float, float]]) -> None:
    """Whatever the aligner says."""
    sounding = tuple(sorted(Span.of_seconds(start, start + length) for start, length in sounds))
    found = anchored(words, STRETCH, sounding)
    assert [word.text for word in found] == [word.text for word in words]
    assert all(STRETCH.start <= word.span.start <= word.span.end <= STRETCH.end for word in found)
    assert all(one.span.end <= other.span.start for one, other in pairwise(found))
    assert all(word.span.length <= samples(10) for word in found)
