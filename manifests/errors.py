"""Everything that can go wrong, by who must act.

* DubError
  x InputError            the user: a manifest, a flag or a media file is not what it should be
    + ManifestError       the manifest cannot be understood; carries findings as `file:line: message`
    + MediaError          one media file cannot be read, or holds nothing that can be dubbed
  x EngineUnavailable     the operator: a program, package, model or language pair is missing
  x ConsentRefused        a person: no consent covers this use of their voice
  x StoreError            the operator: the workspace or the output folder cannot be read or written
    + LedgerError         where a target stands could not be written down: only this message tells it
    + ObjectLost          what a stage made is damaged or gone: the stage makes it again
  x ClaimLost             nobody: another worker took the lesson over, and finishes it
  x StageFailed           ours, or the world's: a stage broke while it worked

Each carries what it was about (lesson, stage, line) as far as that is known, and a remedy: the sentence that tells
what to type or change next. Whoever knows more adds it with `about()` on the way up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a file that a person wrote: `file:line: message`."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class DubError(Exception):
    """Base of all errors that dubflow raises on purpose."""

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        lesson: str = "",
        stage: str = "",
        line: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.lesson = lesson
        self.stage = stage
        self.line = line

    def about(self, *, lesson: str = "", stage: str = "", line: str = "") -> Self:
        """Add what the error was about where it is not yet known; returns itself, to be raised."""
        self.lesson = self.lesson or lesson
        self.stage = self.stage or stage
        self.line = self.line or line
        return self

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class InputError(DubError):
    """The user's to mend."""


class ManifestError(InputError):
    """The manifest cannot be understood; nothing was started."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


class MediaError(InputError):
    """One media file cannot be read or holds nothing to dub."""


class EngineUnavailable(DubError):
    """The operator's to mend: the remedy is a command."""


class ConsentRefused(DubError):
    """No consent covers this use of a person's voice."""


class StoreError(DubError):
    """The workspace or an output folder cannot be read or written."""


class LedgerError(StoreError):
    """The ledger could not be written."""


class ObjectLost(StoreError):
    """An object of the store is gone, or is damaged and was set aside: its commit no longer counts, so its stage runs
    again."""


class ClaimLost(DubError):
    """Another worker has the lesson by now: what was made of it here is not committed."""


class StageFailed(DubError):
    """A stage broke while it worked."""
