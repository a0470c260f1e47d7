"""`dub consent statement`, and the spoken statement that `dub consent add` takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from manifests.errors import InputError
from voiceclone.consent import Statement, VoiceMatch
from voiceclone.registry import Registry


@dataclass(frozen=True, slots=True)
class Findings:
    """What hearing a statement found, ready for the registry."""

    statement: Statement | None = None
    audio: Path | None = None
    voice_match: tuple[VoiceMatch, ...] = ()
    remarks: tuple[str, ...] = ()

    def settle(self, registry: Registry) -> None:
        """Nothing to settle yet."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The recordings that a user gives for a statement, and who listened to them."""

    statement: Path | None = None
    enrolment: tuple[Path, ...] = ()
    cohort: Path | None = None
    reviewed_by: str | None = None

    def heard(self, registry: Registry, consent: str, person: str) -> Findings:
        if self.statement is None:
            if self.enrolment or self.cohort or self.reviewed_by:
                raise InputError("--enrolment, --cohort and --reviewed-by are about a --statement.")
            return Findings()
        raise NotImplementedError
