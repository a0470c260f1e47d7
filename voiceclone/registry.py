"""The consent registry: who agreed to what, and the only place where a yes comes from.

It lies under `DUB_CONSENT` (else the user's data folder), shared by all workspaces of a machine:

    <id>/                   one consent: its versions and its documents (`voiceclone.records`)
    audit.jsonl             every change (`voiceclone.audit`), and audit.head.json, where it ends
    .lock                   readers share it, a writer holds it alone

Whatever cannot be read, or is not as it was signed, is refused: there is no question to which a damaged registry
answers yes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from manifests import settings
from manifests.errors import ConsentRefused, InputError
from voiceclone import keys, private
from voiceclone.application import Application
from voiceclone.audit import HEAD, LOG, AuditLog, Entry, Report
from voiceclone.consent import (
    ID,
    Instrument,
    Record,
    Statement,
    Use,
    VoiceMatch,
    language_tag,
    standing,
)
from voiceclone.grant import Clock, Grant, Mint
from voiceclone.keys import OperatorKey
from voiceclone.private import RegistryError, explained
from voiceclone.records import RESTORE
from voiceclone.seal import canonical
from voiceclone.session import LOCK, Session, held, opened, refusing, validated
from voiceclone.soundness import Checked, audited, checked

_MINT = Mint()


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
        tag = _tag(language)
        use = Use(consent, person, tag, course, purpose, commercial, third_party, territory, require_statement)
        with refusing(consent), self._opened() as registry:
            return self._minted(registry, use)

    def check(
        self, grant: object, *, person: str, language: str, course: str | None = None, purpose: str | None = None
    ) -> None:
        """Make sure, before a batch, that a grant is genuine, young, for this use, and that the person still agrees.

        Raises ConsentRefused otherwise. The record and the agreement are read again each time.
        """
        asked = {"person": person, "language": _tag(language), "course": course, "purpose": purpose}
        with refusing(_about(grant)), self._opened() as registry:
            genuine = _MINT.genuine(grant, registry.state.registry)
            _MINT.young(genuine, self.clock)
            use = genuine.use
            for name, value in asked.items():
                if value is not None and value != getattr(use, name):
                    raise ConsentRefused(f"the grant for {use.consent} is for {getattr(use, name)}, not for {value}")
            pin = registry.asked(use)
            if (pin.version, pin.sha256) != (genuine.version, genuine.record_sha256):
                raise ConsentRefused(
                    f"{use.consent} changed after the grant was made", remedy="Ask the registry again."
                )

    def renew(self, grant: object) -> Grant:
        """Ask the same question again, for work that outlasts a grant. Raises ConsentRefused as `grant` does, and for
        what this process's registry never granted."""
        with refusing(_about(grant)), self._opened() as registry:
            return self._minted(registry, _MINT.genuine(grant, registry.state.registry).use)

    @contextmanager
    def agreed(self, consents: Iterable[str]) -> Generator[None]:
        """Nobody can withdraw any of these until the block ends, so that a revocation finds whatever is kept in it.

        For moments: who revokes waits. Raises ConsentRefused, before the block, where one of them covers nothing now.
        """
        with ExitStack() as stack:
            for consent in sorted(set(consents)):
                with refusing(consent):
                    registry = stack.enter_context(self._opened())
                    record, _ = registry.current(consent)
                    if (why := standing(record, registry.now())) is not None:
                        raise ConsentRefused(why)
            yield

    def may_sign(self) -> bool:
        """Whether this machine holds the private key, and so may change records. Raises RegistryError for no key."""
        return keys.load(self.key_folder).private is not None

    def epoch(self) -> int:
        """Counts the changes of records: while it stays the same, nothing was suspended or revoked.

        Raises ConsentRefused where the registry cannot be read.
        """
        with refusing(), self._opened() as registry:
            return registry.state.epoch

    def state_digest(self, consent_ids: Sequence[str]) -> str:
        """A digest that changes whenever an answer about these consents could: by status, scope, date or damage.

        Never raises: what cannot be read has a digest of its own.
        """
        answers: list[list[str]] = []
        for consent in sorted(set(consent_ids)):
            answer = [ascii(consent)]
            try:
                with refusing(consent), self._opened() as registry:
                    record, pin = registry.current(consent)
                    answer += [pin.sha256, standing(record, registry.now()) or "in force"]
                    registry.records.check_agreement(record)
                    registry.records.check_statement(record)
            except ConsentRefused as error:
                answer.append(ascii(error.message))
            answers.append(answer)
        return hashlib.sha256(canonical(answers)).hexdigest()

    def list(self) -> tuple[Checked, ...]:
        """Every record, by id, with whatever is wrong with it."""
        with self._opened() as registry:
            consents = sorted(registry.state.records)
        return tuple(self.verify(consent) for consent in consents)

    def show(self, consent: str) -> Record:
        """The current version of one record. Raises InputError where there is none, RegistryError for damage."""
        with self._opened() as registry:
            return registry.current(consent)[0]

    def reason(self, consent: str) -> str:
        """Why a record was revoked, in the words that were given; empty where it was not."""
        with self._opened() as registry:
            record, _ = registry.current(consent)
            if record.revocation is None:
                return ""
            registry.records.check_reason(record)
            path = registry.records.folder(consent) / f"{record.revocation.reason_sha256}.txt"
            with explained("read the reason", path):
                return private.read(path).decode(errors="replace")

    def statement_audio(self, consent: str) -> tuple[bytes, str] | None:
        """The bytes and the suffix of a record's spoken statement as it was given; None where there is none.

        Raises InputError where there is no such record, RegistryError where the audio is missing or was changed.
        """
        with self._opened() as registry:
            record, _ = registry.current(consent)
            return registry.records.statement(record)

    def verify(self, consent: str) -> Checked:
        """Check one record: every version's signature and order, its files' hashes, its dates, who can read it.

        Raises InputError where there is none, RegistryError where the registry itself cannot be read.
        """
        with self._opened() as registry:
            return checked(registry, consent)

    def audit(self) -> Report:
        """Check the whole log, and that every version it names is there as it was."""
        with held(self.root, shared=True):
            return audited(self.root, keys.load(self.key_folder))

    def entries(self) -> tuple[Entry, ...]:
        """The log's entries, oldest first. Raises RegistryError where the log is not sound."""
        with self._opened() as registry:
            if (fault := registry.log.verify().fault) is not None:
                raise RegistryError(f"the audit log is damaged: {fault}.", remedy=RESTORE)
            return tuple(registry.log.entries())

    # Changes

    def init(self) -> OperatorKey:
        """Make the operator's key and an empty registry, each where it is missing; returns the key."""
        begun = any(os.path.lexists(self.root / name) for name in (LOG, HEAD))
        if not keys.exists(self.key_folder):
            if begun:
                raise RegistryError(
                    "there is a consent registry, but not the key that signed it; a new key would end every consent.",
                    remedy=f"Restore the key to {self.key_folder}, or set DUB_KEYS to where it is.",
                )
            keys.create(self.key_folder)
        key = keys.load(self.key_folder)
        with explained("make the consent registry", self.root):
            private.make_folder(self.root)
            with suppress(FileExistsError):
                private.write_new(self.root / LOCK, b"")
        with held(self.root, shared=False):
            log = AuditLog(self.root, key)
            if os.path.lexists(log.head_path):
                log.state()
            elif any(ID.fullmatch(path.name) for path in self.root.iterdir()):
                raise RegistryError("the consent registry has records but no audit log.", remedy=RESTORE)
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
        consent = application.id
        with self._opened(to_change=consent) as registry:
            if consent in registry.state.records:
                raise InputError(f"there is a consent {consent} already.", remedy="Choose another id.")
            fields = application.as_record(registry.now())
            fields |= {"voice_match": tuple(voice_match), "instrument": None, "status": "draft"}
            validated(fields)
            if application.document is not None:
                sha256, suffix = registry.records.take_in(consent, application.document)
                fields["instrument"] = Instrument(
                    sha256=sha256, suffix=suffix, signed_on=application.signed_on, method=application.signature
                )
            registry.take_statement(consent, statement, statement_audio)
            return registry.write(fields | {"statement": statement, "status": status}, "add")

    def amend(
        self,
        consent: str,
        *,
        statement: Statement | None = None,
        statement_audio: Path | None = None,
        voice_match: Sequence[VoiceMatch] | None = None,
        activate: bool = False,
    ) -> Record:
        """Add a spoken statement or a voice match to a record, or let a draft or unverified one hold from now on.

        Raises InputError for a record that is past that, or a statement that is about another audio file.
        """

        def change(registry: Session, record: Record) -> dict[str, Any]:
            if record.status == "revoked":
                raise InputError(f"{consent} was revoked and cannot be changed.", remedy="Add a new consent.")
            if activate and record.status not in ("draft", "pending_verification"):
                raise InputError(f"{consent} is {record.status}.", remedy="Use suspend, resume or revoke.")
            registry.take_statement(consent, statement, statement_audio)
            # what was compared with an earlier statement says nothing of a new one
            matches = None if voice_match is None and statement is None else tuple(voice_match or ())
            given = {"statement": statement, "voice_match": matches, "status": "active" if activate else None}
            return {name: value for name, value in given.items() if value is not None}

        return self._change(consent, "amend", change)

    def suspend(self, consent: str) -> Record:
        """Stop every use until `resume`; nothing is deleted."""
        return self._change(consent, "suspend", lambda _, record: _step(record, "active", "suspended"))

    def resume(self, consent: str) -> Record:
        """Let a suspended consent hold again; grants from before stay refused."""

        def change(registry: Session, record: Record) -> dict[str, Any]:
            registry.now()
            return _step(record, "suspended", "active")

        return self._change(consent, "resume", change)

    def revoke(self, consent: str, reason: str, by: str = "subject") -> Record:
        """End a consent for good. The record returned names the person, whose voice is then to be erased
        (`voiceclone.erasure`). Revoking a second time changes nothing and returns the record as it is.

        Raises InputError where there is no such record or no reason.
        """

        def change(registry: Session, record: Record) -> dict[str, Any]:
            if record.status == "revoked":
                return {}
            if not reason.strip():
                raise InputError("a revocation needs a reason.", remedy='Give one: --reason "…".')
            sha256 = registry.records.keep(consent, reason.encode(errors="replace"), ".txt")
            return {"status": "revoked", "revocation": {"at": registry.stamp(), "by": by, "reason_sha256": sha256}}

        return self._change(consent, "revoke", change)

    def note(self, action: str, consent: str, **details: Any) -> None:
        """Add an entry to the log that changes no record, such as a tombstone. Ids, hashes, numbers and dates only."""
        with self._opened(to_change=consent) as registry:
            registry.note(action, consent, **details)

    # How

    def _minted(self, registry: Session, use: Use) -> Grant:
        pin, state = registry.asked(use), registry.state
        return _MINT.make(use, pin=pin, epoch=state.epoch, registry=state.registry, clock=self.clock)

    def _opened(self, *, to_change: str | None = None) -> AbstractContextManager[Session]:
        return opened(self.root, self.key_folder, self.clock.wall, to_change=to_change)

    def _change(self, consent: str, action: str, change: Callable[[Session, Record], dict[str, Any]]) -> Record:
        with self._opened(to_change=consent) as registry:
            record, _ = registry.current(consent)
            changes = change(registry, record)
            if not changes:
                return record
            standing_now = {name: getattr(record, name) for name in Record.model_fields}
            return registry.write(standing_now | changes, action)


def default_folder() -> Path:
    """`DUB_CONSENT`, else `consent` of the user's settings, else `consent` in the user's data folder."""
    if folder := settings.personal().consent:
        return folder
    from platformdirs import user_data_path

    return user_data_path("dubflow", appauthor=False) / "consent"


def _tag(language: str) -> str:
    try:
        return language_tag(language)
    except ValueError as error:
        raise ConsentRefused(f"{language!a} is not a language that a consent can cover") from error


def _about(grant: object) -> str | None:
    use = getattr(grant, "use", None)
    return use.consent if isinstance(use, Use) else None


def _step(record: Record, allowed: str, status: str) -> dict[str, Any]:
    if record.status == status:
        return {}
    if record.status != allowed:
        raise InputError(f"{record.id} is {record.status} and cannot become {status}.")
    return {"status": status}
