"""A person's statement held against what is enrolled of them, whichever of the two came first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from manifests.errors import InputError
from voiceclone import workspaces
from voiceclone.consent import Record, VoiceMatch
from voiceclone.quality import Recording
from voiceclone.recordings import read
from voiceclone.registry import Registry


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
    from voiceclone import cohort
    from voiceclone.statement import compare, heard, voice_of

    sounds = [heard(recording) for recording in enrolled]
    crowd = [heard(each) for each in others] or list(cohort.others(folders, voice_of(sounds)))
    matches = compare(heard(statement), sounds, crowd)
    for match in matches:
        if match.verdict == "refused":
            raise InputError(
                f"the statement and the enrolment are different voices ({match.encoder} {match.score:.2f}).",
                remedy="Have the sentence read by the person whose voice is enrolled, in the same room and microphone.",
            )
    added = {"enrolment": enrolment, "reviewed_by": reviewed_by if enrolment else None}
    return tuple(match.model_copy(update=added) for match in matches)


def vouched(
    registry: Registry,
    consent: str,
    enrolled: Sequence[Recording],
    workspace: Path,
    *,
    enrolment: str,
    reviewed_by: str | None = None,
) -> tuple[VoiceMatch, ...]:
    """How a consent's statement compares with what is about to be enrolled in a workspace; empty where it holds none.

    Raises InputError where they are different voices, or the statement is a part of what is to be enrolled.
    """
    statement = stated(registry, consent)
    if statement is None:
        return ()
    from voiceclone.statement import check_origin

    check_origin(statement, enrolled)
    return compared(statement, enrolled, folders(registry, [workspace]), enrolment=enrolment, reviewed_by=reviewed_by)


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
