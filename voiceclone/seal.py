"""Sealed JSON: canonical, signed by the operator's key, and of one kind, so that nothing passes for something else.

Canonical is: UTF-8, keys sorted, no spaces, no NaN, no escapes but those JSON demands. A sealed document is checked
byte by byte against its canonical form, so any change of any byte is found, even one that means the same.
"""

from __future__ import annotations

import json
from typing import Any, cast

from voiceclone.keys import OperatorKey


class BrokenSeal(ValueError):
    """What was read is not what was sealed."""


def canonical(value: Any) -> bytes:
    """A JSON value's canonical bytes. Raises ValueError or TypeError for what JSON cannot hold."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def seal(kind: str, body: dict[str, Any], key: OperatorKey) -> bytes:
    """The document, on one line, without a line end."""
    signed = {"body": body, "key": key.id, "kind": kind}
    return canonical(signed | {"signature": key.sign(canonical(signed)).hex()})


def unseal(kind: str, data: bytes, key: OperatorKey) -> dict[str, Any]:
    """The body of a document that `key` sealed as this kind. Raises BrokenSeal for anything else."""
    try:
        document: Any = json.loads(data)
        as_sealed = canonical(document) == data
    except (ValueError, RecursionError) as error:
        raise BrokenSeal("not readable") from error
    if not as_sealed:
        raise BrokenSeal("not in canonical form")
    if not isinstance(document, dict):
        raise BrokenSeal("not a sealed document")
    fields = cast("dict[str, Any]", document)
    signature, body = fields.pop("signature", None), fields.get("body")
    if set(fields) != {"body", "key", "kind"} or not isinstance(signature, str) or not isinstance(body, dict):
        raise BrokenSeal("not a sealed document")
    if fields["kind"] != kind:
        raise BrokenSeal(f"not a sealed {kind}")
    if fields["key"] != key.id:
        raise BrokenSeal("signed by another key")
    try:
        raw = bytes.fromhex(signature)
    except ValueError as error:
        raise BrokenSeal("the signature is not readable") from error
    if raw.hex() != signature or not key.signed(canonical(fields), raw):
        raise BrokenSeal("the signature does not fit")
    return cast("dict[str, Any]", body)
