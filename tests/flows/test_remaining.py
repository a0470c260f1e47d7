"""How long the rest of a run will take, on a clock that the test holds."""

import pytest

from flows.remaining import Remaining, Work, expected, in_words


class Clock:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr("time.monotonic", lambda: self.now)

    def __call__(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def work(*stages: str, seconds: float = 10.0, lesson: str = "one") -> list[Work]:
    return [Work(lesson, stage, seconds) for stage in stages]


def test_the_history_says_how_long_before_anything_is_done(wait: Clock) -> None:
    """Seconds a second of programme, times the lesson's length; a stage or lesson without history is as usual."""
    found = expected(
        [("one", "transcribe"), ("one:es", "mix"), ("two", "transcribe"), ("two", "diarize")],
        {"transcribe": [0.1, 0.3, 0.2], "mix": [0.05]},
        {"one": 600.0},
    )
    assert [each.seconds for each in found[:3]] == pytest.approx([120.0, 30.0, 120.0])
    unit = (0.2 / 30 + 0.05 / 8) / 2
    assert found[3].seconds == pytest.approx(30 * unit * 600)
    left = Remaining()
    left.expect(found, at_once=1)
    assert left.left_s() == pytest.approx(sum(each.seconds for each in found))


def test_the_runs_own_pace_mends_the_history(wait: Clock) -> None:
    """Twice as slow as ever before: so will the rest be, nearly at once."""
    left = Remaining()
    left.expect(work("a", "b", "c", "d"), at_once=1)
    left.started("one", "a")
    wait(20)
    left.finished("one", "a", cached=False)
    assert left.left_s() == pytest.approx(30 * 22 / 12)
    assert left.counts == (1, 4)


def test_what_was_cached_says_nothing_about_the_pace(wait: Clock) -> None:
    """It leaves the sum."""
    left = Remaining()
    left.expect(work("a", "b"), at_once=1)
    left.finished("one", "a", cached=True)
    assert left.left_s() == pytest.approx(10.0)
    assert left.counts == (0, 1)


def test_a_stage_at_work_counts_by_what_it_says_or_by_the_clock(wait: Clock) -> None:
    """Never as all done before it is."""
    left = Remaining()
    left.expect(work("a", seconds=100), at_once=1)
    left.started("one", "a")
    wait(40)
    assert left.left_s() == pytest.approx(60)
    left.share("one", "a", 0.8)
    assert left.seconds == (80.0, 100.0)
    wait(1000)
    left.share("one", "a", 0.9)
    assert left.left_s() > 0


def test_the_longest_lesson_is_waited_for_however_many_cores_there_are(wait: Clock) -> None:
    """Its stages follow each other: eight at once do not make one lesson shorter."""
    left = Remaining()
    one = [*work("split", "transcribe", seconds=50), Work("one:es", "mix", 20), Work("one:ca", "mix", 30)]
    left.expect([*one, *work("split", lesson="two")], at_once=8)
    assert left.left_s() == pytest.approx(130)


def test_what_broke_is_not_waited_for(wait: Clock) -> None:
    """A broken lesson takes its languages with it, a broken target only itself."""
    left = Remaining()
    left.expect(
        [Work("one", "split", 10), Work("one:es", "mix", 10), Work("one:ca", "mix", 10), Work("two", "split", 7)], 1
    )
    left.broken("one:es")
    assert left.counts == (0, 3)
    left.broken("one")
    assert left.left_s() == pytest.approx(7)
    left.broken("two")
    assert left.left_s() is None


@pytest.mark.parametrize(("seconds", "said"), [(40.4, "about 40 s"), (720, "about 12 min"), (12_600, "about 3.5 h")])
def test_it_is_said_in_words(seconds: float, said: str) -> None:
    """No more exactly than anybody knows."""
    assert in_words(seconds) == said
