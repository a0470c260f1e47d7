"""`dub verify`: what a media file says about itself, and one verdict."""

from __future__ import annotations

import sys
from pathlib import Path

from flows.answering import print_json
from voiceclone.inspection import Name, Verdict, inspect
from voiceclone.watermark import MARKED

MEANINGS: dict[Name, str] = {
    "authentic": "signed by somebody whom this machine trusts, and unaltered since",
    "unverified": "signed and unaltered since, but by somebody whom this machine does not know",
    "altered": "changed after it was signed",
    "marked": "its credentials are gone, and its speech carries the watermark of synthetic speech",
    "unmarked": "neither credentials nor watermark",
}


def show_verdict(file: Path, json_wanted: bool) -> None:
    """Print what a file says about itself. Raises MediaError for a missing or unreadable one."""
    found = inspect(file)
    if json_wanted:
        print_json(found.as_dict())
        return
    sys.stdout.write("".join(f"{row}\n" for row in _rows(file, found)))


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
