"""What is enrolled of a person, and when recordings become that: past the quality gate, each once, none a statement."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from manifests.errors import InputError
from voiceclone import quality, voiceprint
from voiceclone.consent import ID, Digest, Identifier, Language, language_tag
from voiceclone.quality import Finding, Recording, Report

HIGHEST_RATE = 48_000

POOR_SOUND = frozenset({"noise", "clipping", "sample rate", "bandwidth"})
"""Checks that a voice must pass, and an enrolment from lessons need not: a poor recording is the same person's."""

_CLIP_NAME = r"^[0-9]{2,4}\.flac$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Part):
    """Where in which lesson a clip was heard."""

    course: str
    lesson: str
    source_sha256: Digest
    """Of the lesson's media file."""
    label: str
    """What diarization calls the person there."""
    start: float
    end: float
    """Seconds from the start of the programme."""


class StoredClip(_Part):
    """One recording as it is kept."""

    file: Annotated[str, StringConstraints(pattern=_CLIP_NAME)]
    sha256: Digest
    rate: Annotated[int, Field(ge=8000, le=HIGHEST_RATE)]
    seconds: float
    text: str = ""
    """What is said in it, where that is known."""
    origin: Origin | None = None
    """None for a recording that was enrolled by hand."""


class StoredFinding(_Part):
    check: str
    verdict: quality.Verdict
    measured: str
    reason: str = ""
    mend: str = ""


class Enrolment(_Part):
    """What is enrolled of a person."""

    format: Literal[1] = 1
    person: Identifier
    consent: Identifier
    language: Language | None = None
    """In which the person speaks in the clips, where that is known."""
    made_at: AwareDatetime
    digest: Digest
    """Of the clips, their texts and their language: what a voice that is trained from them depends on."""
    clips: Annotated[tuple[StoredClip, ...], Field(min_length=1)]
    findings: tuple[StoredFinding, ...]
    encoder_sha256: Digest
    """Of the weights that made the voice print."""

    @property
    def seconds(self) -> float:
        return round(sum(clip.seconds for clip in self.clips), 2)

    @property
    def gathered(self) -> tuple[Origin, ...]:
        """Where the clips come from; empty where the enrolment was made by hand."""
        return tuple(clip.origin for clip in self.clips if clip.origin is not None)

    @property
    def speaks(self) -> bool:
        """Whether a voice may be made of it; one that may not still tells whether a speaker is this person."""
        return self.report.verdict != "reject"

    @property
    def report(self) -> Report:
        return Report(tuple(Finding(**each.model_dump()) for each in self.findings))


class RecordingsRejected(InputError):
    """The recordings are not good enough; `report` says why, check by check."""

    def __init__(self, person: str, report: Report) -> None:
        worst = [each for each in report.findings if each.verdict == "reject"]
        reasons = "; ".join(f"{each.check} ({each.measured}): {each.reason}" for each in worst)
        super().__init__(
            f"the recordings of {person} were not enrolled: {reasons}.",
            remedy=" ".join(dict.fromkeys(each.mend for each in worst)),
        )
        self.report = report


def enrolment_of(
    person: str,
    recordings: Sequence[Recording],
    *,
    consent: str,
    statement_sha256: str | None,
    language: str | None = None,
    origins: Sequence[Origin] = (),
) -> tuple[Enrolment, tuple[bytes, ...]]:
    """A person's recordings as an enrolment, and its clips as FLAC.

    `statement_sha256` is of the file of the consent's spoken statement. With `origins`, one for each recording, they
    were gathered from lessons, and may be too poor for a voice (`Enrolment.speaks`): they still tell who somebody is.

    Raises RecordingsRejected where the gate says no, InputError for a language that is none, no recordings, the same
    one twice, or the statement.
    """
    tag = None if language is None else language_tag_or_fault(language)
    if not recordings:
        raise InputError(f"there are no recordings of {person}.")
    _distinct(recordings)
    _no_statement(recordings, statement_sha256)
    report = quality.judge(quality.measure(recordings))
    wrong = {finding.check for finding in report.findings if finding.verdict == "reject"}
    if wrong - (POOR_SOUND if origins else frozenset()):
        raise RecordingsRejected(person, report)
    encoded = [_flac(recording) for recording in recordings]
    clips = tuple(
        StoredClip(
            file=f"{number:02d}.flac",
            sha256=hashlib.sha256(data).hexdigest(),
            rate=rate,
            seconds=round(len(recording.samples) / recording.rate, 3),
            text=recording.text,
            origin=origin,
        )
        for number, (recording, (data, rate), origin) in enumerate(
            zip(recordings, encoded, origins or [None] * len(recordings), strict=True), 1
        )
    )
    made = Enrolment(
        person=person,
        consent=consent,
        language=tag,
        made_at=datetime.now(UTC).replace(microsecond=0),
        digest=digest_of(clips, tag),
        clips=clips,
        findings=tuple(_stored(finding) for finding in report.findings),
        encoder_sha256=voiceprint.weights_sha256(),
    )
    return made, tuple(data for data, _ in encoded)


def digest_of(clips: Sequence[StoredClip], language: str | None) -> str:
    """Of clips, their texts and their language."""
    parts = [language or "", *(part for clip in clips for part in (clip.sha256, clip.text))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def identified(person: str) -> None:
    """Raises InputError for what cannot be the id of a person."""
    if not ID.fullmatch(person):
        raise InputError(
            f"{person!a} cannot be the id of a person.", remedy="Use letters, digits, - and _, 64 at most."
        )


def language_tag_or_fault(language: str) -> str:
    """A BCP-47 tag in its usual spelling. Raises InputError for what is none."""
    try:
        return language_tag(language)
    except ValueError as error:
        raise InputError(f"{language!a} is not a language such as `en` or `pt-BR`.") from error


def _distinct(recordings: Sequence[Recording]) -> None:
    seen: dict[str, str] = {}
    for each in recordings:
        digest = hashlib.sha256(each.samples.tobytes()).hexdigest()
        if digest in seen:
            raise InputError(f"{each.name} is the same recording as {seen[digest]}.", remedy="Give each of them once.")
        seen[digest] = each.name


def _no_statement(recordings: Sequence[Recording], statement_sha256: str | None) -> None:
    """A spoken statement proves who somebody is only if it is not what it is compared with."""
    for each in recordings:
        if statement_sha256 is not None and each.file_sha256 == statement_sha256:
            raise InputError(
                f"{each.name} is the spoken statement of this consent.", remedy="Give other recordings of the person."
            )


def _flac(recording: Recording) -> tuple[bytes, int]:
    """A recording as it is kept, and its rate."""
    import soundfile
    import soxr

    samples, rate = recording.samples, recording.rate
    if rate > HIGHEST_RATE:
        samples, rate = np.asarray(soxr.resample(samples, rate, HIGHEST_RATE), np.float32), HIGHEST_RATE
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue(), rate


def _stored(finding: Finding) -> StoredFinding:
    return StoredFinding(
        check=finding.check,
        verdict=finding.verdict,
        measured=finding.measured,
        reason=finding.reason,
        mend=finding.mend,
    )
