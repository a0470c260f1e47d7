"""A text in parts, cut where a reader would pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.cutting import cut


@pytest.mark.parametrize(
    ("text", "shares", "parts"),
    [
        ("Uno dos tres. Cuatro cinco.", (1, 1), ["Uno dos tres.", "Cuatro cinco."]),
        ("Cuando llueve mucho, crecen las plantas", (1, 1), ["Cuando llueve mucho,", "crecen las plantas"]),
        ("uno dos tres cuatro", (1, 3), ["uno", "dos tres cuatro"]),
        ("Sí.", (1, 1), ["Sí.", ""]),
        ("", (1, 1), ["", ""]),
        ("a <em>b c</em> d", (1, 1), ["a", "<em>b c</em> d"]),
    ],
)
def test_a_text_is_cut_near_its_shares(text: str, shares: tuple[float, ...], parts: list[str]) -> None:
    """After a sentence rather than after a clause, there rather than between words, never in an emphasis."""
    assert cut(text, shares) == parts


@given(
    words=st.lists(st.sampled_from(["a", "bc.", "def,", "ghij"]), max_size=30),
    shares=st.lists(st.floats(0.1, 9), min_size=1, max_size=8),
)
def test_no_word_is_lost_and_no_part_empty_while_words_last(words: list[str], shares: list[float]) -> None:
    """Whatever the shares."""
    parts = cut(" ".join(words), shares)
    assert len(parts) == len(shares)
    assert " ".join(part for part in parts if part).split() == words
    assert sum(bool(part) for part in parts) == min(len(words), len(shares))
