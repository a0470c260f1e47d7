"""The lessons that a process works on, each under a claim: whoever else would work on one waits for it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from threading import Lock

from flows.heir import Heir
from flows.standing import unfinished
from flows.wanted import Wanted
from manifests.claims import LEASE_S, Claims
from manifests.errors import DubError
from manifests.ledger import Ledger
from tasks.perform import claim_of


class Mine:
    """The claims that this process holds: released where their work ends, and all at once where the process ends; given
    back by its heir where it is killed."""

    def __init__(self, claims: Claims, lease_s: float, heir: Heir) -> None:
        self._claims = claims
        self._lease_s = lease_s
        self._heir = heir
        self._lock = Lock()
        self._open: dict[str, ExitStack] = {}

    @contextmanager
    def held(self, name: str, waiting: Callable[[str], None]) -> Generator[None]:
        """Hold a name for the block; `waiting` is told where another worker has it."""
        stack = ExitStack()
        token = stack.enter_context(self._claims.held(name, lease_s=self._lease_s, waiting=waiting))
        self._heir.holds(name, token)
        with self._lock:
            self._open[name] = stack
        try:
            yield
        finally:
            self._release(name)

    def release(self) -> None:
        for name in tuple(self._open):
            self._release(name)

    def _release(self, name: str) -> None:
        with self._lock:
            stack = self._open.pop(name, None)
        if stack is not None:
            stack.close()
            self._heir.holds_no_longer(name)


@contextmanager
def claims_of_this_process(claims: Claims, lease_s: float = LEASE_S, heir: Heir | None = None) -> Generator[Mine]:
    """Claims that are released at the end of the block, even where that is an interrupt's and threads are still at
    work; an heir gives them back where there is no such end."""
    mine = Mine(claims, lease_s, heir or Heir())
    try:
        yield mine
    finally:
        mine.release()


@contextmanager
def lesson_held(mine: Mine, item: Wanted, ledger: Ledger, waiting: Callable[[str], None]) -> Generator[None]:
    """Hold a lesson for the block. Where it cannot be held, as in a store that takes nothing, the ledger says so of its
    targets, and the DubError is raised."""
    with ExitStack() as stack:
        try:
            stack.enter_context(mine.held(claim_of(item.job), waiting))
        except DubError as error:
            for target in item.targets:
                ledger.record(unfinished(target, error))
            raise
        yield
