"""The operator's Ed25519 key: it signs consent records and the audit log, and is what both are believed by.

It lies outside the workspace and outside the registry: `DUB_KEYS`, else the user's configuration folder. A machine that
only has to check, such as a worker, needs only `operator.pub` there; without the private key it can change nothing.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from manifests import settings
from voiceclone import private
from voiceclone.private import RegistryError, explained

PRIVATE = "operator.key"
PUBLIC = "operator.pub"


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """The public key, and the private one where this machine may sign."""

    public: Ed25519PublicKey
    private: Ed25519PrivateKey | None

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the public key's SHA-256: names a key, proves nothing."""
        return hashlib.sha256(self.public.public_bytes_raw()).hexdigest()[:16]

    def sign(self, data: bytes) -> bytes:
        """64 bytes of signature. Raises RegistryError where only the public key is here."""
        if self.private is None:
            raise RegistryError(
                "this machine can check consents but not change them: the operator's private key is not here.",
                remedy="Do it on the operator's machine, or set DUB_KEYS to the folder of the key.",
            )
        return self.private.sign(data)

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over exactly these bytes."""
        try:
            self.public.verify(signature, data)
        except InvalidSignature:
            return False
        return True


def default_folder() -> Path:
    """`DUB_KEYS`, else `keys` of the user's settings, else `keys` in the user's configuration folder."""
    return settings.personal().keys or settings.personal_file().parent / "keys"


def exists(folder: Path) -> bool:
    """Whether there is anything at all where a key would be, be it damaged."""
    return os.path.lexists(folder / PRIVATE) or os.path.lexists(folder / PUBLIC)


def create(folder: Path) -> OperatorKey:
    """Make the operator's key, 0600 in a 0700 folder. Raises RegistryError where there is one already."""
    if exists(folder):
        raise RegistryError("there is an operator's key already.", remedy=f"It lies in {folder}.")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with explained("write the operator's key", folder):
        private.make_folder(folder)
        _check_folder(folder)
        private.write_new(folder / PRIVATE, secret)
        private.replace(folder / PUBLIC, public)
    return OperatorKey(key.public_key(), key)


def load(folder: Path) -> OperatorKey:
    """The operator's key.

    Raises RegistryError where there is none, where it is damaged, or where others could have read the private key or
    exchanged either.
    """
    if not exists(folder):
        raise RegistryError("there is no operator's key.", remedy="Make one with `dub consent init`, or set DUB_KEYS.")
    with explained("read the operator's key", folder):
        _check_folder(folder)
        if not os.path.lexists(folder / PRIVATE):
            return OperatorKey(_public(folder / PUBLIC), None)
        path = folder / PRIVATE
        if private.open_to_others(path):
            raise RegistryError(
                "the operator's key can be read or written by others.",
                remedy=f"Close it with `chmod 600 '{path}'`, and replace it if somebody may have read it.",
            )
        data = private.read(path)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise RegistryError("the operator's key is damaged.", remedy=f"Restore {path} from a copy.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RegistryError("the operator's key is not an Ed25519 key.", remedy=f"Restore {path} from a copy.")
    return OperatorKey(key.public_key(), key)


def _public(path: Path) -> Ed25519PublicKey:
    if path.lstat().st_mode & 0o022:
        raise RegistryError("the operator's public key can be written by others.", remedy=f"`chmod 644 '{path}'`.")
    try:
        key = serialization.load_pem_public_key(private.read(path))
    except ValueError as error:
        raise RegistryError("the operator's public key is damaged.", remedy=f"Restore {path} from a copy.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise RegistryError("the operator's public key is not an Ed25519 key.", remedy=f"Restore {path} from a copy.")
    return key


def _check_folder(folder: Path) -> None:
    if folder.stat().st_mode & 0o022:
        raise RegistryError(
            "the folder of the operator's key can be written by others.",
            remedy=f"Close it with `chmod 700 '{folder}'`.",
        )
