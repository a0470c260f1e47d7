"""Within one look a question is asked once; before, after, and in another thread it is asked anew."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from manifests.looking import asked_once, looking

asked: list[str] = []


def _question(person: str, loudly: bool = False) -> str:
    del loudly
    return person


@asked_once(_question)
def answer(person: str, loudly: bool = False) -> str:
    asked.append(person)
    if person == "nobody":
        raise LookupError(person)
    return person.upper() if loudly else person


def test_an_answer_stands_until_the_look_ends() -> None:
    """By the question that its arguments make; a look within a look is part of it."""
    asked.clear()
    with looking():
        assert [answer("amara"), answer("amara", loudly=True), answer("ben")] == ["amara", "amara", "ben"]
        with looking():
            answer("ben")
        answer("ben")
        assert asked == ["amara", "ben"]
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(answer, "ben").result() == "ben"
        assert asked == ["amara", "ben", "ben"]
    answer("amara")
    assert asked == ["amara", "ben", "ben", "amara"]


def test_what_a_question_raises_is_raised_each_time() -> None:
    """It may be mended meanwhile."""
    asked.clear()
    with looking():
        for _ in range(2):
            with pytest.raises(LookupError):
                answer("nobody")
    assert asked == ["nobody", "nobody"]
