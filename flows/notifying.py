"""Telling people how a run went, where the user's settings ask for it: by mail, webhook, or whatever Apprise speaks.

A message that cannot be sent changes no result of a run; stderr says so. No message contains text of a lesson or a
password.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.next_steps import STATES, counts_in_words, next_steps
from flows.order import Order
from flows.saying import say
from manifests import settings
from manifests.errors import DubError
from manifests.settings import Notify
from manifests.target_row import TargetRow
from tasks.report.facts import NextStep
from tasks.told_problems import problems_text

if TYPE_CHECKING:
    from apprise import NotifyBase

TARGETS_TOLD = 30
"""Targets that are not done and are named, at most."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run went, in short."""

    course: str
    counts: Mapping[str, int]
    troubled: tuple[tuple[str, str, str], ...]
    """Target, state and reason of what is not done."""
    steps: tuple[NextStep, ...]
    folder: Path
    stopped: str = ""
    """Why the run ended before its targets did; empty where it did not."""
    report: str | None = None
    """Where the course's report lies, if the run left one."""

    @property
    def trouble(self) -> bool:
        return bool(self.stopped or self.troubled)

    @property
    def title(self) -> str:
        if self.stopped:
            return f"dub {self.course}: the run stopped"
        return f"dub {self.course}: {_in_words(self.counts)}"

    @property
    def text(self) -> str:
        """What a mail says."""
        lines = [f"{self.course}, on {socket.gethostname()}: {_in_words(self.counts) or 'nothing was made'}.", ""]
        lines += [self.stopped, ""] if self.stopped else []
        lines += [f"{state:<8} {name}  {reason}".rstrip() for name, state, reason in self.troubled[:TARGETS_TOLD]]
        if (more := len(self.troubled) - TARGETS_TOLD) > 0:
            lines.append(f"… and {more} more")
        lines += [""] if self.troubled else []
        lines += [row for step in self.steps for row in (step.why, f"  {step.command}")]
        lines += ["", f"The report: {self.report}"] if self.report else []
        return "\n".join([*lines, "", f"Commands are meant for the folder {self.folder}."])

    def as_dict(self) -> dict[str, Any]:
        """What a webhook gets beside the text."""
        return {
            "course": self.course,
            "host": socket.gethostname(),
            "counts": dict(self.counts),
            "targets": [
                {"target": name, "state": state, "reason": reason}
                for name, state, reason in self.troubled[:TARGETS_TOLD]
            ],
            "next": [step.as_dict() for step in self.steps],
            "stopped": self.stopped,
            "report": self.report or "",
        }


def summary(order: Order, course: str, rows: Sequence[TargetRow], report: str | None = None) -> Summary:
    """How a run of these targets went."""
    states = [row.state for row in rows]
    outputs = {_name(row): row.output for row in rows}
    return Summary(
        course,
        {state: states.count(state) for state in STATES if state in states},
        tuple((_name(row), row.state, reason(row)) for row in rows if row.state != "done"),
        next_steps(order.manifest, {_name(row): row.state for row in rows}, outputs, workspace=order.chosen_workspace),
        Path.cwd(),
        report=report,
    )


def stopped(order: Order, course: str, error: DubError, report: str | None = None) -> Summary:
    """What there is to tell of a run that could not go on at all."""
    step = NextStep(order.resume, "When that is mended:")
    return Summary(course, {}, (), (step,), Path.cwd(), stopped=str(error), report=report)


def interrupted(order: Order, course: str) -> Summary:
    """What there is to tell of a run that was told to end before its targets were done."""
    step = NextStep(order.resume, "What is finished is kept; go on with:")
    return Summary(course, {}, (), (step,), Path.cwd(), stopped="The run was interrupted.")


def reason(row: TargetRow) -> str:
    """Why a target is not done, in one line."""
    said = row.message or problems_text(row.problems)
    return " ".join((f"{row.stage}: {said}" if row.stage and row.message else said).split())


def notify(told: Summary, folder: Path) -> None:
    """Tell the people whom the settings name, if they want to hear of this; say what could not be sent. Raises
    nothing."""
    try:
        wanted = settings.of(folder).notify
    except DubError as error:
        say(f"Nobody was told: {error}", "warning")
        return
    if wanted.to and (told.trouble or wanted.when == "always"):
        for problem in _sent(told, wanted):
            say(f"Not told: {problem}", "warning")


def _sent(told: Summary, wanted: Notify) -> list[str]:
    """Tell everybody; returns what went wrong, with each address as far as it may be shown."""
    import apprise
    from apprise.plugins.custom_json import NotifyJSON

    logging.getLogger("apprise").propagate = False  # its words hold whole addresses: what may be said, we say
    problems: list[str] = []
    kind = apprise.NotifyType.WARNING if told.trouble else apprise.NotifyType.SUCCESS
    for number, address in enumerate(wanted.to, 1):
        service = _service(address)
        if service is None:
            known = "Such are mailto://… and jsons://…"
            problems.append(
                f"address {number} of `notify`, {address.partition(':')[0]}://…, is not understood. {known}"
            )
            continue
        if isinstance(service, NotifyJSON):
            service.payload_extras |= told.as_dict()
        log: Any
        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:
            try:
                sent = bool(service.notify(told.text, told.title, kind, body_format=apprise.NotifyFormat.TEXT))
            except Exception as error:  # noqa: BLE001  (whatever a service's plugin does, the run's result stands)
                sent, said = False, type(error).__name__
            else:
                said = "; ".join(log.getvalue().split("\n")).strip("; ")
        if not sent:
            problems.append(f"{service.url(privacy=True).partition('?')[0]}: {said or 'it was not taken'}")
    return problems


def _service(address: str) -> NotifyBase | None:
    """The service behind an address; None for one that Apprise does not know. Mail is sent as plain text."""
    import apprise
    from apprise.plugins.email.base import NotifyEmail

    with apprise.LogCapture():
        service = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    if isinstance(service, NotifyEmail):
        service.notify_format = apprise.NotifyFormat.TEXT
    return service


def _name(row: TargetRow) -> str:
    return f"{row.lesson}:{row.language}"


def _in_words(counts: Mapping[str, int]) -> str:
    return counts_in_words([state for state, count in counts.items() for _ in range(count)], STATES)
