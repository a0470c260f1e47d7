"""Placement: what is promised of every timeline, and what a listener would notice in some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifests.errors import StageFailed
from manifests.script import Script, Utterance, Voice, dump, load
from manifests.spans import RATE, Span, samples
from manifests.store import Store
from manifests.timeline import Take, Takes, Timeline
from tasks import place as stage
from tasks.changes import Change
from tasks.media import Media
from tasks.place import Limits, place
from tasks.scenes import Scenes
from tasks.stage import Workbench

VOICE = Voice("stock", "espeak-ng", "es")
LIMITS = Limits()

Row = tuple[str, float, float, float]
"""Speaker, source start and end, length of the take; seconds."""


def script_of(rows: Sequence[Row]) -> Script:
    return Script(
        "en",
        tuple(
            Utterance(str(number), speaker, Span.of_seconds(start, end), "words", (), 0.9)
            for number, (speaker, start, end, _) in enumerate(rows, 1)
        ),
    )


def takes_of(rows: Sequence[Row], engine_rate: float = 1.0) -> Takes:
    return Takes(
        "es",
        tuple(
            Take(str(number), "", round(samples(row[3]) / engine_rate), samples(row[3]), engine_rate, VOICE)
            for number, row in enumerate(rows, 1)
        ),
    )


def timeline_of(rows: Sequence[Row], length: float, limits: Limits = LIMITS) -> Timeline:
    return place(script_of(rows), takes_of(rows), samples(length), limits)


def starts(timeline: Timeline) -> dict[str, float]:
    return {placement.line: placement.span.start_s for placement in timeline.placements}


row = st.tuples(
    st.sampled_from(["A", "A", "B", "C"]),
    st.floats(0, 40),
    st.floats(0.05, 12),
    st.floats(0.02, 15),
).map(lambda drawn: (drawn[0], drawn[1], drawn[1] + drawn[2], drawn[3]))
rows_of_any_kind = st.lists(row, max_size=14)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows_of_any_kind, st.floats(0.01, 70), st.floats(0.8, 1.6), st.lists(st.floats(0, 45), max_size=6))
def test_whatever_the_talk_every_promise_holds_to_the_sample(
    rows: list[Row], length_s: float, engine_rate: float, changes: list[float]
) -> None:
    """No overlap that the source lacks, nothing cut, too fast, early, before its slide, out of the programme, lost."""
    anchors = [samples(change) for change in changes]
    script, takes, length = script_of(rows), takes_of(rows, engine_rate), samples(length_s)
    timeline = place(script, takes, length, LIMITS, anchors)
    utterances = {utterance.id: utterance for utterance in script.utterances}
    of_line = {take.line: take for take in takes.takes}

    named = [placement.line for placement in timeline.placements] + [lost.line for lost in timeline.unplaced]
    assert sorted(named) == sorted(of_line)
    assert all(lost.lacks_s >= 0 for lost in timeline.unplaced)
    for placement in timeline.placements:
        source, take = utterances[placement.line].span, of_line[placement.line]
        assert abs(placement.span.length * placement.rate - take.length) < 1
        assert max(take.default_length, take.length) / placement.span.length <= LIMITS.hard_max
        assert placement.span.start >= max(0, source.start - samples(0.045))
        assert placement.span.start <= source.start + samples(LIMITS.late_max_s)
        assert all(placement.span.start >= anchor for anchor in anchors if source.start >= anchor)
        assert placement.span.end <= length
    for one, other in combinations(timeline.placements, 2):
        first, second = utterances[one.line], utterances[other.line]
        allowed = 0 if first.speaker == second.speaker else first.span.overlap(second.span)
        assert one.span.overlap(other.span) <= allowed
    heard = [placement.span for placement in timeline.placements]
    said = sorted((utterance.span for utterance in script.utterances), key=lambda span: span.start)
    assert [span.start for span in heard] == sorted(span.start for span in heard)
    assert _in_turn(heard) <= _in_turn(said)


def _in_turn(spans: Sequence[Span]) -> int:
    """Samples by which each span runs into the next in order of start."""
    return sum(max(0, one.end - other.start) for one, other in pairwise(spans))


@settings(max_examples=25, deadline=None)
@given(rows_of_any_kind, st.integers(1, 3_000_000))
def test_a_talk_that_begins_later_is_placed_alike(rows: list[Row], by: int) -> None:
    """Placements depend on times relative to each other: moved by an hour, they are the same to the sample."""
    rows = [(speaker, start + 1, end + 1, take) for speaker, start, end, take in rows]
    script, takes = script_of(rows), takes_of(rows)
    moved = replace(
        script,
        utterances=tuple(replace(utterance, span=utterance.span.shifted(by)) for utterance in script.utterances),
    )
    before, after = place(script, takes, samples(60), LIMITS), place(moved, takes, samples(60) + by, LIMITS)
    assert after.placements == tuple(replace(it, span=it.span.shifted(by)) for it in before.placements)
    assert after.unplaced == before.unplaced


def test_placing_twice_gives_the_same() -> None:
    """The same script and takes give the same timeline, whatever order they come in."""
    rows = [("A", 1.0, 3.0, 2.9), ("B", 3.2, 5.0, 2.4), ("A", 5.1, 8.0, 3.6), ("B", 8.2, 9.0, 1.4)]
    script, takes = script_of(rows), takes_of(rows)
    shuffled = replace(script, utterances=script.utterances[::-1]), replace(takes, takes=takes.takes[::-1])
    assert place(script, takes, samples(12), LIMITS) == place(script, takes, samples(12), LIMITS)
    assert place(*shuffled, samples(12), LIMITS) == place(script, takes, samples(12), LIMITS)


def test_a_line_that_fits_is_spoken_at_its_own_time_and_speed() -> None:
    """With room on all sides a line starts with the source's and is neither hurried nor flagged."""
    (only,) = timeline_of([("A", 2.0, 6.0, 4.0)], 10).placements
    assert only.span.start_s == pytest.approx(2.0, abs=0.01)
    assert only.rate == pytest.approx(1.0, abs=0.01)
    assert only.flags == ()


def test_a_short_line_is_followed_by_silence_not_dragged() -> None:
    """One second of Spanish for four of English stays about one second."""
    (only,) = timeline_of([("A", 2.0, 6.0, 1.0)], 10).placements
    assert only.rate == pytest.approx(1.0, abs=0.01)


def test_nothing_to_say_is_an_empty_timeline() -> None:
    """A lesson without speech has no placements, and keeps its length."""
    assert timeline_of([], 30) == Timeline("es", 30 * RATE, ())


def test_a_take_longer_than_the_programme_is_named_with_what_it_lacks() -> None:
    """Fourteen seconds are ten at 1.4x: in eight seconds of programme two are lacking."""
    timeline = timeline_of([("A", 0.0, 8.0, 14.0)], 8)
    assert timeline.placements == ()
    assert [(lost.line, lost.lacks_s) for lost in timeline.unplaced] == [("1", 2.0)]


def test_the_least_is_lost_where_not_everything_fits() -> None:
    """Of three lines that cannot all be spoken before the end, the shortest whose absence suffices is left out."""
    rows = [("A", 0.0, 4.0, 5.6), ("A", 4.0, 4.3, 1.4), ("A", 4.3, 8.0, 5.04)]
    timeline = timeline_of(rows, 8.2)
    assert [(lost.line, lost.lacks_s) for lost in timeline.unplaced] == [("2", pytest.approx(0.4, abs=0.01))]
    assert [placement.line for placement in timeline.placements] == ["1", "3"]


def test_one_long_line_is_paid_for_by_the_pause_after_it_before_it_is_rushed() -> None:
    """A take of 6 s for 4 s of source uses the 3 s of silence behind it: not hurried, and no neighbour moves."""
    timeline = timeline_of([("A", 1.0, 5.0, 6.0), ("A", 8.0, 10.0, 2.0)], 12)
    first, second = timeline.placements
    assert first.rate <= 1.15
    assert second.span.start_s == pytest.approx(8.0, abs=0.1)


def test_the_engines_own_rate_counts_as_speed() -> None:
    """A take that the engine already spoke at 1.3x may not be hurried as if it were slow: 1.4x in all is the end."""
    rows = [("A", 0.0, 4.0, 6.5), ("A", 4.0, 8.0, 6.5), ("A", 8.0, 12.0, 6.5)]
    timeline = place(script_of(rows), takes_of(rows, 1.3), samples(30), LIMITS)
    assert len(timeline.placements) == 3
    for placement in timeline.placements:
        assert 6.5 / placement.span.length_s <= 1.4
        assert placement.rate <= 1.4 / 1.3 + 1e-4


def test_a_fast_line_says_how_fast_and_a_late_one_how_late() -> None:
    """Eight lines without pauses and 1.4 times as long: some are hurried, some are late, each says so itself."""
    rows = [("A", 4.0 * number, 4.0 * (number + 1), 5.5) for number in range(8)]
    timeline = timeline_of(rows, 33)
    flags = {placement.line: placement.flags for placement in timeline.placements}
    for placement, (_, start, _, _) in zip(timeline.placements, rows, strict=True):
        expected = []
        if round(placement.rate, 2) > 1.25:
            expected.append(f"fast {placement.rate:.2f}x")
        if round(placement.rate, 2) > 1.15:
            expected.append(f"stretched {placement.rate:.2f}x")
        if round(placement.span.start_s - start, 2) > 0.6:
            expected.append(f"late {placement.span.start_s - start:.2f} s")
        assert list(flags[placement.line]) == expected
    assert any("fast" in flag for each in flags.values() for flag in each)


def test_a_short_remark_stays_inside_the_long_line_it_interrupts() -> None:
    """`Yes` of a second speaker is said where it was said, not after the other has finished."""
    timeline = timeline_of([("A", 1.0, 11.0, 10.0), ("B", 4.0, 5.0, 0.8), ("A", 12.0, 14.0, 2.0)], 16)
    assert starts(timeline)["2"] == pytest.approx(4.0, abs=0.1)


def test_one_speaker_never_speaks_twice_at_once() -> None:
    """Two utterances of one speaker with the same start come one after the other."""
    first, second = timeline_of([("A", 1.0, 3.0, 2.0), ("A", 1.0, 3.0, 2.0)], 8).placements
    assert (first.line, second.line) == ("1", "2")
    assert second.span.start >= first.span.end


def test_neighbours_share_the_hurry() -> None:
    """One long line among fitting ones: its neighbours take part, so that no step between two is above ten percent."""
    rows = [("A", 4.2 * number, 4.2 * number + 4, 5.6 if number == 4 else 4.2) for number in range(9)]
    rates = [placement.rate for placement in timeline_of(rows, 40).placements]
    assert max(abs(one / other - 1) for one, other in pairwise(rates)) <= 0.10
    assert max(rates) <= 1.25


def test_a_dense_translation_stays_near_its_time_without_losing_a_line() -> None:
    """Three minutes of speech 1.3 times as long, with short pauses: all spoken, one in twenty later than 1.2 s."""
    rows = [("A", 5.0 * number, 5.0 * number + 4.6, 4.6 * (1.3 + 0.15 * (-1) ** number)) for number in range(36)]
    timeline = timeline_of(rows, 182)
    assert timeline.unplaced == ()
    late = sorted(placement.span.start_s - row[1] for placement, row in zip(timeline.placements, rows, strict=True))
    assert late[int(0.95 * (len(late) - 1))] <= 1.2


def test_no_line_speaks_of_a_slide_before_it_shows() -> None:
    """Where a crowded talk would begin a line early, it waits for the slide that its source follows."""
    rows = [("A", 0.5, 2.0, 2.6), ("A", 2.02, 4.0, 3.4), ("A", 4.03, 6.0, 3.4)]
    slide = samples(4.01)
    crowded = timeline_of(rows, 9)
    anchored = place(script_of(rows), takes_of(rows), samples(9), LIMITS, (slide,))
    assert anchored.placements[2].span.start >= slide
    assert anchored.placements[2].anchor == slide
    assert [placement.anchor for placement in anchored.placements[:2]] == [None, None]
    assert [placement.anchor for placement in crowded.placements] == [None, None, None]


@pytest.mark.parametrize(("change", "start"), [(4.9, 4.955), (4.98, 4.98), (5.0, 5.0), (5.03, 5.03), (5.1, 4.955)])
def test_the_earliest_start_is_the_slides_unless_the_lecturer_came_first(change: float, start: float) -> None:
    """A line pressed from behind starts 45 ms early; at the slide where that is later; early where the source was."""
    rows = [("A", 5.0, 9.0, 5.5)]
    timeline = place(script_of(rows), takes_of(rows), samples(9.0), LIMITS, (samples(change),))
    assert timeline.placements[0].span.start == samples(start)


def test_a_line_long_after_a_change_does_not_follow_it() -> None:
    """Two seconds after a slide came, a line is no longer said to follow it."""
    rows = [("A", 3.9, 5.0, 1.0), ("A", 6.2, 7.0, 0.8)]
    timeline = place(script_of(rows), takes_of(rows), samples(9), LIMITS, (samples(2.0), samples(4.1)))
    assert [placement.anchor for placement in timeline.placements] == [samples(2.0), None]


def test_a_line_without_a_take_is_left_out_and_an_empty_take_is_named() -> None:
    """What was not synthesized is not placed; a take without a sample cannot be."""
    rows = [("A", 1.0, 2.0, 1.0), ("A", 3.0, 4.0, 1.0), ("A", 5.0, 6.0, 1.0)]
    first, _, third = takes_of(rows).takes
    timeline = place(script_of(rows), Takes("es", (first, replace(third, length=0))), samples(9), LIMITS)
    assert [placement.line for placement in timeline.placements] == ["1"]
    assert [(lost.line, lost.lacks_s) for lost in timeline.unplaced] == [("3", 0.0)]


def test_a_take_of_no_line_is_a_defect() -> None:
    """A take that names a line which the script lacks is never dropped in silence."""
    takes = Takes("es", (Take("99", "", 100, 100, 1.0, VOICE),))
    with pytest.raises(StageFailed, match="99"):
        place(script_of([("A", 0, 1, 1)]), takes, samples(5), LIMITS)


def test_the_stage_writes_the_timeline_that_place_gives(tmp_path: Path) -> None:
    """Files in, a timeline file out, with the counts that tables show."""
    rows = [("A", 1.0, 3.0, 2.4), ("B", 3.5, 5.0, 1.5)]
    media = Media(".wav", "wav", 0.0, samples(8), (), 0, {}, None)
    inputs = {
        "split/media.json": dump(media, tmp_path / "media.json"),
        "split/scenes.json": dump(Scenes((Change(Span.of_seconds(3.45, 3.48)),)), tmp_path / "scenes.json"),
        "transcribe/script.json": dump(script_of(rows), tmp_path / "script.json"),
        "synthesize/takes.json": dump(takes_of(rows), tmp_path / "takes.json"),
    }
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = stage.run(stage.Params(LIMITS), inputs, Workbench(Store(tmp_path / "store"), scratch))
    assert set(made.outputs) == set(stage.STAGE.makes)
    anchored = place(script_of(rows), takes_of(rows), samples(8), LIMITS, (samples(3.45), samples(3.48)))
    assert load(Timeline, made.outputs["timeline.json"]) == anchored
    assert [placement.anchor for placement in anchored.placements] == [None, samples(3.48)]
    assert made.notes == {"lines": 2, "unplaced": 0, "flagged": 0}


def test_where_frames_cannot_be_held_the_timeline_says_so(tmp_path: Path) -> None:
    """Asked to hold frames of a file without a picture, placement does as it would without, and remarks on it."""
    rows = [("A", 1.0, 3.0, 2.4)]
    inputs = {
        "split/media.json": dump(Media(".wav", "wav", 0.0, samples(8), (), 0, {}, None), tmp_path / "media.json"),
        "split/scenes.json": dump(Scenes(), tmp_path / "scenes.json"),
        "transcribe/script.json": dump(script_of(rows), tmp_path / "script.json"),
        "synthesize/takes.json": dump(takes_of(rows), tmp_path / "takes.json"),
    }
    bench = Workbench(Store(tmp_path / "store"), tmp_path)
    made = stage.run(stage.Params(LIMITS, hold=True), inputs, bench)
    timeline = load(Timeline, made.outputs["timeline.json"])
    assert timeline.remarks == ("there is no picture to hold",)
    assert replace(timeline, remarks=()) == timeline_of(rows, 8)


def test_a_take_that_is_nearly_as_long_as_its_place_is_left_as_it_is() -> None:
    """Nobody hears a tempo that is 3 % off: where the pause has room, and only there, the take is played untouched."""
    rows = [("A", 1.0, 5.0, 4.16), ("A", 6.0, 9.0, 3.1), ("A", 9.12, 12.0, 2.88)]
    first, second, third = timeline_of(rows, 14).placements
    assert (first.rate, first.span.length) == (1.0, samples(4.16))
    assert second.rate > 1.0
    assert third.rate == 1.0
    assert second.span.end + samples(0.12) <= third.span.start
