"""What YAML's parser could not read, in words that say what to type instead."""

from __future__ import annotations

from typing import Any, Final

from manifests.errors import Finding

_ADVICE: Final = (
    # what the parser says, what to tell the person
    (
        "mapping values are not allowed",
        "a colon where none can be; quote a value that holds `: `, check the indentation.",
    ),
    ("another document", "`---` begins a second document; a manifest is one course."),
    ("cannot start any token", "a value cannot begin with this character; put it in quotes."),
    ("undefined alias", "`*` names an anchor that is not defined; put a value that begins with `*` in quotes."),
    ("flow sequence", "a `,` or the closing `]` of a list is missing before this."),
    ("flow mapping", "a `,` or the closing `}` is missing before this."),
    ("block", "the indentation does not fit the lines above; keys of one mapping begin in one column."),
)


def fault(error: Any, text: str, name: str) -> Finding:
    """Where and what, from an error of ruamel's: its parser knows the line, its reader only the position."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        line = text.count("\n", 0, int(getattr(error, "position", 0)))
        return Finding(name, line + 1, "a character here is not allowed in YAML; is this a manifest?")
    problem, context = str(error.problem or ""), str(error.context or "")
    line = int(mark.line)
    if "tab character" in problem or "\t" in _indentation(text, line):
        return Finding(name, line + 1, "a tab; YAML is indented with spaces.")
    if "quoted" in context and "end of stream" in problem:
        opened = int(error.context_mark.line)
        return Finding(name, opened + 1, "this quote is never closed; close it with the same sign.")
    said = f"{context} {problem}".strip()
    advice = next((advice for sign, advice in _ADVICE if sign in said), f"this is not YAML: {said}.")
    return Finding(name, line + 1, advice)


def _indentation(text: str, line: int) -> str:
    lines = text.split("\n")
    found = lines[line] if line < len(lines) else ""
    return found[: len(found) - len(found.lstrip())]
