"""The map from the source's times to those of a file in which still frames are held."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.holds import Hold, Holds
from manifests.spans import Span

holds_of_any_kind = st.dictionaries(st.integers(0, 1000), st.integers(1, 300), max_size=5).map(
    lambda drawn: Holds(tuple(Hold(at, length) for at, length in sorted(drawn.items())))
)


def test_what_comes_before_a_hold_stays_and_what_comes_after_moves() -> None:
    """A frame held at 100 for 30: 99 stays, what begins at 100 begins at 130, what ends there ends there."""
    holds = Holds((Hold(100, 30), Hold(200, 5)))
    assert [holds.start(time) for time in (0, 99, 100, 199, 200)] == [0, 99, 130, 229, 235]
    assert [holds.end(time) for time in (99, 100, 101, 200, 201)] == [99, 100, 131, 230, 236]
    assert holds.gaps() == (Span(100, 130), Span(230, 235))
    assert holds.span(Span(90, 110)) == Span(90, 140)
    assert holds.span(Span(100, 100)) == Span(130, 130)
    assert [holds.source(time) for time in (99, 100, 129, 130, 229, 232, 235)] == [99, 100, 100, 100, 199, 200, 200]
    assert holds.length == 35


def test_holds_at_one_time_become_one() -> None:
    """Added to a hold that is there, a hold makes it longer."""
    assert Holds((Hold(5, 1),)).with_added([Hold(9, 2), Hold(5, 3)]) == Holds((Hold(5, 4), Hold(9, 2)))


@pytest.mark.parametrize("wrong", [(Hold(5, 1), Hold(5, 2)), (Hold(5, 1), Hold(4, 2))])
def test_holds_are_in_order_and_apart(wrong: tuple[Hold, ...]) -> None:
    """Two at one time, or out of order, are a defect."""
    with pytest.raises(ValueError, match="in order"):
        Holds(wrong)


@given(holds_of_any_kind, st.integers(0, 1200), st.integers(0, 1200))
def test_time_never_runs_backwards_and_comes_back(holds: Holds, one: int, other: int) -> None:
    """The map keeps order and distance but for the holds, and `source` undoes it."""
    assert holds.source(holds.start(one)) == one
    assert holds.end(one) <= holds.start(one)
    if one < other:
        assert holds.start(one) < holds.end(other) <= holds.start(other)
        inserted = sum(hold.length for hold in holds.all if one < hold.at <= other)
        assert holds.start(other) - holds.start(one) == other - one + inserted


@given(holds_of_any_kind, st.lists(st.integers(0, 1200), min_size=1, max_size=6, unique=True).map(sorted))
def test_spans_that_follow_each_other_still_do(holds: Holds, edges: list[int]) -> None:
    """No overlap comes up, and nothing gets shorter; what was inserted lies in no span that does not hold it."""
    spans = [Span(a, b) for a, b in pairwise(edges)]
    moved = [holds.span(span) for span in spans]
    assert all(one.end <= other.start for one, other in pairwise(moved))
    assert all(after.length >= before.length for before, after in zip(spans, moved, strict=True))
    for hold, gap in zip(holds.all, holds.gaps(), strict=True):
        inside = [span for span in spans if span.start < hold.at < span.end]
        assert sum(gap.overlap(span) for span in moved) == gap.length * len(inside)


@given(holds_of_any_kind)
def test_the_longer_file_is_the_source_and_its_holds(holds: Holds) -> None:
    """Every sample of the finished file shows a time of the source, each as often as it should."""
    shown = [holds.source(time) for time in range(1100 + holds.length)]
    assert shown == sorted(shown)
    lengths = {hold.at: hold.length for hold in holds.all}
    assert all(shown.count(time) == 1 + lengths.get(time, 0) for time in (*lengths, 7, 500))
