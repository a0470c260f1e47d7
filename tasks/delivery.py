"""A finished file as it was delivered: where it lies, what is in it, and the files that lie beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.media import Media


@dataclass(frozen=True, slots=True)
class DeliveredStream:
    """One stream of a finished file, as a player lists it."""

    index: int
    kind: str
    codec: str
    language: str | None
    title: str | None
    channels: int
    default: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """A finished file."""

    path: str
    """Where it lies once it is released; until then it waits on the review shelf (`manifests.shelves`)."""
    sha256: str
    duration: int
    """Samples at 48 kHz."""
    streams: tuple[DeliveredStream, ...]
    subtitles: dict[str, str] = field(default_factory=dict[str, str])
    """Subtitle files beside it, by path, and their SHA-256."""
    credentials: dict[str, str] = field(default_factory=dict[str, str])
    """The file of its content credentials, by path, where they lie beside it, and its SHA-256."""
    notes: tuple[str, ...] = ()
    """What could not be kept, and what else is not as one might expect."""

    @property
    def files(self) -> dict[str, str]:
        """Every file and its SHA-256, the finished one last."""
        return {**self.subtitles, **self.credentials, self.path: self.sha256}


def streams_of(made: Media) -> tuple[DeliveredStream, ...]:
    """The streams of a finished file that was probed."""
    return tuple(
        DeliveredStream(
            stream.index,
            "cover" if stream.is_cover else stream.kind,
            stream.codec,
            stream.language,
            stream.title,
            stream.channels,
            "default" in stream.dispositions,
        )
        for stream in made.streams
    )


def placed(delivery: Delivery, out: Path | str) -> Delivery:
    """The delivery by the paths, or addresses, that it has in a folder: where it goes, or where it is made."""

    def there(files: Mapping[str, str]) -> dict[str, str]:
        return {f"{out}/{Path(path).name}": sha256 for path, sha256 in files.items()}

    return replace(
        delivery,
        path=f"{out}/{Path(delivery.path).name}",
        subtitles=there(delivery.subtitles),
        credentials=there(delivery.credentials),
    )
