"""The sentence that a person reads aloud to consent, with four words drawn for this one reading.

The sentence names nobody and no course: it points to the written agreement, which does. The drawn words prove that the
recording was made after they were; they are kept with the registry until the statement is in, or their time is over.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from manifests.errors import InputError
from voiceclone import private
from voiceclone.consent import ID, Identifier, Language, Part
from voiceclone.private import explained
from voiceclone.recognizers import recognizer_for

BODY = (
    "I am speaking now, and I agree that a computer makes a copy of my voice. "
    "The copy may speak in the languages and the courses that my written agreement names. "
    "I know that I can take this back at any time. The words of today are"
)
NONCE_WORDS = 4
DRAWN_FROM = (
    "airport", "banana", "bicycle", "captain", "chimney", "chocolate", "cinnamon", "crystal", "cucumber", "dragon",
    "elephant", "gallery", "garden", "glacier", "guitar", "harbor", "helmet", "horizon", "hospital", "hotel", "insect",
    "island", "jungle", "kangaroo", "lemonade", "library", "lizard", "lobster", "melody", "morning", "museum",
    "mushroom", "needle", "notebook", "onion", "pencil", "penguin", "picnic", "planet", "potato", "radio", "satellite",
    "skeleton", "stadium", "strawberry", "submarine", "theater", "tornado", "tractor", "triangle", "trumpet",
    "umbrella", "vacuum", "vinegar", "violin", "volcano", "wilderness", "window", "yogurt", "zebra",
)  # fmt: skip
"""Common words of the recognizer's dictionary, any two of which differ in four sounds or more."""

_FOLDER = ".challenges"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is read aloud in one language, before the drawn words."""

    template: str
    """Names this wording for good: a changed one gets another name."""
    body: str
    drawn_from: tuple[str, ...]


SENTENCES = {"en": Sentence("consent-en-1", BODY, DRAWN_FROM)}
"""By language. A further one needs a recognizer too (`voiceclone.recognizers`)."""


class Challenge(Part):
    """What one person is to read."""

    consent: Identifier
    language: Language = "en"
    person: Identifier
    nonce_words: tuple[str, ...]
    issued_at: AwareDatetime
    expires_at: AwareDatetime

    @property
    def sentence(self) -> Sentence:
        return sentence_in(self.language)

    @property
    def text(self) -> str:
        return f"{self.sentence.body} {', '.join(self.nonce_words)}."

    @property
    def text_sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def sentence_in(language: str) -> Sentence:
    """The sentence of a language. Raises EngineUnavailable where there is none that could be checked."""
    recognizer_for(language)
    return SENTENCES[language.split("-", maxsplit=1)[0]]


def issue(
    registry: Path, consent: str, person: str, *, now: datetime, valid: timedelta, language: str = "en"
) -> Challenge:
    """Draw the words and keep them; an earlier challenge for the same consent is void.

    Raises InputError for what cannot be an id, EngineUnavailable for a language in which nobody here could check it,
    RegistryError where the registry cannot be written.
    """
    words = sentence_in(language).drawn_from
    for name in (consent, person):
        if not ID.fullmatch(name):
            raise InputError(f"{name!r} cannot be an id.", remedy="Use letters, digits, `-` and `_`, at most 64.")
    drawn = tuple(secrets.SystemRandom().sample(words, NONCE_WORDS))
    made = Challenge(
        consent=consent, language=language, person=person, nonce_words=drawn, issued_at=now, expires_at=now + valid
    )
    path = _path(registry, consent)
    with explained("keep the sentence", path):
        private.make_folder(path.parent)
        private.replace(path, made.model_dump_json().encode())
    return made


def pending(registry: Path, consent: str) -> Challenge | None:
    """The challenge that was issued for a consent, be it in time or not; None where there is none that can be read."""
    try:
        return Challenge.model_validate_json(private.read(_path(registry, consent)))
    except (OSError, ValidationError):
        return None


def spend(registry: Path, consent: str) -> None:
    """A challenge serves once."""
    path = _path(registry, consent)
    with explained("delete the sentence", path):
        path.unlink(missing_ok=True)


def _path(registry: Path, consent: str) -> Path:
    if not ID.fullmatch(consent):
        raise InputError(f"{consent!r} cannot be the id of a consent.")
    return registry / _FOLDER / f"{consent}.json"
