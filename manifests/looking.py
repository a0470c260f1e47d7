"""Looking at a whole library: what is the same for all of its lessons is asked once, not once a lesson.

Settings, the consent registry, enrolments and the translation memory are asked for every key, and each answer costs
files. Whoever looks at thousands of lessons and makes nothing of them holds `looking()`: within it an answer stands
until the look ends. Anybody else is answered anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_ANSWERS: Final[ContextVar[dict[Hashable, Any] | None]] = ContextVar("answers", default=None)


@contextmanager
def looking() -> Generator[None]:
    """One look at a library, by one thread. A look within a look is part of it."""
    if _ANSWERS.get() is not None:
        yield
        return
    before = _ANSWERS.set({})
    try:
        yield
    finally:
        _ANSWERS.reset(before)


def answers() -> dict[Hashable, Any] | None:
    """What was answered so far in this look; None where nobody looks."""
    return _ANSWERS.get()


def asked_once(by: Callable[P, Hashable]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Makes a function answer once a look to the same question, which `by` makes of its arguments.

    What it raises is not kept.
    """

    def of(ask: Callable[P, T]) -> Callable[P, T]:
        @wraps(ask)
        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            answers = _ANSWERS.get()
            if answers is None:
                return ask(*args, **kwargs)
            question = (ask, by(*args, **kwargs))
            if question not in answers:
                answers[question] = ask(*args, **kwargs)
            return answers[question]

        return asked

    return of
