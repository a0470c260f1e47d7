"""The adaptive cloner as a synthesizer: people's own voices with nothing to download, over espeak-ng's speech."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from manifests.errors import InputError
from manifests.script import Speaker, Voice
from tasks.engines import espeak
from tasks.engines.protocols import Control, Voicing
from tasks.reference import Reference
from tasks.stage import Engine, Workbench

if TYPE_CHECKING:
    from voiceclone.engine import CloningEngine
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.saying import Said, Saying


class Adaptive:
    """Speaks in people's voices; whoever has none is spoken by espeak-ng."""

    name = "adaptive"
    code_licence = "Apache-2.0; speech source espeak-ng, GPL-3.0-or-later, in a process of its own"
    weights_licence = "trained here, of the person's own speech"
    cloner = "adaptive"
    obeys: frozenset[Control] = frozenset({"rate", "pitch", "pauses", "tone", "emphasis"})
    seeded = False
    sample_rate = 22_050

    def check(self, wanted: Voicing) -> None:
        if wanted.model or wanted.options:
            raise InputError(
                "the engine adaptive has no models and no options.", remedy="Write `engines: {synthesize: adaptive}`."
            )
        espeak.base_of(wanted.language)

    def identity(self, wanted: Voicing) -> Engine:
        from voiceclone.cloner.engine import AdaptiveCloner

        return Engine(self.name, f"{AdaptiveCloner.version} over espeak-ng {espeak.version()}")

    def languages(self, wanted: Voicing) -> tuple[str, ...]:
        return espeak.languages()

    def commercial(self, wanted: Voicing) -> bool:
        return True

    def third_party(self, wanted: Voicing) -> None:
        return None

    def cast(self, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
        return {}

    def speak(self, sayings: Sequence[Saying], voice: Voice, wanted: Voicing, *, cores: int) -> Iterator[Said | None]:
        raise InputError("the engine adaptive has no voice that belongs to nobody")

    def learn(
        self, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
    ) -> tuple[str, None]:
        """Trained from the enrolment once for a course, or from what the person says in the lesson."""
        from tasks import enrolled_voice, own_voice

        still = lambda: registry.renew(grant)  # noqa: E731  (learning takes a minute; what it made is not kept without)
        if reference.enrolment is not None:
            voices, enrolment = reference.enrolment
            return enrolled_voice.learned(voices, enrolment, wanted.language, bench, still), None
        heard = reference.clips()
        return own_voice.learned(reference.person, heard, reference.language or "", wanted.language, bench, still), None

    def speaker(
        self, voice: Voice, wanted: Voicing, registry: Registry, bench: Workbench
    ) -> CloningEngine[Saying, Said]:
        from voiceclone.cloner.engine import AdaptiveCloner
        from voiceclone.cloner.voice import TrainedVoice

        return AdaptiveCloner(registry, lambda person, language: TrainedVoice.load(bench.store.get(voice.name)))
