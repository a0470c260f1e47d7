"""The embedded diarizer: pyannote.audio on checkpoints inside installed packages; what it is, without importing it."""

from __future__ import annotations

from collections.abc import Callable

from manifests.checkpoints import SEGMENTATION, SPEECH_DETECTOR, VOICE_ENCODER, weights_sha256
from manifests.engines import version
from manifests.errors import InputError
from tasks.engines.protocols import Floats, Heard, Listening
from tasks.stage import Engine

CHECKPOINTS = (SEGMENTATION, VOICE_ENCODER, SPEECH_DETECTOR)


class EmbeddedPyannote:
    """Tells voices apart with nothing to download."""

    name = "pyannote"
    stretch_s = 600.0
    same_voice = 0.775
    """Measured on 18 voices: halves of one person's clean speech 0.88 to 0.99, parts of one noisy speech down to 0.78;
    two people's 0.5 to 0.82. The two ranges meet: alike voices can be made one, and one noisy voice can be made two.
    """

    def check(self, wanted: Listening) -> None:
        if wanted.model or wanted.options:
            raise InputError(
                "the engine pyannote has one model and no options.", remedy="Write `engines: {diarize: pyannote}`."
            )
        weights_sha256(*CHECKPOINTS)

    def identity(self, wanted: Listening) -> Engine:
        return Engine(
            self.name, version("pyannote.audio"), weights_sha256(SEGMENTATION, VOICE_ENCODER, SPEECH_DETECTOR)
        )

    def hear(
        self,
        wave: Floats,
        wanted: Listening,
        *,
        least: int | None,
        most: int | None,
        cores: int,
        tell: Callable[[float], None],
    ) -> Heard:
        from tasks.engines.embedded_pyannote import hear

        return hear(wave, least=least, most=most, cores=cores, tell=tell)
