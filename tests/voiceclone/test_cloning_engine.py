"""Cloning engines: every way around the grant is tried."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from manifests.errors import ConsentRefused
from voiceclone.application import Application
from voiceclone.consent import Record
from voiceclone.engine import CloningEngine
from voiceclone.grant import Grant
from voiceclone.registry import Registry


class Speaker(CloningEngine[str, str]):
    """An engine whose takes are sentences that say whose voice said what."""

    batch_size = 2

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.made: list[str] = []
        self.during: Callable[[], object] = lambda: None

    def _synthesize(self, person: str, language: str, batch: Sequence[str]) -> list[str]:
        self.during()
        takes = [f"{person}/{language}: {text}" for text in batch]
        self.made += takes
        return takes


@pytest.fixture
def speaker(registry: Registry, amara: Record) -> Speaker:
    return Speaker(registry)


@pytest.fixture
def grant(registry: Registry, amara: Record, use: dict[str, Any]) -> Grant:
    return registry.grant(**use)


TEXTS = ["uno", "dos", "tres", "cuatro", "cinco"]


def test_with_a_grant_every_request_is_spoken_in_order_in_the_granted_voice(speaker: Speaker, grant: Grant) -> None:
    """Whose voice it is comes from the grant."""
    takes = list(speaker.synthesize(grant, TEXTS, person="amara", language="es"))
    assert takes == [f"amara/es: {text}" for text in TEXTS]


@pytest.mark.parametrize("asked", [{"person": "bruno"}, {"language": "pt-BR"}])
def test_a_grant_for_somebody_or_something_else_says_nothing(
    speaker: Speaker, grant: Grant, asked: dict[str, str]
) -> None:
    """Refused at the call, before anything is made."""
    with pytest.raises(ConsentRefused):
        speaker.synthesize(grant, TEXTS, **({"person": "amara", "language": "es"} | asked))
    assert speaker.made == []


def test_no_grant_a_forged_one_and_an_old_one_say_nothing(speaker: Speaker, grant: Grant, hands: Any) -> None:
    """Each is refused at the call."""
    same = {name: getattr(grant, name) for name in grant.__dataclass_fields__}
    hands.pass_seconds(301)
    for bad in (None, Grant(**same), grant):
        with pytest.raises(ConsentRefused):
            speaker.synthesize(bad, TEXTS, person="amara", language="es")  # pyright: ignore[reportArgumentType]  on purpose
    assert speaker.made == []


def test_a_revocation_between_two_batches_stops_the_flow(speaker: Speaker, registry: Registry, grant: Grant) -> None:
    """What was handed out stays; not one further take is made."""
    takes = speaker.synthesize(grant, TEXTS, person="amara", language="es")
    assert [next(takes), next(takes)] == ["amara/es: uno", "amara/es: dos"]
    registry.revoke("amara-2026", "asked")
    with pytest.raises(ConsentRefused, match="was revoked"):
        next(takes)
    assert len(speaker.made) == 2


def test_a_revocation_within_a_batch_keeps_its_takes_back(speaker: Speaker, registry: Registry, grant: Grant) -> None:
    """The batch that was being made is not handed out."""
    speaker.during = lambda: registry.revoke("amara-2026", "asked")
    with pytest.raises(ConsentRefused, match="was revoked"):
        next(speaker.synthesize(grant, TEXTS, person="amara", language="es"))
    assert len(speaker.made) == 2


def test_a_call_that_was_granted_but_begun_after_the_revocation_says_nothing(
    speaker: Speaker, registry: Registry, grant: Grant
) -> None:
    """The first batch is checked when it is made, not when it was asked for."""
    takes = speaker.synthesize(grant, TEXTS, person="amara", language="es")
    registry.revoke("amara-2026", "asked")
    with pytest.raises(ConsentRefused, match="was revoked"):
        next(takes)
    assert speaker.made == []


def test_work_that_lasts_longer_than_a_grant_goes_on_while_the_person_agrees(
    speaker: Speaker, grant: Grant, hands: Any
) -> None:
    """Each batch takes six minutes here; the grant is good for five."""
    speaker.during = lambda: hands.pass_seconds(360)
    assert len(list(speaker.synthesize(grant, TEXTS, person="amara", language="es"))) == 5


def test_the_protected_method_cannot_be_called_directly(speaker: Speaker, grant: Grant) -> None:
    """Not on the engine, not through the class, not for another engine while one is granted, not unwrapped."""
    for attempt in (
        lambda: speaker._synthesize("amara", "es", TEXTS),
        lambda: Speaker._synthesize(speaker, "bruno", "es", TEXTS),
    ):
        with pytest.raises(ConsentRefused, match="without a grant"):
            attempt()
    other = Speaker.__new__(Speaker)
    speaker.during = lambda: other._synthesize("bruno", "es", TEXTS)
    with pytest.raises(ConsentRefused, match="without a grant"):
        list(speaker.synthesize(grant, TEXTS, person="amara", language="es"))
    assert inspect.unwrap(Speaker._synthesize) is Speaker._synthesize
    assert speaker.made == []


def test_the_door_closes_again_after_a_failure(speaker: Speaker, grant: Grant) -> None:
    """An engine that broke within a batch is not left open."""

    def broken() -> None:
        raise RuntimeError("out of memory")

    speaker.during = broken
    with pytest.raises(RuntimeError, match="out of memory"):
        list(speaker.synthesize(grant, TEXTS, person="amara", language="es"))
    speaker.during = lambda: None
    with pytest.raises(ConsentRefused):
        speaker._synthesize("amara", "es", TEXTS)


@pytest.mark.parametrize("name", ["synthesize", "_batches", "__getattribute__"])
def test_a_subclass_that_replaces_the_check_cannot_be_made(name: str) -> None:
    """Refused when the class is made: in its own body, further down, or through a mixin."""

    def around(self: object, *_: object, **__: object) -> list[str]:
        return ["anything"]

    mixin = type("Mixin", (), {name: around})
    for bases, body in (((Speaker,), {name: around}), ((CloningEngine,), {name: around}), ((mixin, Speaker), {})):
        with pytest.raises(TypeError, match="it is where consent is checked"):
            type(CloningEngine)("Around", bases, body)


def test_a_subclass_that_switches_the_hook_off_is_still_checked(registry: Registry, amara: Record) -> None:
    """Nothing that a class can define about its own subclasses opens the door."""

    class Sly(Speaker):
        _is_root = True

        def __init_subclass__(cls, **more: Any) -> None:
            pass

    with pytest.raises(TypeError, match="it is where consent is checked"):

        class Slier(Sly):  # pyright: ignore[reportUnusedClass]  it is never made
            def synthesize(self, *_: Any, **__: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  on purpose
                return ["anything"]

    class Inherits(Sly):
        def _synthesize(self, person: str, language: str, batch: Sequence[str]) -> list[str]:
            return ["anything"]

    with pytest.raises(ConsentRefused):
        Inherits(registry)._synthesize("amara", "es", TEXTS)


@pytest.mark.parametrize("name", ["synthesize", "_batches", "_synthesize", "__getattribute__"])
def test_a_class_cannot_be_changed_afterwards(name: str) -> None:
    """Assigning to the class is refused too."""
    with pytest.raises(TypeError, match="it is where consent is checked"):
        setattr(Speaker, name, lambda *_, **__: ["anything"])


def test_a_protected_method_from_a_mixin_is_gated_too(registry: Registry, amara: Record) -> None:
    """Wherever an engine's method comes from, it runs for a grant only."""

    class Mixin:
        def _synthesize(self, person: str, language: str, batch: Sequence[str]) -> list[str]:
            return [f"{person}!" for _ in batch]

    class Mixed(Mixin, CloningEngine[str, str]):
        pass

    with pytest.raises(ConsentRefused):
        Mixed(registry)._synthesize("amara", "es", TEXTS)


def test_an_engine_that_loses_a_line_is_found_out(registry: Registry, grant: Grant) -> None:
    """One take a request, or the line after it would be spoken in its place."""

    class Forgetful(Speaker):
        def _synthesize(self, person: str, language: str, batch: Sequence[str]) -> list[str]:
            return super()._synthesize(person, language, batch[1:])

    with pytest.raises(RuntimeError, match="made 1 takes of 2 requests"):
        list(Forgetful(registry).synthesize(grant, TEXTS, person="amara", language="es"))


def test_an_engine_on_a_registry_of_its_own_making_refuses_this_ones_grants(
    grant: Grant, application: Callable[..., Application], tmp_path: Path
) -> None:
    """And the other way round, a home-made grant does not open this registry's engines (`test_grant`)."""
    own = Registry(tmp_path / "own", tmp_path / "own-keys")
    own.init()
    with pytest.raises(ConsentRefused, match="was not made by this registry"):
        Speaker(own).synthesize(grant, TEXTS, person="amara", language="es")
