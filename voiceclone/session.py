"""The registry while its lock is held: what one question, or one change, sees and does.

A question shares the lock with others, a change holds it alone. What a crash left of an earlier change of the same
record is settled before the next.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manifests.errors import ConsentRefused, InputError
from voiceclone import keys, private
from voiceclone.audit import AuditLog, Pin, State
from voiceclone.consent import ID, Record, Statement, Use, refusal
from voiceclone.private import RegistryError, explained
from voiceclone.records import RESTORE, Records

LOCK = ".lock"
CLOCK_SLACK = timedelta(minutes=5)
"""How far this machine's clock may lie behind the registry's last entry."""

_newest_seen: dict[str, int] = {}
"""Highest entry that this process saw of each registry: an older copy put in its place is noticed."""


@dataclass(frozen=True, slots=True)
class Session:
    """The open registry. Good only while the lock is held."""

    log: AuditLog
    records: Records
    state: State
    wall: Callable[[], datetime]

    def now(self) -> datetime:
        """The time. Raises RegistryError where the clock was set back: an expired consent would seem to hold."""
        moment = self.wall().astimezone(UTC)
        if moment < datetime.fromisoformat(self.state.at) - CLOCK_SLACK:
            raise RegistryError("this machine's clock is behind the consent registry.", remedy="Set the clock right.")
        return moment

    def stamp(self) -> datetime:
        """When a change is made: never before the last one, and never in the way of a withdrawal."""
        return max(self.wall().astimezone(UTC), datetime.fromisoformat(self.state.at))

    def current(self, consent: str) -> tuple[Record, Pin]:
        """A record as the log pins it. Raises InputError where there is none, RegistryError for damage."""
        pin = self.state.records.get(consent)
        return self.records.current(consent, pin), pin or Pin(version=0, sha256="")

    def asked(self, use: Use) -> Pin:
        """The version that says yes. Raises ConsentRefused where none does, InputError or RegistryError."""
        record, pin = self.current(use.consent)
        if (why := refusal(record, use, self.now())) is not None:
            raise ConsentRefused(why)
        self.records.check_agreement(record)
        if use.require_statement:
            self.records.check_statement(record)
        return pin

    def take_statement(self, consent: str, statement: Statement | None, audio: Path | None) -> None:
        """Copy a statement's audio in. Raises InputError where the findings are about another file."""
        if (statement is None) != (audio is None):
            raise InputError("a statement's findings and its audio belong together.")
        if statement is None or audio is None:
            return
        if self.records.take_in(consent, audio) != (statement.audio_sha256, statement.suffix):
            raise InputError("the statement's findings are about another audio file.")

    def write(self, fields: dict[str, Any], action: str) -> Record:
        """Write a record's next version, then its entry in the log; the last thing that a session does.

        Raises InputError where the fields are no record.
        """
        pin, now = self.state.records.get(fields["id"]), self.stamp()
        following = {"version": pin.version + 1 if pin else 1, "previous": pin.sha256 if pin else None, "made_at": now}
        record = validated(fields | following)
        self.note(action, record.id, self.records.write(record), status=record.status)
        return record

    def note(self, action: str, consent: str, record: Pin | None = None, **details: Any) -> State:
        """Add an entry to the log; details are ids, hashes, numbers and dates, nothing personal."""
        after = self.log.append(action, self.stamp(), consent=consent, record=record, **details)
        _newest_seen[after.registry] = after.seq
        return after


@contextmanager
def held(root: Path, *, shared: bool) -> Generator[None]:
    """Hold the registry's lock. Raises RegistryError where there is no registry, or it stays locked."""
    if not os.path.lexists(root / LOCK):
        raise RegistryError(
            "there is no consent registry.", remedy="Make one with `dub consent init`, or set DUB_CONSENT."
        )
    with explained("read the consent registry", root), private.locked(root / LOCK, shared=shared):
        yield


@contextmanager
def opened(
    root: Path, key_folder: Path, wall: Callable[[], datetime], *, to_change: str | None = None
) -> Generator[Session]:
    """Open the registry for questions, or to change one record.

    Raises RegistryError where the registry or the key cannot be read or trusted.
    """
    with held(root, shared=to_change is None):
        key = keys.load(key_folder)
        log = AuditLog(root, key)
        state = log.state()
        refuse_older(state.registry, state.seq)
        session = Session(log, Records(root, key), state, wall)
        if to_change is not None:
            session.records.sweep(to_change)
            if left := session.records.unfinished(to_change, state.records.get(to_change)):
                record, pin = left
                state = session.note("recover", to_change, pin, status=record.status)
                session = Session(log, session.records, state, wall)
        yield session


def refuse_older(registry: str, seq: int) -> None:
    """Raises RegistryError where this process saw a later entry of the registry before."""
    if seq < _newest_seen.get(registry, 0):
        raise RegistryError("an older copy was put in the consent registry's place.", remedy=RESTORE)
    _newest_seen[registry] = seq


def validated(fields: dict[str, Any]) -> Record:
    """A record of these fields. Raises InputError, with the first fault, where they are none."""
    try:
        return Record.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"this is not a consent: {where + ': ' if where else ''}{first['msg']}.") from error


@contextmanager
def refusing(consent: str | None = None) -> Generator[None]:
    """Fail closed: whatever keeps the registry from answering is a no, with a reason that a record may hold."""
    about = f"{consent} cannot be relied on: " if consent and ID.fullmatch(consent) else ""
    try:
        yield
    except ConsentRefused:
        raise
    except InputError as error:
        raise ConsentRefused(error.message.rstrip("."), remedy=error.remedy) from error
    except RegistryError as error:
        raise ConsentRefused(about + error.message.rstrip("."), remedy=error.remedy) from error
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ConsentRefused(f"{about}the consent registry cannot be read", remedy=RESTORE) from error
