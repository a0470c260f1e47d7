"""Content credentials on real files of each kind: signed, read back, and what tampering does to them."""

from __future__ import annotations

import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from voiceclone import chain, credentials, signing
from voiceclone.chain import Signer
from voiceclone.credentials import Claim
from voiceclone.private import RegistryError

CLAIM = Claim("en", ("es",), "ab" * 32, ("cd" * 32,), "Las voces de este doblaje son sintéticas.")


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signer:
    """A development chain of this test's own machine."""
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    return chain.signer()


@pytest.fixture
def sound(make_media: Callable[..., Path]) -> Callable[[str], Path]:
    return lambda name: make_media(name, "-f", "lavfi", "-i", "sine=d=1")


def signed(path: Path, source: Path, signer: Signer) -> Path:
    beside = signing.sign(path, path.suffix, CLAIM, source, signer)
    if beside is not None:
        credentials.sidecar(path).write_bytes(beside)
    return path


@pytest.mark.parametrize("suffix", [*credentials.EMBEDDED, ".mkv", ".webm", ".ogg"])
def test_every_container_is_signed_and_believed_here(suffix: str, sound: Callable[[str], Path], ours: Signer) -> None:
    """Valid with this machine's anchors, untrusted without, altered after one flipped bit of sound."""
    path = sound(f"dub éñ{suffix}")
    signed(path, path, ours)
    found = credentials.read(path, chain.anchors())
    assert found.state == "valid"
    assert found.actions == ("c2pa.opened", "c2pa.translated", "c2pa.dubbed")
    assert found.digital_source_type is not None
    assert found.digital_source_type.endswith("/compositeWithTrainedAlgorithmicMedia")
    assert found.signer is not None and "dubflow development" in found.signer
    assert found.beside == (suffix in credentials.BESIDE)
    assert credentials.read(path, b"").state == "untrusted"
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)
    assert credentials.read(path, chain.anchors()).state == "altered"


def test_another_machines_chain_is_not_believed(
    sound: Callable[[str], Path], ours: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A development chain is an anchor where it was made, and elsewhere only if its root is put among the anchors."""
    path = signed(sound("dub.wav"), sound("source.wav"), ours)
    roots = chain.anchors()
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "elsewhere"))
    chain.signer()
    assert credentials.read(path, chain.anchors()).state == "untrusted"
    (tmp_path / "elsewhere" / chain.ANCHORS).write_bytes(roots)
    assert credentials.read(path, chain.anchors()).state == "valid"


def test_a_file_without_credentials_has_none(sound: Callable[[str], Path]) -> None:
    """Neither has what only looks like a media file."""
    assert credentials.read(sound("plain.mp4"), b"").state == "none"
    assert credentials.read(sound("plain.mkv"), b"").state == "none"
    junk = sound("plain.wav").with_name("junk.mp4")
    junk.write_bytes(b"no media\n" * 100)
    assert credentials.read(junk, b"").state == "none"


def test_the_statement_names_nobody_and_forbids_training(sound: Callable[[str], Path], ours: Signer) -> None:
    """Consents are there by digest; the file's and the folder's names are not there at all."""
    path = signed(sound("amara-example.wav"), sound("amara-source.wav"), ours)
    data = path.read_bytes()
    assert b"notAllowed" in data
    assert b"cd" * 32 in data
    assert b"amara" not in data


def test_the_development_key_is_closed_and_made_once(ours: Signer, tmp_path: Path) -> None:
    """0600 in a 0700 folder; the second call reads what the first wrote."""
    path = tmp_path / "keys" / chain.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert chain.signer() == ours
    assert ours.development
    path.chmod(0o644)
    with pytest.raises(RegistryError, match="can be read or written by others"):
        chain.signer()


def test_the_operators_chain_signs_where_it_is_named(
    ours: Signer, sound: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chain and key in files of their own; both or neither, and they must belong together."""
    certificates, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificates.write_bytes(ours.chain)
    key.write_bytes(ours.key)
    key.chmod(0o600)
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "nothing"))
    monkeypatch.setenv("DUB_SIGNING_CHAIN", str(certificates))
    with pytest.raises(RegistryError, match="DUB_SIGNING_KEY is not set"):
        chain.signer()
    monkeypatch.setenv("DUB_SIGNING_KEY", str(key))
    configured = chain.signer()
    assert not configured.development
    path = signed(sound("dub.wav"), sound("source.wav"), configured)
    assert credentials.read(path, chain.anchors()).state == "valid"
    other = chain.development(tmp_path / "other")
    key.write_bytes(other.key)
    with pytest.raises(RegistryError, match="not that of the first certificate"):
        chain.signer()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4a", ".wav", ".flac", ".mp3"])
def test_any_flipped_bit_is_found(suffix: str, make_media: Callable[..., Path], ours: Signer, tmp_path: Path) -> None:
    """In the file's head, in its sound, in its tables, and in what no signature covers: sizes, labels, padding."""
    path = make_media(f"dub{suffix}", "-f", "lavfi", "-i", "sine=d=0.05", "-metadata", "title=x")
    signed(path, path, ours)
    data = bytearray(path.read_bytes())
    assert credentials.read(path, chain.anchors()).state == "valid"
    anchors, missed = chain.anchors(), list[int]()
    for at in sorted({*range(0, 128, 3), *range(0, len(data), 61), len(data) - 1}):
        data[at] ^= 1
        path.write_bytes(data)
        data[at] ^= 1
        if credentials.read(path, anchors).state != "altered":
            missed.append(at)
    assert missed == []


def test_any_flipped_bit_of_a_sidecar_is_found(sound: Callable[[str], Path], ours: Signer) -> None:
    """What lies beside a file is as closed as what lies in it; another file's sidecar, and an empty one, are none."""
    path = signed(sound("dub.ogg"), sound("source.wav"), ours)
    beside = credentials.sidecar(path)
    data, anchors = bytearray(beside.read_bytes()), chain.anchors()
    for at in range(0, len(data), 97):
        data[at] ^= 1
        beside.write_bytes(data)
        data[at] ^= 1
        assert credentials.read(path, anchors).state == "altered", at
    beside.write_bytes(b"")
    assert credentials.read(path, anchors).state == "altered"
    other = signed(sound("other.mkv"), sound("source.wav"), ours)
    shutil.copy(credentials.sidecar(other), beside)
    assert credentials.read(path, anchors).state == "altered"


def test_a_name_says_nothing_about_a_files_credentials(sound: Callable[[str], Path], ours: Signer) -> None:
    """A renamed file keeps them: its kind is told by its first bytes."""
    path = signed(sound("dub.mp4"), sound("source.wav"), ours)
    assert credentials.read(path.rename(path.with_name("dub.bin")), chain.anchors()).state == "valid"


def test_an_mp4_with_two_boxes_of_media_is_signed_too(sound: Callable[[str], Path], ours: Signer) -> None:
    """As a camera that was cut off writes it."""
    path = sound("dub.mp4")
    with path.open("ab") as stream:
        stream.write(struct.pack(">I4s", 1008, b"mdat") + bytes(1000))
    assert credentials.read(signed(path, path, ours), chain.anchors()).state == "valid"


_PEAK = r"""
import re, resource, sys
from pathlib import Path
from voiceclone import chain, credentials, signing
path = Path(sys.argv[1])
claim = credentials.Claim("en", ("es",), "ab" * 32)
beside = signing.sign(path, path.suffix, claim, path, chain.signer())
if beside is not None:
    credentials.sidecar(path).write_bytes(beside)
# not ru_maxrss, which a program inherits from the process that started it
print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
print(credentials.read(path, chain.anchors()).state)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "length"),
    [
        (".wav", 700_000_000),
        (".mkv", 700_000_000),
        (".flac", 700_000_000),
        (".mp4", 700_000_000),
        (".mp4", 300_000_000),
    ],
)
def test_signing_a_long_file_takes_no_more_memory_than_a_short_one(
    suffix: str, length: int, make_media: Callable[..., Path], ours: Signer
) -> None:
    """Below 150 MB to sign, also of a size of which c2pa would rather hold copies; its two buffers of 256 MB are all
    that it takes to check them, in a process of their own."""
    web = ["-movflags", "+faststart"] if suffix == ".mp4" else []
    path = make_media(f"long{suffix}", "-f", "lavfi", "-i", "sine=d=1", *web)
    media = path.read_bytes().find(b"mdat") - 4  # the last box of an MP4 that is made for the web
    with path.open("r+b") as stream:
        start = stream.seek(0, 2)
        stream.truncate(length)
        if suffix == ".mp4":
            stream.seek(media)
            stream.write(struct.pack(">I", length - media))
        elif suffix == ".wav":
            stream.seek(4)
            stream.write(struct.pack("<I", length - 8))
            stream.seek(start + start % 2)
            stream.write(b"junk" + struct.pack("<I", length - start - start % 2 - 8))
    done = subprocess.run([sys.executable, "-c", _PEAK, path], capture_output=True, text=True, timeout=300, check=True)
    signing_mb, state, checking_mb = done.stdout.split()
    assert state == "valid"
    assert int(signing_mb) < 150
    assert int(checking_mb) < 700


@pytest.mark.parametrize("kind", ["ES384", "ED25519", "PS256"])
def test_every_key_that_c2pa_knows_signs(
    kind: str, sound: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's chain may have any of these; another chain has another fingerprint."""
    make = {
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ED25519": ed25519.Ed25519PrivateKey.generate,
        "PS256": lambda: rsa.generate_private_key(65537, 2048),
    }
    key = make[kind]()
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "nothing"))
    assert chain.fingerprint() == ""
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "key.pem").chmod(0o600)
    leaf, root = issued(key.public_key())
    (tmp_path / "chain.pem").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root)))
    monkeypatch.setenv("DUB_SIGNING_CHAIN", str(tmp_path / "chain.pem"))
    monkeypatch.setenv("DUB_SIGNING_KEY", str(tmp_path / "key.pem"))
    assert chain.signer().algorithm == kind
    assert chain.fingerprint() == leaf.fingerprint(hashes.SHA256()).hex()
    for name in ("dub.wav", "dub.mp4", "dub.mkv"):
        path = signed(sound(name), sound("source.wav"), chain.signer())
        assert credentials.read(path, chain.anchors()).state == "valid", name


def issued(
    public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey,
) -> tuple[x509.Certificate, x509.Certificate]:
    """A certificate of this key, and that of its issuer, as an authority would make them."""
    issuer = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)

    def name(text: str) -> x509.Name:
        organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")
        return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def usage(*, authority: bool) -> x509.KeyUsage:
        none = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        ) | dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False)
        return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **none)

    made: list[x509.Certificate] = []
    for subject, key, authority in (("signer", public, False), ("root", issuer.public_key(), True)):
        builder = x509.CertificateBuilder(name("root"), name(subject), key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        builder = builder.add_extension(usage(authority=authority), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        if not authority:
            use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(use, critical=True)
            by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
            builder = builder.add_extension(by, critical=False)
        made.append(builder.sign(issuer, hashes.SHA256()))
    return made[0], made[1]
