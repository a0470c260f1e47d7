"""English numbers in digits, by hand-written truth."""

import pytest

from tasks.digits import in_digits


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("of about fourteen fifty-five, the Gutenberg", "of about 1455, the Gutenberg"),
        ("in nineteen sixty one", "in 1961"),
        ("In nineteen twenty they met.", "In 1920 they met."),
        ("Nineteen oh-five and twenty twenty.", "1905 and 2020."),
        ("sixteen hundred and forty-two", "1642"),
        ("Two thousand five hundred and three copies", "2503 copies"),
        ("five hundred people, twenty five miles", "500 people, 25 miles"),
        ("A hundred and twenty people", "120 people"),
        ("the year two thousand and nineteen", "the year 2019"),
        ("forty-two lines and thirty three percent", "42 lines and 33 percent"),
        ("page one hundred and page five", "page 100 and page five"),
    ],
)
def test_numbers_of_several_words_are_written_in_digits(text: str, written: str) -> None:
    """Counts and years, with hyphens or, as a recognizer writes them, without."""
    assert in_digits(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "One of two men, twenty women and a hundred birds.",
        "One, two, three; twenty, five.",
        "ten eleven twelve thirteen",
        "one two three four twenty five",
        "the twenty first century and the fifty-second state",
        "at eleven thirty or twelve fifteen",
        "twelve thousand five hundred and three",
        "two million five hundred thousand",
        "three point twenty five",
        "two dozen and twenty",
        "",
    ],
)
def test_what_may_be_meant_otherwise_stays_in_words(text: str) -> None:
    """Single words, rows, ordinals, times of day, parts of larger numbers."""
    assert in_digits(text) == text
