"""Who listens whether a statement says its sentence, chosen by the language of the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from manifests.errors import EngineUnavailable
from voiceclone import spoken
from voiceclone.spoken import Said
from voiceclone.voiceprint import Mono


class Recognizer(Protocol):
    """Compares speech with a sentence that ends in drawn words, and lets other words win where they were said."""

    @property
    def name(self) -> str:
        """Name and version, as a record keeps them."""
        ...

    def listen(self, speech: Mono, body: str, nonce: Sequence[str], drawn_from: Sequence[str]) -> Said:
        """Mono 16 kHz speech against the sentence's body and the words drawn for it, out of all that could have been.

        Raises EngineUnavailable where what it needs is missing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pocketsphinx:
    """English, with the model inside its package."""

    @property
    def name(self) -> str:
        return spoken.recognizer()

    def listen(self, speech: Mono, body: str, nonce: Sequence[str], drawn_from: Sequence[str]) -> Said:
        return spoken.listen(speech, body, nonce, drawn_from)


def recognizer_for(language: str) -> Recognizer:
    """Who understands a language (a BCP-47 tag). Raises EngineUnavailable, naming what is missing, where nobody does.

    A further language needs two things: a recognizer here, and its sentence in `voiceclone.challenge`.
    """
    if language.split("-", maxsplit=1)[0] == "en":
        return Pocketsphinx()
    raise EngineUnavailable(
        f"a spoken statement in {language} cannot be checked yet: the recognizer of this machine (pocketsphinx) "
        "understands English alone, and whisperx, which understands more, has no weights here.",
        remedy="Have the English sentence read (--language en), or rely on the written agreement.",
    )
