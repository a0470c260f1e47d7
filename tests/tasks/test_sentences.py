"""Recognized words to readable sentences."""

import pytest

from manifests.script import Word
from manifests.spans import Span
from tasks.sentences import sentence


def said(text: str) -> list[Word]:
    """Words in a row, 0.3 s each; `/` is a pause of 0.3 s."""
    words: list[Word] = []
    at = 0.0
    for word in text.split():
        if word != "/":
            words.append(Word(word, Span.of_seconds(at, at + 0.3), 0.9))
        at += 0.3
    return words


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        ("", ""),
        ("hello", "Hello."),
        ("when i say i'm here i mean it", "When I say I'm here I mean it."),
        ("data / models / and tests", "Data, models, and tests."),
        ("the invention of letters / may be called an art", "The invention of letters may be called an art."),
        ("the united states gave english books to china's schools on monday",
         "The United States gave English books to China's schools on Monday."),
        ("we stand united / states may differ", "We stand united, states may differ."),
    ],
)  # fmt: skip
def test_words_become_a_sentence(heard: str, shown: str) -> None:
    """Capitals, commas at pauses but not before a verb, and a full stop."""
    assert sentence(said(heard)) == shown
