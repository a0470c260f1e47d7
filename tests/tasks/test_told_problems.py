"""Problems of a target are told in one line, in every table and mail in the same way."""

from tasks.told_problems import in_a_row, problem_text, problems_text


def test_sentences_follow_one_another_and_what_is_none_is_parted_by_a_semicolon() -> None:
    """Never a full stop and a semicolon; what is empty is left out."""
    assert in_a_row(["It lacks 1.2 s.", "It is cut.", ""]) == "It lacks 1.2 s. It is cut."
    assert in_a_row(["clone is stale", "", "place is stale"]) == "clone is stale; place is stale"
    assert in_a_row(["clone is stale", "It is cut."]) == "clone is stale; It is cut."
    assert in_a_row([]) == ""


def test_a_problem_begins_with_its_line_or_its_gate() -> None:
    """And with neither where it has neither."""
    told = {"message": "it lacks 1.2 s."}
    assert problem_text(told | {"line": "7"}) == "line 7: it lacks 1.2 s."
    assert problem_text(told | {"gate": "timing"}) == "timing: it lacks 1.2 s."
    assert problem_text(told | {"line": None}) == "it lacks 1.2 s."
    assert problems_text([told | {"line": "7"}, told | {"line": "9"}]) == (
        "line 7: it lacks 1.2 s. line 9: it lacks 1.2 s."
    )
