"""The speaker encoders that this machine has, behind one protocol.

GE2E (`voiceclone.voiceprint`) is always there: its weights come with an installed package. WeSpeaker's ResNet34 is used
too where its checkpoint lies in `DUB_MODELS`. A package adds another one with an entry point of the group
`dubflow.speaker_encoders`: a function without arguments that gives a `SpeakerEncoder`, or None where its weights are
not on this machine. Where several are installed all must agree (`voiceclone.statement`): one encoder is easier to
deceive, and each hears the channel in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable
from manifests.settings import EncoderLimits
from voiceclone import voiceprint
from voiceclone.voiceprint import Mono

GROUP = "dubflow.speaker_encoders"


@runtime_checkable
class SpeakerEncoder(Protocol):
    """Turns speech into vectors of which one person's point the same way."""

    @property
    def name(self) -> str:
        """Stands in records, and in the settings that change its limits."""
        ...

    @property
    def weights_sha256(self) -> str: ...

    @property
    def limits(self) -> EncoderLimits:
        """Cosines from which two recordings are one voice, and below which they are two, without other voices to
        compare with; measured for this encoder."""
        ...

    def prints(self, stretches: Sequence[Mono]) -> NDArray[np.float32]:
        """(stretches, dimension), each row of length 1, for stretches of at least a second, mono at 16 kHz."""
        ...


class Ge2e:
    """The encoder that is always there."""

    name = "ge2e-resemblyzer"
    limits = EncoderLimits(match=0.86, review=0.70)
    """Measured by `benchmarks/statements.py` on 9 voices: two people 0.78 at most, in 95 of 100 below 0.67; one person
    0.86 or more in 97 of 100, through another microphone from 0.77 on, but 0.62 to 0.74 in a room that rings. The room
    between is wide, because the channel weighs on this encoder."""

    @property
    def weights_sha256(self) -> str:
        return voiceprint.weights_sha256()

    def prints(self, stretches: Sequence[Mono]) -> NDArray[np.float32]:
        return voiceprint.prints_of(stretches)


def installed() -> tuple[SpeakerEncoder, ...]:
    """Every encoder of this machine, GE2E first, the others by name.

    Raises EngineUnavailable where one is installed and cannot be used: that it is silent must not look like a yes.
    """
    from voiceclone import wespeaker

    found: list[SpeakerEncoder | None] = [Ge2e(), wespeaker.installed()]
    found += [_loaded(entry.name, entry.load()) for entry in sorted(entry_points(group=GROUP))]
    encoders = {encoder.name: encoder for encoder in reversed(found) if encoder is not None}  # ours keep their names
    return tuple(sorted(encoders.values(), key=lambda encoder: (encoder.name != Ge2e.name, encoder.name)))


def _loaded(name: str, make: Callable[[], object]) -> SpeakerEncoder | None:
    made = make()
    if made is not None and not isinstance(made, SpeakerEncoder):
        raise EngineUnavailable(
            f"the speaker encoder {name} is none that this version can use.",
            remedy="Update the package that brings it, or remove it.",
        )
    return made
