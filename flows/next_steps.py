"""What to type next: the commands that bring a course on from where its targets stand, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flows.order import shown
from manifests.settings import is_address
from tasks.report.facts import NextStep

STATES = ("failed", "blocked", "partial", "review", "running", "new", "done")
"""In the order in which somebody wants to read them."""

SPELLED_OUT = 5
"""Targets that are partial, or held for review, of which each command is spelled out."""


def next_steps(
    manifest: Path,
    states: Mapping[str, str],
    outputs: Mapping[str, str],
    *,
    workspace: Path | None = None,
    stale: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
) -> tuple[NextStep, ...]:
    """What to do about a course whose targets (`lesson:language`) are in these states; nothing where all are done.

    `outputs` says where the files are that are held; `stale`, which stages are stale by lesson and language, and why.
    `workspace` is named in the commands where it was in the question.
    """
    where = f" --workspace {shown(workspace.expanduser().absolute())}" if workspace else ""
    course = shown(manifest)
    named: dict[str, list[str]] = {}
    for name, state in states.items():
        named.setdefault(state, []).append(name)
    steps: list[NextStep] = []
    stuck = [(state, names) for state in ("failed", "blocked") if (names := named.get(state))]
    if stuck:
        why = "; ".join(f"{len(names)} {state} ({_some(names)})" for state, names in stuck)
        steps.append(NextStep(f"dub rerun {course} --failed{where}", f"{why}. When that is mended:"))
    for name in named.get("partial", [])[:SPELLED_OUT]:
        sheet = shown(f"{name.replace(':', '.')}.csv")
        why = f"{name} is partial: lines of it are not spoken. Give them a shorter text, then `dub script import` it:"
        steps.append(NextStep(f"dub script export {course} {shown(name)} {sheet}{where}", why))
    for name in named.get("review", [])[:SPELLED_OUT]:
        output = outputs.get(name, "")
        file = f", {shown(output if is_address(output) else Path(output))}," if output else ""
        why = f"{name} is held by a quality gate. Listen to it{file} and if it may go out:"
        steps.append(NextStep(f"dub approve {course} {shown(name)}{where}", why))
    if more := [name for state in ("partial", "review") for name in named.get(state, [])[SPELLED_OUT:]]:
        count = _counted(len(more), "further target")
        steps.append(NextStep(f"dub status {course}{where}", f"{count} {_are(len(more))} partial or held for review."))
    open_ = [name for state in ("running", "new") for name in named.get(state, ())]
    if open_:
        steps.append(
            NextStep(
                f"dub run {course}{where}", f"{_counted(len(open_), 'target')} {_are(len(open_))} still to be made."
            )
        )
    if stale:
        stages = dict.fromkeys(f"{stage} was {why}" for each in stale.values() for stage, why in each.items())
        steps.append(
            NextStep(
                f"dub run {course} --refresh{where}",
                f"{_counted(len(stale), 'target')} {_are(len(stale))} stale: {_some(list(stages))}. If they are to be"
                " made anew:",
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
