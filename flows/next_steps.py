"""What to type next: the commands that bring a course on from where its targets stand, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flows.order import shown
from tasks.report.facts import NextStep

APPROVALS_SHOWN = 5
"""Targets that are held for review of which each command is spelled out."""


def next_steps(manifest: Path, states: Mapping[str, str], *, workspace: Path | None = None) -> tuple[NextStep, ...]:
    """What to do about a course whose targets (`lesson:language`) are in these states; nothing where all are done.

    `workspace` is named in the commands where it was named in the question.
    """
    where = f" --workspace {shown(workspace.expanduser().absolute())}" if workspace else ""
    course = shown(manifest)
    named: dict[str, list[str]] = {}
    for name, state in states.items():
        named.setdefault(state, []).append(name)
    steps: list[NextStep] = []
    stuck = [(state, names) for state in ("failed", "blocked", "partial") if (names := named.get(state))]
    if stuck:
        why = "; ".join(f"{len(names)} {state} ({_some(names)})" for state, names in stuck)
        steps.append(NextStep(f"dub rerun {course} --failed{where}", f"{why}. When what each names is mended:"))
    for name in named.get("review", [])[:APPROVALS_SHOWN]:
        why = f"{name} is held by a quality gate. Listen to it, and if it may go out:"
        steps.append(NextStep(f"dub approve {course} {shown(name)}{where}", why))
    if (more := len(named.get("review", ())) - APPROVALS_SHOWN) > 0:
        steps.append(
            NextStep(f"dub status {course}{where}", f"{_counted(more, 'further target')} {_are(more)} held for review.")
        )
    open_ = [name for state in ("running", "new") for name in named.get(state, ())]
    if open_:
        steps.append(
            NextStep(
                f"dub run {course}{where}", f"{_counted(len(open_), 'target')} {_are(len(open_))} still to be made."
            )
        )
    return tuple(steps)


def counts_in_words(states: Iterable[str], order: Sequence[str]) -> str:
    """`12 done, 2 failed`."""
    known = list(states)
    return ", ".join(f"{known.count(state)} {state}" for state in order if state in known)


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("s" if count != 1 else "")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
