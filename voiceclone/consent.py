"""A person's consent as a record, and what it says to one question.

A record holds ids, hashes, dates and scope, nothing that names or reaches the person: whatever is personal lies in the
copied agreement alone. `refusal` is the whole policy, a pure function: why a record does not cover a use, or None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

SCHEMA = 1
DEFAULT_TERM = timedelta(days=365)
LONGEST_TERM = timedelta(days=3653)
"""Ten years: the longest licence that the laws in view let a person give (research: voice 2.4)."""

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")

Status = Literal["draft", "pending_verification", "active", "suspended", "expired", "revoked"]
Verdict = Literal["matched", "review", "refused"]


def language_tag(tag: str) -> str:
    """A BCP-47 tag in its usual spelling (`pt-BR`, `zh-Hant-TW`). Raises ValueError for what is none."""
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f"{tag!r} is not a language tag such as `es` or `pt-BR`")
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *(_subtag(part) for part in rest)])


def _subtag(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part.lower()


def covers_language(consented: str, asked: str) -> bool:
    """Whether a consent's language covers another: itself and its variants, never the reverse (RFC 4647, 3.3.1)."""
    return asked == consented or asked.startswith(consented + "-")


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


Identifier = Annotated[str, StringConstraints(pattern=rf"^{ID.pattern}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Suffix = Annotated[str, StringConstraints(pattern=r"^(\.[a-z0-9]{1,8})?$")]
Language = Annotated[str, AfterValidator(language_tag)]
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Territory = Annotated[str, StringConstraints(pattern=r"^(WORLD|[A-Z]{2})$")]


class Part(BaseModel):
    """Base of every part of a record: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Capacity(Part):
    """In what capacity a person consents, and how it was made sure who they are."""

    adult: bool = True
    living: bool = True
    locale: Language | None = None
    granted_by: Literal["self", "guardian", "estate", "union_agent"] = "self"
    identity_proof: Literal["passport", "contract", "notary", "video_call"] | None = None
    identity_checked_by: Identifier | None = None


class Subject(Capacity):
    """Who consents, by an id; who that is stands in the agreement."""

    person: Identifier


class Controller(Part):
    """The organization that holds the voice data, and who works for it."""

    organization: Word | None = None
    vendors: tuple[Word, ...] = ()


class Notice(Part):
    """What the person was shown before they agreed."""

    template: Identifier
    version: Word
    language: Language
    sha256: Digest


class Instrument(Part):
    """The written agreement. The file lies beside the record as `<sha256><suffix>`."""

    sha256: Digest
    suffix: Suffix = ""
    signed_on: date | None = None
    method: Literal["handwritten", "electronic", "qualified", "other"] | None = None


class Statement(Part):
    """The spoken statement. Its words name the person, so only their hash is here; the audio lies beside the record."""

    template: Identifier
    locale: Language
    text_sha256: Digest
    nonce_words: tuple[Word, ...] = ()
    audio_sha256: Digest
    suffix: Suffix = ".wav"
    captured_via: Literal["live_mic", "upload"] = "upload"
    duration_s: float = Field(ge=0, allow_inf_nan=False)
    recognizer: Word
    word_error_rate: float = Field(ge=0, allow_inf_nan=False)
    watermark_score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    verdict: Verdict
    reviewed_by: Identifier | None = None
    """Who decided where the machine could not: an id, not a name."""
    at: Moment


class VoiceMatch(Part):
    """One encoder's comparison of the statement with the enrolled voice."""

    encoder: Word
    weights_sha256: Digest
    score: float = Field(allow_inf_nan=False)
    normalized: Annotated[float, Field(allow_inf_nan=False)] | None = None
    threshold: float = Field(allow_inf_nan=False)
    cohort: Word | None = None
    verdict: Verdict
    enrolment: Digest | None = None
    """Of the enrolment that the statement was compared with, where that came after it; None for files given with it."""
    reviewed_by: Identifier | None = None
    """Who listened to both and decided, where that came after the statement."""


class Scope(Part):
    """What the person agreed to."""

    languages: tuple[Language, ...] = Field(min_length=1)
    """A language covers its regional variants: `es` covers `es-MX`."""
    purposes: tuple[Word, ...] = Field(min_length=1)
    courses: Literal["any"] | Annotated[tuple[Word, ...], Field(min_length=1)]
    territories: Annotated[tuple[Territory, ...], Field(min_length=1)] = ("WORLD",)
    """`WORLD`, or ISO 3166 country codes."""
    commercial: bool = False
    forbidden: tuple[Word, ...] = ()
    """Purposes that are out whatever else is said: political, sexual, endorsement, …"""
    third_parties: tuple[Word, ...] = ()
    """Vendors outside the controller that the voice data may be given to."""


class Validity(Part):
    """From when until when; `expires_at` is the first instant at which the consent no longer holds."""

    not_before: Moment
    expires_at: Moment

    @model_validator(mode="after")
    def _term(self) -> Self:
        if self.expires_at <= self.not_before:
            raise ValueError("a consent cannot end before it begins")
        if self.expires_at - self.not_before > LONGEST_TERM:
            raise ValueError("a consent lasts ten years at most")
        return self


class Retention(Part):
    """How long what is kept for the consent's sake may be kept, in days after its last use."""

    statement_days: Annotated[int, Field(ge=0)] = 365
    enrolment_days: Annotated[int, Field(ge=0)] = 365
    embedding_days: Annotated[int, Field(ge=0, le=1095)] = 1095
    ledger_years: Annotated[int, Field(ge=1)] = 10


class Revocation(Part):
    """When and by whom it was withdrawn. The reason is free text, so it lies beside the record, named by its hash."""

    at: Moment
    by: Literal["subject", "operator", "authority"] = "subject"
    reason_sha256: Digest


class Record(Part):
    """One version of one consent. Each change of status is a further version; none is ever overwritten."""

    schema_version: Literal[1] = SCHEMA
    id: Identifier
    version: int = Field(ge=1)
    previous: Digest | None
    """SHA-256 of the previous version's file."""
    made_at: Moment
    subject: Subject
    controller: Controller = Controller()
    notice: Notice | None = None
    instrument: Instrument | None
    statement: Statement | None = None
    voice_match: tuple[VoiceMatch, ...] = ()
    scope: Scope
    validity: Validity
    retention: Retention = Retention()
    status: Status
    revocation: Revocation | None = None

    @property
    def person(self) -> str:
        return self.subject.person

    @property
    def statement_verified(self) -> bool:
        """Whether the right words were said by the right voice, as machines measured it or a named human decided."""
        statement = self.statement
        if statement is None or not self.voice_match:
            return False
        decided = [(statement.verdict, statement.reviewed_by)]
        for match in self.voice_match:
            # who listened to a statement did not hear an enrolment that came later
            earlier = statement.reviewed_by if match.enrolment is None else None
            decided.append((match.verdict, match.reviewed_by or earlier))
        return all(verdict == "matched" or (verdict == "review" and who is not None) for verdict, who in decided)

    def status_at(self, now: datetime) -> Status:
        """The status as a reader should see it: an active consent past its end is expired."""
        return "expired" if self.status == "active" and now >= self.validity.expires_at else self.status

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.previous is None) != (self.version == 1):
            raise ValueError("every version but the first names the one before it")
        if (self.revocation is None) == (self.status == "revoked"):
            raise ValueError("a revoked record says when and why, and only a revoked one does")
        if self.status == "active":
            if self.instrument is None:
                raise ValueError("a consent without a written agreement cannot be active")
            if not self.subject.adult and self.subject.granted_by != "guardian":
                raise ValueError("a guardian must consent for a minor")
            if not self.subject.living and self.subject.granted_by != "estate":
                raise ValueError("an estate must consent for somebody who has died")
        return self


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a person's voice, as a question to the registry."""

    consent: str
    person: str
    language: str
    course: str
    purpose: str
    commercial: bool
    third_party: str | None = None
    territory: str = "WORLD"
    require_statement: bool = False


_SAID = {"draft": "only a draft", "pending_verification": "not verified yet"}


def standing(record: Record, now: datetime) -> str | None:
    """Why a record covers nothing at all at this time, or None where it is in force."""
    if record.status == "revoked" and record.revocation is not None:
        return f"{record.id} was revoked on {record.revocation.at.date().isoformat()}"
    if record.status != "active":
        return f"{record.id} is {_SAID.get(record.status, record.status)}"
    if now < record.validity.not_before:
        return f"{record.id} begins on {record.validity.not_before.date().isoformat()}"
    if now >= record.validity.expires_at:
        return f"{record.id} expired on {record.validity.expires_at.date().isoformat()}"
    return None


def refusal(record: Record, use: Use, now: datetime) -> str | None:
    """Why a record does not cover a use, in a short sentence without personal data; None where it does."""
    scope, name = record.scope, record.id
    if record.person != use.person:
        return f"{name} is not the consent of {use.person}"
    if (why := standing(record, now)) is not None:
        return why
    findings = (
        (not any(covers_language(each, use.language) for each in scope.languages), f"does not cover {use.language}"),
        (scope.courses != "any" and use.course not in scope.courses, f"does not cover the course {use.course}"),
        (use.purpose in scope.forbidden, f"forbids {use.purpose}"),
        (use.purpose not in scope.purposes, f"does not cover {use.purpose}"),
        (use.commercial and not scope.commercial, "does not cover commercial use"),
        (
            use.third_party is not None and use.third_party not in scope.third_parties,
            f"does not let {use.third_party} have the voice",
        ),
        (
            "WORLD" not in scope.territories and use.territory not in scope.territories,
            f"covers {', '.join(scope.territories)}, not {use.territory}",
        ),
        (use.require_statement and not record.statement_verified, "has no verified spoken statement"),
    )
    return next((f"{name} {what}" for refused, what in findings if refused), None)
