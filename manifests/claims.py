"""Claims: who works on a lesson now, among workers that share nothing but a store.

`claims/<name>/<generation>.json` is created exclusively by whoever takes the name, holds who that is, and is rewritten
by them as long as they live. A waiter takes a holder for dead when nothing was rewritten for the length of the lease
*by the waiter's own monotonic clock*, so no idea of the time matters, or when it sees on its own machine that the
holder's process is gone; it then creates the next generation. The highest generation holds the name. Who lost a name
learns it before they commit. Whoever knows that a holder has died may give its names back.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from manifests import signs
from manifests.bucket import Bucket
from manifests.errors import ClaimLost, StoreError

LEASE_S: Final = 60.0

RENEWALS: Final = 4
"""Rewritings within one lease: so many may fail before anybody takes the holder for dead."""

SIGHTINGS: Final = 5
"""How often a waiter must have read the same before it takes the holder for dead: a network that was away proves
nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What others see of a holder. As long as the holder lives, this changes within the lease."""

    content: bytes
    lease_s: float
    gone: bool = False
    """Whether its process is known to have ended without a word: it was on this machine, or somebody gave the name back
    for it."""


@dataclass(slots=True)
class _Held:
    """A name that this process holds, or held."""

    name: str
    generation: int
    lease_s: float
    told: dict[str, Any]
    ended: threading.Event = field(default_factory=threading.Event)
    lost: bool = False


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What a waiter saw of a holder, since when by its own clock, and how often."""

    generation: int
    content: bytes
    since: float
    times: int = 1


class Claims:
    """The claims of one store. Safe to use from threads; `clock` counts seconds and never jumps."""

    def __init__(self, bucket: Bucket, clock: Callable[[], float] = time.monotonic) -> None:
        self._bucket = bucket
        self._clock = clock
        self._mine: dict[str, _Held] = {}

    @contextmanager
    def held(
        self, name: str, *, lease_s: float = LEASE_S, waiting: Callable[[str], None] = lambda who: None
    ) -> Generator[str]:
        """Hold a name (`course/lesson`); while another holds it, wait. `waiting` is told once for whom.

        Yields the token by which the holder is known to `give_back`. The name goes to the next waiter when this ends,
        at once. After this process was killed it goes to one on the same machine at once, to others a lease later, or
        when somebody gives it back. Raises StoreError where the store cannot be reached.
        """
        told = _holder(lease_s)
        with signs.alive(told["token"]):
            mine = self._take(name, told, waiting)
            self._mine[name] = mine
            renewing = threading.Thread(target=self._renew, args=(mine,), name=f"claim {name}", daemon=True)
            renewing.start()
            try:
                yield told["token"]
            finally:
                mine.ended.set()
                renewing.join()
                if self._mine.get(name) is mine:
                    del self._mine[name]
                with suppress(StoreError):  # then the lease ends by itself
                    if self._is_mine(mine):
                        self._bucket.write(_file(name, mine.generation), _content(mine.told, released=True))

    def seen(self, name: str) -> Seen | None:
        """What the holder of a name wrote last; None where nobody holds it. Raises StoreError as `held` does."""
        latest = max(self._generations(name), default=0)
        content = self._bucket.read(_file(name, latest)) if latest else None
        if content is None:
            return None
        told = _told(content)
        if told.get("released") and not told.get("died"):
            return None
        gone = bool(told.get("died")) or signs.is_gone(str(told.get("token")))
        return Seen(content, float(told.get("lease_s", LEASE_S)), gone)

    def give_back(self, name: str, token: str) -> None:
        """Let go of a name for a holder that has died, known by its token; where another has it, nothing is done.

        Raises StoreError as `held` does.
        """
        latest = max(self._generations(name), default=0)
        content = self._bucket.read(_file(name, latest)) if latest else None
        told = _told(content)
        if told.get("token") == token and not told.get("released"):
            self._bucket.write(_file(name, latest), _content(told, released=True, died=True, at=_now()))
        signs.forget(token)

    def check(self, name: str) -> None:
        """Raise ClaimLost where this process took a name and somebody else has it by now.

        To be called right before something is published; says nothing of names that were never taken here.
        """
        mine = self._mine.get(name)
        if mine is not None and (mine.lost or not self._is_mine(mine)):
            mine.lost = True
            raise ClaimLost(
                f"another worker took {name} over, because nothing was heard of this one for {mine.lease_s:g} s.",
                remedy="Nothing is to be done: the other one finishes it.",
            )

    def _take(self, name: str, own: dict[str, Any], waiting: Callable[[str], None]) -> _Held:
        lease_s: float = own["lease_s"]
        seen: _Sighting | None = None
        while True:
            before = self._clock()
            latest = max(self._generations(name), default=0)
            content = self._bucket.read(_file(name, latest)) if latest else None
            if latest and content is None:
                continue  # whoever held it since has cleared it away
            told = _told(content)
            if not told.get("released", latest == 0) and not signs.is_gone(str(told.get("token"))):
                if seen is None or (seen.generation, seen.content) != (latest, content):
                    if seen is None:
                        waiting(f"waiting for {told.get('holder', 'another worker')}, which works on {name}")
                    seen = _Sighting(latest, content or b"", self._clock())
                else:
                    seen = _Sighting(seen.generation, seen.content, seen.since, seen.times + 1)
                lease = float(told.get("lease_s", lease_s))
                if before - seen.since < lease or seen.times < SIGHTINGS:
                    time.sleep(min(2.0, lease / (2 * SIGHTINGS)))
                    continue
            mine = _Held(name, latest + 1, lease_s, own)
            if self._bucket.create(_file(name, latest + 1), _content(mine.told)):
                if self._is_mine(mine):
                    self._clear(name, below=mine.generation)
                    signs.forget(str(told.get("token")))
                    return mine
                self._bucket.delete(_file(name, mine.generation))  # came late: a higher one had been cleared of it

    def _renew(self, mine: _Held) -> None:
        beats = 0
        while not mine.ended.wait(mine.lease_s / RENEWALS):
            beats += 1
            with suppress(StoreError):  # a store that is away for a while is no lost claim; `check` asks again
                if not self._is_mine(mine):
                    mine.lost = True
                    return
                self._bucket.write(_file(mine.name, mine.generation), _content(mine.told, beats=beats, at=_now()))

    def _is_mine(self, mine: _Held) -> bool:
        return max(self._generations(mine.name), default=0) == mine.generation

    def _generations(self, name: str) -> list[int]:
        stems = (each.rpartition("/")[2].removesuffix(".json") for each in self._bucket.names(_folder(name)))
        return [int(stem) for stem in stems if stem.isdecimal()]

    def _clear(self, name: str, below: int) -> None:
        for generation in self._generations(name):
            if generation < below:
                self._bucket.delete(_file(name, generation))


def _folder(name: str) -> str:
    return f"claims/{quote(name, safe='/')}"


def _file(name: str, generation: int) -> str:
    return f"{_folder(name)}/{generation:06d}.json"


def _holder(lease_s: float) -> dict[str, Any]:
    who = f"{socket.gethostname()} (process {os.getpid()})"
    return {"holder": who, "token": uuid4().hex, "lease_s": lease_s, "taken": _now()}


def _now() -> str:
    """The time, for people who read a claim; nothing is decided by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _content(told: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(told | more).encode()


def _told(content: bytes | None) -> dict[str, Any]:
    """What a claim says; empty where it is damaged: then its holder must be waited for."""
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
