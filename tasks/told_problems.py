"""How problems of a target are told in one line: in tables, mails and the report alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_ENDS: Final = (".", "!", "?", "…", ":")


def in_a_row(texts: Iterable[str]) -> str:
    """Texts one after the other: a semicolon follows what is no sentence, nothing what ends as one. Empty ones are left
    out."""
    said = [text for text in texts if text]
    return "".join(text + (" " if text.endswith(_ENDS) else "; ") for text in said[:-1]) + "".join(said[-1:])


def problem_text(problem: Mapping[str, Any]) -> str:
    """A problem, as the record and the ledger have it: its line or its gate first."""
    about = f"line {problem['line']}" if problem.get("line") else problem.get("gate", "")
    return f"{about}: {problem['message']}" if about else problem["message"]


def problems_text(problems: Iterable[Mapping[str, Any]]) -> str:
    """All of them in a line."""
    return in_a_row(map(problem_text, problems))
