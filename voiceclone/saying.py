"""One line to say, and one line said: what goes into an engine that speaks and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voiceclone.cloner.refinement import Refinement


@dataclass(frozen=True, slots=True)
class Saying:
    """One line to say."""

    text: str
    """Words in `<em>…</em>` are said with emphasis, by engines that can."""
    refinement: Refinement = field(default_factory=Refinement)
    rate: float = 1.0
    """How much faster than normal, for engines that obey a rate."""
    seed: int = 0
    """Another seed is another take, of engines that draw; the same seed is the same take, whatever else is said."""
    line: str = ""
    """Which line it is, for messages."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One line, said."""

    audio: NDArray[np.float32]
    """Mono, within ±1; without a sound (or with one constant value) where the text has none in this voice."""
    rate: int
    digest: str = ""
    """Of the voice that spoke, where it is a trained one."""

    @property
    def silent(self) -> bool:
        return not self.audio.size or float(np.ptp(self.audio)) < 1e-4
