"""Content credentials (C2PA): a signed statement, in a file or beside it, of what was done to it and from what.

Signing is the last thing that happens to a file: whatever writes it anew leaves the statement behind. The statement
says nothing of persons, only the digests of the consents that were used. No time-stamp service is called.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from manifests.errors import StageFailed
from voiceclone import jumbf

State = Literal["valid", "untrusted", "altered", "none"]

EMBEDDED: Mapping[str, str] = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".m4a": "audio/mp4",
    ".mov": "video/quicktime",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
}
"""Suffixes of files that hold their credentials, and their media types."""

BESIDE: Mapping[str, str] = {
    ".mkv": "video/x-matroska",
    ".mka": "audio/x-matroska",
    ".webm": "video/webm",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
}
"""Suffixes of files whose credentials lie in a file beside them."""

HELD: Final = frozenset({".mp3", ".flac"})
"""Suffixes of files that c2pa holds in memory while it signs or checks credentials in them."""

_LONGEST_HELD = 256 << 20
"""Bytes from which the credentials of such a file lie beside it."""

_LONGEST_RIFF = (1 << 32) - (1 << 20)
"""Bytes that a RIFF file can have, less room for its credentials."""

_APART = 64 << 20
"""Bytes from which a file is read by a process of its own."""

_ANY = "application/octet-stream"
"""The media type of what c2pa takes as mere bytes."""

_EMBEDDABLE = frozenset(EMBEDDED.values())

OURS: Final = "org.dubflow.dub"
"""Label of the assertion that only we make."""

SIDECAR = ".c2pa"
"""Added to the whole name of a file: `lesson.es.mkv.c2pa`."""

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a work of which a part was made by a trained model: real picture, synthetic speech."""


OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
"""A file that names an address for its credentials must not make us call it."""


_HOLDS_NONE = ("ManifestNotFound:", "NotSupported:", "Io:", "asset could not be parsed")
"""How c2pa says that a file holds no credentials, or is none of the files that could."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is stated of a finished file."""

    source_language: str
    languages: tuple[str, ...]
    """Those of the synthetic speech in it; none where it has none."""
    source_sha256: str
    consents: tuple[str, ...] = ()
    """SHA-256 of the consent records whose voices speak."""
    disclosure: str = ""
    """The sentence that says so to people."""
    recorded: tuple[str, ...] = ()
    """Languages of dubs that people speak, recorded; nothing in them is synthetic."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a file's credentials turn out to be."""

    state: State
    """`untrusted`: unaltered, but signed by somebody whom this machine has no reason to believe."""
    signer: str | None = None
    """Organization and name in the signer's certificate."""
    actions: tuple[str, ...] = ()
    digital_source_type: str | None = None
    faults: tuple[str, ...] = ()
    """What failed, in C2PA's codes."""
    beside: bool = False
    """They lie in a file beside it."""


def sidecar(path: Path) -> Path:
    """Where the credentials of a file that cannot hold them lie."""
    return path.with_name(path.name + SIDECAR)


def embeds(path: Path, suffix: str) -> bool:
    """Whether a file will hold its credentials: its kind can, and it is not so long that c2pa would fill the memory."""
    size = path.stat().st_size
    if suffix == ".wav":
        with path.open("rb") as stream:
            return stream.read(4) == b"RIFF" and size < _LONGEST_RIFF
    return suffix in EMBEDDED and (suffix not in HELD or size < _LONGEST_HELD)


def read(path: Path, anchors: bytes) -> Credentials:
    """What the credentials of a file are, in it or beside it. `anchors` are the roots to believe, PEM.

    A long file is read by a process of its own, which takes up to 700 MB for a moment: c2pa hashes what is not an MP4
    in two blocks of 256 MB. Raises OSError where the file cannot be read, StageFailed where that process dies.
    """
    if path.stat().st_size < _APART:
        return read_here(path, anchors)
    job = json.dumps({"path": str(path.absolute()), "anchors": anchors.decode()})
    limit = 120 + path.stat().st_size / 10e6
    command = [sys.executable, "-m", "voiceclone.credentials"]
    try:
        done = subprocess.run(command, input=job, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise StageFailed(
            f"the credentials of {path.name} were not read after {limit:.0f} s.", remedy="Copy it to a faster disk."
        ) from error
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise StageFailed(f"the credentials of {path.name} could not be read: {why}.", remedy="Free some memory.")
    facts = json.loads(done.stdout)
    return Credentials(**facts | {name: tuple(facts[name]) for name in ("actions", "faults")})


def read_here(path: Path, anchors: bytes) -> Credentials:
    """As `read`, in this process."""
    kind, beside = _kind(path), sidecar(path)
    found = _checked(path, kind, None, anchors) if kind in _EMBEDDABLE else Credentials("none")
    if found.state == "none" and beside.is_file():
        return _checked(path, _ANY, beside.read_bytes(), anchors)
    if found.state == "none" and jumbf.remains(path):
        return Credentials("altered", faults=("asset.unreadable",))  # C2PA found none: what holds them is broken
    return found


def _kind(path: Path) -> str:
    """The media type of a file by its first bytes, whatever it is called; where they say nothing, by its suffix."""
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:3] == b"ID3":
            size = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
            stream.seek(10 + size)
            return EMBEDDED[".flac"] if stream.read(4) == b"fLaC" else EMBEDDED[".mp3"]
    if head[4:8] == b"ftyp":
        return EMBEDDED[".mp4"]
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return EMBEDDED[".wav"]
    if head[:4] == b"fLaC":
        return EMBEDDED[".flac"]
    return EMBEDDED.get(path.suffix.lower(), _ANY)


def _checked(path: Path, kind: str, beside: bytes | None, anchors: bytes) -> Credentials:
    import c2pa

    settings: dict[str, Any] = {"verify": OFFLINE}
    if anchors:
        settings["trust"] = {"trust_anchors": anchors.decode()}
    try:
        context = c2pa.Context.from_dict(settings)
        with path.open("rb") as stream, c2pa.Reader(kind, stream, beside, context=context) as reader:
            return _told(reader, path, beside)
    except c2pa.C2paError as error:
        if beside is None and any(sign in str(error) for sign in _HOLDS_NONE):
            return Credentials("none")
        # there are some, and they cannot even be understood
        return Credentials("altered", faults=(str(error).split(":", maxsplit=1)[0],), beside=beside is not None)


def _told(reader: Any, path: Path, beside: bytes | None) -> Credentials:
    results = reader.get_validation_results() or {}
    faults = tuple(fault["code"] for fault in results.get("activeManifest", {}).get("failure", ()))
    store = json.loads(reader.json())
    manifest = store.get("manifests", {}).get(store.get("active_manifest"))
    if manifest is None:  # a statement that cannot be decoded is left out
        return Credentials("altered", faults=faults or ("claim.malformed",), beside=beside is not None)
    signature = manifest.get("signature_info", {})
    assertions = manifest.get("assertions", ())
    actions = [
        action
        for assertion in assertions
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    kinds = [action["digitalSourceType"] for action in actions if "digitalSourceType" in action]
    ours = next((assertion["data"] for assertion in assertions if assertion["label"] == OURS), None)
    if ours is not None and not _as_signed(ours, path, beside):
        faults = (*faults, "asset.framing")
    if reader.get_validation_state() == "Trusted" and not faults:
        state: State = "valid"
    elif all(fault.startswith("signingCredential.") for fault in faults):
        state = "untrusted"  # by whom it is signed is in doubt, or since when; what is signed is not
    else:
        state = "altered"
    names = (signature.get("issuer"), signature.get("common_name"))
    return Credentials(
        state=state,
        signer=", ".join(name for name in names if name) or None,
        actions=tuple(action["action"] for action in actions),
        digital_source_type=kinds[-1] if kinds else None,
        faults=faults,
        beside=beside is not None,
    )


def _as_signed(ours: dict[str, Any], path: Path, beside: bytes | None) -> bool:
    """Whether what C2PA's signature does not cover of a file of ours is as we wrote it."""
    store = jumbf.store_in(path) if beside is None else beside
    if store is None or not jumbf.as_we_write_it(store):
        return False
    first = jumbf.first_box(path)
    return not first or ours.get("first_box_sha256") == hashlib.sha256(first).hexdigest()


if __name__ == "__main__":
    told = json.load(sys.stdin)
    sys.stdout.write(json.dumps(asdict(read_here(Path(told["path"]), told["anchors"].encode()))))
