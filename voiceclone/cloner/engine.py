"""The adaptive cloner as an engine: a grant, a person's voice, and lines to say in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voiceclone.cloner.analysis import RATE
from voiceclone.cloner.speaking import speak
from voiceclone.cloner.speech_source import SpeechSource
from voiceclone.cloner.voice import TrainedVoice
from voiceclone.engine import CloningEngine
from voiceclone.registry import Registry
from voiceclone.saying import Said, Saying


class AdaptiveCloner(CloningEngine[Saying, Said]):
    """Speaks in voices that `voiceclone.cloner.training` made.

    `voices` gives the voice of a person for a target language; whose it asks for is the grant's say.
    """

    name = "adaptive"
    version = "3"
    sample_rate = RATE
    licence = "Apache-2.0; speech source espeak-ng, GPL-3.0-or-later, in a process of its own"

    def __init__(self, registry: Registry, voices: Callable[[str, str], TrainedVoice]) -> None:
        super().__init__(registry)
        self._voices = voices
        self._source = SpeechSource()

    def close(self) -> None:
        """End the speech source's process."""
        self._source.close()

    def languages(self) -> tuple[str, ...]:
        """The languages that can be spoken, as espeak-ng writes them. Raises EngineUnavailable where it is missing."""
        return self._source.languages()

    def _synthesize(self, person: str, language: str, batch: Sequence[Saying]) -> Sequence[Said]:
        voice = self._voices(person, language)
        return [self._said(voice, saying, language) for saying in batch]

    def _said(self, voice: TrainedVoice, saying: Saying, language: str) -> Said:
        audio, rate = speak(
            voice, saying.text, language, refinement=saying.refinement, rate=saying.rate, source=self._source
        )
        return Said(audio, rate, voice.digest)
