"""Speech to written words with their times: what Whisper hears in each stretch, then where the aligner finds it.

One of the two networks is in memory at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manifests.quiet import settle
from manifests.script import Word
from manifests.spans import RATE, Span, samples
from tasks.activity import levels, voice
from tasks.anchors import Heard, anchored
from tasks.engines import accelerator
from tasks.engines.ctc import Aligner, Placed
from tasks.engines.models import Model, digest
from tasks.engines.protocols import Hearing
from tasks.engines.resident import resident
from tasks.engines.whisper import LONGEST_S, Recognizer, Said
from tasks.engines.whisperx import hotwords, spoken_language
from tasks.speech_file import TICK, read
from tasks.spoken_form import spoken
from tasks.subtitles import UNSPACED

BATCH = {"cuda": 16, "cpu": 4}
"""Stretches that are heard at once where the manifest does not say."""

SHOWN_S = 30.0
"""Speech from which the language is told."""

_LISTENING = 0.8  # share of the work that is hearing; the rest is aligning


@dataclass(frozen=True, slots=True)
class Written:
    """A word as Whisper writes it, and how it is said."""

    text: str
    said: tuple[str, ...]


def recognize(
    speech: Path,
    parts: Sequence[Span],
    wanted: Hearing,
    recognizer: Model,
    aligner: Model,
    *,
    cores: int,
    tell: Callable[[float], None] = lambda share: None,
) -> tuple[Word, ...]:
    """The words in stretches of a mono 16 kHz file as they are written, in order; none of a stretch that has none, or
    whose sound has no room for the letters that Whisper writes.

    Raises EngineUnavailable where a model is not there or cannot be loaded, and InputError where the sound is clearly
    in another language than the one that was told.
    """
    settle()
    stretches = [piece for part in parts for piece in within(speech, part)]
    if not stretches:
        return ()
    language = spoken_language(wanted)
    said = _heard(speech, stretches, wanted, recognizer, cores, lambda share: tell(_LISTENING * share))
    texts = [written(one.text, language) for one in said]
    asked = [
        (piece, [part for word in text for part in word.said]) for piece, text in zip(stretches, texts, strict=True)
    ]
    found = _placed(speech, asked, language, aligner, cores, lambda share: tell(_LISTENING + (1 - _LISTENING) * share))
    sounding = voice(levels(speech))
    out: list[Word] = []
    for piece, text, one, places in zip(stretches, texts, said, found, strict=True):
        if places is None:  # no mouth is that fast: Whisper makes sentences up for scraps of sound
            continue
        out += anchored(_together(text, piece, one.likelihood, places), piece, sounding)
    return tuple(out)


def align(
    speech: Path,
    parts: Sequence[tuple[Span, Sequence[str]]],
    wanted: Hearing,
    aligner: Model,
    *,
    cores: int,
    tell: Callable[[float], None] = lambda share: None,
) -> tuple[tuple[Span, ...] | None, ...]:
    """When each word of each part is said; None for a part that is too short for its words. Raises as `recognize`."""
    settle()
    found = _placed(speech, parts, spoken_language(wanted), aligner, cores, tell)
    return tuple(
        None if places is None else tuple(place.span.shifted(span.start) for place in places)
        for (span, _), places in zip(parts, found, strict=True)
    )


def within(speech: Path, part: Span) -> list[Span]:
    """A stretch in pieces that Whisper can hear at once, cut where it is quietest in the last third of each."""
    pieces: list[Span] = []
    longest = samples(LONGEST_S)
    while part.length > longest:
        around = Span(part.start + longest * 2 // 3, part.start + longest)
        wave = read(speech, around)
        tenth = RATE // 10 // TICK
        power = [float(np.square(wave[at : at + tenth]).sum()) for at in range(0, len(wave) - tenth, tenth // 2)]
        cut = around.start + (int(np.argmin(power)) * (tenth // 2) + tenth // 2) * TICK if power else around.end
        pieces.append(Span(part.start, cut))
        part = Span(cut, part.end)
    return [*pieces, part]


def written(text: str, language: str) -> tuple[Written, ...]:
    """The words of a text; a sign alone (a dash) goes with the word before it, or with the one after it."""
    out: list[Written] = []
    before = ""
    space = "" if language.partition("-")[0] in UNSPACED else " "
    for token in text.split() if space else "".join(text.split()):
        said = spoken(token, language)
        if said:
            out.append(Written(f"{before}{space}{token}".strip(), said))
            before = ""
        elif out:
            out[-1] = Written(f"{out[-1].text}{space}{token}", out[-1].said)
        else:
            before = f"{before}{space}{token}".strip()
    return tuple(out)


def _heard(
    speech: Path,
    stretches: Sequence[Span],
    wanted: Hearing,
    model: Model,
    cores: int,
    tell: Callable[[float], None],
) -> list[Said]:
    device = accelerator.device()
    precision = str(wanted.options.get("precision", accelerator.precision(device)))
    language, folder = spoken_language(wanted), model.folder()
    with resident(
        (folder, digest(folder), device, precision, cores),
        lambda: Recognizer.load(model.name, folder, device, precision, cores),
    ) as recognizer:
        if "language" not in wanted.options:
            recognizer.check_language(_shown(speech, stretches), language)
        return accelerator.in_batches(
            stretches,
            int(wanted.options.get("batch", BATCH[device])),
            lambda batch: recognizer.hear([read(speech, piece) for piece in batch], language, hotwords(wanted)),
            what="transcribe",
            tell=tell,
        )


def _shown(speech: Path, stretches: Sequence[Span]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Up to half a minute of speech, from the middle on: lessons open with music and jingles."""
    half = len(stretches) // 2
    out: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    left = samples(SHOWN_S)
    for piece in (*stretches[half:], *stretches[:half]):
        out.append(read(speech, Span(piece.start, min(piece.end, piece.start + left))))
        left -= piece.length
        if left <= 0:
            break
    return np.concatenate(out)


def _placed(
    speech: Path,
    parts: Sequence[tuple[Span, Sequence[str]]],
    language: str,
    model: Model,
    cores: int,
    tell: Callable[[float], None],
) -> list[tuple[Placed, ...] | None]:
    """Where each word of each part is, from the part's start on."""
    device, folder = accelerator.device(), model.folder()
    with resident(
        (folder, digest(folder), device, language), lambda: Aligner.load(model.name, folder, device, language)
    ) as aligner:
        return accelerator.in_batches(
            parts,
            1,
            lambda batch: [aligner.place(read(speech, span), words, cores=cores) for span, words in batch],
            what="align",
            tell=tell,
        )


def _together(
    text: Sequence[Written], piece: Span, likelihood: float, places: tuple[Placed, ...] | None
) -> tuple[Heard, ...]:
    """Written words with the times of their spoken ones. How sure a word is: of its text and of its place alike."""
    out: list[Heard] = []
    at = 0
    for word in text:
        mine = places[at : at + len(word.said)] if places is not None else ()
        at += len(word.said)
        span = Span(mine[0].span.start, mine[-1].span.end).shifted(piece.start) if mine else None
        sure = sum(place.score for place in mine) / len(mine) if mine else 0.0
        out.append(Heard(word.text, span, round(math.sqrt(likelihood * sure), 3), len(word.said)))
    return tuple(out)
