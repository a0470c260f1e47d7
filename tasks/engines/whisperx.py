"""Whisper through whisperx and faster-whisper, with word times of a CTC aligner: what it is, without importing them.

Nothing here fetches anything: the models lie below `DUB_MODELS`, or the engine says which one is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from manifests.engines import version
from manifests.errors import EngineUnavailable, InputError
from manifests.script import Word
from manifests.spans import Span
from tasks.engines.listening_models import ALIGNERS, WHISPERS, aligner, whisper
from tasks.engines.models import Model, digest, require
from tasks.engines.protocols import Hearing
from tasks.stage import Engine

NAME: Final = "whisperx"

OPTIONS: Final = {"language": str, "hotwords": str, "aligner": str, "batch": int, "precision": str}
"""What the manifest may set, and as what. `language` is what Whisper is told, unchecked; `hotwords` are terms with
commas between; `aligner` is a folder; `batch` is how many stretches are heard at once."""


class WhisperX:
    """Any language that Whisper knows and for which there is an aligner."""

    name = NAME
    longest_s = 28.0
    """With the quiet that a chunk has at both ends, within the thirty seconds that Whisper hears."""
    writes = True
    offers = (*WHISPERS, *ALIGNERS)
    of_a_language = ("language", "hotwords", "aligner")
    accelerated = True

    def models(self, wanted: Hearing) -> tuple[Model, ...]:
        """Whisper, and the aligner of the language. Raises EngineUnavailable where none is known for it."""
        self._options(wanted)
        name = wanted.model or WHISPERS[0].name
        recognizer = next((model for model in WHISPERS if model.name == name), None) or whisper(name)
        return recognizer, self._aligner(wanted)

    def check(self, wanted: Hearing) -> None:
        recognizer, aligner = self.models(wanted)
        if recognizer.languages and _base(spoken_language(wanted)) not in recognizer.languages:
            raise EngineUnavailable(
                f"the model {recognizer.name} knows {', '.join(recognizer.languages)}, not {spoken_language(wanted)}.",
                remedy=f"Name another: `engines: {{transcribe: {{name: whisperx, model: {WHISPERS[0].name}}}}}`.",
            )
        require((recognizer, aligner))

    def identity(self, wanted: Hearing) -> Engine:
        digests = [digest(model.folder()) for model in self.models(wanted)]
        return Engine(self.name, version("whisperx"), "+".join(digests))

    def recognize(
        self, speech: Path, parts: Sequence[Span], wanted: Hearing, *, cores: int, tell: Callable[[float], None]
    ) -> tuple[Word, ...]:
        from tasks.engines.whisper_words import recognize

        recognizer, aligner = self.models(wanted)
        return recognize(speech, parts, wanted, recognizer, aligner, cores=cores, tell=tell)

    def align(
        self,
        speech: Path,
        parts: Sequence[tuple[Span, Sequence[str]]],
        wanted: Hearing,
        *,
        cores: int,
        tell: Callable[[float], None],
    ) -> tuple[tuple[Span, ...] | None, ...]:
        from tasks.engines.whisper_words import align

        return align(speech, parts, wanted, self._aligner(wanted), cores=cores, tell=tell)

    def _aligner(self, wanted: Hearing) -> Model:
        named = wanted.options.get("aligner")
        if named is not None:
            return next((model for model in ALIGNERS if model.name == named), None) or aligner(str(named))
        language = _base(spoken_language(wanted))
        found = next((model for model in ALIGNERS if language in model.languages), None)
        if found is None:
            known = sorted(tag for model in ALIGNERS for tag in model.languages)
            raise EngineUnavailable(
                f"no aligner is known for {spoken_language(wanted)!r}; there are those for {', '.join(known)}.",
                remedy="Put a wav2vec 2.0 CTC model of that language into a folder below DUB_MODELS and name it:"
                " `engines: {transcribe: {name: whisperx, options: {aligner: FOLDER}}}`.",
            )
        return found

    def _options(self, wanted: Hearing) -> None:
        """Raises InputError for an option that is none, or of another kind."""
        for name, value in wanted.options.items():
            kind = OPTIONS.get(name)
            if kind is None:
                raise InputError(
                    f"the engine {NAME} has no option `{name}`; it has {', '.join(OPTIONS)}.",
                    remedy="Take it out of `engines: {transcribe: …}`.",
                )
            if type(value) is not kind or (isinstance(value, int) and value < 1):
                raise InputError(
                    f"`{name}` of the engine {NAME} is {value!r}; it is {_KINDS[kind]}.",
                    remedy="Mend `engines: {transcribe: …}`.",
                )


_KINDS: Final[dict[Any, str]] = {str: "text", int: "a whole number from 1"}


def spoken_language(wanted: Hearing) -> str:
    """The BCP-47 tag that Whisper is told."""
    return str(wanted.options.get("language", wanted.language))


def hotwords(wanted: Hearing) -> str | None:
    """What Whisper is told to expect: the terms that the stage names, then the manifest's."""
    said = [*wanted.hotwords, *(term.strip() for term in str(wanted.options.get("hotwords", "")).split(","))]
    return ", ".join(dict.fromkeys(term for term in said if term)) or None


def _base(tag: str) -> str:
    return tag.lower().partition("-")[0]
