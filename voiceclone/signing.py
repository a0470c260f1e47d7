"""Signing a file with content credentials, in memory that does not grow with it.

c2pa-rs embeds credentials block by block in MP4, given hashes of parts; of a WAV it holds two copies in memory, of an
MP3 or FLAC one, and where it embeds nothing the Python binding keeps one. So a WAV gets its chunk here, and what lies
beside a file is signed over a hash that was taken here.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import io
import json
import os
import struct
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from manifests.errors import StageFailed
from manifests.store import file_sha256
from voiceclone import jumbf
from voiceclone.chain import Signer
from voiceclone.credentials import COMPOSITE, EMBEDDED, OFFLINE, OURS, Claim, embeds

LARGE = 64 << 20
"""Bytes from which a source is not read again for the sake of credentials of its own, but for MP4's."""

_MERKLE_KB = 8192
"""MP4's media data is hashed in parts of so many kilobytes: c2pa holds one or two of them at a time. (Unset, it holds
two of 256 MB.)"""

_IN_MEMORY_MB = 8
"""Megabytes of a file from which c2pa's copies of it lie on the disk, in `TMPDIR`. (Unset, two copies of up to 512 MB
lie in memory.)"""

_BLOCK = 1 << 20

_STORE = b"application/c2pa"


def sign(path: Path, suffix: str, claim: Claim, source: Path, signer: Signer) -> bytes | None:
    """Sign a file, whose kind is told by `suffix` whatever its name is.

    One that holds its credentials is replaced by its signed self in one step, or where it is hidden anyhow (WAV) gets
    them added; for another the content of its sidecar is returned. Raises StageFailed where it cannot be signed.
    """
    import c2pa

    signed = path.with_name(f".{path.name.lstrip('.')}.signed")
    # of several boxes of media data, which no file of ours has, c2pa-rs 0.91 does not find its own hashes again
    core = {"backing_store_memory_threshold_in_mb": _IN_MEMORY_MB}
    if jumbf.media_boxes(path) == 1:
        core["merkle_tree_chunk_size_in_kb"] = _MERKLE_KB
    build = {"bmff_hash_exclude_free_and_skip_boxes": False}
    context = c2pa.Context.from_dict(
        {"verify": {**OFFLINE, "verify_after_sign": False}, "core": core, "builder": build}
    )
    try:
        builder = c2pa.Builder(_manifest(claim, jumbf.first_box(path)), context=context)
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
        _from_source(builder, source)
        algorithm = getattr(c2pa.C2paSigningAlg, signer.algorithm)
        key = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, signer.chain, signer.key, None))
        if not embeds(path, suffix):
            return _detached(builder, key, path)
        if suffix == ".wav":
            with path.open("r+b") as wave:
                _into_wave(builder, key, wave)
                os.fsync(wave.fileno())
            return None
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


def _from_source(builder: Any, source: Path) -> None:
    """Name the source as what the file was made from, with the credentials that it has itself."""
    ingredient = {"title": "source", "relationship": "parentOf", "label": "source"}
    kind = EMBEDDED.get(source.suffix.lower(), "")
    readable = kind.startswith("video/") or source.stat().st_size < LARGE
    if kind and readable and jumbf.remains(source):
        with source.open("rb") as original:
            builder.add_ingredient(ingredient, kind, original)
    else:
        builder.add_ingredient(ingredient, "application/octet-stream", io.BytesIO(b"\0"))


def _detached(builder: Any, key: Any, path: Path) -> bytes:
    """The store that lies beside a file, over all its bytes."""
    place = _placeholder(builder, key)
    return _signed(builder, key, len(place), bytes.fromhex(file_sha256(path)))


def _into_wave(builder: Any, key: Any, wave: BinaryIO) -> None:
    """Add a chunk with the store at the end of a RIFF file (C2PA 2.2, A.3.6), signed over all its other bytes."""
    place = _placeholder(builder, key)
    start = wave.seek(0, os.SEEK_END)
    if start % 2:
        start += wave.write(b"\0")
    head, padding = b"C2PA" + struct.pack("<I", len(place)), b"\0" * (len(place) % 2)
    wave.write(head + place + padding)
    size = wave.tell() - 8
    wave.seek(4)
    wave.write(struct.pack("<I", size))
    wave.seek(0)
    digest, left = hashlib.sha256(), start
    while left and (block := wave.read(min(left, _BLOCK))):
        digest.update(block)
        left -= len(block)
    digest.update(padding)
    store = _signed(builder, key, len(place), digest.digest(), (start, len(head) + len(place)))
    wave.seek(start + len(head))
    wave.write(store)
    wave.flush()


_Bytes = ctypes.POINTER(ctypes.c_ubyte)


def _placeholder(builder: Any, key: Any) -> bytes:
    """As many bytes as the signed store will have."""
    call = _native("c2pa_builder_data_hashed_placeholder", ctypes.c_size_t, ctypes.c_char_p)
    out = _Bytes()
    return _taken(call(builder._handle, key.reserve_size(), _STORE, ctypes.byref(out)), out)


def _signed(builder: Any, key: Any, length: int, digest: bytes, without: tuple[int, int] | None = None) -> bytes:
    """The store over a file of which everything but the bytes `without` (start, length) has this SHA-256."""
    hashed = {
        "name": "jumbf manifest",
        "alg": "sha256",
        "hash": list(digest),
        "exclusions": [{"start": without[0], "length": without[1]}] if without else [],
        "pad": [],
    }
    call = _native(
        "c2pa_builder_sign_data_hashed_embeddable", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p
    )
    out = _Bytes()
    said = json.dumps(hashed).encode()
    store = _taken(call(builder._handle, key._handle, said, _STORE, None, ctypes.byref(out)), out)
    if len(store) != length:
        raise StageFailed(f"the credentials take {len(store)} bytes, not {length}.", remedy="Run again.")
    return store


def _native(name: str, *arguments: Any) -> Any:
    """A function of c2pa's library on a builder that its Python binding does not offer."""
    function: Any = getattr(_binding()._lib, name)
    function.argtypes = [ctypes.c_void_p, *arguments, ctypes.POINTER(_Bytes)]
    function.restype = ctypes.c_int64
    return function


def _taken(length: int, out: Any) -> bytes:
    """The bytes that a function of the library made; raises C2paError where it did not."""
    binding = _binding()
    if length < 0:
        binding._check_ffi_operation_result(None, "Error during signing")  # which raises what the library says
    try:
        return ctypes.string_at(out, length)
    finally:
        binding._lib.c2pa_free(out)


def _binding() -> Any:
    from c2pa import c2pa

    return c2pa


def _manifest(claim: Claim, first_box: bytes) -> dict[str, Any]:
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
    for language in claim.recorded:
        languages = {"sourceLanguage": claim.source_language, "targetLanguage": language}
        actions.append({"action": "c2pa.dubbed", "parameters": languages, "softwareAgent": agent})
    refused = {use: {"use": "notAllowed"} for use in ("cawg.ai_inference", "cawg.ai_generative_training")}
    # C2PA's own hash leaves the first box of an MP4 out
    head = {"first_box_sha256": hashlib.sha256(first_box).hexdigest()} if first_box else {}
    return {
        "claim_generator_info": [agent],
        "title": "dub" if claim.languages or claim.recorded else "copy",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": "cawg.training-mining", "data": {"entries": refused}},
            {
                "label": OURS,
                "data": {"source_sha256": claim.source_sha256, "consent_records_sha256": list(claim.consents), **head},
            },
        ],
    }
