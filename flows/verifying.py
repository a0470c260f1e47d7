"""`dub verify`: what a media file says about itself, and one verdict."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.answering import print_json
from manifests.depot import fetched
from manifests.errors import MediaError
from manifests.remote import without_secrets
from manifests.settings import is_address
from voiceclone.inspection import Name, Verdict, inspect
from voiceclone.watermark import MARKED

MEANINGS: dict[Name, str] = {
    "authentic": "signed by somebody whom this machine trusts, and unaltered since",
    "unverified": "signed and unaltered since, but by somebody whom this machine does not know",
    "altered": "changed after it was signed",
    "marked": "its credentials are gone, and its speech carries the watermark of synthetic speech",
    "unmarked": "neither credentials nor watermark",
}


def show_verdict(file: str, json_wanted: bool) -> None:
    """Print what a file says about itself. It may lie at an address, from which it is fetched first.

    Raises MediaError for a missing or unreadable one, StoreError for an address that does not answer.
    """
    with ExitStack() as ends:
        path = _fetched(file, Path(ends.enter_context(TemporaryDirectory()))) if is_address(file) else Path(file)
        found = inspect(path)
    if json_wanted:
        print_json(found.as_dict())
        return
    sys.stdout.write("".join(f"{row}\n" for row in _rows(path, found)))


def _fetched(address: str, folder: Path) -> Path:
    path = fetched(address, folder)
    if path is None:
        raise MediaError(
            f"there is no file {without_secrets(address)}.", remedy="`dub status` names a course's finished files."
        )
    return path


def _rows(file: Path, found: Verdict) -> list[str]:
    credentials = found.credentials
    heard = "present" if found.watermark >= MARKED else "not found"
    signed = f", signed by {credentials.signer}" if credentials.signer else ""
    why = f" ({', '.join(credentials.faults)})" if credentials.faults else ""
    rows = [
        f"{file.name}: {found.verdict}: {MEANINGS[found.verdict]}",
        f"  credentials: {credentials.state}{signed}{why}",
        f"  watermark: {heard}, score {found.watermark:.2f}",
    ]
    if credentials.actions:
        rows.insert(2, f"  actions: {', '.join(credentials.actions)}")
    return rows + [f"  {key}: {value}" for key, value in found.tags.items()]
