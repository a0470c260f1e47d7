"""Content credentials (C2PA): a signed statement, in a file or beside it, of what was done to it and from what.

Signing is the last thing that happens to a file: whatever writes it anew leaves the statement behind. The statement
says nothing of persons, only the digests of the consents that were used. No time-stamp service is called.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from manifests.errors import StageFailed
from voiceclone.chain import Signer

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

SIDECAR = ".c2pa"
"""Added to the whole name of a file: `lesson.es.mkv.c2pa`."""

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a work of which a part was made by a trained model: real picture, synthetic speech."""


_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
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


def sign(path: Path, suffix: str, claim: Claim, source: Path, signer: Signer) -> bytes | None:
    """Sign a file, whose kind is told by `suffix` whatever its name is.

    One that holds its credentials is replaced by its signed self in one step; for another the content of its sidecar
    is returned. Read in blocks, whatever its size. Raises StageFailed where it cannot be signed.
    """
    import c2pa

    context = c2pa.Context.from_dict({"verify": {**_OFFLINE, "verify_after_sign": False}})
    signed = path.with_name(f".{path.name.lstrip('.')}.signed")
    try:
        builder = c2pa.Builder(_manifest(claim), context=context)
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        ingredient = {"title": "source", "relationship": "parentOf", "label": "source"}
        with source.open("rb") as original:
            kind = EMBEDDED.get(source.suffix.lower(), "application/octet-stream")
            builder.add_ingredient(ingredient, kind, original)
        algorithm = getattr(c2pa.C2paSigningAlg, signer.algorithm)
        key = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, signer.chain, signer.key, None))
        if suffix in BESIDE:
            builder.set_no_embed()
            with path.open("rb") as unsigned:
                return bytes(builder.sign(key, BESIDE[suffix], unsigned))
        with path.open("rb") as unsigned, signed.open("w+b") as out:
            builder.sign(key, EMBEDDED[suffix], unsigned, out)
            out.flush()
            os.fsync(out.fileno())
        signed.replace(path)
    except c2pa.C2paError as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(signed)) from error
        raise StageFailed(f"{path.name} could not be signed: {error}.", remedy="Run again.") from error
    finally:
        signed.unlink(missing_ok=True)
    return None


def read(path: Path, anchors: bytes) -> Credentials:
    """What the credentials of a file are, in it or beside it. `anchors` are the roots to believe, PEM.

    Raises OSError where the file cannot be read.
    """
    import c2pa

    suffix = path.suffix.lower()
    beside = sidecar(path)
    kind = BESIDE.get(suffix) if beside.exists() else EMBEDDED.get(suffix)
    if kind is None:
        return Credentials("none")
    manifest = beside.read_bytes() if suffix in BESIDE else None
    settings: dict[str, Any] = {"verify": _OFFLINE}
    if anchors:
        settings["trust"] = {"trust_anchors": anchors.decode()}
    try:
        context = c2pa.Context.from_dict(settings)
        with path.open("rb") as stream, c2pa.Reader(kind, stream, manifest, context=context) as reader:
            return _told(reader, manifest is not None)
    except c2pa.C2paError as error:
        if manifest is None and any(sign in str(error) for sign in _HOLDS_NONE):
            return Credentials("none")
        # there are some, and they cannot even be understood
        return Credentials("altered", faults=(str(error).split(":", maxsplit=1)[0],), beside=manifest is not None)


def _told(reader: Any, beside: bool) -> Credentials:
    results = reader.get_validation_results() or {}
    faults = tuple(fault["code"] for fault in results.get("activeManifest", {}).get("failure", ()))
    store = json.loads(reader.json())
    manifest = store["manifests"][store["active_manifest"]]
    signature = manifest.get("signature_info", {})
    actions = [
        action
        for assertion in manifest.get("assertions", ())
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    kinds = [action["digitalSourceType"] for action in actions if "digitalSourceType" in action]
    if reader.get_validation_state() == "Trusted":
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
        beside=beside,
    )


def _manifest(claim: Claim) -> dict[str, Any]:
    """The statement, as c2pa-python takes it (C2PA 2.2: 18.15 actions; CAWG 1.1: training and data mining)."""
    actions: list[dict[str, Any]] = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["source"]}}]
    agent = {"name": "dubflow", "version": version("dubflow")}
    for language in claim.languages:
        languages = {"sourceLanguage": claim.source_language, "targetLanguage": language}
        actions += [
            {
                "action": "c2pa.translated",
                "digitalSourceType": COMPOSITE,
                "parameters": languages,
                "softwareAgent": agent,
            },
            {
                "action": "c2pa.dubbed",
                "digitalSourceType": COMPOSITE,
                "description": claim.disclosure or "The speech of this language is synthetic.",
                "softwareAgent": agent,
            },
        ]
    refused = {use: {"use": "notAllowed"} for use in ("cawg.ai_inference", "cawg.ai_generative_training")}
    return {
        "claim_generator_info": [agent],
        "title": "dub" if claim.languages else "copy",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": "cawg.training-mining", "data": {"entries": refused}},
            {
                "label": "org.dubflow.dub",
                "data": {"source_sha256": claim.source_sha256, "consent_records_sha256": list(claim.consents)},
            },
        ],
    }
