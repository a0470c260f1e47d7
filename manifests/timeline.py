"""Takes and where they are placed."""

from __future__ import annotations

from dataclasses import dataclass, field

from manifests.holds import Holds
from manifests.script import Voice
from manifests.spans import Span


@dataclass(frozen=True, slots=True)
class Take:
    """One audio rendering of one line: a mono 48 kHz FLAC or WAV file in the store."""

    line: str
    audio: str
    """Name of the store object (`Ref.name`) that holds the sound."""
    length: int
    """Samples at 48 kHz as handed to placement: engine rate applied, pauses edited, silence at both ends trimmed."""
    default_length: int
    """Samples the same text lasts at the engine's normal rate."""
    engine_rate: float
    """How much shorter the engine itself said it, 1.0 = normal; pauses that were edited after it do not count. A
    listener hears this as speed just like a stretch."""
    voice: Voice
    energy: float = 0.0
    """dB by which the line is to be louder than its source. Takes are all at one level."""
    choice: str | None = None
    """Why this take, where there were several to choose from."""
    beyond: tuple[str, ...] = ()
    """What the manifest asks of the line and its voice cannot do, such as a `tone` of a stock voice."""

    @property
    def spoken_length(self) -> int:
        """Samples at the engine's normal rate less what its pauses were shortened by: over the placed length, this is
        the speed that a listener hears."""
        length = round(self.length * self.engine_rate)
        return self.default_length if abs(length - self.default_length) <= 1 else length


@dataclass(frozen=True, slots=True)
class Takes:
    language: str
    takes: tuple[Take, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how fast a take is played. `span.length * rate == take.length` within a sample: nothing is cut."""

    line: str
    span: Span
    rate: float
    flags: tuple[str, ...] = ()
    anchor: int | None = None
    """When the picture changed shortly before the source said this, in samples; the line never starts before it."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A line that cannot be spoken without overlap, uncut, within the hard cap."""

    line: str
    lacks_s: float
    """Seconds of room the line lacks at the hard cap."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """All placements of a target in order of start."""

    language: str
    length: int
    """Samples of the whole programme."""
    placements: tuple[Placement, ...]
    unplaced: tuple[Unplaced, ...] = ()
    holds: Holds = field(default_factory=Holds)
    """Where still frames are held; every other time here is one of the finished file, which is that much longer."""
    remarks: tuple[str, ...] = ()
    """What a reader of the record should know."""
