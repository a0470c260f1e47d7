"""The best of several takes of a line: the one that says its text, in the person's voice, in the time there is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import InputError
from manifests.spans import RATE
from tasks.engines.protocols import Hearing, Voicing
from tasks.stage import Workbench, digest

OPTION = "takes"
"""How many takes of each line are made, in `options` of an engine that draws."""

MOST = 8

_WRONG, _UNLIKE, _OFF = 2.0, 1.0, 0.5
"""The cost of a take of which every word is wrong, that is nobody's voice, or that lasts e times what it should."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A take among others."""

    path: Path
    seed: int


def number(wanted: Voicing) -> int:
    """How many takes of each line are asked for. Raises InputError where that is no number from 1 to `MOST`."""
    asked = wanted.options.get(OPTION, 1)
    if not isinstance(asked, int) or isinstance(asked, bool) or not 1 <= asked <= MOST:
        raise InputError(
            f"`takes` of the engine {wanted.engine} is {asked!r}.", remedy=f"Write a whole number from 1 to {MOST}."
        )
    return asked


def chosen(
    takes: Sequence[Heard],
    text: str,
    like: Sequence[float | None],
    room_s: float | None,
    hearing: Hearing | None,
    bench: Workbench,
) -> tuple[Heard, str]:
    """The best of some takes, and why: what was measured of it, and in brackets of the others.

    `like` is each take's likeness to the person; without `room_s` nothing is asked of the lengths, without `hearing`
    nobody listens whether the words are right.
    """
    wrong = [word_errors(text, recognized(take.path, hearing, bench)) if hearing else None for take in takes]
    lengths = [_seconds(take.path) for take in takes]
    losses = [
        _WRONG * (errors or 0.0)
        + _UNLIKE * (0.0 if alike is None else 1.0 - alike)
        + (_OFF * abs(math.log(length / room_s)) if room_s else 0.0)
        for errors, alike, length in zip(wrong, like, lengths, strict=True)
    ]
    best = min(range(len(takes)), key=lambda at: (losses[at], at))
    said = [
        _told("words wrong", [None if each is None else f"{each:.0%}" for each in wrong], best),
        _told("likeness", [None if each is None else f"{each:.2f}" for each in like], best),
        _told("seconds", [f"{each:.2f}" for each in lengths], best) + (f" for {room_s:.2f}" if room_s else ""),
        "" if hearing else "nobody here understands the language, so the words were not heard",
    ]
    return takes[best], f"take {best + 1} of {len(takes)}: {'; '.join(part for part in said if part)}"


def recognized(sound: Path, hearing: Hearing, bench: Workbench) -> str:
    """What a recognizer hears in a take; kept in the store under both."""
    from tasks.engines import catalogue

    engine = catalogue.transcriber(hearing.engine)
    who = engine.identity(hearing)
    key = digest({"take": sound.name, "by": [who.name, who.weights_sha256], "language": hearing.language})

    def make(folder: Path) -> Path:
        import soundfile
        import soxr

        from manifests.spans import Span

        samples, rate = soundfile.read(str(sound), dtype="float32")
        speech = folder / "speech.wav"
        soundfile.write(str(speech), soxr.resample(samples, rate, 16_000), 16_000, "PCM_16")
        whole = Span(0, len(samples) * RATE // rate)
        words = engine.recognize(speech, [whole], hearing, cores=bench.cores, tell=lambda share: None)
        path = folder / "words.json"
        path.write_text(json.dumps(" ".join(word.text for word in words), ensure_ascii=False), encoding="utf-8")
        return path

    bench.kept("words", key, who)
    made = bench.store.made("words", key, make, engine=who.as_dict())
    return json.loads(made.read_text(encoding="utf-8"))


def word_errors(text: str, heard: str) -> float:
    """Share of a text's words that are heard wrong, left out or added; signs where its script has no spaces."""
    from rapidfuzz.distance import Levenshtein

    wanted, said = _words(text), _words(heard)
    return Levenshtein.distance(wanted, said) / max(1, len(wanted))


def _words(text: str) -> list[str]:
    words = re.findall(r"\w+", text.casefold())
    return words if any(ord(sign) < 0x2E80 for sign in "".join(words)) else list("".join(words))


def _seconds(path: Path) -> float:
    import soundfile

    return float(soundfile.info(str(path)).duration)


def _told(what: str, values: Sequence[str | None], best: int) -> str:
    mine = values[best]
    if mine is None:
        return ""
    others = ", ".join(value or "?" for at, value in enumerate(values) if at != best)
    return f"{what} {mine} ({others})"
