"""pyannote's community pipeline, from a folder below `DUB_MODELS`; what it is, without importing it.

Voices are told apart by a WeSpeaker network, PLDA and VBx. Its words about who speaks where two do at once
(`exclusive`) are kept, for giving each word to one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from manifests.engines import version
from manifests.errors import InputError
from tasks.engines.listening_models import COMMUNITY
from tasks.engines.models import Model, digest, require
from tasks.engines.protocols import Floats, Heard, Listening
from tasks.stage import Engine

NAME: Final = "pyannote-community-1"


class Community:
    """Tells voices apart with weights that have to be pulled."""

    name = NAME
    stretch_s = 1800.0
    """Half an hour: what pyannote.audio holds at once grows with it, and an hour and more took 9.5 GB of a GPU."""
    same_voice = 0.5
    """Cosine of WeSpeaker embeddings; the threshold that its authors verify speakers by lies near it."""
    offers = (COMMUNITY,)
    accelerated = True

    def models(self, wanted: Listening) -> tuple[Model, ...]:
        """The one folder; another by the manifest's `model`, of the same kind. Raises InputError for options."""
        if wanted.options:
            raise InputError(
                f"the engine {NAME} has no options.", remedy=f"Write `engines: {{diarize: {NAME}}}`, or name a `model`."
            )
        if wanted.model is None or wanted.model == COMMUNITY.name:
            return (COMMUNITY,)
        return (Model(wanted.model, COMMUNITY.files, licence="the operator's to know", commercial=False),)

    def check(self, wanted: Listening) -> None:
        require(self.models(wanted))

    def identity(self, wanted: Listening) -> Engine:
        (model,) = self.models(wanted)
        return Engine(self.name, version("pyannote.audio"), digest(model.folder()))

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
        from tasks.engines.community_pyannote import hear

        (model,) = self.models(wanted)
        return hear(wave, model, least=least, most=most, cores=cores, tell=tell)
