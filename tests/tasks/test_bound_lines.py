"""Human lines stay with what is said, whatever becomes of the script."""

from __future__ import annotations

from dataclasses import replace

from manifests.human_lines import HumanLine
from manifests.script import Script, Utterance
from manifests.spans import Span
from tasks.bound_lines import bound


def script(*said: tuple[float, float, str]) -> Script:
    return Script(
        "en",
        tuple(
            Utterance(str(number), "SPEAKER_00", Span.of_seconds(start, end), text, (), 0.9)
            for number, (start, end, text) in enumerate(said, 1)
        ),
    )


LINES = (
    HumanLine(1.0, 4.0, "Plants need light and water.", "Las plantas necesitan luz y agua."),
    HumanLine(5.0, 8.0, "They grow in the garden.", "Crecen en el jardín."),
)
TEXTS = [line.text for line in LINES]


def test_an_unchanged_script_keeps_its_lines() -> None:
    """Without a remark."""
    found = bound(LINES, script((1, 4, LINES[0].source), (5, 8, LINES[1].source), (9, 10, "Good.")))
    assert found.lines == {"1": (TEXTS[0], ()), "2": (TEXTS[1], ())}
    assert found.lost == ()


def test_lines_follow_what_is_said_to_other_numbers_and_times() -> None:
    """A new first utterance moves every number, an intro every time."""
    found = bound(LINES, script((1, 9, "Hello."), (21, 24, LINES[0].source), (25, 28, LINES[1].source)))
    assert {name: text for name, (text, _) in found.lines.items()} == {"2": TEXTS[0], "3": TEXTS[1]}


def test_a_little_other_wording_at_the_same_time_is_the_same_line() -> None:
    """A better recognizer, or captions, correct a word."""
    found = bound(LINES, script((1, 4, "Plants need light, and water!"), (5.1, 7.9, "They glow in the garden.")))
    assert {name: text for name, (text, _) in found.lines.items()} == {"1": TEXTS[0], "2": TEXTS[1]}


def test_other_wording_at_the_very_same_time_is_taken_and_told() -> None:
    """What a linguist wrote was for what they heard, which the recognizer had misunderstood."""
    found = bound(LINES[:1], script((1, 4, "Plans knead light ant wart.")))
    assert found.lines["1"] == (TEXTS[0], ('written when this was heard: "Plants need light and water."',))


def test_a_line_whose_utterance_is_gone_is_told_and_not_used() -> None:
    """Something quite different at that time is not its utterance."""
    found = bound(LINES, script((1, 4, "Welcome back, everybody."), (5, 8, LINES[1].source)))
    assert found.lines == {"2": (TEXTS[1], ())}
    assert found.lost == (LINES[0],)


def test_equal_sources_keep_their_own_lines() -> None:
    """Each the one that is nearest in time."""
    lines = (HumanLine(1, 2, "Good.", "Bien."), HumanLine(50, 51, "Good.", "Bueno."))
    found = bound(lines, script((1, 2, "Good."), (10, 11, "Good."), (50, 51, "Good.")))
    assert {name: text for name, (text, _) in found.lines.items()} == {"1": "Bien.", "3": "Bueno."}


def test_the_line_of_an_utterance_that_became_two_is_divided() -> None:
    """Where a sentence ends."""
    line = HumanLine(
        1, 8, "Plants need light. They grow in the garden.", "Las plantas necesitan luz. Crecen en el jardín."
    )
    found = bound([line], script((1, 4, "Plants need light."), (4.5, 8, "They grow in the garden.")))
    assert found.lines == {
        "1": ("Las plantas necesitan luz.", ("divided",)),
        "2": ("Crecen en el jardín.", ("divided",)),
    }
    assert found.lost == ()


def test_the_lines_of_utterances_that_became_one_are_joined() -> None:
    """In order."""
    found = bound(LINES, script((1, 8, f"{LINES[0].source} {LINES[1].source}")))
    assert found.lines == {"1": (" ".join(TEXTS), ("joined",))}
    assert found.lost == ()


def recut(*said: tuple[float, float, str, float | None]) -> Script:
    """As `script`; of each utterance also when it began in the cut before, where it was there."""
    return Script(
        "en",
        tuple(
            replace(each, earlier=() if before is None else (Span.of_seconds(before, before + end - start),))
            for each, (start, end, _, before) in zip(script(*(row[:3] for row in said)).utterances, said, strict=True)
        ),
    )


def test_in_another_cut_a_line_stays_with_the_sound_that_it_was_written_for() -> None:
    """Though it was heard otherwise then, and somebody else says the like at that time now."""
    found = bound(
        LINES,
        recut(
            (1, 4, "Plants need the light and the water.", None),
            (21, 24, "Plans knead light ant wart.", 1),
            (25, 28, "They glow in the garden.", 5),
        ),
    )
    assert found.lines == {
        "2": (TEXTS[0], ('written when this was heard: "Plants need light and water."',)),
        "3": (TEXTS[1], ()),
    }
    assert found.lost == ()


def test_in_another_cut_what_is_half_alike_is_not_taken_for_the_same() -> None:
    """The time may be that of a third cut: the line is told, and not used."""
    found = bound(LINES[:1], recut((40, 43, "Plenty of people eat meat.", 1)))
    assert (found.lines, found.lost) == ({}, (LINES[0],))


def test_in_another_cut_lines_are_divided_and_joined_too() -> None:
    """By the times of the sound in the cut that they were written for."""
    line = HumanLine(
        1, 8, "Plants need light. They grow in the garden.", "Las plantas necesitan luz. Crecen en el jardín."
    )
    found = bound([line], recut((31, 34, "Plants need light.", 1), (34.5, 38, "They grow in the garden.", 4.5)))
    assert {name: text for name, (text, _) in found.lines.items()} == {
        "1": "Las plantas necesitan luz.",
        "2": "Crecen en el jardín.",
    }
    found = bound(LINES, recut((41, 48, f"{LINES[0].source} {LINES[1].source}", 1)))
    assert found.lines == {"1": (" ".join(TEXTS), ("joined",))}
