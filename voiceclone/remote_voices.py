"""Voices of people that lie with somebody else: a vendor, or a server that voices are uploaded to.

`remote_voices.jsonl` in the registry's folder has a line for each that was made and for each that is gone, so that a
revocation reaches them even after the workspace was deleted. A voice is entered before it is asked for: one whose
making was interrupted is looked for too.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from voiceclone import private
from voiceclone.private import RegistryError, explained

FILE = "remote_voices.jsonl"


@dataclass(frozen=True, slots=True)
class RemoteVoice:
    """One voice elsewhere."""

    engine: str
    where: str
    """Address of the service, without a key."""
    voice: str
    """The service's id of it; until the service gave one, the name that it was asked to give."""
    person: str
    consent: str
    sample: str
    """Name of the store object that it was made from."""


def enter(registry: Path, voice: RemoteVoice) -> None:
    """Write down that a voice is made. Raises RegistryError where that cannot be: then it must not be made."""
    _append(registry, {"event": "made", **asdict(voice)})


def leave(registry: Path, voice: RemoteVoice) -> None:
    """Write down that a voice is gone: the service no longer knows it."""
    _append(registry, {"event": "gone", **asdict(voice)})


def standing(registry: Path, person: str | None = None) -> tuple[RemoteVoice, ...]:
    """Every voice, or a person's, that was made and is not known to be gone, in the order they were made.

    Raises RegistryError where the list cannot be read, or a line of it says nothing.
    """
    path = registry / FILE
    if not os.path.lexists(path):
        return ()
    with explained("read the list of voices elsewhere", path):
        lines = private.read(path).splitlines()
    found: dict[RemoteVoice, None] = {}
    for line in lines:
        try:
            fields = cast("dict[str, Any]", json.loads(line))
            event = fields.pop("event")
            voice = RemoteVoice(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RegistryError(
                f"a line of {path} cannot be read, so a voice elsewhere may be forgotten.",
                remedy="Look the voices up with the service, and take the line out.",
            ) from error
        if event == "made":
            found[voice] = None
        else:
            found.pop(voice, None)
    return tuple(each for each in found if person in (None, each.person))


def _append(registry: Path, fields: dict[str, str]) -> None:
    path = registry / FILE
    with explained("enter a voice elsewhere into the consent registry", path):
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            data = private.read(path)
            torn = b"\n" if data and not data.endswith(b"\n") else b""
            private.write_all(descriptor, torn + json.dumps(fields).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
