"""The operator's key: made closed, refused open."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from voiceclone import keys
from voiceclone.private import RegistryError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """The key is 0600 in a 0700 folder whatever the umask would allow."""
    keys.create(tmp_path / "keys")
    assert mode(tmp_path / "keys") == 0o700
    assert mode(tmp_path / "keys" / "operator.key") == 0o600


def test_a_folder_that_was_there_and_open_is_closed(tmp_path: Path) -> None:
    """Whatever umask made it; one that is everybody's by design is not used."""
    folder = tmp_path / "keys"
    folder.mkdir()
    folder.chmod(0o777)
    keys.create(folder)
    assert (mode(folder), mode(folder / "operator.key")) == (0o700, 0o600)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(RegistryError, match="can be written by others"):
        keys.create(shared)
    assert list(shared.iterdir()) == []


def test_a_key_signs_and_knows_its_signature_after_a_restart(tmp_path: Path) -> None:
    """What one process signed another believes; anything else it does not."""
    signature = keys.create(tmp_path).sign(b"yes")
    again = keys.load(tmp_path)
    assert again.signed(b"yes", signature)
    assert not again.signed(b"no", signature)
    assert not again.signed(b"yes", signature[:-1] + bytes([signature[-1] ^ 1]))


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_key_that_others_can_read_is_refused_with_the_mend(tmp_path: Path, bits: int) -> None:
    """The message holds the command that closes the file."""
    keys.create(tmp_path)
    (tmp_path / "operator.key").chmod(bits)
    with pytest.raises(RegistryError, match=r"chmod 600 '.*operator\.key'"):
        keys.load(tmp_path)


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """Somebody who can write the folder can exchange the key."""
    keys.create(tmp_path / "keys")
    (tmp_path / "keys").chmod(0o770)
    with pytest.raises(RegistryError, match="chmod 700"):
        keys.load(tmp_path / "keys")


def test_a_second_key_is_never_made_over_the_first(tmp_path: Path) -> None:
    """A new key would end every consent that the first one signed."""
    first = keys.create(tmp_path).id
    with pytest.raises(RegistryError, match="already"):
        keys.create(tmp_path)
    assert keys.load(tmp_path).id == first


def test_a_key_behind_a_link_is_refused(tmp_path: Path) -> None:
    """A link could lead to a key that somebody else knows."""
    keys.create(tmp_path / "a")
    (tmp_path / "b").mkdir(mode=0o700)
    (tmp_path / "b" / "operator.key").symlink_to(tmp_path / "a" / "operator.key")
    with pytest.raises(RegistryError):
        keys.load(tmp_path / "b")


def test_a_damaged_key_and_one_of_another_kind_are_refused(tmp_path: Path) -> None:
    """Both name what is wrong instead of failing later."""
    keys.create(tmp_path)
    path = tmp_path / "operator.key"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RegistryError, match="damaged"):
        keys.load(tmp_path)
    other = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(other)
    with pytest.raises(RegistryError, match="not an Ed25519 key"):
        keys.load(tmp_path)


def test_a_machine_with_the_public_key_alone_checks_but_cannot_sign(tmp_path: Path) -> None:
    """A worker needs no secret to ask the registry."""
    signature = keys.create(tmp_path).sign(b"yes")
    (tmp_path / "operator.key").unlink()
    public = keys.load(tmp_path)
    assert public.signed(b"yes", signature)
    with pytest.raises(RegistryError, match="private key is not here"):
        public.sign(b"yes")


def test_the_key_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`DUB_KEYS` wins; else the user's configuration folder holds the key."""
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "k"))
    assert keys.default_folder() == tmp_path / "k"
    monkeypatch.delenv("DUB_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert keys.default_folder().parent.name == "dubflow"
