"""A linguist's lines, held against what the target has."""

from __future__ import annotations

import pytest

from manifests.exchange import Returned
from manifests.human_lines import HumanLine
from manifests.script import Line, Lines, Rendering, Script, Utterance
from manifests.spans import Span
from tasks.line_sheet import Known, entries
from tasks.returned_lines import imported

SOURCES = ("The sun warms the sea.", "Small drops rise.", "They make a cloud.")
TEXTS = ("El sol calienta el mar.", "Suben gotas pequeñas, por supuesto.", "Forman una nube.")


def known() -> Known:
    utterances = tuple(
        Utterance(str(at), "SPEAKER_00", Span.of_seconds(at * 5 - 4.0, at * 5 - 1.0), text, (), 0.9)
        for at, text in enumerate(SOURCES, 1)
    )
    lines = [Line(str(at), text) for at, text in enumerate(TEXTS, 1)]
    shorter = Rendering("Suben gotas pequeñas.", ("por supuesto",), 0.3)
    lines[1] = Line("2", TEXTS[1], checks=("unknown word: drops",), renderings=(shorter,))
    said = [lines[0], Line("2", shorter.text, checks=lines[1].checks, trimmed=shorter.trimmed), lines[2]]
    return Known(Script("en", utterances), Lines("es", tuple(lines)), Lines("es", tuple(said)))


def rows(*texts: str) -> list[Returned]:
    return [Returned(at + 1, str(at), text) for at, text in enumerate(texts, 1)]


def take(returned: list[Returned], before: tuple[HumanLine, ...] = (), *, approve_all: bool = False):
    return imported(returned, known(), before, file="l.csv", language="es", approve_all=approve_all)


def test_only_a_changed_text_becomes_human() -> None:
    """With the time and source of its utterance; what was shortened is as it was in either length."""
    for second in ("Suben gotas pequeñas.", TEXTS[1]):
        result = take(rows(TEXTS[0], second, "Y forman una nube."))
        assert result.lines == (HumanLine(11, 14, SOURCES[2], "Y forman una nube."),)
        assert (result.human, result.unchanged, result.faults, result.missing) == (("3",), 2, (), ())


def test_approving_all_locks_the_others_too() -> None:
    """As the file has them."""
    result = take(rows(TEXTS[0], "Suben gotas pequeñas.", "Y forman una nube."), approve_all=True)
    assert [line.text for line in result.lines] == [TEXTS[0], "Suben gotas pequeñas.", "Y forman una nube."]
    assert result.human == ("1", "2", "3")


def test_lines_that_are_human_already_stay_and_can_be_changed_again() -> None:
    """One that is not in the file, and one whose utterance is gone, are kept."""
    gone = HumanLine(99, 100, "Something quite different.", "Otra cosa.")
    first = HumanLine(1, 4, SOURCES[0], "El sol entibia el mar.")
    result = take([Returned(2, "1", "El sol templa el mar.")], (first, gone))
    assert result.lines == (HumanLine(1, 4, SOURCES[0], "El sol templa el mar."), gone)
    assert [line for line, _ in result.missing] == ["2", "3"]
    assert str(result.missing[0][1]) == "l.csv:2: line 2 is missing; it stays as it is."
    assert take([Returned(2, "1", first.text)], (first,)).human == ()


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ([Returned(2, "", "a")], "l.csv:2: this line has no id"),
        ([Returned(2, "9", "a")], "l.csv:2: there is no line 9; this lesson has 3 lines"),
        ([Returned(2, "1", "a"), Returned(7, "1", "b")], "l.csv:7: the line 1 is there twice, first at l.csv:2"),
        ([Returned(2, "1", "")], "l.csv:2: the line 1 has no text"),
        ([Returned(2, "1", "<em>a")], "l.csv:2: the <em> in '<em>a' is not closed"),
        ([Returned(2, "1", "a", language="fr")], "l.csv:2: this file is in fr, and the target in es"),
        ([Returned(2, "1", "a", source="Welcome back.")], 'l.csv:2: line 1 is now "The sun warms the sea."'),
        ([Returned(2, "1", "a", start=6.02)], "l.csv:2: the cue 1 has the time of line 2"),
    ],
)
def test_what_cannot_be_used_is_named(returned: list[Returned], says: str) -> None:
    """By file and line."""
    faults = take(returned).faults
    assert len(faults) == 1
    assert str(faults[0]).startswith(says)


def test_a_sheet_of_an_older_script_finds_its_utterances() -> None:
    """By what was said, where that is said once: numbers have moved since."""
    result = take([Returned(2, "1", "Nube.", source=SOURCES[2])])
    assert result.lines == (HumanLine(11, 14, SOURCES[2], "Nube."),)


def test_notes_tell_the_room_the_speaker_and_the_context() -> None:
    """And what was shortened or is doubtful."""
    first, second, _ = entries(known())
    assert dict(first.notes) == {"length": "4.9 s, about 71 characters; it has 23", "speaker": "SPEAKER_00"}
    assert second.text == "Suben gotas pequeñas."
    assert dict(second.notes) == {
        "length": "4.9 s, about 71 characters; it has 21",
        "speaker": "SPEAKER_00",
        "context": "after “The sun warms the sea.”",
        "shortened": "left out por supuesto",
        "check": "unknown word: drops",
    }
