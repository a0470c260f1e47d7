"""Sealed JSON: no byte of it can change unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceclone import keys
from voiceclone.keys import OperatorKey
from voiceclone.seal import BrokenSeal, canonical, seal, unseal


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> OperatorKey:
    return keys.create(tmp_path_factory.mktemp("keys"))


BODY = {"id": "amara-2026", "languages": ["es", "pt-BR"], "title": "Biologie é 中", "score": 0.5, "none": None}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_no_single_byte_can_change_unseen(key: OperatorKey) -> None:
    """Every byte of a sealed document, changed in several ways, removed or doubled, breaks the seal."""
    sealed = seal("record", BODY, key)
    for position, byte in enumerate(sealed):
        for other in {byte ^ 0x01, byte ^ 0x20, byte ^ 0x80, 0x20, 0x0A} - {byte}:
            with pytest.raises(BrokenSeal):
                unseal("record", sealed[:position] + bytes([other]) + sealed[position + 1 :], key)
        with pytest.raises(BrokenSeal):
            unseal("record", sealed[:position] + sealed[position + 1 :], key)
        with pytest.raises(BrokenSeal):
            unseal("record", sealed[:position] + bytes([byte]) + sealed[position:], key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"body":', b'"body": '),
        (b"}", b"}\n"),
        (b"amara", b"\\u0061mara"),
        (b"0.5", b"0.50"),
        (b'"id":"amara-2026"', b'"id":"bruno-2026","id":"amara-2026"'),
    ],
)
def test_other_bytes_that_mean_the_same_are_refused_too(key: OperatorKey, old: bytes, new: bytes) -> None:
    """Spaces, escapes, digits, a key twice: one document has one form."""
    sealed = seal("record", BODY, key)
    changed = sealed.replace(old, new)
    assert changed != sealed
    with pytest.raises(BrokenSeal, match="canonical"):
        unseal("record", changed, key)


@settings(max_examples=60, deadline=None)
@given(body=st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_what_was_sealed_is_what_is_read(key: OperatorKey, body: dict[str, Any]) -> None:
    """Any JSON object survives, and sealing what was read gives the same bytes."""
    try:
        sealed = seal("record", body, key)
    except UnicodeEncodeError:
        return
    assert unseal("record", sealed, key) == body
    assert seal("record", unseal("record", sealed, key), key) == sealed


def test_a_seal_of_another_kind_or_another_key_is_refused(key: OperatorKey, tmp_path: Path) -> None:
    """An audit entry cannot pass for a record, nor one operator's word for another's."""
    with pytest.raises(BrokenSeal, match="not a sealed head"):
        unseal("head", seal("record", BODY, key), key)
    with pytest.raises(BrokenSeal, match="another key"):
        unseal("record", seal("record", BODY, keys.create(tmp_path / "other")), key)


@pytest.mark.parametrize(
    "junk", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"body":{},"key":"","kind":""}']
)
def test_junk_is_refused_and_not_a_crash(key: OperatorKey, junk: bytes) -> None:
    """Whatever the bytes, the answer is the same error."""
    with pytest.raises(BrokenSeal):
        unseal("record", junk, key)


def test_what_json_cannot_hold_is_never_sealed() -> None:
    """NaN would be read differently by different programs."""
    with pytest.raises(ValueError, match="JSON"):
        canonical({"score": float("nan")})
