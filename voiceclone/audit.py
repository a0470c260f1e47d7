"""The registry's log: every change, in order, each entry signed and bound to the one before.

`audit.jsonl` only grows. Beside it `audit.head.json`, sealed too, says how long it is and how it ends, so that a
removed tail is found; it also pins each record's current version and counts the changes (the epoch), so that one small
file answers most questions. A crash between the two leaves the log ahead of its head by whole signed entries, which
count; a crash within a write leaves a torn last line, which does not: the next append cuts it off and says so in an
entry. Entries hold ids, hashes and dates, nothing personal.

What this cannot find is the whole registry exchanged for an older copy of itself: a process notices what it saw newer
(`Registry`), and anybody who writes the head's hash down elsewhere does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from voiceclone import private
from voiceclone.keys import OperatorKey
from voiceclone.private import RegistryError, explained
from voiceclone.seal import BrokenSeal, seal, unseal

LOG = "audit.jsonl"
HEAD = "audit.head.json"
START = "0" * 64
"""What the first entry names as the hash before it."""
_LARGEST = 1 << 30
_REMEDY = "Run `dub consent audit --verify`, and restore the registry from a copy that you trust."


class Pin(BaseModel):
    """The current version of a record: its number and the SHA-256 of its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int
    sha256: str


class Entry(BaseModel):
    """One line of the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seq: int
    at: str
    """UTC, to the second."""
    action: str
    """init, add, amend, suspend, resume, revoke, recover, repair, erase."""
    epoch: int
    consent: str | None
    record: Pin | None
    """The version that the entry made current."""
    details: dict[str, Any]
    previous: str
    """SHA-256 of the line before, without its line end."""
    registry: str


class State(BaseModel):
    """Where the log ends, and what it says is current."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    registry: str
    """The registry's own id, drawn when it was made."""
    seq: int = 0
    hash: str = START
    size: int = 0
    """Bytes of the log."""
    at: str = ""
    epoch: int = 0
    """Counts the changes of records: nothing was suspended or revoked while it stays the same."""
    records: dict[str, Pin] = {}

    def after(self, entry: Entry, line: bytes) -> State:
        """The state once an entry, written as `line` (with its line end), is there."""
        pinned = {entry.consent: entry.record} if entry.consent and entry.record else {}
        return State(
            registry=self.registry,
            seq=entry.seq,
            hash=hashlib.sha256(line[:-1]).hexdigest(),
            size=self.size + len(line),
            at=entry.at,
            epoch=entry.epoch,
            records=self.records | pinned,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What checking the whole log found."""

    entries: int
    """How many entries stand, from the first, before anything is wrong."""
    fault: str | None
    """The first fault, by the number of its entry; None where all is as it was written."""
    torn: int = 0
    """Bytes of an unfinished last line that a crash left; the next change cuts them off and says so."""
    head: str = ""
    """SHA-256 of the last entry: whoever notes it elsewhere can prove later that nothing was taken back."""

    @property
    def sound(self) -> bool:
        return self.fault is None


class AuditLog:
    """The log of one registry folder. The caller holds the registry's lock: shared to read, exclusive to append."""

    def __init__(self, root: Path, key: OperatorKey) -> None:
        self.path = root / LOG
        self.head_path = root / HEAD
        self.key = key

    def create(self, registry: str, now: datetime) -> State:
        """Begin a log. Raises RegistryError where one is there that holds more than a beginning."""
        with explained("write the audit log", self.path):
            if self.head_path.exists() or (self.path.exists() and self.path.read_bytes().count(b"\n") > 1):
                raise RegistryError("there is an audit log already.", remedy=f"Look at {self.path}.")
            private.replace(self.path, b"")
        return self._write(State(registry=registry), "init", now)

    def state(self) -> State:
        """The log's state, from its head and whatever stands after it. Raises RegistryError where they do not agree."""
        return self._state()[0]

    def append(
        self,
        action: str,
        now: datetime,
        *,
        consent: str | None = None,
        record: Pin | None = None,
        **details: Any,
    ) -> State:
        """Add an entry and, where it changes a record, count the epoch up. On the disk when it returns."""
        state, torn = self._state()
        if torn:
            with explained("repair the audit log", self.path):
                os.truncate(self.path, state.size)
            lost = {"removed_bytes": len(torn), "removed_sha256": hashlib.sha256(torn).hexdigest()}
            state = self._write(state, "repair", now, details=lost)
        return self._write(state, action, now, consent=consent, record=record, details=details)

    def entries(self) -> Iterator[Entry]:
        """Every whole entry, oldest first, unchecked: ask `verify` first."""
        with explained("read the audit log", self.path):
            lines = private.read(self.path, _LARGEST).split(b"\n")[:-1]
        for line in lines:
            yield _entry(line, self.key)

    def verify(self) -> Report:
        """Check every entry, their order and the end; the first fault is named."""
        with explained("read the audit log", self.path):
            data = private.read(self.path, _LARGEST)
        try:
            head = self._head()
        except RegistryError as error:
            return Report(0, f"audit.head.json: {error.message}")
        *lines, torn = data.split(b"\n")
        state = State(registry=head.registry)
        at_head = state if head.seq == 0 else None
        for position, line in enumerate(lines):
            fault = _fault(state, line, lines[position + 1 :], self.key)
            if fault is not None:
                return Report(state.seq, fault, head=state.hash)
            state = state.after(_entry(line, self.key), line + b"\n")
            if state.seq == head.seq:
                at_head = state
        if state.seq < head.seq:
            if torn:
                return Report(state.seq, f"entry {state.seq + 1} was changed", head=state.hash)
            last = f" to {head.seq}" if head.seq > state.seq + 1 else ""
            return Report(state.seq, f"entry {state.seq + 1}{last} was removed from the end", head=state.hash)
        if at_head != head:
            return Report(head.seq, f"audit.head.json does not fit entry {head.seq}", head=state.hash)
        return Report(state.seq, None, len(torn), state.hash)

    def _write(
        self,
        state: State,
        action: str,
        now: datetime,
        *,
        consent: str | None = None,
        record: Pin | None = None,
        details: dict[str, Any] | None = None,
    ) -> State:
        entry = Entry(
            seq=state.seq + 1,
            at=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            action=action,
            epoch=state.epoch + (record is not None),
            consent=consent,
            record=record,
            details=details or {},
            previous=state.hash,
            registry=state.registry,
        )
        line = seal("audit entry", entry.model_dump(mode="json"), self.key) + b"\n"
        after = state.after(entry, line)
        with explained("write the audit log", self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                try:
                    private.write_all(descriptor, line)
                except OSError:
                    os.ftruncate(descriptor, state.size)
                    raise
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            private.replace(self.head_path, seal("audit head", after.model_dump(mode="json"), self.key))
        return after

    def _head(self) -> State:
        with explained("read the head of the audit log", self.head_path):
            data = private.read(self.head_path)
        try:
            return State.model_validate(unseal("audit head", data, self.key))
        except (BrokenSeal, ValidationError) as error:
            why = str(error) if isinstance(error, BrokenSeal) else "not a head"
            raise RegistryError(f"the head of the audit log was changed ({why}).", remedy=_REMEDY) from error

    def _state(self) -> tuple[State, bytes]:
        """The state, and the bytes of a torn last line."""
        state = self._head()
        with explained("read the audit log", self.path):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                if os.fstat(descriptor).st_size < state.size:
                    raise RegistryError("the audit log lacks its end.", remedy=_REMEDY)
                stream.seek(state.size)
                *lines, torn = stream.read().split(b"\n")
        for line in lines:
            if _fault(state, line, [], self.key) is not None:
                raise RegistryError(f"entry {state.seq + 1} of the audit log was changed or inserted.", remedy=_REMEDY)
            state = state.after(_entry(line, self.key), line + b"\n")
        return state, torn


def _entry(line: bytes, key: OperatorKey) -> Entry:
    try:
        return Entry.model_validate(unseal("audit entry", line, key))
    except ValidationError as error:
        raise BrokenSeal("not an entry") from error


def _fault(state: State, line: bytes, later: list[bytes], key: OperatorKey) -> str | None:
    """What is wrong with a line that should be the entry after `state`, or None."""
    due = state.seq + 1
    try:
        entry = _entry(line, key)
    except BrokenSeal:
        follows = bool(later) and _seq(later[0], key) == due
        return f"something was inserted before entry {due}" if follows else f"entry {due} was changed"
    if entry.seq > due:
        moved = any(_seq(each, key) == due for each in later)
        return f"entry {due} is out of order" if moved else f"entry {due} was removed"
    findings = (
        (entry.registry != state.registry, f"entry {due} is another registry's"),
        (entry.seq < due, f"entry {entry.seq} stands again before entry {due}"),
        (entry.previous != state.hash, f"entry {due} does not follow entry {state.seq}"),
        (entry.epoch != state.epoch + (entry.record is not None), f"entry {due} miscounts the changes"),
    )
    return next((what for wrong, what in findings if wrong), None)


def _seq(line: bytes, key: OperatorKey) -> int | None:
    try:
        return _entry(line, key).seq
    except BrokenSeal:
        return None
