"""What a consent says to one question."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voiceclone.consent import Record, Use, covers_language, language_tag, refusal, standing

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
END = datetime(2027, 5, 1, tzinfo=UTC)
DAY = datetime(2026, 6, 1, tzinfo=UTC)
SHA = "0" * 64


def record(scope: dict[str, Any] | None = None, **fields: Any) -> Record:
    usual: dict[str, Any] = {
        "id": "amara-2026",
        "version": 1,
        "previous": None,
        "made_at": BEGIN,
        "subject": {"person": "amara"},
        "instrument": {"sha256": SHA, "suffix": ".pdf"},
        "scope": {"languages": ["es", "zh-Hant"], "purposes": ["training_video"], "courses": ["bio"]} | (scope or {}),
        "validity": {"not_before": BEGIN, "expires_at": END},
        "status": "active",
    }
    return Record.model_validate(usual | fields)


USE = Use("amara-2026", "amara", "es", "bio", "training_video", commercial=False)


def test_a_use_within_the_scope_is_covered() -> None:
    """Person, language, course, purpose and time all fit: there is no reason to refuse."""
    assert refusal(record(), USE, DAY) is None


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        ({"person": "bruno"}, "amara-2026 is not the consent of bruno"),
        ({"language": "pt-BR"}, "amara-2026 does not cover pt-BR"),
        ({"course": "chemistry"}, "amara-2026 does not cover the course chemistry"),
        ({"purpose": "advertising"}, "amara-2026 does not cover advertising"),
        ({"commercial": True}, "amara-2026 does not cover commercial use"),
        ({"third_party": "acme"}, "amara-2026 does not let acme have the voice"),
        ({"require_statement": True}, "amara-2026 has no verified spoken statement"),
    ],
)
def test_each_use_outside_the_scope_is_refused_with_its_reason(use: dict[str, Any], reason: str) -> None:
    """The sentence goes into a record as it is."""
    assert refusal(record(), replace(USE, **use), DAY) == reason


def test_what_is_forbidden_wins_over_what_is_allowed() -> None:
    """A purpose that stands in both lists is refused."""
    both = record({"purposes": ["training_video", "political"], "forbidden": ["political"]})
    assert refusal(both, replace(USE, purpose="political"), DAY) == "amara-2026 forbids political"


def test_a_consent_for_some_countries_does_not_cover_the_world() -> None:
    """A course says where it is published; without a word it is everywhere."""
    spain = record({"territories": ["ES", "AD"]})
    assert refusal(spain, replace(USE, territory="AD"), DAY) is None
    assert refusal(spain, USE, DAY) == "amara-2026 covers ES, AD, not WORLD"


def test_any_course_must_be_said_in_so_many_words() -> None:
    """`any` covers every course; a course that is called so does not exist by accident."""
    assert refusal(record({"courses": "any"}), replace(USE, course="chemistry"), DAY) is None
    with pytest.raises(ValidationError):
        record({"courses": []})


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("draft", "amara-2026 is only a draft"),
        ("pending_verification", "amara-2026 is not verified yet"),
        ("suspended", "amara-2026 is suspended"),
        ("expired", "amara-2026 is expired"),
    ],
)
def test_only_an_active_record_is_in_force(status: str, reason: str) -> None:
    """Every other status is a no."""
    assert standing(record(status=status), DAY) == reason


def test_a_revoked_record_says_since_when() -> None:
    """The day of the revocation is in the reason."""
    revoked = record(status="revoked", revocation={"at": DAY, "reason_sha256": SHA})
    assert standing(revoked, DAY) == "amara-2026 was revoked on 2026-06-01"


def test_it_holds_from_its_first_instant_until_just_before_its_last() -> None:
    """The begin is inside, the end is not."""
    second = timedelta(seconds=1)
    assert standing(record(), BEGIN - second) == "amara-2026 begins on 2026-05-01"
    assert standing(record(), BEGIN) is None
    assert standing(record(), END - second) is None
    assert standing(record(), END) == "amara-2026 expired on 2027-05-01"
    assert record().status_at(END) == "expired"
    assert record().status_at(END - second) == "active"


@pytest.mark.parametrize(
    ("consented", "asked", "covered"),
    [
        ("es", "es", True),
        ("es", "es-MX", True),
        ("es-MX", "es", False),
        ("es-MX", "es-AR", False),
        ("zh-Hant", "zh-Hant-TW", True),
        ("zh-Hant", "zh-Hans", False),
        ("es", "est", False),
        ("e", "es", False),
    ],
)
def test_a_language_covers_its_variants_and_never_the_reverse(consented: str, asked: str, covered: bool) -> None:
    """Mexican Spanish is Spanish; Estonian only begins like it."""
    assert covers_language(consented, asked) is covered


@pytest.mark.parametrize(
    ("written", "usual"), [("ES", "es"), ("pt-br", "pt-BR"), ("ZH-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")]
)
def test_language_tags_are_compared_in_their_usual_spelling(written: str, usual: str) -> None:
    """Upper and lower case mean nothing in a tag."""
    assert language_tag(written) == usual


@pytest.mark.parametrize("tag", ["", "*", "spanish", "es_MX", "es-", "-es", "es\n", "../es"])
def test_what_is_no_language_tag_is_refused(tag: str) -> None:
    """There is no wildcard: a consent names its languages."""
    with pytest.raises(ValueError, match="not a language tag"):
        language_tag(tag)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "a b", "a\n", "a\0", "é", "-x", "x" * 65]
)
def test_an_id_cannot_leave_its_folder(name: str) -> None:
    """Ids are letters, digits, dashes: nothing that a path could mean otherwise."""
    with pytest.raises(ValidationError):
        record(id=name)
    with pytest.raises(ValidationError):
        record(subject={"person": name})


def test_unknown_keys_are_refused_everywhere() -> None:
    """A misspelt key would otherwise be a limit that nobody keeps."""
    for fields in ({"extra": 1}, {"subject": {"person": "amara", "name": "Amara Example"}}):
        with pytest.raises(ValidationError):
            record(**fields)
    with pytest.raises(ValidationError):
        record({"forbiden": ["political"]})


@pytest.mark.parametrize(
    ("not_before", "expires_at"),
    [(BEGIN, BEGIN), (END, BEGIN), (BEGIN, BEGIN + timedelta(days=3654)), (BEGIN, datetime(2027, 5, 1))],  # noqa: DTZ001
)
def test_a_term_that_is_backwards_too_long_or_without_zone_is_refused(
    not_before: datetime, expires_at: datetime
) -> None:
    """Ten years are the most that a person can sign away."""
    with pytest.raises(ValidationError):
        record(validity={"not_before": not_before, "expires_at": expires_at})


@pytest.mark.parametrize(
    "fields",
    [
        {"instrument": None},
        {"subject": {"person": "amara", "adult": False}},
        {"subject": {"person": "amara", "living": False}},
        {"status": "revoked"},
        {"revocation": {"at": DAY, "reason_sha256": SHA}},
        {"version": 2},
    ],
)
def test_a_record_that_contradicts_itself_cannot_be(fields: dict[str, Any]) -> None:
    """No paper, a minor alone, the dead alone, a revocation without a reason: none is a consent."""
    with pytest.raises(ValidationError):
        record(**fields)


STATEMENT = {
    "template": "statement-1",
    "locale": "en",
    "text_sha256": SHA,
    "audio_sha256": SHA,
    "duration_s": 12.5,
    "recognizer": "pocketsphinx",
    "word_error_rate": 0.05,
    "verdict": "matched",
    "at": DAY,
}
MATCH = {"encoder": "resemblyzer", "weights_sha256": SHA, "score": 0.9, "threshold": 0.8, "verdict": "matched"}


@pytest.mark.parametrize(
    ("statement", "matches", "verified"),
    [
        ({}, [{}], True),
        ({}, [], False),
        ({}, [{}, {"verdict": "review"}], False),
        ({"reviewed_by": "operator-1"}, [{}, {"verdict": "review"}], True),
        ({"reviewed_by": "operator-1"}, [{"verdict": "refused"}], False),
        ({"verdict": "refused"}, [{}], False),
        ({"verdict": "review"}, [{}], False),
    ],
)
def test_a_statement_counts_when_words_and_voice_match(
    statement: dict[str, Any], matches: list[dict[str, Any]], verified: bool
) -> None:
    """A human may decide the grey zone, never what was refused."""
    spoken = record(statement=STATEMENT | statement, voice_match=[MATCH | each for each in matches])
    assert spoken.statement_verified is verified
    assert (refusal(spoken, replace(USE, require_statement=True), DAY) is None) is verified


@given(
    language=st.sampled_from(["es", "es-MX", "pt", "zh-Hant", "zh"]),
    course=st.sampled_from(["bio", "chem"]),
    purpose=st.sampled_from(["training_video", "news"]),
    commercial=st.booleans(),
    person=st.sampled_from(["amara", "bruno"]),
    days=st.integers(-10, 400),
)
def test_a_yes_means_that_every_condition_holds(
    language: str, course: str, purpose: str, commercial: bool, person: str, days: int
) -> None:
    """Whatever is asked, a yes implies each single condition."""
    now = BEGIN + timedelta(days=days)
    use = Use("amara-2026", person, language, course, purpose, commercial)
    expected = (
        person == "amara"
        and language in ("es", "es-MX", "zh-Hant")
        and course == "bio"
        and purpose == "training_video"
        and not commercial
        and 0 <= days < 365
    )
    assert (refusal(record(), use, now) is None) is expected
