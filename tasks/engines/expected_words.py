"""Whether English sound says what it should: known words, heard by pocketsphinx against others that may win.

Dictation of a synthetic voice tells little: of espeak-ng's it gets one word in four. Against the thousand commonest
words (`voiceclone.spoken`) it gets 86 % of a text that is said, and 4 % of one that is not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from manifests.spans import Span
from tasks.engines import pocketsphinx
from tasks.engines.pronunciation import phones
from voiceclone import spoken


def read(
    speech: Path,
    parts: Sequence[tuple[Span, Sequence[str]]],
    *,
    cores: int,
    tell: Callable[[float], None] = lambda share: None,
) -> tuple[tuple[str, ...], ...]:
    """The words that are heard in stretches of a mono 16 kHz WAV file, of each of which its words are expected.

    Words are in lower case; a stretch of which none is expected has none. Raises StageFailed as
    `pocketsphinx.recognize`.
    """
    pronunciations = phones(pocketsphinx.unknown(word for _, words in parts for word in words))
    asked = [
        (str(speech), span, tuple(words), {word: pronunciations[word] for word in words if word in pronunciations})
        for span, words in parts
        if words
    ]
    heard = iter(pocketsphinx.each(_heard, asked, cores, tell))
    return tuple(next(heard) if words else () for _, words in parts)


def _heard(speech: str, span: Span, words: tuple[str, ...], pronunciations: dict[str, str]) -> tuple[str, ...]:
    """One stretch, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        model, dictionary = Path(folder) / "expected.lm", Path(folder) / "expected.dict"
        model.write_text(spoken.expecting(words), encoding="utf-8")
        # With the recognizer's whole dictionary a decoder is made in 0.9 s, with these words in 0.03.
        dictionary.write_text(_entries({*words, *spoken.common_words()}, pronunciations), encoding="utf-8")
        decoder = pocketsphinx.decoder(lm=str(model), dict=str(dictionary))
    return tuple(word.text for word in pocketsphinx.decoded(decoder, speech, span))


def _entries(words: set[str], pronunciations: Mapping[str, str]) -> str:
    known = [entry for word in sorted(words) for entry in _dictionary().get(word, ())]
    return "".join(f"{entry}\n" for entry in (*known, *(f"{word} {said}" for word, said in pronunciations.items())))


@lru_cache(maxsize=1)
def _dictionary() -> dict[str, tuple[str, ...]]:
    """Every entry of the recognizer's dictionary, by its word."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in pocketsphinx.entries():
        word = entry.split(maxsplit=1)[0].partition("(")[0]
        found[word] = (*found.get(word, ()), entry)
    return found
