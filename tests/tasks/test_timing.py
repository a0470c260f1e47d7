"""The metrics of the record, on timelines whose figures can be told by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from manifests.script import Line, Lines, Script, Utterance, Voice
from manifests.spans import RATE, Span, samples
from manifests.timeline import Placement, Take, Takes, Timeline
from tasks.timing import timing

VOICE = Voice("stock", "espeak-ng", "es")

Row = tuple[str, float, float, float, float, float]
"""Speaker, source start and end, length of the take, placed start and end; seconds."""


def measured(rows: Sequence[Row], length: float = 60, engine_rate: float = 1.0, rate: float | None = None):
    utterances, takes, placements = [], [], []
    for number, (speaker, start, end, take, placed, placed_end) in enumerate(rows):
        name = str(number + 1)
        utterances.append(Utterance(name, speaker, Span.of_seconds(start, end), "words", (), 1.0))
        natural = round(samples(take) / engine_rate)
        takes.append(Take(name, "", natural, samples(take), engine_rate, VOICE))
        span = Span.of_seconds(placed, placed_end)
        placements.append(Placement(name, span, natural / span.length if rate is None else rate))
    return timing(
        Script("en", tuple(utterances)), Takes("es", tuple(takes)), Timeline("es", samples(length), tuple(placements))
    )


def test_a_dub_in_the_sources_own_time_is_perfect() -> None:
    """Same starts, same lengths: no overlap, nothing cut, rate 1, no lateness, all speech covered."""
    figures = measured([("A", 1, 3, 2, 1, 3), ("A", 4, 6, 2, 4, 6)])
    assert (figures.overlap_s, figures.cut_s) == (0.0, 0.0)
    assert (figures.max_rate, figures.p95_rate) == (1.0, 1.0)
    assert (figures.rate_compliance, figures.smoothness) == (1.0, 1.0)
    assert (figures.onset_p50, figures.onset_p95) == (0.0, 0.0)
    assert figures.speech_overlap == 1.0


def test_lines_that_follow_a_change_of_the_picture_are_counted_with_the_least_margin() -> None:
    """Two lines follow a change, by 0.5 and 0.02 s; without changes the margin does not apply."""
    rows = [("A", 1.0, 2.0), ("A", 3.0, 4.0), ("A", 6.0, 7.0)]
    script = Script(
        "en", tuple(Utterance(str(n), s, Span.of_seconds(a, b), "x", (), 1.0) for n, (s, a, b) in enumerate(rows))
    )
    takes = Takes("es", tuple(Take(str(n), "", RATE, RATE, 1.0, VOICE) for n in range(3)))
    placed = tuple(
        Placement(str(n), Span.of_seconds(start, start + 1), 1.0, (), anchor)
        for n, (start, anchor) in enumerate([(1.0, samples(0.5)), (3.02, samples(3.0)), (6.0, None)])
    )
    figures = timing(script, takes, Timeline("es", samples(9), placed))
    assert (figures.anchored, figures.anchor_margin_s) == (2, 0.02)
    assert (measured([]).anchored, measured([]).anchor_margin_s) == (0, None)


def test_no_lines_have_no_rates_but_no_overlap_either() -> None:
    """A lesson without speech: nothing overlaps, nothing is cut, the rest cannot be told."""
    figures = measured([])
    assert (figures.overlap_s, figures.cut_s) == (0.0, 0.0)
    assert figures.max_rate is None
    assert figures.onset_p95 is None
    assert figures.speech_overlap is None


def test_overlap_counts_only_what_the_source_does_not_have() -> None:
    """Two speakers overlap for one second in the source and for 1.5 s in the dub: half a second is ours."""
    figures = measured([("A", 0, 5, 5, 0, 5.5), ("B", 4, 8, 4, 4, 8)])
    assert figures.overlap_s == 0.5


def test_one_speaker_at_once_with_themselves_is_overlap_even_where_the_source_says_so() -> None:
    """Nobody says two things at once."""
    figures = measured([("A", 0, 5, 5, 0, 5), ("A", 4, 8, 4, 4, 8)])
    assert figures.overlap_s == 1.0


def test_a_line_that_spans_three_others_overlaps_each() -> None:
    """Overlap is found beyond the next line."""
    rows = [("A", 0, 2, 2, 0, 10), ("B", 2, 3, 1, 2, 3), ("B", 4, 5, 1, 4, 5), ("B", 6, 7, 1, 6, 7)]
    assert measured(rows).overlap_s == 3.0


def test_what_is_not_heard_of_a_take_is_cut() -> None:
    """A take of 3 s played at its own rate in a span of 2 s loses one; beyond the programme's end all is lost."""
    assert measured([("A", 0, 2, 3, 0, 2)], rate=1.0).cut_s == 1.0
    assert measured([("A", 57, 60, 3, 58, 61)], length=60).cut_s == 1.0


def test_the_engines_own_rate_is_heard() -> None:
    """A take that was spoken at 1.2x and is played as it is, is heard at 1.2x."""
    figures = measured([("A", 0, 5, 6, 0, 5)], engine_rate=1.2)
    assert figures.max_rate == 1.2


def test_compliance_weighs_lines_by_their_length() -> None:
    """Nine seconds at 1.0x and three at 1.3x: three quarters of the speech comply."""
    figures = measured([("A", 0, 9, 9, 0, 9), ("A", 20, 22, 3, 20, 20 + 3 / 1.3)])
    assert figures.rate_compliance == 0.75


def test_smoothness_is_of_near_neighbours_of_one_speaker() -> None:
    """Of three neighbours one step is above ten percent; a long pause or another speaker is no step."""
    rows = [
        ("A", 0, 2, 2.0, 0, 2),
        ("A", 2, 4, 2.1, 2, 4),
        ("A", 4, 6, 2.5, 4, 6),
        ("B", 6, 8, 2.0, 6, 8),
        ("A", 15, 17, 2.0, 15, 17),
    ]
    assert measured(rows).smoothness == 0.5


def test_onsets_are_signed_and_late_is_positive() -> None:
    """One line 0.5 s late."""
    assert measured([("A", 1, 3, 2, 1.5, 3.5)]).onset_p95 == 0.5
    assert measured([("A", 1, 3, 2, 0.96, 3)]).onset_p50 == -0.04


def test_drift_is_the_hourly_slope_of_lateness() -> None:
    """Lines that start one percent later than the source drift 36 s an hour; a short talk's drift is not told."""
    rows = [("A", 10.0 * n, 10.0 * n + 5, 5.0, 10.1 * n, 10.1 * n + 5) for n in range(70)]
    assert measured(rows, length=800).drift_s_per_h == pytest.approx(36, abs=0.01)
    assert measured(rows[:20], length=800).drift_s_per_h is None


def test_speech_overlap_is_the_share_of_source_speech_that_is_covered() -> None:
    """The dub speaks during three of the source's four seconds, and one second elsewhere."""
    assert measured([("A", 0, 4, 4, 1, 5)]).speech_overlap == 0.75


def test_times_are_told_to_the_sample() -> None:
    """An overlap of a single sample is not rounded away."""
    take = Take("1", "", RATE, RATE, 1.0, VOICE)
    utterances = tuple(Utterance(name, "A", Span(0, RATE), "", (), 1.0) for name in "12")
    placements = (Placement("1", Span(0, RATE), 1.0), Placement("2", Span(RATE - 1, 2 * RATE - 1), 1.0))
    figures = timing(
        Script("en", utterances),
        Takes("es", (take, Take("2", "", RATE, RATE, 1.0, VOICE))),
        Timeline("es", 3 * RATE, placements),
    )
    assert figures.overlap_s == pytest.approx(1 / RATE, abs=1e-6)
    assert figures.overlap_s > 0


def test_onsets_are_judged_by_what_is_noticed() -> None:
    """On time, 0.15 s late and 0.3 s late: one of three goes unnoticed, two are accepted."""
    figures = measured([("A", 0, 2, 2, 0, 2), ("A", 4, 6, 2, 4.15, 6.15), ("A", 8, 10, 2, 8.3, 10.3)])
    assert (figures.onset_undetectable, figures.onset_acceptable) == (0.3333, 0.6667)
    assert figures.onset_max == 0.3


def test_speech_is_compared_both_ways() -> None:
    """Source 0 to 4 s, dub 2 to 5 s: half the source is covered, two thirds of the dub, two of five seconds in all."""
    figures = measured([("A", 0, 4, 3, 2, 5)])
    assert (figures.speech_overlap, figures.speech_overlap_precision, figures.speech_overlap_iou) == (0.5, 0.6667, 0.4)
    assert figures.isochrony == 0.25


def test_lengths_are_compared_as_the_dubbing_tracks_compare_them() -> None:
    """One line as long as its source, one half as long again: by mean error, by ratio, and by share."""
    figures = measured([("A", 0, 2, 2, 0, 2), ("A", 4, 6, 3.3, 4, 7)])
    assert (figures.duration_agreement, figures.duration_ratio, figures.duration_off) == (0.75, 0.8333, 0.5)
    assert (figures.speech_length_compliance_20, figures.speech_length_compliance_40) == (0.5, 0.5)
    assert figures.rate_effort == pytest.approx(0.0593, abs=1e-4)


def test_collisions_are_seconds_an_hour() -> None:
    """Half a second overlaps and one is cut in a minute's programme."""
    figures = measured([("A", 0, 2, 3, 0, 2), ("A", 2, 4, 2.5, 1.5, 4)], rate=1.0)
    assert figures.collision_s_per_h == 90.0


def test_a_pause_that_was_trimmed_is_no_speed() -> None:
    """Four seconds at the normal rate, half a second of pauses taken out, placed in 3.5 s: heard at 1x."""
    utterance = Utterance("1", "A", Span.of_seconds(0, 4), "ten letters here", (), 1.0)
    take = Take("1", "", samples(3.5), samples(4), 1.0, VOICE)
    timeline = Timeline("es", samples(9), (Placement("1", Span.of_seconds(0, 3.5), 1.0),))
    lines = Lines("es", (Line("1", "diez letras <em>aquí</em>"),))
    figures = timing(Script("en", (utterance,)), Takes("es", (take,)), timeline, lines)
    assert figures.max_rate == 1.0
    assert figures.cut_s == 0.0
    assert figures.length_compliance == 1.0
