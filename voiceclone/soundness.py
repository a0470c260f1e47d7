"""Whether the registry is as it was signed: one record with all that belongs to it, or the whole log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from voiceclone.audit import AuditLog, Report
from voiceclone.consent import Record, Status, standing
from voiceclone.keys import OperatorKey
from voiceclone.private import RegistryError
from voiceclone.records import Records
from voiceclone.session import Session, refuse_older


@dataclass(frozen=True, slots=True)
class Checked:
    """What `verify` found about one record."""

    consent: str
    record: Record | None
    """The current version; None where it cannot be relied on at all."""
    problems: tuple[str, ...]
    """Everything that is not as it should be; empty where all is."""
    status: Status | None
    """As it is now: an active record past its end is `expired`."""
    standing: str | None
    """Why it covers nothing now (expired, revoked, …); None where it is in force or cannot be read."""

    @property
    def sound(self) -> bool:
        return not self.problems


def checked(registry: Session, consent: str) -> Checked:
    """Check one record: every version's signature and order, its files' hashes, its dates, who can read it.

    Raises InputError where there is none.
    """
    records = registry.records
    try:
        record, _ = registry.current(consent)
    except RegistryError as error:
        return Checked(consent, None, (_plain(error),), None, None)
    problems: list[str] = []
    for look in (records.check_history, records.check_agreement, records.check_statement, records.check_reason):
        try:
            look(record)
        except RegistryError as error:
            problems.append(_plain(error))
    if records.open_to_others(consent):
        problems.append(f"{consent} can be read by others: `chmod -R go= '{records.root / consent}'`")
    status, why = record.status, None
    try:
        now = registry.now()
        status, why = record.status_at(now), standing(record, now)
    except RegistryError as error:
        problems.append(_plain(error))
    return Checked(consent, record, tuple(problems), status, why)


def audited(root: Path, key: OperatorKey) -> Report:
    """Check the whole log of a registry whose lock is held, and that every version it names is there as it was."""
    log, records = AuditLog(root, key), Records(root, key)
    report = log.verify()
    if not report.sound:
        return report
    state = log.state()
    try:
        refuse_older(state.registry, state.seq)
    except RegistryError as error:
        return replace(report, fault=_plain(error))
    for consent, pin in sorted(state.records.items()):
        try:
            records.check_history(records.current(consent, pin))
        except RegistryError as error:
            return replace(report, fault=_plain(error))
    return report


def _plain(error: RegistryError) -> str:
    return error.message.rstrip(".")
