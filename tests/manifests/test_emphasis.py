"""`<em>` in a line: read strictly by voices, never shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.emphasis import parsed, plain, words
from manifests.errors import InputError


def test_emphasis_is_read_from_the_text() -> None:
    """The tags go, their places stay."""
    assert parsed("This is <em>very</em> good.") == ("This is very good.", ((8, 12),))
    assert parsed("1 < 2") == ("1 < 2", ())
    assert words("<em>Two</em> of <EM>two words</EM>.") == ("Two", "two words")


@pytest.mark.parametrize("broken", ["<em>a", "a</em>", "<em>a <em>b</em></em>"])
def test_tags_that_do_not_pair_up_are_refused_by_voices_and_never_shown(broken: str) -> None:
    """A voice would not know what to emphasize; a reader has nothing to do with it."""
    with pytest.raises(InputError, match="<em>"):
        parsed(broken)
    assert "em>" not in plain(broken)


@given(st.lists(st.sampled_from(["<em>", "</em>", "a ", "<b>", "&", "</EM>", "<"]), max_size=8).map("".join))
def test_what_is_read_is_what_is_shown(text: str) -> None:
    """Where the tags pair up, a voice says and a subtitle shows the same words."""
    try:
        said, places = parsed(text)
    except InputError:
        return
    assert said == plain(text)
    assert all(0 <= first <= after <= len(said) for first, after in places)
