"""Written words beside heard ones: in order, none twice, and a misheard word beside the one that was said."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.opposite import opposite

WORDS = st.lists(st.sampled_from(["a", "an", "ant", "be", "bee", "see"]), max_size=14)


@pytest.mark.parametrize(
    ("written", "heard", "places"),
    [
        ("being rather modern", "being rather mater for although they took a similar process", [0, 1, 2]),
        ("modern it was", "although they took a similar mater it was", [5, 6, 7]),
        ("one too three", "one uh well two hm three", [0, 3, 5]),
        ("alpha beta gamma", "alpha gamma", [0, 0.5, 1]),
        ("nothing else", "", [-0.5, -0.5]),
        ("", "noise", []),
    ],
)
def test_a_word_lies_beside_the_one_it_looks_like(written: str, heard: str, places: list[float]) -> None:
    """Captions that end before the sound does end where they were said."""
    place, same = opposite(written.split(), heard.split())
    assert place.tolist() == places
    assert [word for word, is_same in zip(written.split(), same, strict=True) if is_same] == [
        word for word in written.split() if word in heard.split()
    ]


@given(WORDS, WORDS)
def test_places_never_fall_and_no_heard_word_is_opposite_to_two(written: list[str], heard: list[str]) -> None:
    """Whatever was written and heard; what is the same is the same."""
    place, same = opposite(written, heard)
    assert all(one <= other for one, other in pairwise(place))
    whole = [at for at in place.tolist() if at % 1 == 0]
    assert len(set(whole)) == len(whole)
    assert all(-0.5 <= at <= max(0, len(heard) - 0.5) for at in place)
    assert all(written[at] == heard[int(place[at])] for at, is_same in enumerate(same) if is_same)
