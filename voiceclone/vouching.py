"""A person's statement held against what is enrolled of them, whichever of the two came first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from manifests.errors import DubError, InputError
from voiceclone import cohort, workspaces
from voiceclone.consent import Record, VoiceMatch
from voiceclone.enrolment import Enrolment, Enrolments
from voiceclone.quality import Recording
from voiceclone.recordings import read
from voiceclone.registry import Registry

VOICES = "voices"
"""The folder of a workspace in which people are enrolled."""


def compared(
    statement: Recording,
    enrolled: Sequence[Recording],
    folders: Iterable[Path],
    *,
    others: Sequence[Recording] = (),
    enrolment: str | None = None,
    reviewed_by: str | None = None,
) -> tuple[VoiceMatch, ...]:
    """What each speaker encoder says of a statement and an enrolment.

    The cohort is `others` where they are given, else the speakers of the lessons in these workspaces. `enrolment` is
    the digest of an enrolment that the registry's record should name. Raises InputError where the two are different
    voices.
    """
    from voiceclone.statement import compare, heard, voice_of

    sounds = [heard(recording) for recording in enrolled]
    crowd = [heard(each) for each in others] or list(cohort.others(folders, voice_of(sounds)))
    matches = compare(heard(statement), sounds, crowd)
    for match in matches:
        if match.verdict == "refused":
            raise InputError(
                f"the statement and the enrolment are different voices ({match.encoder} {match.score:.2f}).",
                remedy="Have the sentence read by the person whose voice is enrolled.",
            )
    added = {"enrolment": enrolment, "reviewed_by": reviewed_by if enrolment else None}
    return tuple(match.model_copy(update=added) for match in matches)


def stated(registry: Registry, consent: str) -> Recording | None:
    """The statement that a consent's record holds, as it was given; None where it holds none.

    Raises RegistryError where it was changed or is missing.
    """
    found = registry.statement_audio(consent)
    if found is None:
        return None
    data, suffix = found
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        path = Path(folder) / f"statement{suffix}"
        path.touch(mode=0o600)
        path.write_bytes(data)
        return read(path)


def enrolled_somewhere(registry: Registry, person: str, more: Iterable[Path] = ()) -> Enrolments | None:
    """Where the newest enrolment of a person is, among the workspaces that used their voice and these; or None."""
    folders = dict.fromkeys((*workspaces.known(registry.root, person).folders, *more))
    newest: tuple[Enrolment, Enrolments] | None = None
    for folder in folders:
        voices = Enrolments(folder / VOICES)
        try:
            found = voices.get(person)
        except DubError:  # not enrolled there, or damaged: then it is no evidence either
            continue
        if newest is None or found.made_at > newest[0].made_at:
            newest = found, voices
    return newest[1] if newest else None


def folders(registry: Registry, more: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Every workspace whose lessons may say how other people sound."""
    return tuple(dict.fromkeys((*workspaces.everywhere(registry.root), *more)))


def still_to_do(record: Record) -> str:
    """What a record lacks for its spoken statement to count, as a command; empty where nothing does."""
    if record.statement is None or record.statement_verified:
        return ""
    if not record.voice_match:
        return (
            "the statement counts once the voice is enrolled: "
            f"dub voices enrol {record.person} FILE… --consent {record.id}"
        )
    return (
        "not sure: somebody should listen to the statement and the enrolment, and then vouch for them: "
        f"dub voices enrol {record.person} FILE… --consent {record.id} --reviewed-by WHO"
    )
