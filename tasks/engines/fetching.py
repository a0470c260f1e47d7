"""Fetching models: the only place that goes out, and only when `dub models pull` asks.

From a repository of the Hugging Face hub (`HF_ENDPOINT` names a mirror, `HF_TOKEN` holds a token), or a file or an
archive at an https address. What broke off goes on where it stopped; what arrived is compared with the checksums that
the hub publishes, and noted in the model's folder for `dub models verify`. A folder can be copied to a machine that is
offline.
"""

# huggingface_hub and requests are typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from manifests.errors import EngineUnavailable, StoreError
from tasks.engines.archive import BadArchive, unpack
from tasks.engines.models import Model, contents, sha256_of

RECEIPT: Final = ".dubflow.json"
TRIES: Final = 3
TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was fetched, and from where."""

    source: str
    revision: str
    files: Mapping[str, str]
    """SHA-256 by name."""


def pull(model: Model, folder: Path) -> Receipt:
    """Bring a model's folder up to its source; what is there and right is not fetched again.

    Raises EngineUnavailable where the source cannot be had (offline, gated, gone, broken on the way), with what to do
    next, and StoreError where the disk is full or cannot be written.
    """
    if not model.source:
        raise EngineUnavailable(
            f"dubflow does not know where {model.name} comes from.", remedy=f"Copy its files into {folder}."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _room(model, folder)
        revision = _address(model, folder) if model.source.startswith("https://") else _repository(model, folder)
        if lacking := model.lacking(folder):
            raise EngineUnavailable(f"{model.source} has no {', '.join(lacking)}.", remedy="Choose another model.")
        receipt = Receipt(model.source, revision, {name: sha256_of(folder / name) for name in contents(folder)})
        draft = folder / f"{RECEIPT}.part"
        draft.write_text(json.dumps(asdict(receipt), indent=1) + "\n", encoding="utf-8")
        draft.replace(folder / RECEIPT)
    except OSError as error:
        if _is_transfer(error):
            _unreachable(model, error)
        raise StoreError(
            f"{model.name} cannot be written to {folder}: {error.strerror or error}.",
            remedy=f"Mend that, then dub models pull {model.name}",
        ) from error
    return receipt


def faults(model: Model, folder: Path) -> tuple[str, ...]:
    """What is wrong with a model's folder: files that are missing, changed or broken; empty where nothing is.

    Where nobody noted checksums, such as in a folder of an operator's own, only what must be there is looked for.
    """
    found = [f"{name.replace('|', ' or ')} is missing" for name in model.lacking(folder)]
    receipt = read_receipt(folder)
    for name, sha256 in receipt.files.items() if receipt else ():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif sha256_of(path) != sha256:
            found.append(f"{name} is not what was fetched")
    return tuple(dict.fromkeys(found))


def read_receipt(folder: Path) -> Receipt | None:
    """What was noted when a folder was fetched; None where nothing was, or nothing that can be understood."""
    try:
        said = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
        return Receipt(str(said["source"]), str(said["revision"]), {str(a): str(b) for a, b in said["files"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _room(model: Model, folder: Path) -> None:
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if free < model.size - there:
        raise StoreError(
            f"{model.name} takes {model.size / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB left.",
            remedy="Free some, or set DUB_MODELS to a folder elsewhere.",
        )


def _repository(model: Model, folder: Path) -> str:
    """Fetch from the hub; the commit that was fetched."""
    # The libraries look once, when they are loaded; nothing else in this process needs them to stay offline.
    os.environ["HF_HUB_OFFLINE"] = "0"
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # plain HTTP is what can go on where it stopped
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", str(TIMEOUT_S))
    import requests
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    for attempt in range(1, TRIES + 1):
        try:
            info: Any = HfApi().model_info(model.source, revision=model.revision, files_metadata=True)
            listed = {str(sibling.rfilename): sibling for sibling in info.siblings or ()}
            names = _names(model, listed)
            snapshot_download(
                model.source, revision=info.sha, local_dir=folder, allow_patterns=list(names), max_workers=2
            )
            _compare(model, folder, {name: listed[name] for name in names})
        except HfHubHTTPError as error:
            if attempt == TRIES or (error.response is not None and error.response.status_code < 500):
                _refused(model, error)
        except requests.RequestException as error:
            if attempt == TRIES:
                _unreachable(model, error)
        else:
            return str(info.sha)
        time.sleep(attempt)
    raise AssertionError("the last attempt returns or raises")


def _names(model: Model, listed: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that are fetched: what must be there, in the first form that the source has, and what may."""
    needed = (next((name for name in file.split("|") if name in listed), None) for file in model.files)
    return tuple(name for name in (*needed, *model.optional) if name is not None and name in listed)


def _compare(model: Model, folder: Path, listed: Mapping[str, Any]) -> None:
    """Raises EngineUnavailable where what arrived is not what the hub says it has; that file is taken away."""
    for name, facts in listed.items():
        path = folder / name
        large = facts.lfs
        right = sha256_of(path) == large.sha256 if large else _blob(path) == facts.blob_id
        if not right:
            path.unlink()
            raise EngineUnavailable(
                f"{name} of {model.source} did not arrive as its checksum says.", remedy=f"dub models pull {model.name}"
            )


def _blob(path: Path) -> str:
    """Git's name of a file's content, which the hub publishes of small files."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _address(model: Model, folder: Path) -> str:
    """Fetch one of the model's files, or a zip archive of them that is unpacked without its outermost folder; the
    SHA-256 of what was fetched."""
    import requests

    part = folder / ".archive.part"
    for attempt in range(1, TRIES + 1):
        have = part.stat().st_size if part.exists() else 0
        try:
            with requests.get(
                model.source, headers={"Range": f"bytes={have}-"} if have else {}, stream=True, timeout=TIMEOUT_S
            ) as answer:
                if answer.status_code != 416:  # that is: everything is there already
                    answer.raise_for_status()
                    if answer.headers.get("content-type", "").startswith("text/html"):
                        raise EngineUnavailable(
                            f"{model.source} answered with a page, not with the model.",
                            remedy=f"Where a proxy asks you to sign in, do; then dub models pull {model.name}",
                        )
                    with part.open("ab" if answer.status_code == 206 else "wb") as out:
                        for block in answer.iter_content(1 << 16):
                            out.write(block)
            break
        except requests.RequestException as error:
            if attempt == TRIES or isinstance(error, requests.HTTPError):
                _unreachable(model, error)
        time.sleep(attempt)
    sha256 = sha256_of(part)
    name = model.source.rpartition("/")[2]
    if any(name in file.split("|") for file in model.files):
        part.replace(folder / name)
        return sha256
    try:
        unpack(part, folder)
    except BadArchive as error:
        part.unlink()
        raise EngineUnavailable(
            f"{model.source} is no archive, or did not arrive whole.", remedy=f"dub models pull {model.name}"
        ) from error
    part.unlink()
    return sha256


def _refused(model: Model, error: Any) -> NoReturn:
    """What the hub's refusal means: terms to accept, no token, a wrong one, nothing there."""
    status = error.response.status_code if error.response is not None else 0
    given = "HF_TOKEN is set, but its owner" if os.environ.get("HF_TOKEN") else "HF_TOKEN holds no token, and nobody"
    if status in (401, 403) and model.terms:
        raise EngineUnavailable(
            f"{model.source} is given only to who has accepted its terms: {given} has.",
            remedy=f"Accept them at {model.terms}, make a token with read access, put it into HF_TOKEN;"
            f" then dub models pull {model.name}",
        ) from error
    if status in (401, 403, 404):
        raise EngineUnavailable(
            f"the hub has no {model.source} at {model.revision}, or does not show it to you (HTTP {status}).",
            remedy="Where it is private or gated, put a token that may read it into HF_TOKEN.",
        ) from error
    _unreachable(model, error)


def _unreachable(model: Model, error: BaseException) -> NoReturn:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    raise EngineUnavailable(
        f"{model.name} could not be fetched from {model.source}: {said}.",
        remedy=f"dub models pull {model.name} goes on where it stopped; or copy the folder from another machine.",
    ) from error


def _is_transfer(error: OSError) -> bool:
    """Whether it came from the network: requests' errors are OSErrors too."""
    return type(error).__module__.partition(".")[0] in {"requests", "urllib3", "huggingface_hub"}
