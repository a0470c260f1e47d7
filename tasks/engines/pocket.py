"""pocket-tts: neural voices on the processor, people's own and some that belong to nobody; what it is, unloaded.

The weights that take a person's sample are gated, and the library goes on without them and says nothing; here it is
refused. It obeys no rate, it draws (each take has a seed), and it says one line at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from manifests.engines import version
from manifests.errors import EngineUnavailable
from manifests.script import Speaker, Voice
from tasks.engines import models
from tasks.engines.models import Model
from tasks.engines.options import known_options
from tasks.engines.protocols import Control, Voicing
from tasks.reference import Reference
from tasks.stage import Engine, Workbench, digest

if TYPE_CHECKING:
    from voiceclone.engine import CloningEngine
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.saying import Said, Saying

LANGUAGES: Final[Mapping[str, str]] = {
    "en": "english",
    "fr": "french",
    "de": "german",
    "pt": "portuguese",
    "it": "italian",
    "es": "spanish",
    "nl": "dutch",
}
LOW: Final = ("charles", "paul", "george", "michael")
HIGH: Final = ("anna", "vera", "mary", "jane")
"""Voices of readers who gave theirs to everybody (VCTK); the library's own names."""


def weights(language: str) -> Model:
    """What speaks in a language, and takes a person's sample."""
    return Model(
        f"pocket-tts-{language}",
        (f"languages/{language}/model.safetensors",),
        licence="CC-BY-4.0",
        commercial=True,
        source="kyutai/pocket-tts",
        size=420_000_000,
        terms="https://huggingface.co/kyutai/pocket-tts",
        languages=tuple(tag for tag, name in LANGUAGES.items() if name == language),
        optional=("config.yaml",),
    )


def voices(language: str) -> Model:
    """What splits a language's text, and its voices that belong to nobody."""
    return Model(
        f"pocket-tts-{language}-voices",
        (
            f"languages/{language}/tokenizer.json",
            *(f"languages/{language}/embeddings/{name}.safetensors" for name in (*LOW, *HIGH)),
        ),
        licence="CC-BY-4.0",
        commercial=True,
        source="kyutai/pocket-tts-without-voice-cloning",
        size=30_000_000,
        languages=tuple(tag for tag, name in LANGUAGES.items() if name == language),
    )


class PocketTts:
    """Speaks on the processor, faster than real time, in seven languages."""

    name = "pocket-tts"
    code_licence = "MIT"
    weights_licence = "CC-BY-4.0"
    cloner = "pocket-tts"
    obeys: frozenset[Control] = frozenset()
    seeded = True
    sample_rate = 24_000
    offers = tuple(model for name in LANGUAGES.values() for model in (weights(name), voices(name)))
    accelerated = False

    def models(self, wanted: Voicing) -> tuple[Model, ...]:
        language = LANGUAGES.get(wanted.language.split("-")[0])
        if language is None:
            raise EngineUnavailable(
                f"the engine pocket-tts does not speak {wanted.language}; it speaks {', '.join(LANGUAGES)}.",
                remedy="Choose another engine under `engines: {synthesize: …}`, such as espeak-ng.",
            )
        return weights(language), voices(language)

    def check(self, wanted: Voicing) -> None:
        from importlib.util import find_spec

        from tasks import best_take

        known_options(wanted, best_take.OPTION)
        best_take.number(wanted)
        needed = self.models(wanted)
        if find_spec("pocket_tts") is None:
            raise EngineUnavailable("the engine pocket-tts needs the package pocket-tts.", remedy="Run `make setup`.")
        for model in needed:
            model.folder()

    def identity(self, wanted: Voicing) -> Engine:
        folders = [model.folder() for model in self.models(wanted)]
        return Engine(self.name, version("pocket-tts"), digest([models.digest(folder) for folder in folders]))

    def languages(self, wanted: Voicing) -> tuple[str, ...]:
        return tuple(LANGUAGES)

    def commercial(self, wanted: Voicing) -> bool:
        return True

    def third_party(self, wanted: Voicing) -> None:
        return None

    def cast(self, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
        """Low voices for low speakers, another one for each as far as they go."""
        from tasks.engines.espeak import BETWEEN_HZ

        out: dict[str, Voice] = {}
        used = {True: 0, False: 0}
        for speaker in speakers:
            low = (speaker.pitch_hz or 0) < BETWEEN_HZ
            names = LOW if low else HIGH
            name = names[used[low] % len(names)]
            used[low] += 1
            out[speaker.label] = Voice("stock", self.name, name, reason=reasons[speaker.label] or None)
        return out

    def speak(self, sayings: Sequence[Saying], voice: Voice, wanted: Voicing, *, cores: int) -> Iterator[Said | None]:
        from tasks.engines.pocket_speaker import said_by_nobody

        yield from said_by_nobody(sayings, voice.name, self.models(wanted), LANGUAGES[wanted.language.split("-")[0]])

    def learn(
        self, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
    ) -> tuple[str, None]:
        from tasks.engines.learned import kept, sampled

        return kept([sampled(reference, with_text=False)], reference, bench)[0], None

    def speaker(
        self, voice: Voice, wanted: Voicing, registry: Registry, bench: Workbench
    ) -> CloningEngine[Saying, Said]:
        from tasks.engines.pocket_speaker import PocketSpeaker

        language = LANGUAGES[wanted.language.split("-")[0]]
        return PocketSpeaker(registry, bench.store.get(voice.name), self.models(wanted), language)
