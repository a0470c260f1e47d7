"""What a media file says about itself: content credentials, watermark, container tags, and one verdict."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from manifests.errors import EngineUnavailable, MediaError
from voiceclone import chain, credentials
from voiceclone.credentials import Credentials
from voiceclone.listening import score_file
from voiceclone.watermark import MARKED

Name = Literal["authentic", "unverified", "altered", "marked", "unmarked"]

TECHNICAL = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "creation_time", "duration"})
"""Tags that say how a file was written, and nothing about it."""

_PROBE_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file says about itself."""

    verdict: Name
    credentials: Credentials
    watermark: float
    """Score, 0 to 1, of the audio track where it is highest."""
    tags: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """As `dub verify --json` prints it."""
        return {
            "verdict": self.verdict,
            "credentials": asdict(self.credentials),
            "watermark": {"score": self.watermark},
            "tags": self.tags,
        }


def inspect(path: Path) -> Verdict:
    """Look at a media file, and listen to it.

    Raises MediaError where there is no such file or it is no media file, EngineUnavailable where ffmpeg or the
    watermark is missing.
    """
    if not path.is_file():
        raise MediaError(f"{path} is not a file.", remedy="Name a media file.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty.", remedy="Copy it again, or name another one.")
    try:
        found = credentials.read(path, chain.anchors())
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}.", remedy="Look at its permissions.") from error
    try:
        facts = _probed(path)
        length = float(facts["format"].get("duration", 0) or 0)
        tracks = len(facts.get("streams", ()))
        score = max((score_file(path, track, duration_s=length) for track in range(tracks)), default=0.0)
    except MediaError:
        if found.state != "altered":
            raise
        facts, score = dict[str, Any](), 0.0  # altered so much that nobody can play it
    return Verdict(_verdict(found, score), found, score, _tags(facts))


def _verdict(found: Credentials, score: float) -> Name:
    match found.state:
        case "valid":
            return "authentic"
        case "untrusted":
            return "unverified"
        case "altered":
            return "altered"
        case "none":
            return "marked" if score >= MARKED else "unmarked"


def tags_of(path: Path) -> dict[str, str]:
    """A file's tags, by names in lower case. Raises MediaError and EngineUnavailable as `inspect` does."""
    return _tags(_probed(path))


def _tags(facts: dict[str, Any]) -> dict[str, str]:
    """The container's tags; those of its one stream where it keeps them there, as Ogg does."""
    tags = facts.get("format", {}).get("tags", {})
    streams = facts.get("streams", [])
    if not tags and len(streams) == 1:
        tags = streams[0].get("tags", {})
    return {key.lower(): value for key, value in tags.items() if key.lower() not in TECHNICAL}


def _probed(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "format=duration:format_tags"]
    command += ["-show_entries", "stream=index:stream_tags", "-of", "json", f"file:{path.absolute()}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PROBE_TIMEOUT_S,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError as error:
        raise EngineUnavailable("ffprobe is not installed.", remedy="Run `make setup`.") from error
    except subprocess.TimeoutExpired as error:
        raise MediaError(f"{path} could not be read within two minutes.", remedy="Copy it to this machine.") from error
    if done.returncode != 0:
        raise MediaError(f"{path} is not a media file that ffmpeg can read.", remedy="Name a media file.")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts
