"""Content credentials on real files of each kind: signed, read back, and what tampering does to them."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

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
