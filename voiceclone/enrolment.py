"""A person's enrolment: their recordings, how good they are, how the voice sounds, and by which consent they are here.

    voices/<person>/                    0700, files 0600; deleting this folder deletes everything there is of the voice
        enrolment.json                  what is enrolled (`Enrolment`); replaced in one step
        <digest>/01.flac …, print.npy   clips (mono, 16 bit, the source's rate up to 48 kHz) and the voice print
        trained/<language>.<version>.<digest>.safetensors   voices trained from it, one a target language

An enrolment is made of recordings by hand, or gathered from lessons (`tasks.gathering`): its clips then say from which.
One that was made by hand is never replaced by one that was gathered.

Nothing is taken in without an active consent, asked for again before anything is published. Engines get arrays from
here, never a caller's path.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from manifests.errors import ConsentRefused, DubError, InputError, StoreError
from voiceclone import private, quality, voiceprint, vouching, workspaces
from voiceclone.consent import ID, Digest, Identifier, Language, language_tag
from voiceclone.grant import Grant
from voiceclone.quality import Finding, Recording, Report
from voiceclone.registry import Registry
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import Print

HIGHEST_RATE = 48_000
MANIFEST = "enrolment.json"
VOICES = "voices"
"""The folder of a workspace in which people are enrolled."""

POOR_SOUND = frozenset({"noise", "clipping", "sample rate", "bandwidth"})
"""Checks that a voice must pass, and an enrolment from lessons need not: a poor recording is the same person's."""

_CLIP_NAME = r"^[0-9]{2,4}\.flac$"
_LARGEST_CLIP = 512 << 20


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


class Enrolments:
    """The enrolments in a folder, one folder a person. Constructing it reads nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def enrol(
        self,
        person: str,
        recordings: Sequence[Recording],
        *,
        consent: str,
        registry: Registry,
        language: str | None = None,
        course: str | None = None,
        purpose: str | None = None,
        reviewed_by: str | None = None,
        origins: Sequence[Origin] = (),
    ) -> Enrolment:
        """Take a person's recordings in, in place of what was enrolled of them before.

        Where the consent holds a spoken statement the two must be one voice, and its record says so afterwards, on a
        machine that may sign; `reviewed_by` is who listened to both. With `origins`, one for each recording, they were
        gathered from lessons. Such an enrolment does not replace one that was made by hand, which is returned then; and
        it is kept where the sound is too poor for a voice (`Enrolment.speaks`), because it still tells who somebody is.

        Raises ConsentRefused where no active consent of theirs covers any use (of this course and purpose, where they
        are given), RecordingsRejected where the gate says no, InputError for an id or a language that is none, no
        recordings, or one that is the consent's spoken statement, StoreError where the folder cannot be written. After
        any of them nothing has changed.
        """
        identified(person)
        grant = permitted(registry, consent, person, course=course, purpose=purpose)
        tag = _tag(language)
        if not recordings:
            raise InputError(f"there are no recordings of {person}.")
        _distinct(recordings)
        statement = registry.show(consent).statement
        _no_statement(recordings, statement.audio_sha256 if statement else None)
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
        enrolment = Enrolment(
            person=person,
            consent=consent,
            language=tag,
            made_at=datetime.now(UTC).replace(microsecond=0),
            digest=_digest(clips, tag),
            clips=clips,
            findings=tuple(_stored(finding) for finding in report.findings),
            encoder_sha256=voiceprint.weights_sha256(),
        )
        vouched = vouching.vouched(
            registry, consent, recordings, self.root.parent, enrolment=enrolment.digest, reviewed_by=reviewed_by
        )
        sound = _print(recordings)
        workspaces.note(registry.root, self.root.parent, person=person, consent=consent)
        registry.renew(grant)
        with self._changing("enrol", person) as folder:
            if origins and (standing := self._standing(person)) is not None and not standing.gathered:
                return standing
            parts = _part(folder, enrolment)
            again, first = parts.exists(), not (folder / MANIFEST).exists()
            try:
                private.make_folder(parts)
                for clip, (data, _) in zip(clips, encoded, strict=True):
                    private.replace(parts / clip.file, data)
                private.replace(parts / "print.npy", _npy(sound))
                registry.renew(grant)
                private.replace(folder / MANIFEST, enrolment.model_dump_json(indent=1).encode())
            except BaseException:
                # nothing of a voice stays that nobody knows of
                if first or not again:
                    shutil.rmtree(folder if first else parts, ignore_errors=True)
                raise
            _sweep(folder, enrolment)
        if vouched and registry.may_sign():
            registry.amend(consent, voice_match=vouched)
        return enrolment

    def get(self, person: str) -> Enrolment:
        """What is enrolled of a person. Raises InputError where nothing is, StoreError where it cannot be relied on."""
        folder = self._folder(person)
        if not os.path.lexists(folder):
            raise InputError(f"nobody called {person} is enrolled.", remedy=f"Enrol them: dub voices enrol {person} …")
        if not private.is_real_folder(folder):
            raise StoreError(f"the enrolment of {person} is not a folder.", remedy=f"Look at {folder}.")
        try:
            enrolment = Enrolment.model_validate_json(private.read(folder / MANIFEST))
        except (OSError, ValidationError) as error:
            raise _damaged(person) from error
        if enrolment.person != person or enrolment.digest != _digest(enrolment.clips, enrolment.language):
            raise _damaged(person)
        return enrolment

    def _standing(self, person: str) -> Enrolment | None:
        return self.get(person) if (self._folder(person) / MANIFEST).exists() else None

    def people(self) -> tuple[str, ...]:
        """Whoever is enrolled, by id; those too whose enrolment is damaged."""
        if not self.root.is_dir():
            return ()
        return tuple(sorted(path.name for path in self.root.iterdir() if ID.fullmatch(path.name)))

    def list(self) -> tuple[Enrolment, ...]:
        """Every enrolment, by person. Raises StoreError where one cannot be relied on."""
        return tuple(self.get(person) for person in self.people())

    def recordings(self, person: str) -> tuple[Recording, ...]:
        """A person's clips as they were enrolled. Raises as `get` does, and StoreError where one was changed."""
        import soundfile

        enrolment = self.get(person)
        folder = _part(self._folder(person), enrolment)
        found: list[Recording] = []
        for clip in enrolment.clips:
            try:
                data = private.read(folder / clip.file, _LARGEST_CLIP)
            except OSError as error:
                raise _damaged(person) from error
            if hashlib.sha256(data).hexdigest() != clip.sha256:
                raise _damaged(person)
            samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
            found.append(Recording(clip.file, np.asarray(samples, np.float32), int(rate), clip.text))
        return tuple(found)

    def voice_print(self, person: str) -> Print:
        """How a person's voice sounds. Raises as `get` does."""
        enrolment = self.get(person)
        if enrolment.encoder_sha256 != voiceprint.weights_sha256():
            return _print(self.recordings(person))  # prints of two encoders cannot be compared
        path = _part(self._folder(person), enrolment) / "print.npy"
        try:
            found = np.load(io.BytesIO(private.read(path)), allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(person) from error
        if found.shape != (voiceprint.DIMENSION,) or found.dtype != np.float32 or not np.isfinite(found).all():
            raise _damaged(person)
        return found

    @contextmanager
    def trained(self, enrolment: Enrolment, target_language: str, version: int) -> Generator[Path]:
        """Where the voice that is trained from an enrolment for a language is kept; its folder is made.

        `version` is that of the training. Whoever else wants this voice waits until the block ends, so that it is
        trained once. Raises InputError for a language that is none, StoreError where the folder cannot be written.
        """
        folder = self._folder(enrolment.person) / "trained"
        with private.explained("make the folder of trained voices", folder):
            private.make_folder(folder)
        tag = language_tag_or_fault(target_language)
        lock = folder / f".{tag}.lock"
        with private.explained("wait for the training of a voice", lock):
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield folder / f"{tag}.{version}{_ending(enrolment)}"
        finally:
            os.close(descriptor)

    def trained_languages(self, enrolment: Enrolment) -> tuple[str, ...]:
        """For which languages there is a trained voice."""
        found = (self._folder(enrolment.person) / "trained").glob(f"*{_ending(enrolment)}")
        return tuple(sorted({path.name.split(".")[0] for path in found}))

    def delete(self, person: str) -> bool:
        """Delete everything that is kept of a person's voice; False where there was nothing. Raises StoreError."""
        folder = self._folder(person)
        if not os.path.lexists(folder):
            return False
        with self._changing("delete", person, make=False):
            if folder.is_symlink():
                folder.unlink()
            else:
                shutil.rmtree(folder)
        return True

    def _folder(self, person: str) -> Path:
        identified(person)
        return self.root / person

    @contextmanager
    def _changing(self, doing: str, person: str, *, make: bool = True) -> Generator[Path]:
        """A person's folder, while nobody else changes any. What goes wrong with files becomes a StoreError."""
        folder = self._folder(person)
        with private.explained(f"{doing} {person}", folder):
            private.make_folder(self.root)
            lock = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if make:
                    private.make_folder(folder)
                    if not private.is_real_folder(folder):
                        raise StoreError(f"the folder of {person} is a link.", remedy=f"Look at {folder}.")
                    folder.chmod(0o700)
                yield folder
            finally:
                os.close(lock)


def newest(registry: Registry, person: str, more: Iterable[Path] = ()) -> Enrolments | None:
    """Where the newest enrolment of a person is, among the workspaces that used their voice and these; or None."""
    found: dict[datetime, Enrolments] = {}
    for folder in dict.fromkeys((*workspaces.known(registry.root, person).folders, *more)):
        voices = Enrolments(folder / VOICES)
        with suppress(DubError):  # not enrolled there, or damaged: then it is no evidence either
            found[voices.get(person).made_at] = voices
    return found[max(found)] if found else None


def identified(person: str) -> None:
    """Raises InputError for what cannot be the id of a person."""
    if not ID.fullmatch(person):
        raise InputError(
            f"{person!a} cannot be the id of a person.", remedy="Use letters, digits, - and _, 64 at most."
        )


def permitted(
    registry: Registry,
    consent: str,
    person: str,
    *,
    language: str | None = None,
    course: str | None = None,
    purpose: str | None = None,
) -> Grant:
    """A grant under a consent for any of its languages, courses and purposes, or for those that are given.

    Raises ConsentRefused, with the registry's reason, where it grants none.
    """
    try:
        scope = registry.show(consent).scope
    except DubError as error:
        raise ConsentRefused(error.message.rstrip("."), remedy=error.remedy) from error
    courses = (course,) if course else ("any",) if scope.courses == "any" else scope.courses
    purposes = (purpose,) if purpose else tuple(each for each in scope.purposes if each not in scope.forbidden)
    refused: ConsentRefused | None = None
    for each_language in (language,) if language else scope.languages:
        for each_course in courses:
            for each_purpose in purposes or scope.purposes:
                try:
                    return registry.grant(
                        consent=consent,
                        person=person,
                        language=each_language,
                        course=each_course,
                        purpose=each_purpose,
                        commercial=False,
                        territory=scope.territories[0],
                    )
                except ConsentRefused as error:
                    refused = refused or error
    raise refused or ConsentRefused(f"{consent} covers nothing")


def language_tag_or_fault(language: str) -> str:
    """A BCP-47 tag in its usual spelling. Raises InputError for what is none."""
    try:
        return language_tag(language)
    except ValueError as error:
        raise InputError(f"{language!a} is not a language such as `en` or `pt-BR`.") from error


def _tag(language: str | None) -> str | None:
    return None if language is None else language_tag_or_fault(language)


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


def _digest(clips: Sequence[StoredClip], language: str | None) -> str:
    parts = [language or "", *(part for clip in clips for part in (clip.sha256, clip.text))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


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


def _print(recordings: Sequence[Recording]) -> Print:
    """The mean of the windows that sound like one person."""
    heard = [voiceprint.resampled(each.samples, each.rate) for each in recordings]
    prints = quality.window_prints(np.concatenate([joined(sound, speaking(sound)) for sound in heard]))
    return voiceprint.centroid(np.delete(prints, quality.strangers(prints), axis=0))


def _npy(array: Print) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _ending(enrolment: Enrolment) -> str:
    return f".{enrolment.digest[:16]}.safetensors"


def _part(folder: Path, enrolment: Enrolment) -> Path:
    return folder / enrolment.digest[:16]


def _sweep(folder: Path, enrolment: Enrolment) -> None:
    """Delete what belongs to an earlier enrolment, or was left by one that was broken off."""
    for path in folder.iterdir():
        if path.name == "trained" and private.is_real_folder(path):
            for voice in path.iterdir():
                if not voice.name.endswith((_ending(enrolment), ".lock")):
                    voice.unlink()
        elif path.name not in (MANIFEST, enrolment.digest[:16]):
            if private.is_real_folder(path):
                shutil.rmtree(path)
            else:
                path.unlink()


def _damaged(person: str) -> StoreError:
    return StoreError(
        f"the enrolment of {person} was changed or damaged.",
        remedy=f"Delete it and enrol again: dub voices delete {person}",
    )


def _stored(finding: Finding) -> StoredFinding:
    return StoredFinding(
        check=finding.check,
        verdict=finding.verdict,
        measured=finding.measured,
        reason=finding.reason,
        mend=finding.mend,
    )
