"""Consent records and what belongs to them, as files: one folder a record, nothing in it ever overwritten.

    <id>/000001.json …      the versions, each sealed by the operator's key and naming the one before
    <id>/<sha256>.pdf …     the written agreement, a spoken statement, a reason: named by their hash

Whatever is missing, changed or in another's place is a RegistryError; no path leaves the registry's folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from manifests.errors import InputError
from voiceclone import private
from voiceclone.audit import Pin
from voiceclone.consent import ID, Record
from voiceclone.keys import OperatorKey
from voiceclone.private import RegistryError, explained
from voiceclone.seal import BrokenSeal, seal, unseal

LARGEST_FILE = 256 << 20
"""Bytes of the largest agreement or statement that is taken in."""
RESTORE = "Restore the consent registry from a copy that you trust."

_KIND = "consent record"


@dataclass(frozen=True, slots=True)
class Records:
    """The record folders of a registry. The caller holds the registry's lock."""

    root: Path
    key: OperatorKey

    def folder(self, consent: str) -> Path:
        """A record's folder, be it there or not. Raises InputError for what is no id, RegistryError for a link."""
        if not ID.fullmatch(consent):
            raise InputError(
                f"{consent!r} cannot be the id of a consent.",
                remedy="Use letters, digits, `-` and `_`, at most 64, beginning with a letter or digit.",
            )
        folder = self.root / consent
        if os.path.lexists(folder) and not private.is_real_folder(folder):
            raise RegistryError(f"{consent} is not a folder of the consent registry.", remedy=f"Look at {folder}.")
        return folder

    def current(self, consent: str, pin: Pin | None) -> Record:
        """The version that the audit log pins. Raises InputError where it pins none."""
        folder = self.folder(consent)
        if pin is None:
            raise InputError(f"there is no consent {consent}.", remedy="See `dub consent list`.")
        if os.path.lexists(_version(folder, pin.version + 1)):
            raise RegistryError(f"a change of {consent} was interrupted.", remedy="Make the change again.")
        record, sha256 = self.read(consent, pin.version)
        if sha256 != pin.sha256:
            raise RegistryError(f"{consent} is not the version that the audit log names.", remedy=RESTORE)
        return record

    def read(self, consent: str, version: int) -> tuple[Record, str]:
        """One version and the SHA-256 of its file."""
        path = _version(self.folder(consent), version)
        if not os.path.lexists(path):
            raise RegistryError(f"version {version} of {consent} is missing.", remedy=RESTORE)
        with explained(f"read {consent}", path):
            data = private.read(path)
        try:
            record = Record.model_validate(unseal(_KIND, data, self.key))
        except BrokenSeal as error:
            raise RegistryError(f"version {version} of {consent} was changed ({error}).", remedy=RESTORE) from error
        except ValidationError as error:
            raise RegistryError(
                f"version {version} of {consent} is not a record that this program understands.", remedy=RESTORE
            ) from error
        if (record.id, record.version) != (consent, version):
            raise RegistryError(f"version {version} of {consent} is another record's.", remedy=RESTORE)
        return record, hashlib.sha256(data).hexdigest()

    def write(self, record: Record) -> Pin:
        """Write a new version. Raises RegistryError where that version is there already."""
        data = seal(_KIND, record.model_dump(mode="json"), self.key)
        path = _version(self.folder(record.id), record.version)
        with explained("write the record", path):
            private.make_folder(path.parent)
            private.write_new(path, data)
        return Pin(version=record.version, sha256=hashlib.sha256(data).hexdigest())

    def unfinished(self, consent: str, pin: Pin | None) -> tuple[Record, Pin] | None:
        """A version that was written but never entered into the log, because of a crash."""
        version = pin.version + 1 if pin else 1
        if not os.path.lexists(_version(self.folder(consent), version)):
            return None
        record, sha256 = self.read(consent, version)
        if record.previous != (pin.sha256 if pin else None):
            raise RegistryError(f"version {version} of {consent} does not follow the one before.", remedy=RESTORE)
        return record, Pin(version=version, sha256=sha256)

    def check_history(self, record: Record) -> None:
        """Make sure that every earlier version is there as it was."""
        previous = record.previous
        for version in range(record.version - 1, 0, -1):
            older, sha256 = self.read(record.id, version)
            if sha256 != previous:
                raise RegistryError(
                    f"version {version} of {record.id} is not the one that was followed.", remedy=RESTORE
                )
            previous = older.previous

    def check_agreement(self, record: Record) -> None:
        if record.instrument is not None:
            self._check(record, "agreement", record.instrument.sha256, record.instrument.suffix)

    def check_statement(self, record: Record) -> None:
        if record.statement is not None:
            self._check(record, "statement", record.statement.audio_sha256, record.statement.suffix)

    def statement(self, record: Record) -> tuple[bytes, str] | None:
        """The audio of a record's statement and its suffix, checked; None where there is none."""
        said = record.statement
        if said is None:
            return None
        return self._check(record, "statement", said.audio_sha256, said.suffix), said.suffix

    def check_reason(self, record: Record) -> None:
        if record.revocation is not None:
            self._check(record, "revocation's reason", record.revocation.reason_sha256, ".txt")

    def sweep(self, consent: str) -> None:
        """Delete drafts that a crash left; only while the lock is held alone, when every draft is a left one."""
        for draft in (*self.root.glob(".audit.*.tmp"), *self.folder(consent).glob(".*.tmp")):
            draft.unlink(missing_ok=True)

    def open_to_others(self, consent: str) -> bool:
        """Whether anybody but the owner may read the record or what belongs to it."""
        folder = self.folder(consent)
        return any(private.open_to_others(path) for path in (folder, *folder.iterdir()))

    def take_in(self, consent: str, source: Path) -> tuple[str, str]:
        """Copy a user's file into a record's folder under its hash; returns the hash and the suffix.

        Nothing of its name is kept but the suffix: names of agreements tend to name people. Raises InputError for a
        link, a folder, a device, what is empty or larger than LARGEST_FILE: none of it is opened for long or copied.
        """
        try:
            data = private.read(source, LARGEST_FILE)
        except OSError as error:
            raise InputError(f"{source} {_unfit(error)}.", remedy="Give the agreement's file itself.") from error
        except ValueError as error:
            raise InputError(f"{str(source)!a} cannot be the name of a file.") from error
        if not data:
            raise InputError(f"{source} is empty.", remedy="Give the agreement's file itself.")
        suffix = plain_suffix(source)
        return self.keep(consent, data, suffix), suffix

    def keep(self, consent: str, data: bytes, suffix: str) -> str:
        """Lay data into a record's folder under its hash, which is returned."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.folder(consent) / (sha256 + suffix)
        with explained("write into the registry", path):
            private.make_folder(path.parent)
            if not os.path.lexists(path):
                private.write_new(path, data)
        return sha256

    def _check(self, record: Record, what: str, sha256: str, suffix: str) -> bytes:
        path = self.folder(record.id) / (sha256 + suffix)
        if not os.path.lexists(path):
            raise RegistryError(f"the {what} of {record.id} is missing.", remedy=RESTORE)
        with explained(f"read the {what} of {record.id}", path):
            data = private.read(path, LARGEST_FILE)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise RegistryError(f"the {what} of {record.id} was changed.", remedy=RESTORE)
        return data


def plain_suffix(path: Path) -> str:
    """The suffix under which a user's file is kept: `.pdf`, or nothing where it is anything unusual."""
    suffix = path.suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 9 else ""


def _unfit(error: OSError) -> str:
    """Why a user's file is not taken in."""
    words = {
        errno.ELOOP: "is a link",
        errno.EMLINK: "is a link",
        errno.EINVAL: "is not a file",
        errno.EISDIR: "is a folder, not a file",
        errno.ENXIO: "is not a file",
        errno.EFBIG: f"is larger than {LARGEST_FILE >> 20} MiB",
    }
    return words.get(error.errno or 0, f"cannot be read: {error.strerror}")


def _version(folder: Path, version: int) -> Path:
    return folder / f"{version:06d}.json"
