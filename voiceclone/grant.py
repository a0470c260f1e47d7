"""A grant: the registry's short-lived yes to one use of one person's voice.

A grant is only worth something to the mint that made it: it carries a code under a secret that never leaves the
process, and the mint knows each by identity, so a copy, a pickled one or one with an exchanged field is refused. That
keeps mistakes and borrowed engines out; code that means harm and runs in this process can read its memory. What it
cannot do is make the registry say yes: every check asks the registry again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn
from weakref import WeakValueDictionary

from manifests.errors import ConsentRefused
from voiceclone.audit import Pin
from voiceclone.consent import Use
from voiceclone.seal import canonical

LIFE_S = 300.0
"""Seconds for which a grant is good. Long work renews it."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Grant:
    """Permission for one person's voice in one language, course and purpose, minted by the registry only."""

    use: Use
    version: int
    """Version of the record that said yes."""
    record_sha256: str
    epoch: int
    registry: str
    minted_at: str
    """UTC, to the microsecond."""
    minted_monotonic: float
    nonce: str
    code: bytes = field(repr=False)

    @property
    def consent(self) -> str:
        return self.use.consent

    @property
    def person(self) -> str:
        return self.use.person

    @property
    def language(self) -> str:
        return self.use.language

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a grant cannot be copied, stored or sent: ask the registry where it is needed")

    def __reduce__(self) -> NoReturn:
        self.__reduce_ex__(0)


@dataclass(frozen=True, slots=True)
class Clock:
    """Both clocks that a grant's age is measured by: one can be set, the other stands still while a machine sleeps."""

    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


class Mint:
    """Makes grants and recognizes its own. One a process; the registry holds it."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Draw a new secret: every grant made so far is worth nothing. Done in the child of a fork."""
        self._secret = secrets.token_bytes(32)
        self._live: WeakValueDictionary[str, Grant] = WeakValueDictionary()

    def make(self, use: Use, *, pin: Pin, epoch: int, registry: str, clock: Clock) -> Grant:
        """A grant for a use that the pinned version of a record has just said yes to."""
        fields: dict[str, Any] = {
            "version": pin.version,
            "record_sha256": pin.sha256,
            "epoch": epoch,
            "registry": registry,
            "minted_at": clock.wall().astimezone(UTC).isoformat(),
            "minted_monotonic": clock.monotonic(),
            "nonce": secrets.token_hex(16),
        }
        grant = Grant(use=use, **fields, code=self._code(use, fields))
        self._live[grant.nonce] = grant
        return grant

    def genuine(self, grant: object, registry: str) -> Grant:
        """The grant, where this mint made this very object for this registry. Raises ConsentRefused otherwise."""
        if not isinstance(grant, Grant):
            raise ConsentRefused("there is no grant for this voice", remedy=_ASK)
        try:
            fields = {name: getattr(grant, name) for name in _FIELDS}
            genuine = (
                self._live.get(grant.nonce) is grant
                and hmac.compare_digest(self._code(grant.use, fields), grant.code)
                and grant.registry == registry
            )
        except (AttributeError, TypeError, ValueError):
            genuine = False
        if not genuine:
            raise ConsentRefused("the grant was not made by this registry", remedy=_ASK)
        return grant

    def young(self, grant: Grant, clock: Clock) -> None:
        """Raises ConsentRefused where a genuine grant is older than LIFE_S by either clock, or from the future."""
        by_wall = (clock.wall() - datetime.fromisoformat(grant.minted_at)).total_seconds()
        by_monotonic = clock.monotonic() - grant.minted_monotonic
        if not (-1.0 <= by_wall <= LIFE_S and 0.0 <= by_monotonic <= LIFE_S):
            raise ConsentRefused(f"the grant for {grant.consent} is too old", remedy=_ASK)

    def _code(self, use: Use, fields: dict[str, Any]) -> bytes:
        return hmac.digest(self._secret, canonical([asdict(use), fields]), hashlib.sha256)


_ASK = "Ask the registry for one where the voice is used."
_FIELDS = ("version", "record_sha256", "epoch", "registry", "minted_at", "minted_monotonic", "nonce")
