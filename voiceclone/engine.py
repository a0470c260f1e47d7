"""What every cloning engine is built on: nothing speaks in a person's voice but through a checked grant.

An engine implements `_synthesize` for one batch. Callers use `synthesize`, which no subclass can replace: it asks the
registry before each batch and again before it hands the batch out, so a revocation stops a running flow within one
batch. `_synthesize` refuses to run from anywhere else. Whose voice speaks is the grant's say, never the caller's.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextvars import ContextVar
from functools import wraps
from itertools import islice
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast, final

from manifests.errors import ConsentRefused
from voiceclone.grant import Grant
from voiceclone.registry import Registry

Request = TypeVar("Request")
Take = TypeVar("Take")

_SEALED = ("synthesize", "_batches", "__getattribute__")
_root: list[type] = []
"""`CloningEngine` itself, whose methods count."""
_admitted: ContextVar[object] = ContextVar("_admitted", default=None)
"""The engine whose batch has just been granted, while it is made."""


class _Gated(ABCMeta):
    """Refuses, when a class is made or changed, whatever would lead around `synthesize`."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **more: Any) -> None:
        super().__init__(name, bases, namespace, **more)
        if not _root:
            _root.append(cls)
            return
        for sealed in _SEALED:
            if getattr(cls, sealed) is not getattr(_root[0], sealed):
                raise TypeError(f"{name} must not replace {sealed}: it is where consent is checked")
        making = cls.__dict__.get("_synthesize", getattr(cls, "_synthesize", None))
        if not getattr(making, "_gated", False) and not getattr(making, "__isabstractmethod__", False):
            type.__setattr__(cls, "_synthesize", _gated(cast("Callable[..., Any]", making)))

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in (*_SEALED, "_synthesize"):
            raise TypeError(f"{cls.__name__}.{name} cannot be replaced: it is where consent is checked")
        super().__setattr__(name, value)


def _gated(making: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(making)
    def gated(self: object, *args: Any, **more: Any) -> Any:
        if _admitted.get() is not self:
            raise ConsentRefused("a voice was called for without a grant", remedy="Call `synthesize` with a grant.")
        return making(self, *args, **more)

    del gated.__wrapped__
    gated.__dict__["_gated"] = True
    return gated


def _given_to(third_party: str | None, grant: Grant) -> None:
    if third_party is not None and grant.use.third_party != third_party:
        raise ConsentRefused(
            f"the grant for {grant.consent} does not let {third_party} have the voice",
            remedy="Ask the registry for a grant that names them as the third party.",
        )


class CloningEngine(Generic[Request, Take], metaclass=_Gated):
    """Base of the engines that speak in people's voices.

    `Request` is what an engine needs to say one line, `Take` what it makes of it.
    """

    batch_size = 8
    """Requests that are made between two questions to the registry."""

    third_party: str | None = None
    """Whom the voice is given to, where it leaves the controller's machines: the grant must name them."""

    def __init__(self, registry: Registry) -> None:
        self.__registry = registry

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End whatever the engine holds open."""

    @final
    def synthesize(self, grant: Grant, requests: Iterable[Request], *, person: str, language: str) -> Iterator[Take]:
        """One take a request, in order, as they are made.

        Raises ConsentRefused at once where the grant does not hold for this person and language, and between two
        batches once it no longer does; takes of the batch at hand are then not handed out.
        """
        self.__registry.check(grant, person=person, language=language)
        _given_to(self.third_party, grant)
        return self._batches(grant, iter(requests))

    def _batches(self, grant: Grant, requests: Iterator[Request]) -> Generator[Take]:
        use = grant.use
        while batch := tuple(islice(requests, self.batch_size)):
            grant = self.__registry.renew(grant)
            _given_to(self.third_party, grant)
            token = _admitted.set(self)
            try:
                takes = tuple(self._synthesize(use.person, use.language, batch))
            finally:
                _admitted.reset(token)
            if len(takes) != len(batch):
                raise RuntimeError(f"{type(self).__name__} made {len(takes)} takes of {len(batch)} requests")
            grant = self.__registry.renew(grant)
            yield from takes

    @abstractmethod
    def _synthesize(self, person: str, language: str, batch: Sequence[Request]) -> Sequence[Take]:
        """Say a batch in this person's voice: one take a request, in order. Called by `synthesize` only."""
