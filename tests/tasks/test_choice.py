"""Which rendering is chosen: in full where there is time, the cheapest trims where there is none."""

from __future__ import annotations

import time
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.choice import Candidates, choose, least_cost


def line(start: float, end: float, lengths: tuple[float, ...], costs: tuple[float, ...], gap: float = 0.12):
    return Candidates(start, end, max(0.0, start - 0.045), gap, lengths, costs)


def chosen(*lines: Candidates, length: float = 60.0) -> list[int]:
    return choose(lines, length, 1.25, 1.4)


def test_with_time_enough_everything_is_said_in_full() -> None:
    """A shorter rendering that costs anything at all is not taken for nothing."""
    assert chosen(*(line(5.0 * at, 5.0 * at + 4, (4.0, 3.0), (0.0, 0.05)) for at in range(8))) == [0] * 8


def test_a_line_without_room_is_shortened_and_its_neighbours_are_not() -> None:
    """Six seconds of speech in four, and no pause after it."""
    lines = [line(4.12 * at, 4.12 * at + 4, (3.9, 3.5), (0.0, 0.1)) for at in range(5)]
    lines[2] = line(8.24, 12.24, (6.2, 4.2), (0.0, 0.1))
    assert chosen(*lines) == [0, 0, 1, 0, 0]


def test_the_cheaper_of_two_trims_that_help_is_taken() -> None:
    """The first line makes room for the second, which has no short way to be said."""
    lines = [line(0, 4, (4.8, 3.8), (0.0, 0.1)), line(4.12, 8, (5.2, 4.6), (0.0, 3.0)), line(8.12, 12, (3.9,), (0.0,))]
    assert chosen(*lines, length=12.2) == [1, 0, 0]


def test_a_talk_that_fits_nowhere_still_gets_the_shortest() -> None:
    """Never an error: what collides is told later, by placement."""
    assert chosen(*(line(1.0 * at, at + 0.9, (9.0, 8.0, 7.0), (0.0, 0.1, 0.2)) for at in range(6)), length=6) == [2] * 6


def test_no_lines_are_no_choice() -> None:
    """A lesson without speech."""
    assert chosen() == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.5, 4), st.floats(0, 0.6), st.lists(st.floats(0.3, 6), min_size=1, max_size=3)),
        min_size=1,
        max_size=5,
    )
)
def test_no_other_choice_would_be_better(rows: list[tuple[float, float, list[float]]]) -> None:
    """Against every combination, each given to the same programme as if it were the only one."""
    at, lines = 0.0, []
    for spoken, pause, lengths in rows:
        ordered = tuple(sorted(lengths, reverse=True))
        lines.append(line(at, at + spoken, ordered, tuple(0.2 * number for number in range(len(ordered)))))
        at += spoken + pause
    best = choose(lines, at + 1, 1.25, 1.4)
    assert len(best) == len(lines)

    def cost(choice: tuple[int, ...]) -> float:
        only = [
            Candidates(each.start, each.end, each.earliest, each.gap, (each.lengths[k],), (each.costs[k],))
            for each, k in zip(lines, choice, strict=True)
        ]
        return least_cost(only, at + 1, 1.25, 1.4)

    every = list(product(*(range(len(each.lengths)) for each in lines)))
    assert cost(tuple(best)) <= min(map(cost, every)) + 1e-9


def test_a_long_talk_is_chosen_for_in_seconds() -> None:
    """Linear in the lines: the cost of a step does not grow along the talk."""
    lines = [line(4.0 * at, 4.0 * at + 3.8, (4.5, 4.2, 3.9), (0.0, 0.1, 0.3)) for at in range(600)]
    began = time.process_time()
    picked = chosen(*lines, length=2410)
    assert time.process_time() - began < 5
    assert len(picked) == 600
