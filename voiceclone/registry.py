"""The consent registry: who agreed to what, and the only place where a yes comes from.

One folder a record under `DUB_CONSENT` (else the user's data folder), shared by all workspaces of a machine:

    <id>/000001.json …      the record's versions, each sealed by the operator's key, none ever changed
    <id>/<sha256>.pdf …     the written agreement, a spoken statement, a reason: named by their hash
    audit.jsonl             every change (`voiceclone.audit`), audit.head.json where it ends
    .lock                   readers share it, a writer holds it alone

Whatever cannot be read, or is not as it was signed, is refused: there is no question to which a damaged registry
answers yes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manifests.errors import ConsentRefused, InputError
from voiceclone import keys, private
from voiceclone.application import Application
from voiceclone.audit import HEAD, LOG, AuditLog, Entry, Pin, Report, State
from voiceclone.consent import (
    ID,
    Instrument,
    Record,
    Revocation,
    Statement,
    Use,
    VoiceMatch,
    language_tag,
    refusal,
    standing,
)
from voiceclone.grant import Clock, Grant, Mint
from voiceclone.keys import OperatorKey
from voiceclone.private import RegistryError, explained
from voiceclone.seal import BrokenSeal, canonical, seal, unseal

LARGEST_FILE = 256 << 20
"""Bytes of the largest agreement or statement that is taken in."""
CLOCK_SLACK = timedelta(minutes=5)
"""How far this machine's clock may lie behind the registry's last entry."""

_KIND = "consent record"
_LOCK = ".lock"
_MINT = Mint()
_newest_seen: dict[str, int] = {}
"""Highest entry that this process saw of each registry: an older copy put in its place is noticed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What `verify` found about one record."""

    record: Record | None
    problems: tuple[str, ...]
    """Everything that is not as it should be; empty where the record can be relied on."""
    standing: str | None
    """Why it covers nothing now (expired, revoked, …), where all is in order but the time or the status."""

    @property
    def sound(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Open:
    """The registry while its lock is held."""

    key: OperatorKey
    log: AuditLog
    state: State


class Registry:
    """The registry in a folder, with the key in another. Constructing it reads nothing."""

    def __init__(self, root: Path, key_folder: Path, *, clock: Clock | None = None) -> None:
        self.root = root
        self.key_folder = key_folder
        self.clock = clock or Clock()

    @classmethod
    def default(cls) -> Registry:
        """This machine's registry: `DUB_CONSENT` and `DUB_KEYS`, else the user's folders."""
        return cls(default_folder(), keys.default_folder())

    # Questions

    def grant(
        self,
        *,
        consent: str,
        person: str,
        language: str,
        course: str,
        purpose: str,
        commercial: bool,
        third_party: str | None = None,
        territory: str = "WORLD",
        require_statement: bool = False,
    ) -> Grant:
        """A yes for the next minutes. Raises ConsentRefused, whose message is fit for a record, where there is none."""
        use = Use(
            consent, person, _tag(language), course, purpose, commercial, third_party, territory, require_statement
        )
        return self._mint(use)

    def check(
        self, grant: object, *, person: str, language: str, course: str | None = None, purpose: str | None = None
    ) -> None:
        """Make sure, before a batch, that a grant is genuine, young, for this use, and that the person still agrees.

        Raises ConsentRefused otherwise. Reads the record and the agreement again: about a millisecond.
        """
        self._checked(grant, person=person, language=language, course=course, purpose=purpose)

    def renew(self, grant: object) -> Grant:
        """A fresh grant for the same use, from one that is still good. Raises ConsentRefused as `check` does."""
        return self._mint(self._checked(grant).use)

    def epoch(self) -> int:
        """Counts the changes of records: while it stays the same, nothing was suspended or revoked.

        Raises ConsentRefused where the registry cannot be read.
        """
        with _refusing(), self._opened(shared=True) as registry:
            return registry.state.epoch

    def state_digest(self, consent_ids: Sequence[str]) -> str:
        """A digest that changes whenever an answer about these consents could: by status, scope, date or damage.

        Never raises: what cannot be read has a digest of its own.
        """
        answers: list[list[str]] = []
        for consent in sorted(set(consent_ids)):
            try:
                with _refusing(consent), self._opened(shared=True) as registry:
                    record, pin = self._current(registry, consent)
                    self._check_files(record)
                    answers.append([consent, pin.sha256, standing(record, self._now(registry.state)) or "in force"])
            except ConsentRefused as error:
                answers.append([consent, "", error.message])
        return hashlib.sha256(canonical(answers)).hexdigest()

    def list(self) -> list[Record]:
        """The current version of every record, by id. Raises RegistryError at one that is damaged."""
        with self._opened(shared=True) as registry:
            return [self._current(registry, consent)[0] for consent in sorted(registry.state.records)]

    def show(self, consent: str) -> Record:
        """The current version of one record. Raises InputError for an id that is not there, RegistryError for damage."""
        with self._opened(shared=True) as registry:
            return self._current(registry, consent)[0]

    def reason(self, consent: str) -> str:
        """Why a record was revoked, in the words that were given; empty where it was not."""
        record = self.show(consent)
        if record.revocation is None:
            return ""
        path = self._folder(consent) / f"{record.revocation.reason_sha256}.txt"
        with explained("read the reason", path):
            return private.read(path).decode()

    def verify(self, consent: str) -> Checked:
        """Check one record: every version's signature and order, its files' hashes, its dates, who can read it."""
        with self._opened(shared=True) as registry:
            problems: list[str] = []
            try:
                record, pin = self._current(registry, consent)
                self._check_history(registry, record, pin)
            except RegistryError as error:
                return Checked(None, (error.message.rstrip("."),), None)
            for look in (self._check_files, self._check_statement):
                try:
                    look(record)
                except RegistryError as error:
                    problems.append(error.message.rstrip("."))
            folder = self._folder(consent)
            if any(private.open_to_others(path) for path in (folder, *folder.iterdir())):
                problems.append(f"{consent} can be read by others: `chmod -R go= '{folder}'`")
            try:
                why = standing(record, self._now(registry.state))
            except RegistryError as error:
                problems.append(error.message.rstrip("."))
                why = None
        return Checked(record, tuple(problems), why)

    def audit(self) -> Report:
        """Check the whole log and that every record it names is there."""
        key = keys.load(self.key_folder)
        with self._held(shared=True):
            log = AuditLog(self.root, key)
            report = log.verify()
            if not report.sound:
                return report
            registry = _Open(key, log, log.state())
            for consent in sorted(registry.state.records):
                try:
                    record, pin = self._current(registry, consent)
                    self._check_history(registry, record, pin)
                except RegistryError as error:
                    return replace(report, fault=error.message.rstrip("."))
        return report

    def entries(self) -> list[Entry]:
        """The log's entries, oldest first. Raises RegistryError where the log is not sound."""
        with self._opened(shared=True) as registry:
            report = registry.log.verify()
            if report.fault is not None:
                raise RegistryError(f"the audit log is damaged: {report.fault}.", remedy=_RESTORE)
            return [*registry.log.entries()]

    # Changes

    def init(self) -> OperatorKey:
        """Make the operator's key and an empty registry, each where it is missing; returns the key."""
        log_there = os.path.lexists(self.root / LOG) or os.path.lexists(self.root / HEAD)
        if not keys.exists(self.key_folder):
            if log_there:
                raise RegistryError(
                    "there is a consent registry, but not the key that signed it; a new key would end every consent.",
                    remedy=f"Restore the key to {self.key_folder}, or set DUB_KEYS to where it is.",
                )
            keys.create(self.key_folder)
        key = keys.load(self.key_folder)
        with explained("make the consent registry", self.root):
            private.make_folder(self.root)
            if not os.path.lexists(self.root / _LOCK):
                private.replace(self.root / _LOCK, b"")
        with self._held(shared=False):
            log = AuditLog(self.root, key)
            if os.path.lexists(log.head_path):
                log.state()
            elif any(ID.fullmatch(path.name) for path in self.root.iterdir()):
                raise RegistryError("the consent registry has records but no audit log.", remedy=_RESTORE)
            else:
                log.create(secrets.token_hex(16), self.clock.wall())
        return key

    def add(
        self,
        application: Application,
        *,
        statement: Statement | None = None,
        statement_audio: Path | None = None,
        voice_match: Sequence[VoiceMatch] = (),
        status: str = "active",
    ) -> Record:
        """Record a new consent. The agreement and the statement's audio are copied in and hashed.

        Raises InputError for an id that is taken or a file that cannot be used, RegistryError as every change does.
        """
        with self._opened(shared=False) as registry:
            state = self._settled(registry, application.id)
            if application.id in state.records:
                raise InputError(f"there is a consent {application.id} already.", remedy="Choose another id.")
            folder = self._folder(application.id)
            now = self._now(state)
            draft = _validated(
                application.as_record(now)
                | {"statement": statement, "voice_match": tuple(voice_match), "status": "draft", "instrument": None}
            )
            with explained("write the record", folder):
                private.make_folder(folder)
            if application.document is not None:
                sha256, suffix = self._take_in(folder, application.document)
                signing = {"signed_on": application.signed_on, "method": application.signature}
                draft = draft.model_copy(update={"instrument": Instrument(sha256=sha256, suffix=suffix, **signing)})
            self._take_statement(folder, statement, statement_audio)
            return self._write(registry, state, draft, {"status": status}, "add")

    def amend(
        self,
        consent: str,
        *,
        statement: Statement | None = None,
        statement_audio: Path | None = None,
        voice_match: Sequence[VoiceMatch] | None = None,
        status: str | None = None,
    ) -> Record:
        """Add a statement, a voice match, or the status `active` to a draft or a record under verification."""

        def change(record: Record) -> dict[str, Any]:
            if record.status == "revoked":
                raise InputError(f"{consent} was revoked and cannot be changed.", remedy="Add a new consent.")
            if status is not None and (status != "active" or record.status not in ("draft", "pending_verification")):
                raise InputError(f"{consent} is {record.status} and cannot become {status} so.", remedy=_STATUSES)
            self._take_statement(self._folder(consent), statement, statement_audio)
            given = {"statement": statement, "voice_match": None if voice_match is None else tuple(voice_match)}
            return {name: value for name, value in (given | {"status": status}).items() if value is not None}

        return self._change(consent, "amend", change)

    def suspend(self, consent: str) -> Record:
        """Stop every use until `resume`; nothing is deleted."""
        return self._change(consent, "suspend", lambda record: _step(record, ("active",), "suspended"))

    def resume(self, consent: str) -> Record:
        """Let a suspended consent hold again; grants from before stay refused."""
        return self._change(consent, "resume", lambda record: _step(record, ("suspended",), "active"))

    def revoke(self, consent: str, reason: str, by: str = "subject") -> Record:
        """End a consent for good. The record returned names the person: their voice is then to be erased everywhere.

        Revoking a second time changes nothing and returns the record as it is.
        """

        def change(record: Record) -> dict[str, Any]:
            if record.status == "revoked":
                return {}
            if not reason.strip():
                raise InputError("a revocation needs a reason.", remedy='Give one: --reason "…".')
            data = reason.encode()
            sha256 = hashlib.sha256(data).hexdigest()
            path = self._folder(consent) / f"{sha256}.txt"
            if not path.exists():
                private.write_new(path, data)
            revocation = Revocation.model_validate({"at": self.clock.wall(), "by": by, "reason_sha256": sha256})
            return {"status": "revoked", "revocation": revocation}

        return self._change(consent, "revoke", change)

    def note(self, action: str, consent: str, **details: Any) -> None:
        """Add an entry to the log that changes no record, such as a tombstone. Ids, hashes, numbers and dates only."""
        with self._opened(shared=False) as registry:
            registry.log.append(action, self._now(registry.state), consent=consent, **details)

    # How

    def _mint(self, use: Use) -> Grant:
        with _refusing(use.consent), self._opened(shared=True) as registry:
            record, pin = self._current(registry, use.consent)
            if (why := refusal(record, use, self._now(registry.state))) is not None:
                raise ConsentRefused(why)
            self._check_files(record)
            if use.require_statement:
                self._check_statement(record)
            state = registry.state
        return _MINT.make(
            use,
            version=pin.version,
            record_sha256=pin.sha256,
            epoch=state.epoch,
            registry=state.registry,
            clock=self.clock,
        )

    def _checked(
        self,
        grant: object,
        *,
        person: str | None = None,
        language: str | None = None,
        course: str | None = None,
        purpose: str | None = None,
    ) -> Grant:
        with _refusing(), self._opened(shared=True) as registry:
            state = registry.state
        genuine = _MINT.examine(grant, registry=state.registry, clock=self.clock)
        use = genuine.use
        asked = {
            "person": person,
            "language": None if language is None else _tag(language),
            "course": course,
            "purpose": purpose,
        }
        for name, value in asked.items():
            if value is not None and value != getattr(use, name):
                raise ConsentRefused(f"the grant for {use.consent} is for {getattr(use, name)}, not for {value}")
        fresh = self._mint(use)
        if (fresh.version, fresh.record_sha256) != (genuine.version, genuine.record_sha256):
            raise ConsentRefused(f"{use.consent} changed after the grant was made", remedy="Ask the registry again.")
        return genuine

    @contextmanager
    def _held(self, *, shared: bool) -> Generator[None]:
        lock = self.root / _LOCK
        if not os.path.lexists(lock):
            raise RegistryError(
                "there is no consent registry.", remedy="Make one with `dub consent init`, or set DUB_CONSENT."
            )
        with explained("read the consent registry", self.root), private.locked(lock, shared=shared):
            yield

    @contextmanager
    def _opened(self, *, shared: bool) -> Generator[_Open]:
        if not os.path.lexists(self.root / _LOCK):
            with self._held(shared=shared):
                pass
        key = keys.load(self.key_folder)
        with self._held(shared=shared):
            log = AuditLog(self.root, key)
            state = log.state()
            if state.seq < _newest_seen.get(state.registry, 0):
                raise RegistryError("an older copy was put in the consent registry's place.", remedy=_RESTORE)
            _newest_seen[state.registry] = state.seq
            yield _Open(key, log, state)

    def _now(self, state: State) -> datetime:
        now = self.clock.wall()
        if now < datetime.fromisoformat(state.at) - CLOCK_SLACK:
            raise RegistryError(
                "this machine's clock is behind the consent registry.", remedy="Set the clock right, then try again."
            )
        return now.astimezone(UTC)

    def _folder(self, consent: str) -> Path:
        if not ID.fullmatch(consent):
            raise InputError(
                f"{consent!r} cannot be the id of a consent.",
                remedy="Use letters, digits, `-` and `_`, at most 64, beginning with a letter or digit.",
            )
        folder = self.root / consent
        if os.path.lexists(folder) and not private.is_real_folder(folder):
            raise RegistryError(f"{consent} is not a folder of the consent registry.", remedy=f"Look at {folder}.")
        return folder

    def _current(self, registry: _Open, consent: str) -> tuple[Record, Pin]:
        folder = self._folder(consent)
        pin = registry.state.records.get(consent)
        if pin is None:
            raise InputError(f"there is no consent {consent}.", remedy="See `dub consent list`.")
        if os.path.lexists(_version_path(folder, pin.version + 1)):
            raise RegistryError(
                f"a change of {consent} was interrupted.", remedy="Make the change again (`dub consent …`)."
            )
        record, sha256 = self._read(registry.key, consent, pin.version)
        if sha256 != pin.sha256:
            raise RegistryError(f"{consent} is not the version that the audit log names.", remedy=_RESTORE)
        return record, pin

    def _read(self, key: OperatorKey, consent: str, version: int) -> tuple[Record, str]:
        path = _version_path(self._folder(consent), version)
        if not os.path.lexists(path):
            raise RegistryError(f"version {version} of {consent} is missing.", remedy=_RESTORE)
        with explained(f"read {consent}", path):
            data = private.read(path)
        try:
            record = Record.model_validate(unseal(_KIND, data, key))
        except BrokenSeal as error:
            raise RegistryError(f"version {version} of {consent} was changed ({error}).", remedy=_RESTORE) from error
        except ValidationError as error:
            raise RegistryError(
                f"version {version} of {consent} is not a record that this program understands.", remedy=_RESTORE
            ) from error
        if (record.id, record.version) != (consent, version):
            raise RegistryError(f"version {version} of {consent} is another record's.", remedy=_RESTORE)
        return record, hashlib.sha256(data).hexdigest()

    def _check_history(self, registry: _Open, record: Record, pin: Pin) -> None:
        previous = record.previous
        for version in range(pin.version - 1, 0, -1):
            older, sha256 = self._read(registry.key, record.id, version)
            if sha256 != previous:
                raise RegistryError(
                    f"version {version} of {record.id} is not the one that was followed.", remedy=_RESTORE
                )
            previous = older.previous

    def _check_files(self, record: Record) -> None:
        if record.instrument is not None:
            self._check_file(record, "agreement", record.instrument.sha256, record.instrument.suffix)

    def _check_statement(self, record: Record) -> None:
        if record.statement is not None:
            self._check_file(record, "statement", record.statement.audio_sha256, record.statement.suffix)

    def _check_file(self, record: Record, what: str, sha256: str, suffix: str) -> None:
        path = self._folder(record.id) / (sha256 + suffix)
        if not os.path.lexists(path):
            raise RegistryError(f"the {what} of {record.id} is missing.", remedy=_RESTORE)
        with explained(f"read the {what} of {record.id}", path):
            data = private.read(path, LARGEST_FILE)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise RegistryError(f"the {what} of {record.id} was changed.", remedy=_RESTORE)

    def _take_in(self, folder: Path, source: Path) -> tuple[str, str]:
        """Copy a file into a record's folder under its hash; returns the hash and the suffix."""
        try:
            size = source.stat().st_size
            data = source.read_bytes() if source.is_file() and size <= LARGEST_FILE else b""
        except OSError as error:
            raise InputError(
                f"{source} cannot be read: {error.strerror}.", remedy="Give the agreement's file."
            ) from error
        if not data:
            raise InputError(f"{source} is empty, too large, or not a file.", remedy="Give the agreement's file.")
        sha256, suffix = hashlib.sha256(data).hexdigest(), source.suffix.lower()
        if not (suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 9):
            suffix = ""
        target = folder / (sha256 + suffix)
        if not os.path.lexists(target):
            private.write_new(target, data)
        return sha256, suffix

    def _take_statement(self, folder: Path, statement: Statement | None, audio: Path | None) -> None:
        if (statement is None) != (audio is None):
            raise InputError("a statement's findings and its audio belong together.")
        if statement is not None and audio is not None:
            sha256, suffix = self._take_in(folder, audio)
            if (sha256, suffix) != (statement.audio_sha256, statement.suffix):
                raise InputError("the statement's findings are about another audio file.")

    def _change(self, consent: str, action: str, change: Callable[[Record], dict[str, Any]]) -> Record:
        with self._opened(shared=False) as registry:
            state = self._settled(registry, consent)
            record, _ = self._current(replace(registry, state=state), consent)
            with explained(f"change {consent}", self._folder(consent)):
                changes = change(record)
            return self._write(registry, state, record, changes, action) if changes else record

    def _write(self, registry: _Open, state: State, record: Record, changes: dict[str, Any], action: str) -> Record:
        """Write the next version of a record, then its entry: a crash between the two is settled by the next change."""
        pin, now = state.records.get(record.id), self._now(state)
        fields = {name: getattr(record, name) for name in Record.model_fields} | changes
        fields |= {"version": pin.version + 1 if pin else 1, "previous": pin.sha256 if pin else None, "made_at": now}
        made = _validated(fields)
        data = seal(_KIND, made.model_dump(mode="json"), registry.key)
        with explained("write the record", self._folder(record.id)):
            private.write_new(_version_path(self._folder(record.id), made.version), data)
        written = Pin(version=made.version, sha256=hashlib.sha256(data).hexdigest())
        after = registry.log.append(action, now, consent=made.id, record=written, status=made.status)
        _newest_seen[after.registry] = after.seq
        return made

    def _settled(self, registry: _Open, consent: str) -> State:
        """Enter a version that was written just before a crash into the log; returns the state then."""
        state, folder = registry.state, self._folder(consent)
        pin = state.records.get(consent)
        version = pin.version + 1 if pin else 1
        if not os.path.lexists(_version_path(folder, version)):
            return state
        record, sha256 = self._read(registry.key, consent, version)
        if record.previous != (pin.sha256 if pin else None):
            raise RegistryError(f"version {version} of {consent} does not follow the one before.", remedy=_RESTORE)
        return registry.log.append(
            "recover",
            self._now(state),
            consent=consent,
            record=Pin(version=version, sha256=sha256),
            status=record.status,
        )


def default_folder() -> Path:
    """`DUB_CONSENT`, else `consent` in the user's data folder."""
    if folder := os.environ.get("DUB_CONSENT"):
        return Path(folder).expanduser()
    from platformdirs import user_data_path  # noqa: PLC0415  only where it is needed

    return user_data_path("dubflow", appauthor=False) / "consent"


_RESTORE = "Restore the consent registry from a copy that you trust."
_STATUSES = "Use suspend, resume or revoke."


def _version_path(folder: Path, version: int) -> Path:
    return folder / f"{version:06d}.json"


def _tag(language: str) -> str:
    try:
        return language_tag(language)
    except ValueError as error:
        raise ConsentRefused(
            f"no consent can cover {language!r}", remedy="Use a tag such as `es` or `pt-BR`."
        ) from error


def _step(record: Record, allowed: tuple[str, ...], status: str) -> dict[str, Any]:
    if record.status == status:
        return {}
    if record.status not in allowed:
        raise InputError(f"{record.id} is {record.status} and cannot become {status}.")
    return {"status": status}


def _validated(fields: dict[str, Any]) -> Record:
    try:
        return Record.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"this is not a consent: {where + ': ' if where else ''}{first['msg']}.") from error


@contextmanager
def _refusing(consent: str | None = None) -> Generator[None]:
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
    except (OSError, ValueError) as error:
        raise ConsentRefused(f"{about}the consent registry cannot be read", remedy=_RESTORE) from error
