"""A grant: good for one use, for minutes, here. Everything else is tried and refused."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from manifests.errors import ConsentRefused
from voiceclone.application import Application
from voiceclone.audit import Pin
from voiceclone.consent import Record, Use
from voiceclone.grant import Clock, Grant, Mint
from voiceclone.registry import Registry


@pytest.fixture
def grant(registry: Registry, amara: Record, use: dict[str, Any]) -> Grant:
    return registry.grant(**use)


def refused(registry: Registry, grant: object, **asked: Any) -> str:
    with pytest.raises(ConsentRefused) as caught:
        registry.check(grant, **({"person": "amara", "language": "es"} | asked))
    return caught.value.message


def test_a_grant_is_good_for_what_it_was_asked_for(registry: Registry, grant: Grant) -> None:
    """The same person, language, course and purpose: nothing is raised, however often."""
    for _ in range(3):
        registry.check(grant, person="amara", language="ES", course="intro-biology", purpose="training_video")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"person": "bruno"}, "the grant for amara-2026 is for amara, not for bruno"),
        ({"language": "pt-BR"}, "the grant for amara-2026 is for es, not for pt-BR"),
        ({"language": "es-MX"}, "the grant for amara-2026 is for es, not for es-MX"),
        ({"language": "no such thing"}, "'no such thing' is not a language that a consent can cover"),
        ({"course": "chemistry"}, "the grant for amara-2026 is for intro-biology, not for chemistry"),
        ({"purpose": "news"}, "the grant for amara-2026 is for training_video, not for news"),
    ],
)
def test_a_grant_for_one_use_is_none_for_another(
    registry: Registry, grant: Grant, asked: dict[str, Any], reason: str
) -> None:
    """Even where the consent itself would cover it: a grant is one answer to one question."""
    assert refused(registry, grant, **asked) == reason


def test_nothing_that_is_no_grant_passes(registry: Registry, grant: Grant) -> None:
    """None, a dictionary, a look-alike."""
    look_alike = type("Grant", (), {each.name: getattr(grant, each.name) for each in fields(Grant)})()
    for other in (None, {}, "amara-2026", look_alike, Grant):
        assert refused(registry, other) == "there is no grant for this voice"


def test_a_forged_grant_is_refused(registry: Registry, grant: Grant) -> None:
    """Built by hand from nothing, from a genuine one's fields, or around its constructor."""
    same = {each.name: getattr(grant, each.name) for each in fields(Grant)}
    around = object.__new__(Grant)
    for name, value in same.items():
        object.__setattr__(around, name, value)
    hollow = object.__new__(Grant)
    for forged in (Grant(**same), Grant(**same | {"code": b""}), Grant(**same | {"code": None}), around, hollow):
        with pytest.raises(ConsentRefused, match="was not made by this registry"):
            registry.check(forged, person="amara", language="es")
        with pytest.raises(ConsentRefused, match="was not made by this registry"):
            registry.renew(forged)


def test_a_grant_of_a_mint_of_ones_own_is_refused(registry: Registry, amara: Record, use: dict[str, Any]) -> None:
    """Whoever has the class does not have the secret."""
    forged = Mint().make(Use(**use), pin=Pin(version=1, sha256="0" * 64), epoch=1, registry="", clock=registry.clock)
    assert refused(registry, forged) == "the grant was not made by this registry"


def test_a_grant_of_another_registry_is_refused(
    registry: Registry, application: Callable[..., Application], amara: Record, use: dict[str, Any], tmp_path: Path
) -> None:
    """Somebody who makes a registry of their own, with a consent of their own making, gets no voice of this one."""
    own = Registry(tmp_path / "own", tmp_path / "own-keys", clock=registry.clock)
    own.init()
    own.add(application())
    assert refused(registry, own.grant(**use)) == "the grant was not made by this registry"


@pytest.mark.parametrize("name", [each.name for each in fields(Grant)])
def test_no_field_of_a_grant_can_be_exchanged(registry: Registry, grant: Grant, name: str) -> None:
    """Assignment is an error; done by force, the grant is worth nothing."""
    with pytest.raises(FrozenInstanceError):
        setattr(grant, name, "x")
    object.__setattr__(grant, name, replace(grant.use, language="pt-BR") if name == "use" else "x")
    assert refused(registry, grant, language="pt-BR") == "the grant was not made by this registry"


def test_a_grant_cannot_be_copied_or_sent_elsewhere(registry: Registry, grant: Grant) -> None:
    """Copying and pickling are errors; a copy made in spite of that is refused."""
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps, lambda each: each.__reduce__()):
        with pytest.raises(TypeError, match="cannot be copied"):
            attempt(grant)
    assert refused(registry, replace(grant)) == "the grant was not made by this registry"


def test_a_forked_process_has_no_grants(registry: Registry, grant: Grant) -> None:
    """The child of a fork has another secret: what it inherited is refused there, and still good here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            registry.check(grant, person="amara", language="es")
            answer = b"accepted"
        except ConsentRefused as error:
            answer = error.message.encode()
        except BaseException as error:  # noqa: BLE001  the child of a test must never return into it
            answer = repr(error).encode()
        os.write(writing, answer)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as stream:
        assert stream.read() == b"the grant was not made by this registry"
    registry.check(grant, person="amara", language="es")


def test_a_grant_is_good_for_five_minutes_by_either_clock(registry: Registry, grant: Grant, hands: Any) -> None:
    """A clock that is set, or one that sleeps, does not lengthen it."""
    hands.pass_seconds(299)
    registry.check(grant, person="amara", language="es")
    hands.monotonic += 2
    assert refused(registry, grant) == "the grant for amara-2026 is too old"
    hands.monotonic -= 2
    hands.wall += timedelta(seconds=2)
    assert refused(registry, grant) == "the grant for amara-2026 is too old"
    hands.wall -= timedelta(seconds=304)
    assert refused(registry, grant) == "the grant for amara-2026 is too old"


def test_a_renewed_grant_is_a_new_answer(registry: Registry, grant: Grant, hands: Any) -> None:
    """Long work goes on with it while the person agrees."""
    hands.pass_seconds(400)
    fresh = registry.renew(grant)
    registry.check(fresh, person="amara", language="es")
    assert (fresh.use, fresh is grant) == (grant.use, False)
    hands.wall = datetime(2027, 5, 1, tzinfo=UTC)
    with pytest.raises(ConsentRefused, match="amara-2026 expired on 2027-05-01"):
        registry.renew(fresh)


def test_a_grant_ends_with_the_consent(registry: Registry, grant: Grant) -> None:
    """Revoked in the same second: refused by check and by renewal, and no new one is made."""
    registry.revoke("amara-2026", "asked")
    assert refused(registry, grant) == "amara-2026 was revoked on 2026-06-01"
    with pytest.raises(ConsentRefused, match="was revoked on 2026-06-01"):
        registry.renew(grant)


def test_a_grant_from_before_a_suspension_is_not_good_after_it(
    registry: Registry, grant: Grant, use: dict[str, Any]
) -> None:
    """What was replayed after the consent was taken back and given again is not what was granted."""
    registry.suspend("amara-2026")
    assert refused(registry, grant) == "amara-2026 is suspended"
    registry.resume("amara-2026")
    assert refused(registry, grant) == "amara-2026 changed after the grant was made"
    registry.check(registry.grant(**use), person="amara", language="es")


def test_a_grant_outlives_the_revocation_of_somebody_else(
    registry: Registry, application: Callable[..., Application], grant: Grant
) -> None:
    """One person's withdrawal stops that person's voice only."""
    registry.add(application(id="bruno-2026", person="bruno"))
    registry.revoke("bruno-2026", "asked")
    registry.check(grant, person="amara", language="es")


def test_a_grant_needs_the_record_to_stay_as_it_is(registry: Registry, grant: Grant) -> None:
    """A check reads the files again."""
    (registry.root / "amara-2026" / "000001.json").write_bytes(b"{}")
    assert "amara-2026 cannot be relied on" in refused(registry, grant)


def test_regional_variants_are_granted_within_a_language_only(
    registry: Registry, amara: Record, use: dict[str, Any]
) -> None:
    """Consent for `es` speaks `es-MX`; consent for `pt-BR` does not speak `pt`."""
    registry.check(registry.grant(**use | {"language": "es-mx"}), person="amara", language="es-MX")
    with pytest.raises(ConsentRefused, match=r"^amara-2026 does not cover pt$"):
        registry.grant(**use | {"language": "pt"})


def test_refusals_hold_nothing_personal_and_no_path(registry: Registry, amara: Record, use: dict[str, Any]) -> None:
    """What goes into a published record names ids and days, not folders, which may be called after people."""
    for spoil in (
        lambda: registry.suspend("amara-2026"),
        lambda: registry.revoke("amara-2026", "Amara Example asked"),
        (registry.root / "amara-2026" / "000003.json").unlink,
        lambda: (registry.key_folder / "operator.key").chmod(0o644),
        (registry.root / ".lock").unlink,
    ):
        spoil()
        with pytest.raises(ConsentRefused) as caught:
            registry.grant(**use)
        assert "/" not in caught.value.message
        assert "Example" not in caught.value.message


def test_both_clocks_are_the_machines_own_where_none_are_given() -> None:
    """The wall clock is in UTC and now; the monotonic one never goes back."""
    clock = Clock()
    assert abs((clock.wall() - datetime.now(UTC)).total_seconds()) < 5
    assert clock.monotonic() <= clock.monotonic()
