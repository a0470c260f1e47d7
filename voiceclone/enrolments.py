"""The folder in which people are enrolled: their recordings, how the voice sounds, and what was trained from them.

    voices/<person>/                    0700, files 0600; deleting this folder deletes everything there is of the voice
        enrolment.json                  what is enrolled (`voiceclone.enrolment`); replaced in one step
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
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from manifests import settings
from manifests.errors import DubError, InputError, StoreError
from voiceclone import private, quality, voiceprint, vouching, workspaces
from voiceclone.consent import ID
from voiceclone.enrolment import Enrolment, Origin, digest_of, enrolment_of, identified, language_tag_or_fault
from voiceclone.permission import permitted
from voiceclone.quality import Recording
from voiceclone.registry import Registry
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import Print

MANIFEST = "enrolment.json"
VOICES = "voices"
"""The folder of a workspace in which people are enrolled, where no setting names another."""

_LARGEST_CLIP = 512 << 20


class Enrolments:
    """The enrolments in a folder, one folder a person. Constructing it reads nothing."""

    def __init__(self, root: Path, workspace: Path | None = None) -> None:
        self.root = root
        self.workspace = workspace or root.parent
        """Where what is made of the voices is kept."""

    @classmethod
    def of(cls, workspace: Path) -> Enrolments:
        """Those of a workspace: its own, or the folder of the user's settings that several machines share."""
        return cls(settings.personal().voices or workspace / VOICES, workspace)

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
        statement = registry.show(consent).statement
        enrolment, clips = enrolment_of(
            person,
            recordings,
            consent=consent,
            statement_sha256=statement.audio_sha256 if statement else None,
            language=language,
            origins=origins,
        )
        vouched = vouching.vouched(
            registry, consent, recordings, self.workspace, enrolment=enrolment.digest, reviewed_by=reviewed_by
        )
        sound = _print(recordings)
        workspaces.note(registry.root, self.workspace, person=person, consent=consent)
        registry.renew(grant)
        with self._changing("enrol", person) as folder:
            if origins and (standing := self._standing(person)) is not None and not standing.gathered:
                return standing
            parts = _part(folder, enrolment)
            again, first = parts.exists(), not (folder / MANIFEST).exists()
            try:
                private.make_folder(parts)
                for clip, data in zip(enrolment.clips, clips, strict=True):
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
        if enrolment.person != person or enrolment.digest != digest_of(enrolment.clips, enrolment.language):
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
        voices = Enrolments.of(folder)
        with suppress(DubError):  # not enrolled there, or damaged: then it is no evidence either
            found[voices.get(person).made_at] = voices
    return found[max(found)] if found else None


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
