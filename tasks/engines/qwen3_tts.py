"""Qwen3-TTS: people's own voices in ten languages, from a few seconds of their speech; what it is, without loading it.

It obeys no rate (its output's pace follows neither a parameter nor the reference), so the stretch does; it draws, so
each take has a seed. The sample goes in as samples from the store, never as a path or an address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from manifests.engines import version
from manifests.errors import EngineUnavailable, InputError
from manifests.script import Speaker, Voice
from tasks.engines import models
from tasks.engines.models import Model
from tasks.engines.options import known_options
from tasks.engines.protocols import Control, Voicing
from tasks.reference import Reference
from tasks.stage import Engine, Workbench

if TYPE_CHECKING:
    from voiceclone.engine import CloningEngine
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.saying import Said, Saying

LANGUAGES: Final[Mapping[str, str]] = {
    "zh": "chinese",
    "en": "english",
    "ja": "japanese",
    "ko": "korean",
    "de": "german",
    "fr": "french",
    "ru": "russian",
    "pt": "portuguese",
    "es": "spanish",
    "it": "italian",
}
"""BCP-47 to what the model calls them."""

FILES: Final = (
    "config.json",
    "generation_config.json",
    "model.safetensors|model.safetensors.index.json",
    "preprocessor_config.json|tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "speech_tokenizer/config.json",
    "speech_tokenizer/model.safetensors",
    "speech_tokenizer/preprocessor_config.json",
)


def model(name: str, source: str = "", size: int = 0) -> Model:
    """One of the `Base` models. Without a source: an operator's own, of which only they know."""
    return Model(
        name,
        FILES,
        licence="Apache-2.0" if source else "the operator's to know",
        commercial=bool(source),
        source=source,
        size=size,
        languages=tuple(LANGUAGES),
        optional=("speech_tokenizer/configuration.json", "special_tokens_map.json", "added_tokens.json"),
    )


MODELS: Final = (
    model("Qwen3-TTS-12Hz-1.7B-Base", "Qwen/Qwen3-TTS-12Hz-1.7B-Base", 4_540_000_000),
    model("Qwen3-TTS-12Hz-0.6B-Base", "Qwen/Qwen3-TTS-12Hz-0.6B-Base", 2_520_000_000),
)
"""The engine's own choice first; the other is for small GPUs."""


class Qwen3Tts:
    """Speaks in people's voices; whoever has none is spoken by espeak-ng: the model has no voice but those it hears."""

    name = "qwen3-tts"
    code_licence = "Apache-2.0"
    weights_licence = "Apache-2.0"
    cloner = "qwen3-tts"
    obeys: frozenset[Control] = frozenset()
    seeded = True
    sample_rate = 24_000
    offers = MODELS
    accelerated = True

    def models(self, wanted: Voicing) -> tuple[Model, ...]:
        asked = wanted.model
        return (next((each for each in MODELS if each.name == asked), model(asked)) if asked else MODELS[0],)

    def check(self, wanted: Voicing) -> None:
        from importlib.util import find_spec

        from tasks import best_take

        known_options(wanted, "takes", "mode", "batch")
        best_take.number(wanted)
        if wanted.options.get("mode", "x-vector") not in ("x-vector", "in-context"):
            raise InputError(
                "`mode` of the engine qwen3-tts is x-vector or in-context; leave it out to have it chosen."
            )
        if wanted.language.split("-")[0] not in LANGUAGES:
            raise EngineUnavailable(
                f"the engine qwen3-tts does not speak {wanted.language}; it speaks {', '.join(LANGUAGES)}.",
                remedy="Choose another engine under `engines: {synthesize: …}`, such as espeak-ng.",
            )
        if find_spec("qwen_tts") is None:
            raise EngineUnavailable("the engine qwen3-tts needs the package qwen-tts.", remedy="Run `make setup`.")
        self.models(wanted)[0].folder()

    def identity(self, wanted: Voicing) -> Engine:
        return Engine(self.name, version("qwen-tts"), models.digest(self.models(wanted)[0].folder()))

    def languages(self, wanted: Voicing) -> tuple[str, ...]:
        return tuple(LANGUAGES)

    def commercial(self, wanted: Voicing) -> bool:
        return self.models(wanted)[0].commercial

    def third_party(self, wanted: Voicing) -> None:
        return None

    def cast(self, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
        return {}

    def speak(self, sayings: Sequence[Saying], voice: Voice, wanted: Voicing, *, cores: int) -> Iterator[Said | None]:
        raise InputError("the engine qwen3-tts has no voice that belongs to nobody")

    def learn(
        self, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
    ) -> tuple[str, str]:
        from tasks.engines.qwen3_modes import learned

        return learned(self, reference, wanted, grant, registry, bench)

    def speaker(
        self, voice: Voice, wanted: Voicing, registry: Registry, bench: Workbench
    ) -> CloningEngine[Saying, Said]:
        from tasks.engines.qwen3_speaker import Qwen3Speaker

        asked = wanted.options.get("batch")
        batch = None if asked is None else int(asked)
        return Qwen3Speaker(registry, bench, voice.name, self.folder(wanted), batch)

    def folder(self, wanted: Voicing) -> Path:
        """Where the model lies. Raises EngineUnavailable with the command that fetches it."""
        return self.models(wanted)[0].folder()
