"""Who signs content credentials: the operator's certificate chain, or a development chain made on this machine.

`DUB_SIGNING_CHAIN` (PEM: the signer's certificate first, its issuers after it) and `DUB_SIGNING_KEY` (PEM, readable by
its owner only), or `[signing]` in the user's own `dubflow.toml`, name the operator's. Without them a chain of two
certificates is made once, beside the operator's consent key; it says of itself that it is for development, and only the
machine that made it trusts it. Its root's key is forgotten at once: nothing else can ever be signed with it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from manifests import settings
from manifests.looking import asked_once
from voiceclone import keys, private
from voiceclone.private import RegistryError, explained

DEVELOPMENT = "dubflow development"
"""Organization in the certificates of a development chain."""

FILE = "signing.development.pem"
"""Key, leaf and root of the development chain, in one file so that they always belong together."""

ANCHORS = "anchors.pem"
"""Further roots that this machine trusts, in the folder of the keys: a colleague's chain, say."""

_YEARS = timedelta(days=3652)
"""How long a development chain is valid. A signature without a time stamp is believed only as long as its
certificate, so an output of today must not outlive it soon."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate chain and the key of its first certificate, both PEM."""

    chain: bytes
    key: bytes
    algorithm: str
    """As C2PA names it: ES256, ES384, ES512, PS256 or ED25519."""
    development: bool


def signer() -> Signer:
    """Who signs here; the development chain is made where there is no other.

    Raises RegistryError where the chain or its key cannot be read, do not belong together, have expired, or where
    others could have read the key.
    """
    chain, key = (given := settings.personal().signing).chain, given.key
    if chain and key:
        return _configured(chain, key)
    if chain or key:
        missing = "DUB_SIGNING_KEY" if chain else "DUB_SIGNING_CHAIN"
        raise RegistryError(f"{missing} is not set.", remedy="Set both, or neither for a development chain.")
    return development(keys.default_folder())


def development(folder: Path) -> Signer:
    """The development chain of a folder of keys, made where there is none."""
    path = folder / FILE
    with explained("make the development chain", folder):
        if not os.path.lexists(path):
            private.make_folder(folder)
            with suppress(FileExistsError):  # another process was first: its chain counts
                private.write_new(path, _made())
        _check_closed(path)
        pem = private.read(path)
    return _signer(pem, pem, path, development=True)


@asked_once(lambda: None)
def fingerprint() -> str:
    """SHA-256 of the certificate that signs here, in hexadecimal; empty where the development chain is not made yet.

    Cheap: a chain is read again only when its file changes. Raises RegistryError where it cannot be read.
    """
    chain = os.environ.get("DUB_SIGNING_CHAIN")
    path = Path(chain).expanduser() if chain else keys.default_folder() / FILE
    with explained("read the signing chain", path):
        if not chain and not path.exists():
            return ""
        return _leaf_digest(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _leaf_digest(path: Path, changed: int) -> str:
    """`changed` is the file's time of change, which makes it be read again."""
    return _certificates(private.read(path), path)[0].fingerprint(hashes.SHA256()).hex()


def anchors() -> bytes:
    """Certificates, PEM, whose signatures this machine believes; empty where there are none.

    They are the last of the configured chain, the root of the development chain, if either is there, and those in
    `anchors.pem` among the keys. Nothing is made.
    """
    folder = keys.default_folder()
    roots: list[bytes] = []
    for path in (settings.personal().signing.chain, folder / FILE):
        if path and path.exists():
            with explained("read a signing chain", path):
                roots += _pem(_certificates(private.read(path), path)[-1:])
    if (folder / ANCHORS).exists():
        with explained("read the trust anchors", folder / ANCHORS):
            roots += _pem(_certificates(private.read(folder / ANCHORS), folder / ANCHORS))
    return b"".join(roots)


def _configured(chain: Path, key: Path) -> Signer:
    with explained("read the signing chain", chain):
        certificates = private.read(chain)
    with explained("read the signing key", key):
        _check_closed(key)
        secret = private.read(key)
    return _signer(certificates, secret, chain, development=False)


def _signer(chain: bytes, secret: bytes, path: Path, *, development: bool) -> Signer:
    certificates = _certificates(chain, path)
    if len(certificates) < 2:
        raise RegistryError(
            f"the signing chain {path} holds one certificate.",
            remedy="It needs the signer's and its issuers', the root last: C2PA refuses a self-signed signer.",
        )
    try:
        key = serialization.load_pem_private_key(secret, password=None)
    except (ValueError, TypeError) as error:
        raise RegistryError("the signing key is damaged, or has a password.", remedy="Use a plain PEM key.") from error
    leaf = certificates[0]
    if key.public_key() != leaf.public_key():
        raise RegistryError(f"the signing key is not that of the first certificate in {path}.", remedy="Put it first.")
    if leaf.not_valid_after_utc <= datetime.now(UTC):
        renew = f"Remove {path}: another one will be made." if development else "Have your authority renew it."
        raise RegistryError(f"the signing certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}.", remedy=renew)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Signer(b"".join(_pem(certificates)), plain, _algorithm(key), development)


def _algorithm(key: object) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        names = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
        if key.curve.name in names:
            return names[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        return "PS256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ED25519"
    raise RegistryError(
        "C2PA knows no signature by the signing key.", remedy="Use an ECDSA (P-256), Ed25519 or RSA key."
    )


def _certificates(pem: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise RegistryError(f"{path} holds no certificate.", remedy="Restore it from a copy, or remove it.") from error


def _pem(certificates: list[x509.Certificate]) -> list[bytes]:
    return [certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates]


def _check_closed(path: Path) -> None:
    if private.open_to_others(path):
        raise RegistryError(
            "the signing key can be read or written by others.",
            remedy=f"Close it with `chmod 600 '{path}'`, and replace it if somebody may have read it.",
        )


def _made() -> bytes:
    """Key, leaf and root of a new development chain, PEM (C2PA 2.2, 14.5: what a signer's certificate must say)."""
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, leaf_name = _name("root"), _name("signer")
    root = (
        _builder(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _builder(leaf_name, root_name, leaf_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    secret = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return b"".join([secret, *_pem([leaf, root])])


def _name(what: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{DEVELOPMENT} {what}, not for publication"),
        ]
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _YEARS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
